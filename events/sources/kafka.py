"""kafka: records of one Kafka topic.

Spec      EventSource.spec.kafka.<eventName>
Payload   {topic, key, partition, body, timestamp, headers, metadata}; body is the JSON of the value with
          jsonBody, else base64 text; null for a record without value
Delivery  at least once: an offset is committed (or, without a group, stored with the event) only after
          the bus has stored the event. Its id is made of topic, partition, offset and time: a second
          reading is harmless. The place is kept from the first start on: what comes while the source is away
          is read. So is everything in partitions that are added, and in a topic that is made anew while
          the source runs (or, without a group, while it is away)
Upstream  pkg/eventsources/sources/kafka/start.go
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from pydantic import Field

from events.aio import together
from events.api.common import (
    AWSMSKIAM,
    SASL,
    Int64,
    KafkaConsumerGroup,
    NonEmpty,
    Problem,
    SchemaRegistry,
    check_choice,
    check_tls,
)
from events.api.eventsource import BrokerSourceConfig
from events.clients.kafka import Brokers, start, stop
from events.clients.kafka_guard import Gate
from events.clients.kafka_settings import consumer_settings
from events.clients.schema_registry import Registry, Schemas
from events.errors import Absent, Permanent
from events.lang.json_parts import body_json, metadata_json
from events.sources._base import Emit, Payload, Replay, Source, SourceContext
from events.sources._kafka import Reader, Unreadable, missing_told
from events.sources._kafka_group import Group
from events.sources._kafka_partition import Partition
from events.sources._queue import BATCH_MESSAGES, malformed, store

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord


class KafkaConfig(BrokerSourceConfig):
    """One topic, as a member of a consumer group or one partition alone."""

    url: NonEmpty = Field(description="brokers, each host:port, separated by commas")
    topic: NonEmpty = Field(description="topic to read")
    partition: str = Field("", description='partition to read without a group, as text: "0"')
    consumer_group: KafkaConsumerGroup | None = Field(None, description="group to read as a member of")
    limit_events_per_second: Int64 = Field(0, description="at most so many events a second; 0 is no limit")
    version: str = Field("", description="protocol version; has no effect, it is negotiated")
    sasl: SASL | None = Field(None, description="SASL login")
    aws_msk_iam_auth: AWSMSKIAM | None = Field(
        None, description="login to Amazon MSK with IAM; wins over sasl"
    )
    config: str = Field("", description="further settings of the client, as YAML text")
    schema_registry: SchemaRegistry | None = Field(None, description="decodes Avro values; needs jsonBody")

    def problems(self) -> Iterable[Problem]:
        """A group or a partition; whole certificates."""
        yield from self._place()
        yield from check_tls(self.tls)
        yield from self._settings()
        if self.consumer_group:
            strategies = ("range", "roundrobin", "sticky")
            given, field = self.consumer_group.rebalance_strategy, "consumerGroup.rebalanceStrategy"
            yield from check_choice(given, field, strategies, "warning")

    def _place(self) -> Iterator[Problem]:
        if not (self.consumer_group or self.partition):
            hint = "as in consumerGroup: {groupName: NAME}"
            yield Problem("", "has neither consumerGroup nor partition", hint, "required")
        if self.partition and not self.consumer_group and not re.fullmatch(r"[+-]?[0-9]+", self.partition):
            yield Problem("partition", f"not a number: {self.partition!r}", 'as in partition: "0"')

    def _settings(self) -> Iterator[Problem]:
        try:
            for path, reason in consumer_settings(self.config).problems:
                hint = "take it out, or see the settings of this source"
                yield Problem("config", f"{path} {reason}", hint, "no-effect", "warning")
        except ValueError as exc:
            yield Problem("config", f"not usable: {exc}", "write a mapping in YAML", "yaml", "warning")


class KafkaSource(Source[KafkaConfig]):
    """Records, batch by batch: one emit and one commit for each."""

    kind: ClassVar[str] = "kafka"
    extra: ClassVar[str | None] = "kafka"
    requires: ClassVar[tuple[str, ...]] = ("aiokafka",)
    replay: ClassVar[Replay] = "acked"

    def __init__(self, cfg: KafkaConfig, ctx: SourceContext) -> None:
        super().__init__(cfg, ctx)
        # Members of a group share; a partition alone is for one process.
        self.leader_only = cfg.consumer_group is None  # type: ignore[misc] # elsewhere the kind decides
        self._metadata = metadata_json(cfg.metadata)
        self._id = f"{ctx.source}:{ctx.event}:{cfg.url.partition(',')[0]}"
        self._schemas = self._registry()
        self._begun = False
        """Since then, whatever has no place yet is new."""
        self._looking = False
        """For a record that cannot be read."""

    def _registry(self) -> Schemas | None:
        """Like upstream: the values are Avro only with jsonBody."""
        if self.cfg.schema_registry is None or not self.cfg.json_body:
            return None
        return Schemas(Registry.of(self.cfg.schema_registry), self.ctx.secrets, self.ctx.sessions)

    async def run(self, emit: Emit) -> None:
        """Raises Retryable (brokers away, no such topic or partition), Permanent (login, permission)."""
        try:
            with missing_told():
                await self._run(emit)
        except Absent:
            self._begun = True
            raise
        except Unreadable:
            self._looking = True
            raise

    async def _run(self, emit: Emit) -> None:
        if self.cfg.aws_msk_iam_auth is not None:
            raise Permanent("awsMskIamAuth is not available in this version: use sasl with SCRAM-SHA-512")
        brokers = Brokers.of(self.cfg.url, self.cfg.tls, self.cfg.sasl)
        reader = await self._reader(brokers)
        if self._looking:
            reader.unreadable = partial(malformed, self.ctx)
        self._looking = False
        settings = await brokers.settings(self.ctx.secrets)
        consumer, gate = self._consumer(reader, settings), Gate(self.ctx.sessions)
        await start(consumer, brokers.place, settings, gate)
        try:
            cursor = await reader.begin()
            self._begun = reader.begun
            if cursor is not None:
                await emit([], cursor)
            self.ctx.ready()
            await together(read=self._read(reader, emit), guard=gate.shut(brokers.place))
        finally:
            reader.release()
            await stop(consumer)

    async def _reader(self, brokers: Brokers) -> Reader:
        group = self.cfg.consumer_group
        if group is None:
            partition = int(self.cfg.partition)
            stored = await self.ctx.cursor()
            return Partition(brokers, self.cfg.topic, partition, stored, begun=self._begun)
        name = group.group_name or f"{self.ctx.namespace}.{self.ctx.source}.{self.ctx.event}"
        return Group(
            brokers, self.cfg.topic, name, begun=self._begun, oldest=group.oldest,
            strategy=group.rebalance_strategy,
        )  # fmt: skip

    def _consumer(self, reader: Reader, settings: dict[str, Any]) -> AIOKafkaConsumer:
        from aiokafka import AIOKafkaConsumer

        given = consumer_settings(self.cfg.config).arguments
        try:
            consumer = AIOKafkaConsumer(**{**settings, **given, **reader.arguments()})
        except ValueError as exc:
            raise Permanent(f"config: {exc}") from exc
        reader.prepare(consumer)
        return consumer

    async def _read(self, reader: Reader, emit: Emit) -> None:
        limit = self.cfg.limit_events_per_second
        most = min(BATCH_MESSAGES, limit) if limit > 0 else BATCH_MESSAGES
        clock = asyncio.get_running_loop().time
        while True:
            began, records = clock(), await reader.batch(most)
            payloads = await self._payloads(records)
            if payloads:
                await store(self.ctx, emit, payloads, reader.cursor(records))
            elif (cursor := reader.cursor(records)) is not None:
                await emit([], cursor)
            await reader.settle(records)
            if limit > 0:
                await asyncio.sleep(began + len(records) / limit - clock())

    async def _payloads(self, records: list[ConsumerRecord[bytes, bytes]]) -> list[Payload]:
        found = []
        for record in records:
            try:
                found.append(Payload(await self._data(record), self._named(record)))
            except ValueError as exc:
                place = f"record {record.offset} of {record.topic}, partition {record.partition}"
                malformed(self.ctx, place, exc)
        return found

    async def _data(self, record: ConsumerRecord[bytes, bytes]) -> bytes:
        """Raises ValueError for a value that is not what it is to be."""
        value = record.value
        if value is None:
            body = b"null"
        elif self._schemas is not None:
            body = await self._schemas.decode(value)
        else:
            body = body_json(value, self.cfg.json_body)
        return event_data(record, body, self._metadata)

    def _named(self, record: ConsumerRecord[bytes, bytes]) -> str:
        """The offset alone would be that of another record once the topic is made anew."""
        return f"{self._id}:{record.topic}:{record.partition}:{record.offset}:{record.timestamp}"


def event_data(record: ConsumerRecord[bytes, bytes], body: bytes, metadata: bytes = b"") -> bytes:
    """The data of the event. Of headers with the same name the last one stays, as upstream."""
    headers = {name: readable(value) for name, value in record.headers}
    return b'{"topic":%b,"key":%b,"partition":%d,"body":%b,"timestamp":"%b","headers":%b%b}' % (
        orjson.dumps(record.topic), orjson.dumps(readable(record.key)), record.partition, body,
        go_time(record.timestamp).encode(), orjson.dumps(headers), metadata,
    )  # fmt: skip


def readable(data: bytes | None) -> str:
    return (data or b"").decode(errors="replace")


def go_time(milliseconds: int) -> str:
    """A time as Go prints it in UTC; a record without one has Go's zero time."""
    if milliseconds < 0:
        return "0001-01-01 00:00:00 +0000 UTC"
    second, rest = divmod(milliseconds, 1000)
    fraction = f".{rest:03}".rstrip("0") if rest else ""
    return f"{_second_text(second)}{fraction} +0000 UTC"


@lru_cache(64)
def _second_text(second: int) -> str:
    """Records of the same second come together, and this is five microseconds of work."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}"
