"""nats: one message to a NATS subject per firing.

Spec      Sensor.spec.triggers[].template.nats
Sends     the document built from `payload`, with the firing id as Nats-Msg-Id
Outcome   done when the server has taken the message; with `jetstream: true` when a stream has stored it
Repeats   a stream stores a repeated firing once, within its duplicate window; core NATS sends it again
Upstream  pkg/sensors/triggers/nats/nats.go
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from events.api.common import TLS, NATSAuth, NonEmpty, Problem, check_tls
from events.api.sensor import Parameters, TriggerConfig, check_parameters
from events.clients.nats import Link, Login, Servers, translated
from events.clients.nats_links import Links
from events.errors import ExpressionError, Permanent, Retryable
from events.event import Firing, Outcome, Request
from events.sensors.parameters import compile_payload
from events.triggers._base import Render, Trigger, TriggerContext
from events.triggers._text import Body

if TYPE_CHECKING:
    from nats.js.api import PubAck


class NATSConfig(TriggerConfig):
    """One subject."""

    url: NonEmpty = Field(description="servers, separated by commas, as in nats://nats:4222")
    subject: NonEmpty = Field(description="subject to publish to")
    payload: Parameters = Field(description="builds the document from values of the events")
    tls: TLS | None = Field(None, description="certificates of the connection")
    auth: NATSAuth | None = Field(None, description="login")
    jetstream: bool = Field(False, description="wait until a stream has stored the message [extension]")

    def problems(self) -> Iterable[Problem]:
        """Whole payload entries, parameters, certificates."""
        yield from check_parameters(self.parameters, "parameters", severity="warning")
        yield from check_parameters(self.payload, "payload")
        yield from check_tls(self.tls, severity="warning")


TIMEOUT = 5.0
"""Seconds for the answer of a stream."""

NAME = "events-trigger"

REFUSED = 400
"""Code of a stream that will never take the message: too large, sealed. One that is full says 503."""

LONGEST = 3900
"""Bytes of a subject: a line of the protocol has 4096 at the most, or the server ends the connection."""


class NATSRequest(Request, kw_only=True):
    """One message."""

    servers: Servers
    subject: str
    content: Body
    jetstream: bool = False

    @property
    def payload(self) -> str:
        """The document as text."""
        return self.content.text


class NATSTrigger(Trigger[NATSConfig, NATSRequest]):
    """Publishes over one connection per server and login."""

    kind: ClassVar[str] = "nats"
    extra: ClassVar[str | None] = "nats"
    requires: ClassVar[tuple[str, ...]] = ("nats",)
    request: ClassVar[type[Request]] = NATSRequest

    def __init__(self, ctx: TriggerContext) -> None:
        super().__init__(ctx)
        self._links = ctx.shared.get(Links, partial(Links, ctx.sessions, NAME))

    @classmethod
    def compile(cls, cfg: NATSConfig) -> Render:
        payload, subject = compile_payload(cfg.payload), checked_subject(cfg.subject)
        try:
            servers = Servers.of(cfg.url, Login.of(cfg.auth), cfg.tls)
        except Permanent as exc:
            raise ExpressionError("url: write nats://host:4222", "nats") from exc

        def render(firing: Firing) -> NATSRequest:
            content = Body.of(payload(firing) or "")
            return NATSRequest(servers=servers, subject=subject, content=content, jetstream=cfg.jetstream)

        return render

    async def fire(self, request: NATSRequest, firing: str) -> Outcome:
        """Raises Retryable (server away, no stream for the subject), Permanent (login, permission, size)."""
        link = await self._links.get(request.servers, self.ctx.secrets)
        headers = {"Nats-Msg-Id": firing}
        check_size(link, request, headers)
        send = self._store if request.jetstream else self._publish
        return await send(link, request, headers)

    async def _publish(self, link: Link, request: NATSRequest, headers: dict[str, str]) -> Outcome:
        started = time.monotonic()
        with translated(NAME, request.servers):
            await link.client.publish(request.subject, request.content.encode(), headers=headers)
        await link.published(request.subject, started)
        return Outcome(detail=f"{request.servers.shown} took the message for {request.subject}")

    async def _store(self, link: Link, request: NATSRequest, headers: dict[str, str]) -> Outcome:
        started = time.monotonic()
        try:
            made = await stored(link, request, headers)
        except Retryable:
            await link.published(request.subject, started)  # a subject that is refused has no answer
            raise
        detail = f"{request.servers.shown}: stream {made.stream} has {request.subject} as {made.seq}"
        return Outcome(detail=detail, repeated=bool(made.duplicate))


def check_size(link: Link, request: NATSRequest, headers: dict[str, str]) -> None:
    """Raises Permanent. The server counts the headers too, and nats-py 2.16 does not: the server would end
    the connection, which others share.
    """
    from nats.errors import MaxPayloadError

    size = len(b"NATS/1.0\r\n\r\n") + sum(len(f"{name}: {text}\r\n") for name, text in headers.items())
    with translated(NAME, request.servers):
        if size + len(request.content.encode()) > link.client.max_payload:
            raise MaxPayloadError


async def stored(link: Link, request: NATSRequest, headers: dict[str, str]) -> PubAck:
    """The answer of the stream. Raises Retryable, Permanent."""
    from nats.js.errors import APIError, NoStreamResponseError

    what = f"{NAME}: {request.servers.shown}: {request.subject}"
    with translated(NAME, request.servers):
        try:
            return await link.client.jetstream().publish(
                request.subject, request.content.encode(), timeout=TIMEOUT, headers=headers
            )
        except NoStreamResponseError as exc:
            hint = "make one, or leave jetstream out"
            raise Retryable(f"{what}: no stream stores this subject: {hint}") from exc
        except APIError as exc:
            kind = Permanent if exc.code == REFUSED else Retryable
            raise kind(f"{what}: {exc.description}") from exc


def checked_subject(subject: str) -> str:
    """Raises ExpressionError for a subject that cannot be published to."""
    parts = subject.split(".")
    if any(not part or part in {"*", ">"} or any(map(str.isspace, part)) for part in parts):
        raise ExpressionError("cannot be published to: no wildcards, spaces, empty parts", subject)
    if len(subject.encode()) > LONGEST:
        raise ExpressionError(f"cannot be published to: longer than {LONGEST} bytes", subject)
    return subject
