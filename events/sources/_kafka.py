"""How the kafka source reads: as a member of a group, or one partition alone. Batch by batch, in order.

A place is kept from the first moment (committed, or emitted as cursor): what comes while the source is away
is read later, also when it never saw a record before.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from events.clients.kafka import Brokers, translated
from events.errors import Permanent
from events.sources._queue import BATCH_MESSAGES

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

POLL_MS = 1000
QUIET = 15.0
"""Seconds without a record after which the brokers are asked whether they are still there."""

ASK = 10.0
"""Seconds that such a question may take."""

HAND_OVER = 5.0
"""Seconds in which the batch in hand may be finished before its partitions go to another member."""


class Reader(ABC):
    """Reads batches of one topic. `settle` after a batch was stored makes the place durable."""

    def __init__(self, brokers: Brokers, topic: str) -> None:
        self.topic, self.place = topic, f"{brokers.place}, topic {topic!r}"
        self.consumer: AIOKafkaConsumer = None

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Arguments of the consumer beside those of the connection."""

    @abstractmethod
    async def begin(self) -> bytes | None:
        """After the start: find the place; a cursor that is to be stored, if there is one."""

    @abstractmethod
    def cursor(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> bytes | None:
        """What to store with these records."""

    @abstractmethod
    async def settle(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        """These were stored."""

    def prepare(self, consumer: AIOKafkaConsumer) -> None:
        """Before the start."""
        self.consumer = consumer

    def release(self) -> None:  # noqa: B027 - most have nothing to do
        """No batch is in hand any more; before the consumer is closed."""

    async def batch(self, most: int = BATCH_MESSAGES) -> list[ConsumerRecord[bytes, bytes]]:
        """The next records, at least one. Raises Retryable when the brokers are away."""
        quiet = 0.0
        while True:
            with translated(self.place):
                found = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=most)
            if found:
                return [record for records in found.values() for record in records]
            quiet += POLL_MS / 1000
            if quiet >= QUIET:
                quiet = 0.0
                await self._ask()

    async def _ask(self) -> None:
        """The library goes on without a word when all brokers are gone."""
        from aiokafka.errors import UnknownTopicOrPartitionError

        with translated(self.place):
            async with asyncio.timeout(ASK):
                if self.topic not in await self.consumer.topics():
                    raise UnknownTopicOrPartitionError


class Group(Reader):
    """A member of a consumer group: the brokers keep the place."""

    def __init__(self, brokers: Brokers, topic: str, name: str, *, oldest: bool, strategy: str) -> None:
        super().__init__(brokers, topic)
        self.name, self._oldest, self._strategy = name, oldest, strategy
        self._settled = asyncio.Event()
        self._settled.set()
        self._fresh: set[TopicPartition] = set()
        self._lost: set[TopicPartition] = set()

    def arguments(self) -> dict[str, Any]:
        return {
            "group_id": self.name, "enable_auto_commit": False, "auto_offset_reset": "earliest",
            "partition_assignment_strategy": [assignor(self._strategy)],
        }  # fmt: skip

    def prepare(self, consumer: AIOKafkaConsumer) -> None:
        super().prepare(consumer)
        consumer.subscribe([self.topic], listener=listener(self))

    async def begin(self) -> bytes | None:
        await self._anchor()
        return None

    async def batch(self, most: int = BATCH_MESSAGES) -> list[ConsumerRecord[bytes, bytes]]:
        self._settled.set()
        records: list[ConsumerRecord[bytes, bytes]] = []
        while not records:
            await self._anchor()
            records = [record for record in await super().batch(most) if self._ours(record)]
        self._lost.clear()
        self._settled.clear()
        return records

    def _ours(self, record: ConsumerRecord[bytes, bytes]) -> bool:
        """False before the place of its partition was found."""
        return (record.topic, record.partition) not in self._fresh

    async def _anchor(self) -> None:
        """Find the place in partitions that came anew. They may come and go meanwhile."""
        while self._fresh:
            place = min(self._fresh)
            self._fresh.discard(place)
            with translated(self.place):
                await self._begin_at(place)

    async def _begin_at(self, place: TopicPartition) -> None:
        """Where the group was; at its first time, where it is to begin, and that is committed."""
        from aiokafka.errors import IllegalStateError

        with suppress(IllegalStateError):  # it belongs to another member by now
            async with asyncio.timeout(ASK):
                offset = await self.consumer.committed(place)
                if offset is None:
                    offset = await self._first(place)
                    await self._commit({place: offset})
            self.consumer.seek(place, offset)

    async def _first(self, place: TopicPartition) -> int:
        ask = self.consumer.beginning_offsets if self._oldest else self.consumer.end_offsets
        offset: int = (await ask([place]))[place]
        return offset

    def cursor(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> bytes | None:
        return None

    async def settle(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        with translated(self.place):
            done = {place: after for place, after in ends(records).items() if place not in self._lost}
            await self._commit(done)
        self._settled.set()

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """What another member has now is read again there: the id of an event makes that harmless."""
        from aiokafka.errors import CommitFailedError, IllegalStateError

        if offsets:
            with suppress(CommitFailedError, IllegalStateError):
                async with asyncio.timeout(ASK):
                    await self.consumer.commit(dict(offsets))

    def release(self) -> None:
        self._settled.set()

    async def revoked(self, places: set[TopicPartition]) -> None:
        """The batch in hand may be stored and committed first, if that is soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HAND_OVER):
                await self._settled.wait()
        self._lost |= places

    def assigned(self, places: set[TopicPartition]) -> None:
        self._fresh |= places


class Partition(Reader):
    """One partition; its place is stored with the events."""

    def __init__(self, brokers: Brokers, topic: str, partition: int, stored: bytes | None) -> None:
        from aiokafka import TopicPartition

        super().__init__(brokers, topic)
        self._at = TopicPartition(topic, partition)
        self._next = next_offset(stored, topic, partition)

    def arguments(self) -> dict[str, Any]:
        return {"group_id": None, "enable_auto_commit": False, "auto_offset_reset": "earliest"}

    async def begin(self) -> bytes | None:
        if self._at.partition not in (self.consumer.partitions_for_topic(self.topic) or ()):
            raise Permanent(f"{self.place}: it has no partition {self._at.partition}")
        with translated(self.place):
            if self._next is not None:
                self.consumer.seek(self._at, self._next)
                return None
            async with asyncio.timeout(ASK):
                newest: int = (await self.consumer.end_offsets([self._at]))[self._at]
            self.consumer.seek(self._at, newest)
        return stored_offset(self._at, newest)

    def prepare(self, consumer: AIOKafkaConsumer) -> None:
        super().prepare(consumer)
        consumer.assign([self._at])

    def cursor(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> bytes | None:
        return stored_offset(self._at, records[-1].offset + 1)

    async def settle(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        """The cursor went with them."""


def ends(records: Sequence[ConsumerRecord[bytes, bytes]]) -> dict[TopicPartition, int]:
    """The offsets behind the last record of each partition."""
    from aiokafka import TopicPartition

    return {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}


def stored_offset(place: TopicPartition, offset: int) -> bytes:
    return orjson.dumps({"topic": place.topic, "partition": place.partition, "offset": offset})


def next_offset(stored: bytes | None, topic: str, partition: int) -> int | None:
    """The offset of a cursor of this partition; that of another place says nothing here."""
    found = orjson.loads(stored) if stored else {}
    same = (found.get("topic"), found.get("partition")) == (topic, partition)
    return int(found["offset"]) if same else None


def assignor(strategy: str) -> Any:
    """How a group shares partitions; range unless it is one of the other two."""
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor
    from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

    others = {"roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor}
    return others.get(strategy, RangePartitionAssignor)


def listener(group: Group) -> Any:
    """What the library tells of rebalances, for the group."""
    from aiokafka.abc import ConsumerRebalanceListener

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
        async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
            await group.revoked(set(revoked))

        async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
            group.assigned(set(assigned))

    return Listener()
