"""amqp: messages of one AMQP 0.9.1 exchange (RabbitMQ).

Spec      EventSource.spec.amqp.<eventName>
Payload   {contentType, contentEncoding, deliveryMode, priority, correlationId, replyTo, expiration,
          messageId, timestamp, type, appId, exchange, routingKey, body, metadata}
Delivery  at least once with `consume.autoAck: false`: a message is acknowledged only after the bus has
          stored the event; one that can never become an event is rejected, so that a dead-letter exchange
          gets it. At most once with autoAck, which is also the default
Binding   made anew every minute: an exchange that is deleted takes the binding with it, and nobody is told
Upstream  pkg/eventsources/sources/amqp/start.go
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from pydantic import Field

from events.aio import together
from events.api.common import (
    BasicAuth,
    Int32,
    Model,
    NonEmpty,
    Problem,
    SecretKeySelector,
    check_login,
    check_tls,
)
from events.api.eventsource import BrokerSourceConfig
from events.clients.amqp import TIMEOUT, Broker, Channel, opened, translated
from events.clients.secrets import secret
from events.clients.tls import TlsRefs
from events.errors import Permanent
from events.lang.json_parts import body_json, metadata_json
from events.lang.utc import go_text
from events.sources._base import Emit, Payload, Replay, Source, SourceContext
from events.sources._queue import Buffer, Waiting, insist, malformed

if TYPE_CHECKING:
    from aiormq.abc import DeliveredMessage


class ExchangeDeclare(Model):
    """How the exchange is declared."""

    durable: bool = Field(False, description="survives a restart of the broker")
    auto_delete: bool = Field(False, description="is deleted when nothing is bound to it")
    internal: bool = Field(False, description="takes no messages from publishers")
    no_wait: bool = Field(False, description="do not wait for the broker's answer")


class QueueDeclare(Model):
    """How the queue is declared."""

    name: str = Field("", description="name of the queue; chosen by the broker when empty")
    durable: bool = Field(False, description="survives a restart of the broker")
    auto_delete: bool = Field(False, description="is deleted when nobody consumes from it")
    exclusive: bool = Field(False, description="belongs to this connection")
    no_wait: bool = Field(False, description="do not wait for the broker's answer")
    arguments: str = Field("", description="further arguments, as YAML text")


class QueueBind(Model):
    """How the queue is bound to the exchange."""

    no_wait: bool = Field(False, description="do not wait for the broker's answer")


class Consume(Model):
    """How messages are consumed."""

    consumer_tag: str = Field("", description="name of the consumer; chosen by the broker when empty")
    auto_ack: bool = Field(False, description="the broker forgets a message when it has sent it")
    exclusive: bool = Field(False, description="nobody else may consume from the queue")
    no_local: bool = Field(False, description="not supported by RabbitMQ")
    no_wait: bool = Field(False, description="do not wait for the broker's answer")
    prefetch_count: Int32 = Field(
        0, description="most messages that are sent and not acknowledged; 512 when 0 [extension]"
    )


class AMQPConfig(BrokerSourceConfig):
    """One queue bound to one exchange."""

    url: str = Field("", description="amqp:// or amqps:// URL; exactly one of url and urlSecret")
    url_secret: SecretKeySelector | None = Field(None, description="Secret key with the URL")
    exchange_name: str = Field("", description="exchange to declare and bind to")
    exchange_type: NonEmpty = Field(description="direct, fanout, topic or headers")
    routing_key: NonEmpty = Field(description="key of the binding")
    exchange_declare: ExchangeDeclare | None = Field(
        None, description="options of the exchange; durable without this block"
    )
    queue_declare: QueueDeclare | None = Field(
        None, description="options of the queue; exclusive, named by the broker without this block"
    )
    queue_bind: QueueBind | None = Field(None, description="options of the binding")
    consume: Consume | None = Field(None, description="options of consuming; autoAck without this block")
    auth: BasicAuth | None = Field(None, description="login instead of the user in the URL")

    def problems(self) -> Iterable[Problem]:
        """Exactly one URL; whole login and certificates."""
        if bool(self.url) == bool(self.url_secret):
            said = "has both url and urlSecret" if self.url else "has neither url nor urlSecret"
            yield Problem("", said, "write exactly one of url and urlSecret", "choice")
        yield from check_tls(self.tls)
        yield from check_login(self.auth)


PREFETCH = 512
"""Two batches: one is being stored, the next one is on its way."""

BIND_AGAIN = 60.0
"""Seconds between two declarations; one that is there already costs an answer."""

NO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""What upstream shows when a message has no timestamp."""

Delivery = tuple["DeliveredMessage", Payload | None]
"""A message and its event; without one where it cannot become one."""


class AMQPSource(Source[AMQPConfig]):
    """Declares what it needs, and consumes."""

    kind: ClassVar[str] = "amqp"
    extra: ClassVar[str | None] = "amqp"
    requires: ClassVar[tuple[str, ...]] = ("aiormq",)
    replay: ClassVar[Replay] = "acked"
    leader_only: ClassVar[bool] = True

    def __init__(self, cfg: AMQPConfig, ctx: SourceContext) -> None:
        super().__init__(cfg, ctx)
        self._consume = cfg.consume or Consume(auto_ack=True)
        self._metadata = metadata_json(cfg.metadata)
        self._buffer = Buffer(ctx)
        if self._consume.auto_ack:
            self.replay = "none"  # type: ignore[misc] # of the kind, but for this setting

    async def run(self, emit: Emit) -> None:
        """Raises Retryable (broker away), Permanent (login, permission, options that do not fit)."""
        arguments = table(self.cfg.queue_declare.arguments if self.cfg.queue_declare else "")
        async with opened(self._broker(), self.ctx.secrets, self.ctx.sessions) as channel:
            with translated(channel.place):
                queue = await declare(channel, self.cfg, arguments)
            work = self._passing if self._consume.auto_ack else self._keeping
            await together(work=work(channel, queue, emit), bound=self._stay_bound(channel, queue))

    async def _stay_bound(self, channel: Channel, queue: str) -> None:
        """For ever. Raises Retryable, Permanent."""
        while self.cfg.exchange_name:
            await asyncio.sleep(BIND_AGAIN)
            with translated(channel.place):
                await declare_exchange(channel, self.cfg)
                await bind(channel, self.cfg, queue)
        await asyncio.Event().wait()

    def _broker(self) -> Broker:
        cfg, auth = self.cfg, self.cfg.auth
        url = secret(cfg.url_secret) if cfg.url_secret else cfg.url
        user, password = (auth.username, auth.password) if auth else (None, None)
        login = (secret(user), secret(password)) if user and password else None
        return Broker(url, login, TlsRefs.of(cfg.tls))

    async def _passing(self, channel: Channel, queue: str, emit: Emit) -> None:
        """autoAck: the broker does not wait for us."""

        async def take(message: DeliveredMessage) -> None:
            if (made := self._payload(message)) is not None:
                self._buffer.put(made)

        await self._start(channel, queue, take)
        await together(lost=channel.lost(), emit=self._buffer.run(emit))

    async def _keeping(self, channel: Channel, queue: str, emit: Emit) -> None:
        """Acknowledged in batches, after they are stored. The broker sends no more than the prefetch."""
        prefetch = self._consume.prefetch_count or PREFETCH
        waiting: Waiting[Delivery] = Waiting(prefetch)

        async def take(message: DeliveredMessage) -> None:
            waiting.put_now((message, self._payload(message)), len(message.body))

        async def store(batch: list[Delivery]) -> None:
            kept = [(message, made) for message, made in batch if made is not None]
            refused = await insist(self.ctx, emit, [made for _, made in kept]) if kept else {}
            stored = [tag(message) for index, (message, _) in enumerate(kept) if index not in refused]
            with translated(channel.place):
                await acknowledge(channel, stored, [tag(message) for message, _ in batch])

        with translated(channel.place):
            await channel.use.basic_qos(prefetch_count=prefetch, timeout=TIMEOUT)
        await self._start(channel, queue, take)
        await together(lost=channel.lost(), emit=waiting.run(store))

    async def _start(self, channel: Channel, queue: str, take: Any) -> None:
        how = self._consume
        with translated(channel.place):
            await channel.use.basic_consume(
                queue, take, no_ack=how.auto_ack, exclusive=how.exclusive,
                consumer_tag=how.consumer_tag or None, timeout=TIMEOUT,
            )  # fmt: skip
        self.ctx.ready()

    def _payload(self, message: DeliveredMessage) -> Payload | None:
        try:
            return payload(message, self._metadata, as_json=self.cfg.json_body)
        except ValueError as exc:
            malformed(self.ctx, f"message {message.header.properties.message_id or tag(message)}", exc)
            return None


def table(text: str) -> dict[str, Any] | None:
    """The further arguments of a queue, from YAML. Raises Permanent."""
    import yaml

    try:
        found = yaml.safe_load(text) if text else None
    except yaml.YAMLError as exc:
        raise Permanent("queueDeclare.arguments: is not YAML") from exc
    if found is not None and not isinstance(found, dict):
        raise Permanent("queueDeclare.arguments: is not a map, as in x-queue-type: quorum")
    return found


async def declare(channel: Channel, cfg: AMQPConfig, arguments: dict[str, Any] | None) -> str:
    """Exchange, queue and binding; the queue's name. The default exchange is there, bound to every queue."""
    how = cfg.queue_declare or QueueDeclare(exclusive=True)
    if cfg.exchange_name:
        await declare_exchange(channel, cfg)
    made = await channel.use.queue_declare(
        how.name, durable=how.durable, auto_delete=how.auto_delete, exclusive=how.exclusive,
        nowait=how.no_wait and bool(how.name), arguments=arguments, timeout=TIMEOUT,
    )  # type: ignore[call-overload] # fmt: skip
    queue: str = how.name or made.queue
    if cfg.exchange_name:
        await bind(channel, cfg, queue)
    return queue


async def declare_exchange(channel: Channel, cfg: AMQPConfig) -> None:
    how = cfg.exchange_declare or ExchangeDeclare(durable=True)
    await channel.use.exchange_declare(
        cfg.exchange_name, exchange_type=cfg.exchange_type, durable=how.durable,
        auto_delete=how.auto_delete, internal=how.internal, nowait=how.no_wait, timeout=TIMEOUT,
    )  # type: ignore[call-overload] # fmt: skip


async def bind(channel: Channel, cfg: AMQPConfig, queue: str) -> None:
    nowait = bool(cfg.queue_bind and cfg.queue_bind.no_wait)
    await channel.use.queue_bind(
        queue, cfg.exchange_name, cfg.routing_key, nowait=nowait, timeout=TIMEOUT
    )  # type: ignore[call-overload] # fmt: skip


async def acknowledge(channel: Channel, stored: list[int], batch: list[int]) -> None:
    """Reject what was not stored; then one answer stands for all the others up to it."""
    for one in sorted(set(batch) - set(stored)):
        await channel.use.basic_reject(one, requeue=False, wait=False)
    if stored:
        await channel.use.basic_ack(stored[-1], multiple=True)


def tag(message: DeliveredMessage) -> int:
    """The number of a delivery within its channel."""
    return message.delivery_tag or 0


def payload(message: DeliveredMessage, metadata: bytes, *, as_json: bool) -> Payload:
    """Raises ValueError for a body that is to be JSON and is not."""
    has = message.header.properties
    head = orjson.dumps({
        "contentType": has.content_type or "", "contentEncoding": has.content_encoding or "",
        "deliveryMode": has.delivery_mode or 0, "priority": has.priority or 0,
        "correlationId": has.correlation_id or "", "replyTo": has.reply_to or "",
        "expiration": has.expiration or "", "messageId": has.message_id or "",
        "timestamp": go_text(has.timestamp or NO_TIME), "type": has.message_type or "",
        "appId": has.app_id or "", "exchange": message.exchange or "",
        "routingKey": message.routing_key or "",
    })  # fmt: skip
    data = b'%b,"body":%b%b}' % (head[:-1], body_json(message.body, as_json=as_json), metadata)
    return Payload(data, identity(has.message_id, data) if has.message_id else None)


def identity(message_id: str, data: bytes) -> str:
    """Senders choose message ids, and some choose the same one always: the content counts too."""
    return f"{message_id}:{hashlib.sha256(data).hexdigest()[:16]}"
