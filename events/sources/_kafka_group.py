"""A member of a Kafka consumer group.

New partitions  that came after the group, or that came again with their topic, are read from their beginning:
                when a group begins, its place is committed in all partitions that there are, so that one
                without a place is known to be new
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from events.clients.kafka import Brokers, translated
from events.sources._kafka import ASK, Reader
from events.sources._queue import BATCH_MESSAGES

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

HAND_OVER = 5.0
"""Seconds in which the batch in hand may be finished before its partitions go to another member."""

MARK = "events-trigger"
"""Goes with our commits: a group where it is found was begun by us, in all partitions there were."""


class Group(Reader):
    """A member of a consumer group: the brokers keep the place."""

    def __init__(
        self, brokers: Brokers, topic: str, name: str, *, begun: bool, oldest: bool, strategy: str
    ) -> None:
        super().__init__(brokers, topic, begun=begun)
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
            places, self._fresh = self._fresh, set()
            with translated(self.place):
                async with asyncio.timeout(ASK):
                    offsets = await self._begin_at(places)
            self._seek(places, offsets)

    async def _begin_at(self, places: set[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where the group was; at its first time, where it is to begin, and that is committed."""
        from aiokafka import TopicPartition

        there = self.consumer.partitions_for_topic(self.topic) or ()
        every = places | {TopicPartition(self.topic, number) for number in there}
        stored = await self.consumer._coordinator.fetch_committed_offsets(every)
        self.begun |= any(kept.metadata == MARK for kept in stored.values())
        new = (places if self.begun else every) - stored.keys()
        first = await self._first(new)
        self.begun |= await self._commit(first)
        return {place: kept.offset for place, kept in stored.items()} | first

    async def _first(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        if not places:
            return {}
        oldest = self.begun or self._oldest
        ask = self.consumer.beginning_offsets if oldest else self.consumer.end_offsets
        found: dict[TopicPartition, int] = await ask([*places])
        return found

    def _seek(self, places: Collection[TopicPartition], offsets: Mapping[TopicPartition, int]) -> None:
        from aiokafka.errors import IllegalStateError

        for place in places:
            with suppress(IllegalStateError):  # it belongs to another member by now
                self.consumer.seek(place, offsets[place])

    def cursor(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> bytes | None:
        return None

    async def settle(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        with translated(self.place):
            done = {place: after for place, after in ends(records).items() if place not in self._lost}
            async with asyncio.timeout(ASK):
                await self._commit(done)
        self._settled.set()

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Also of partitions that others have. False when the group is about to share anew.

        What another member has then is read again there: the id of an event makes that harmless.
        """
        from aiokafka.errors import CommitFailedError
        from aiokafka.structs import OffsetAndMetadata

        if not offsets:
            return True
        marked = {place: OffsetAndMetadata(offset, MARK) for place, offset in offsets.items()}
        try:
            await self.consumer._coordinator.commit_offsets(None, marked)
        except CommitFailedError:
            return False
        return True

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


def ends(records: Sequence[ConsumerRecord[bytes, bytes]]) -> dict[TopicPartition, int]:
    """The offsets behind the last record of each partition."""
    from aiokafka import TopicPartition

    return {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}


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
