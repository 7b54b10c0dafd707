"""sns: notifications of one Amazon SNS topic, over HTTP.

The endpoint is subscribed to the topic when webhook.url says where it is seen from outside: at the start, and
every ten minutes, since a topic that is made anew has no subscriptions. It confirms what SNS asks it to
confirm. Messages of other topics are refused. It stays subscribed when the source stops: SNS repeats what it
could not deliver.

Spec      EventSource.spec.sns.<eventName>
Payload   {header, body, metadata}; body is the envelope that SNS sent, or with raw delivery the message
          itself, as JSON where it is JSON, else as text
Delivery  at least once: 200 is answered only after the bus has stored the event; the message id makes a
          redelivery harmless
Upstream  pkg/eventsources/sources/awssns/start.go
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from pydantic import Field

from events.api.common import NonEmpty
from events.api.eventsource import AWSSourceConfig, HookSourceConfig
from events.clients.aws import Account, Clients, reference, translated
from events.clients.sns import NOTIFICATION, Certificates, Untrusted, confirm
from events.errors import EventsError, Permanent
from events.lang.document import Document
from events.lang.json_parts import checked_json, metadata_json
from events.sources._base import Emit, Payload, Replay, Source, SourceContext

if TYPE_CHECKING:
    from aiohttp import web


class SNSConfig(AWSSourceConfig, HookSourceConfig):
    """One topic; the endpoint is subscribed to it."""

    topic_arn: NonEmpty = Field(description="ARN of the topic")
    region: NonEmpty = Field(description="AWS region of the topic")
    validate_signature: bool = Field(False, description="verify the signature of every message")

    @property
    def address(self) -> str:
        """Where SNS finds the endpoint; empty when it is not to be subscribed."""
        hook = self.webhook
        return f"{hook.url.rstrip('/')}/{hook.endpoint.lstrip('/')}" if hook.url else ""


RETRY, AGAIN = 30.0, 600.0
"""Seconds until the subscription is made again: one that could not be made, and one that was. To subscribe
what is subscribed changes nothing, and a topic that is deleted takes its subscriptions with it."""

ANSWERS_WITHIN = 30.0
"""Seconds for a request to SNS."""


class SNSSource(Source[SNSConfig]):
    """Deliveries of SNS, and the subscription that asks for them."""

    kind: ClassVar[str] = "sns"
    extra: ClassVar[str | None] = "aws"
    requires: ClassVar[tuple[str, ...]] = ("aiobotocore", "cryptography")
    replay: ClassVar[Replay] = "acked"

    def __init__(self, cfg: SNSConfig, ctx: SourceContext) -> None:
        super().__init__(cfg, ctx)
        self._metadata = metadata_json(cfg.metadata)
        self._account = Account(
            cfg.region, reference(cfg.access_key), reference(cfg.secret_key), cfg.role_arn, cfg.endpoint
        )

    async def run(self, emit: Emit) -> None:
        """Serves its endpoint until cancelled. Raises Permanent for an endpoint that cannot be served."""
        from aiohttp import web

        from events.web.hooks import Endpoint, serve
        from events.web.listeners import Answer

        self._certificates = Certificates(self.ctx.sessions.get())
        clients = Clients(self.ctx.secrets, self.ctx.sessions)
        self._client = partial(clients.get, "sns", self._account)

        async def handle(request: web.BaseRequest, body: bytes) -> web.Response:
            try:
                payload = await self._payload(request, body)
            except (Untrusted, Permanent) as exc:
                self.ctx.failed(1)
                self.ctx.log.warning("event source %s: refused a message: %s", self.ctx.label, exc)
                raise Answer(403, f"{exc}\n") from exc
            if payload is not None:
                await emit((payload,))
            return web.Response(text="success" if payload else "")

        try:
            async with serve(Endpoint.of(self.cfg.webhook), self.ctx, handle):
                self.ctx.ready()
                await self._subscribe()
                await asyncio.Event().wait()
        finally:
            await clients.aclose()

    # messages

    async def _payload(self, request: web.BaseRequest, body: bytes) -> Payload | None:
        """The event, None for a message that is none. Raises Answer, Untrusted, Retryable."""
        if request.headers.get("X-Amz-Sns-Rawdelivery", "").lower() == "true":
            return self._raw(request, body)
        envelope = envelope_of(body)
        if envelope.get("TopicArn") != self.cfg.topic_arn:
            raise Untrusted("the message is of another topic")
        if self.cfg.validate_signature:
            await self._certificates.verify(envelope)
        if envelope.get("Type") == NOTIFICATION:
            return self._event(request, body, str(envelope.get("MessageId") or ""))
        await self._other(envelope)
        return None

    def _raw(self, request: web.BaseRequest, body: bytes) -> Payload:
        if self.cfg.validate_signature:
            raise Untrusted("raw messages are not signed: switch raw delivery or validateSignature off")
        if request.headers.get("X-Amz-Sns-Topic-Arn") != self.cfg.topic_arn:
            raise Untrusted("the message is of another topic")
        text = body if Document(body).valid else orjson.dumps(body.decode(errors="replace"))
        return self._event(request, text, request.headers.get("X-Amz-Sns-Message-Id", ""))

    def _event(self, request: web.BaseRequest, body: bytes, message_id: str) -> Payload:
        from events.web.hooks import header_json

        text = checked_json(body)
        return Payload(
            b'{"header":%b,"body":%b%b}' % (header_json(request), text, self._metadata), message_id or None
        )

    async def _other(self, envelope: dict[str, Any]) -> None:
        kind, label = envelope.get("Type"), self.ctx.label
        if kind == "SubscriptionConfirmation":
            await self._confirm(envelope)
            self.ctx.log.info("event source %s: subscribed to %s", label, self.cfg.topic_arn)
        elif kind == "UnsubscribeConfirmation":
            self.ctx.log.warning("event source %s: unsubscribed from %s", label, self.cfg.topic_arn)

    # subscription

    async def _confirm(self, envelope: dict[str, Any]) -> None:
        """At Amazon without a login, at another `endpoint` through its API."""
        if not self.cfg.endpoint:
            await confirm(self.ctx.sessions.get(), envelope, self.cfg.topic_arn)
            return
        with self._asking():
            async with asyncio.timeout(ANSWERS_WITHIN):
                client, token = await self._client(), str(envelope.get("Token"))
                await client.confirm_subscription(TopicArn=self.cfg.topic_arn, Token=token)

    def _asking(self) -> AbstractContextManager[None]:
        return translated(f"SNS topic {self.cfg.topic_arn} ({self.cfg.endpoint or self.cfg.region})")

    async def _subscribe(self) -> None:
        """Again and again. What is wrong is told, and deliveries are taken all the same."""
        while self.cfg.address:
            made = await self._subscribed()
            if made:
                self.ctx.ready()
            await asyncio.sleep(AGAIN if made else RETRY)

    async def _subscribed(self) -> bool:
        topic, address = self.cfg.topic_arn, self.cfg.address
        scheme = "https" if address.lower().startswith("https://") else "http"
        try:
            client = await self._client()
            with self._asking():
                async with asyncio.timeout(ANSWERS_WITHIN):
                    await client.subscribe(TopicArn=topic, Protocol=scheme, Endpoint=address)
        except EventsError as exc:
            self.ctx.trouble(f"subscription: {exc}")
            self.ctx.log.error("event source %s: subscription: %s", self.ctx.label, exc)
            return False
        return True


def envelope_of(body: bytes) -> dict[str, Any]:
    """Raises Answer 400."""
    from events.web.listeners import Answer

    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise Answer(400, "the body is not valid JSON\n") from exc
    if not isinstance(found, dict):
        raise Answer(400, "the body is not a JSON object\n")
    return found
