"""nats: messages of one core NATS subject.

Spec      EventSource.spec.nats.<eventName>
Payload   {subject, body, header, metadata}; header is absent without headers
Delivery  at most once: core NATS keeps nothing for a source that is away
Upstream  pkg/eventsources/sources/nats/start.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import orjson
from pydantic import Field

from events.aio import together
from events.api.common import NATSAuth, NonEmpty, Problem, check_tls
from events.api.eventsource import BrokerSourceConfig
from events.clients.nats import Link, Login, Servers, connect
from events.clients.nats_client import Headers
from events.errors import Retryable
from events.lang.json_parts import body_json, metadata_json
from events.sources._base import Emit, Payload, Replay, Source, SourceContext
from events.sources._queue import Buffer, malformed

if TYPE_CHECKING:
    from nats.aio.msg import Msg


class NATSConfig(BrokerSourceConfig):
    """One subject."""

    url: NonEmpty = Field(description="servers, separated by commas, as in nats://nats:4222")
    subject: NonEmpty = Field(description="subject; * and > are wildcards")
    queue: str | None = Field(None, description="queue group: its members share the messages")
    auth: NATSAuth | None = Field(None, description="login")

    def problems(self) -> Iterable[Problem]:
        """A named queue group, whole certificates."""
        if self.queue == "":
            yield Problem("queue", "is empty", "name the queue group or remove the field", "required")
        yield from check_tls(self.tls)


class NATSSource(Source[NATSConfig]):
    """Subscribes, and keeps what comes while the bus is slow, up to a limit. The connection mends itself."""

    kind: ClassVar[str] = "nats"
    extra: ClassVar[str | None] = "nats"
    requires: ClassVar[tuple[str, ...]] = ("nats",)
    replay: ClassVar[Replay] = "none"
    leader_only: ClassVar[bool] = True

    def __init__(self, cfg: NATSConfig, ctx: SourceContext) -> None:
        super().__init__(cfg, ctx)
        self._buffer = Buffer(ctx)
        self._metadata = metadata_json(cfg.metadata)

    async def run(self, emit: Emit) -> None:
        """Raises Retryable (server away), Permanent (login, permission, certificates, guard)."""
        cfg, ctx = self.cfg, self.ctx
        servers = Servers.of(cfg.url, Login.of(cfg.auth), cfg.tls)
        name = f"event source {ctx.label}"
        link = await connect(servers, ctx.secrets, name, ctx.sessions)
        try:
            link.watchers.append(lambda up: self._turned(link, up))
            await link.client.subscribe(cfg.subject, queue=cfg.queue or "", cb=self._take)
            await link.flushed()
            ctx.ready()
            await together(lost=self._lost(link), emit=self._buffer.run(emit))
        finally:
            await link.aclose()

    def _turned(self, link: Link, up: bool) -> None:
        if up:
            self.ctx.ready()
        else:
            self.ctx.trouble(f"connection to {link.servers.shown} lost: {link.trouble or 'trying again'}")

    async def _lost(self, link: Link) -> None:
        await link.ended.wait()
        raise Retryable(f"{link.servers.shown} ended the connection: {link.trouble}")

    async def _take(self, message: Msg) -> None:
        try:
            self._buffer.put(payload(message, self._metadata, as_json=self.cfg.json_body))
        except ValueError as exc:
            malformed(self.ctx, f"a message of subject {message.subject!r}", exc)


def payload(message: Msg, metadata: bytes, *, as_json: bool) -> Payload:
    """Raises ValueError for a body that is to be JSON and is not."""
    body, headers = body_json(message.data, as_json=as_json), message.headers
    header = b',"header":%b' % orjson.dumps(headers.every()) if isinstance(headers, Headers) else b""
    return Payload(b'{"subject":%b,"body":%b%b%b}' % (orjson.dumps(message.subject), body, header, metadata))
