"""minio: notifications about objects in a bucket of a MinIO server.

Spec      EventSource.spec.minio.<eventName>
Payload   {notification, metadata}; notification is the list of S3 records, as the server sent it
Delivery  MinIO keeps nothing for a source that is away: what happens then is lost. While the bus is slow, up
          to 10,000 notifications wait; what comes beyond them is dropped and counted
Upstream  pkg/eventsources/sources/minio/start.go
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import ClassVar

import orjson
from pydantic import Field

from events.aio import together
from events.api.common import NonEmpty, Problem, S3Bucket, S3Filter, SecretKeySelector, Strings
from events.api.eventsource import SourceConfig
from events.clients.minio import Login, Stream, check, lines, records_in
from events.clients.s3_records import record_id
from events.clients.secrets import secret
from events.clients.tls import TlsRefs, session_of
from events.lang.json_parts import metadata_json
from events.sources._base import Emit, Payload, Replay, Source, SourceContext
from events.sources._queue import Buffer, malformed


class MinioConfig(SourceConfig):
    """One bucket."""

    endpoint: NonEmpty = Field(description="host:port of the server, without scheme")
    bucket: S3Bucket = Field(description="bucket to listen to")
    region: str = Field("", description="region of the bucket")
    insecure: bool = Field(False, description="plain HTTP instead of HTTPS")
    access_key: SecretKeySelector = Field(description="Secret key with the access key")
    secret_key: SecretKeySelector = Field(description="Secret key with the secret key")
    events: Strings = Field([], description="S3 event names, as in s3:ObjectCreated:*")
    filter: S3Filter | None = Field(None, description="object keys that count")
    ca_certificate: SecretKeySelector | None = Field(None, description="PEM trust roots of the connection")

    def problems(self) -> Iterable[Problem]:
        """No empty event names; without any the server sends nothing."""
        if not self.events:
            hint = 'as in events: ["s3:ObjectCreated:*"]'
            yield Problem("events", "is empty: the server sends nothing", hint, "required", "warning")
        for index, name in enumerate(self.events):
            if not name:
                yield Problem(f"events.{index}", "is empty", "as in s3:ObjectCreated:*", "required")


ASSUMED = 3.0
"""Seconds after which the server listens, also when it has not answered: some answer late."""


class MinioSource(Source[MinioConfig]):
    """Hears, keeps in a bounded buffer, hands over."""

    kind: ClassVar[str] = "minio"
    extra: ClassVar[str | None] = "aws"
    requires: ClassVar[tuple[str, ...]] = ("aiobotocore",)
    replay: ClassVar[Replay] = "none"
    leader_only: ClassVar[bool] = True

    def __init__(self, cfg: MinioConfig, ctx: SourceContext) -> None:
        super().__init__(cfg, ctx)
        self._metadata = metadata_json(cfg.metadata)
        self._buffer = Buffer(ctx)

    async def run(self, emit: Emit) -> None:
        """Raises Retryable (also: the stream has ended), Permanent (refused)."""
        await together(hear=self._hear(), hand_over=self._buffer.run(emit))

    async def _hear(self) -> None:
        cfg, stream = self.cfg, stream_of(self.cfg)
        read = self.ctx.secrets.read
        login = Login(
            (await read(secret(cfg.access_key))).strip(), (await read(secret(cfg.secret_key))).strip()
        )
        tls = TlsRefs(ca=secret(cfg.ca_certificate)) if cfg.ca_certificate else None
        session = await session_of(tls, self.ctx.secrets, self.ctx.sessions)
        await check(session, stream, login)
        assumed = asyncio.get_running_loop().call_later(ASSUMED, self.ctx.ready)
        try:
            async with aclosing(lines(session, stream, login)) as found:
                async for line in found:
                    assumed.cancel()
                    self.ctx.ready()
                    self._take(line)
        finally:
            assumed.cancel()

    def _take(self, line: bytes) -> None:
        try:
            notification = records_in(line)
        except ValueError as exc:
            malformed(self.ctx, "a line of the stream", exc)
            return
        if notification:
            data = b'{"notification":%b%b}' % (notification, self._metadata)
            self._buffer.put(Payload(data, notification_id(notification)))


def notification_id(notification: bytes) -> str | None:
    """That of its record, so that two sources at work for a moment do no harm. None where there is none."""
    try:
        return "".join(record_id(record) for record in orjson.loads(notification)) or None
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def stream_of(cfg: MinioConfig) -> Stream:
    scheme = "http" if cfg.insecure else "https"
    keys = cfg.filter or S3Filter()
    return Stream(
        f"{scheme}://{cfg.endpoint}",
        cfg.bucket.name,
        cfg.region or "us-east-1",
        cfg.events,
        keys.prefix,
        keys.suffix,
    )
