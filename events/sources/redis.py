"""redis: messages of Redis pub/sub channels.

Spec      EventSource.spec.redis.<eventName>
Payload   {channel, pattern, body, metadata}; body is text
Delivery  at most once: Redis keeps nothing for a source that is away
Upstream  pkg/eventsources/sources/redis/start.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import orjson
from pydantic import Field

from events.aio import together
from events.api.common import TLS, Int32, NonEmpty, Problem, SecretKeySelector, Strings, check_tls
from events.api.eventsource import BodySourceConfig
from events.clients.redis import Link, Server, connected
from events.clients.secrets import secret
from events.clients.tls import TlsRefs
from events.errors import Permanent, Retryable
from events.lang.json_parts import checked_json, metadata_json
from events.sources._base import Emit, Payload, Replay, Source, SourceContext
from events.sources._queue import Buffer, malformed


class RedisConfig(BodySourceConfig):
    """Some channels of one server."""

    host_address: NonEmpty = Field(description="host:port of the server")
    password: SecretKeySelector | None = Field(None, description="Secret key with the password")
    namespace: str = Field("", description="not used; upstream wants it beside a password")
    db: Int32 = Field(0, description="number of the database")
    channels: Strings = Field(description="names of the channels")
    tls: TLS | None = Field(None, description="certificates of the connection")
    username: str = Field("", description="user name")

    def problems(self) -> Iterable[Problem]:
        """Whole certificates."""
        if self.password and not self.namespace:
            hint = "write the namespace of the Secret; upstream refuses a password without it"
            yield Problem("namespace", "is empty", hint, "upstream-refuses", "warning")
        yield from check_tls(self.tls)


PING = 10.0
"""Seconds of silence after which the server is asked whether it is still there."""


class RedisSource(Source[RedisConfig]):
    """Subscribes, and keeps what comes while the bus is slow, up to a limit."""

    kind: ClassVar[str] = "redis"
    extra: ClassVar[str | None] = "redis"
    requires: ClassVar[tuple[str, ...]] = ("redis",)
    replay: ClassVar[Replay] = "none"
    leader_only: ClassVar[bool] = True

    def __init__(self, cfg: RedisConfig, ctx: SourceContext) -> None:
        super().__init__(cfg, ctx)
        self._buffer = Buffer(ctx)

    async def run(self, emit: Emit) -> None:
        """Raises Retryable (server away), Permanent (login, permission)."""
        cfg, ctx = self.cfg, self.ctx
        server = Server.of(
            cfg.host_address, db=cfg.db, username=cfg.username, tls=TlsRefs.of(cfg.tls),
            password=secret(cfg.password) if cfg.password else None,
        )  # fmt: skip
        async with connected(server, ctx.secrets, ctx.sessions) as link:
            await subscribe(link, cfg.channels)
            ctx.ready()
            await together(listen=self._listen(link, server.place), emit=self._buffer.run(emit))

    async def _listen(self, link: Link, place: str) -> None:
        metadata, pinged = metadata_json(self.cfg.metadata), False
        while True:
            found = await link.message(PING)
            if found is None:
                if pinged:
                    raise Retryable(f"{place}: no answer to a ping in {PING:.0f} s")
                await link.send("PING")
            elif found[0] == b"message":
                self._take(found[1], found[2], metadata)
            pinged = found is None

    def _take(self, channel: bytes, body: bytes, metadata: bytes) -> None:
        try:
            self._buffer.put(payload(channel, body, metadata, as_json=self.cfg.json_body))
        except ValueError as exc:
            malformed(self.ctx, f"a message of channel {channel.decode(errors='replace')!r}", exc)


async def subscribe(link: Link, channels: Iterable[str]) -> None:
    """Returns when the server has confirmed every channel. Raises Retryable, Permanent."""
    wanted = list(dict.fromkeys(channels))
    if not wanted:
        raise Permanent("channels: is empty")
    await link.send("SUBSCRIBE", *wanted)
    for _ in wanted:
        if await link.message(PING) is None:
            raise Retryable(f"the subscription was not confirmed in {PING:.0f} s")


def payload(channel: bytes, body: bytes, metadata: bytes, *, as_json: bool) -> Payload:
    """Raises ValueError for a body that is to be JSON and is not."""
    text = checked_json(body) if as_json else orjson.dumps(body.decode(errors="replace"))
    name = orjson.dumps(channel.decode(errors="replace"))
    return Payload(b'{"channel":%b,"pattern":"","body":%b%b}' % (name, text, metadata))
