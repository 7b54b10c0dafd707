"""mqtt: messages of one MQTT topic filter.

Spec      EventSource.spec.mqtt.<eventName>
Payload   {topic, messageId, body, metadata}
Delivery  at most once with `qos: 0`; with `qos: 1` or 2 at least once: the broker keeps the session of the
          clientId while the source is away, and a message is acknowledged (PUBACK, PUBREC) only after the bus
          has stored the event. What the session has from another filter (of the manifest before it was
          edited) is acknowledged without an event
Sharing   a topic `$share/GROUP/FILTER` shares the messages with the other subscribers of the group
Upstream  pkg/eventsources/sources/mqtt/start.go
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

import orjson
from pydantic import Field

from events.aio import together
from events.api.common import BasicAuth, Int32, NonEmpty, Problem, check_login, check_tls
from events.api.eventsource import BrokerSourceConfig
from events.clients.mqtt import Connection, connected
from events.clients.mqtt_broker import Broker
from events.clients.mqtt_packets import Message
from events.clients.mqtt_topics import TopicFilter
from events.clients.secrets import secret
from events.clients.tls import TlsRefs
from events.lang.json_parts import body_json, metadata_json
from events.sources._base import Emit, Payload, Replay, Source, SourceContext
from events.sources._queue import Buffer, Waiting, insist, malformed


class MQTTConfig(BrokerSourceConfig):
    """One topic filter."""

    url: NonEmpty = Field(
        description="URL of the broker: tcp://host:1883, ssl://host:8883, ws://host:port/path or wss://host/path"
    )
    topic: NonEmpty = Field(description="topic filter; + and # are wildcards")
    client_id: NonEmpty = Field(description="client id, unique at the broker")
    auth: BasicAuth | None = Field(None, description="user name and password")
    qos: Int32 = Field(
        0, description="0, or 1 or 2: the broker keeps what comes while the source is away [extension]"
    )

    def problems(self) -> Iterable[Problem]:
        """A quality of service that exists, whole login and certificates."""
        if self.qos not in (0, 1, 2):
            yield Problem("qos", f"no such quality of service: {self.qos}", "0, 1 or 2", "choice")
        yield from check_tls(self.tls)
        yield from check_login(self.auth)


WAITING = 1000
"""Messages read and not stored; then no more are read. Brokers send fewer before they want an answer."""


class MQTTSource(Source[MQTTConfig]):
    """Subscribes; with QoS 1 and 2 in a session that the broker keeps."""

    kind: ClassVar[str] = "mqtt"
    replay: ClassVar[Replay] = "acked"
    leader_only: ClassVar[bool] = True

    def __init__(self, cfg: MQTTConfig, ctx: SourceContext) -> None:
        super().__init__(cfg, ctx)
        self._buffer = Buffer(ctx)
        self._filter = TopicFilter(cfg.topic)
        self._subscribed = False
        if cfg.qos == 0:
            self.replay = "none"  # type: ignore[misc] # of the kind, but for this setting

    async def run(self, emit: Emit) -> None:
        """Raises Retryable (broker away, bus cannot store), Permanent (login, permission, URL)."""
        cfg, ctx = self.cfg, self.ctx
        async with connected(self._broker(), ctx.secrets, ctx.sessions) as connection:
            await self._subscribe(connection)
            listen = self._keeping if cfg.qos else self._passing
            await together(listen=listen(connection, emit), ping=connection.keep_alive())

    async def _subscribe(self, connection: Connection) -> None:
        """Unless the session has it from us: brokers send what they retain at each subscription."""
        if connection.resumed and self._subscribed:
            self.ctx.ready()
        else:
            await connection.subscribe(self.cfg.topic, self.cfg.qos, self._granted)

    def _granted(self) -> None:
        self._subscribed = True
        self.ctx.ready()

    def _broker(self) -> Broker:
        cfg, auth = self.cfg, self.cfg.auth
        login = {}
        if auth is not None and auth.username and auth.password:
            login = {"user": secret(auth.username), "password": secret(auth.password)}
        tls = TlsRefs.of(cfg.tls)
        return Broker.of(cfg.url, cfg.client_id, tls=tls, clean=cfg.qos == 0, **login)

    async def _passing(self, connection: Connection, emit: Emit) -> None:
        """QoS 0: the broker does not wait for us."""

        async def listen() -> None:
            while True:
                if made := self._payload(await connection.receive()):
                    self._buffer.put(made)

        await together(listen=listen(), emit=self._buffer.run(emit))

    async def _keeping(self, connection: Connection, emit: Emit) -> None:
        """QoS 1 and 2: acknowledged in batches, after they are stored."""
        waiting: Waiting[Message] = Waiting(WAITING)

        async def listen() -> None:
            while True:
                await waiting.put(message := await connection.receive(), len(message.payload))

        await together(listen=listen(), emit=waiting.run(partial(self._store, connection, emit)))

    async def _store(self, connection: Connection, emit: Emit, messages: list[Message]) -> None:
        if payloads := [made for message in messages if (made := self._payload(message))]:
            await insist(self.ctx, emit, payloads)
        await connection.acknowledge(*messages)

    def _payload(self, message: Message) -> Payload | None:
        """None for what can never be an event, and for what was not asked for."""
        if self.cfg.qos and not self._filter.covers(message.topic):
            return None
        try:
            return payload(message, self.cfg)
        except ValueError as exc:
            malformed(self.ctx, f"a message of topic {message.topic!r}", exc)
            return None


def payload(message: Message, cfg: MQTTConfig) -> Payload:
    """Raises ValueError for a body that is to be JSON and is not."""
    body, topic = body_json(message.payload, as_json=cfg.json_body), orjson.dumps(message.topic)
    metadata = metadata_json(cfg.metadata)
    return Payload(b'{"topic":%b,"messageId":%d,"body":%b%b}' % (topic, message.number, body, metadata))
