"""kafka_batches: records packed into batches, which brokers store as a whole, and sent by a producer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from events.bus.kafka_wire import Record
from events.clients.kafka import hush, look
from events.errors import BusUnavailable

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer, TopicPartition
    from aiokafka.producer.message_accumulator import BatchBuilder

BATCH_BYTES = 1 << 20
BATCH_OVERHEAD = 100


class Batch:
    """One record batch of a partition, with room for some more."""

    def __init__(self, builder: BatchBuilder, partition: int) -> None:
        self.builder, self.partition = builder, partition
        self.first = -1
        """Offset of its first record, when it is stored and the broker says so."""
        self.bytes = BATCH_OVERHEAD

    def add(self, record: Record) -> int:
        """The number of the record within the batch."""
        number = self.builder.record_count()
        added = self.builder.append(
            timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
        )
        if added is None:
            raise BusUnavailable("a record does not fit its batch")
        self.bytes += size_of(record)
        return int(number)


class Packed:
    """Batches, in the order in which they have to be sent."""

    def __init__(self, producer: AIOKafkaProducer, limit: int) -> None:
        self._producer, self._limit = producer, limit
        self._open: dict[int, Batch] = {}
        self.batches: list[Batch] = []

    def put(self, records: Sequence[Record], partition: int) -> list[tuple[Batch, int]]:
        """All into one batch."""
        batch, need = self._open.get(partition), sum(map(size_of, records))
        if batch is None or batch.bytes + need > self._limit:
            batch = self._open[partition] = Batch(self._producer.create_batch(), partition)
            self.batches.append(batch)
        return [(batch, batch.add(record)) for record in records]


def size_of(record: Record) -> int:
    """Bytes in a batch, at most."""
    headers = sum(len(name) + len(value) + 10 for name, value in record.headers)
    return len(record.key) + len(record.value or b"") + headers + 40


async def deliver(producer: AIOKafkaProducer, topic: str, batches: Sequence[Batch]) -> None:
    """Send, and wait until all are stored. Raises KafkaError."""
    waiting: list[asyncio.Future[Any]] = []
    try:
        for batch in batches:
            batch.builder.close()
            waiting.append(await producer.send_batch(batch.builder, topic, partition=batch.partition))
        answers = await asyncio.gather(*waiting)
    except BaseException:
        hush(producer)
        for one in waiting:
            one.add_done_callback(look)
        raise
    for batch, stored in zip(batches, answers, strict=True):
        batch.first = stored.offset


async def transact(
    producer: AIOKafkaProducer, topics: Mapping[str, Sequence[Batch]], mirror: Mirror | None = None
) -> None:
    """All or nothing. Raises KafkaError: ProducerFenced when another producer has the id now."""
    await producer.begin_transaction()
    sending = [deliver(producer, topic, batches) for topic, batches in topics.items() if batches]
    if mirror is not None:
        sending.append(producer.send_offsets_to_transaction(mirror.offsets, mirror.group))
    try:
        await asyncio.gather(*sending)
        await producer.commit_transaction()
    finally:
        hush(producer)  # how the transaction ended was raised: nobody else asks for it


class Mirror(NamedTuple):
    """Places that the tools for consumer lag shall see."""

    group: str
    offsets: dict[TopicPartition, int]
