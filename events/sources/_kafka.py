"""How the kafka source reads: as a member of a group, or one partition alone. Batch by batch, in order.

A place is kept from the first moment (committed, or emitted as cursor): what comes while the source is away
is read later, also when it never saw a record before.

New partitions  that came after the group, or that came again with their topic, are read from their beginning:
                when a group begins, its place is committed in all partitions that there are, so that one
                without a place is known to be new
Unreadable      records, with names of headers that are not UTF-8, are looked for one by one and left out: the
                library drops what it read with them
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from events.clients.kafka import Brokers, translated
from events.errors import Absent, Permanent, Retryable
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

MARK = "events-trigger"
"""Goes with our commits: a group where it is found was begun by us, in all partitions there were."""


class Unreadable(Retryable):
    """The library could not read a record: the next reader has to look for it."""


Tell = Callable[[str, Exception], None]
"""Counts and tells a record that is left out: where it is, and why."""


@contextmanager
def missing_told() -> Iterator[None]:
    """A topic that is not there may be made, or made again: Absent instead of Permanent."""
    from aiokafka.errors import UnknownTopicOrPartitionError

    try:
        yield
    except Permanent as exc:
        if isinstance(exc.__cause__, UnknownTopicOrPartitionError):
            raise Absent(str(exc)) from exc
        raise


class Reader(ABC):
    """Reads batches of one topic. `settle` after a batch was stored makes the place durable."""

    def __init__(self, brokers: Brokers, topic: str, *, begun: bool) -> None:
        """`begun`: records without a place came after we did, so they are read from the first one on."""
        self.topic, self.place, self.begun = topic, f"{brokers.place}, topic {topic!r}", begun
        self.consumer: AIOKafkaConsumer = None
        self.unreadable: Tell | None = None
        """Set to look for a record that cannot be read."""

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
            try:
                with translated(self.place):
                    found = await self._found(most)
            except UnicodeDecodeError as exc:
                raise Unreadable(f"{self.place}: a record cannot be read: looking for it") from exc
            if found:
                return [record for records in found.values() for record in records]
            quiet += POLL_MS / 1000
            if quiet >= QUIET:
                quiet, self.unreadable = 0.0, None
                await self._ask()

    async def _found(self, most: int) -> dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]]:
        if self.unreadable is None:
            found: dict[Any, Any] = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=most)
            return found
        for place in self.consumer.assignment():
            found = await self._one(place, self.unreadable)
            if found or self.unreadable is None:
                return found
        await asyncio.sleep(POLL_MS / 1000)
        return {}

    async def _one(self, place: TopicPartition, tell: Tell) -> dict[TopicPartition, Any]:
        """The next record; one that cannot be read is passed by, and that was the one."""
        try:
            found: dict[TopicPartition, Any] = await self.consumer.getmany(place, max_records=1)
        except UnicodeDecodeError as exc:
            offset = await self.consumer.position(place)
            tell(f"record {offset} of {place.topic}, partition {place.partition}", exc)
            self.consumer.seek(place, offset + 1)
            self.unreadable = None
            return {}
        return found

    async def _ask(self) -> None:
        """The library goes on without a word when all brokers are gone, and without the topic.

        It looks for new partitions every five minutes otherwise.
        """
        from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError

        with translated(self.place):
            async with asyncio.timeout(ASK):
                if not await self.consumer._client.force_metadata_update():
                    raise KafkaConnectionError("no broker answers")
            if self.consumer.partitions_for_topic(self.topic) is None:
                raise UnknownTopicOrPartitionError


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


class Partition(Reader):
    """One partition; its place is stored with the events."""

    def __init__(
        self, brokers: Brokers, topic: str, partition: int, stored: bytes | None, *, begun: bool
    ) -> None:
        from aiokafka import TopicPartition

        super().__init__(brokers, topic, begun=begun)
        self._at = TopicPartition(topic, partition)
        self._kept = kept_place(stored, topic, partition)

    def arguments(self) -> dict[str, Any]:
        return {"group_id": None, "enable_auto_commit": False, "auto_offset_reset": "earliest"}

    async def begin(self) -> bytes | None:
        if self._at.partition not in (self.consumer.partitions_for_topic(self.topic) or ()):
            hint = "add it, or correct its number"
            raise Absent(f"{self.place}: it has no partition {self._at.partition}: {hint}")
        with translated(self.place):
            async with asyncio.timeout(ASK):
                offset = await self._first()
            self.consumer.seek(self._at, offset)
        return stored_offset(self._at, offset) if self._kept is None else None

    async def _first(self) -> int:
        """Where to begin: at the place that was kept, else behind what is there."""
        oldest = self.begun
        if self._kept is not None:
            if not await self._made_anew(self._kept):
                return self._kept.offset
            oldest = True
        ask = self.consumer.beginning_offsets if oldest else self.consumer.end_offsets
        found: int = (await ask([self._at]))[self._at]
        return found

    async def _made_anew(self, kept: Kept) -> bool:
        """Whether the record before the place is another one than it was: so is the topic, then."""
        if kept.time_ms is None:
            return False
        self.consumer.seek(self._at, kept.offset - 1)
        found = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=1)
        before = found[self._at][0] if found else None
        return before is not None and before.offset == kept.offset - 1 and before.timestamp != kept.time_ms

    def prepare(self, consumer: AIOKafkaConsumer) -> None:
        super().prepare(consumer)
        consumer.assign([self._at])

    def cursor(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> bytes | None:
        return stored_offset(self._at, records[-1].offset + 1, records[-1].timestamp)

    async def settle(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        """The cursor went with them."""


def ends(records: Sequence[ConsumerRecord[bytes, bytes]]) -> dict[TopicPartition, int]:
    """The offsets behind the last record of each partition."""
    from aiokafka import TopicPartition

    return {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}


class Kept(NamedTuple):
    """Of a cursor: what to read next, and the time of the record before it."""

    offset: int
    time_ms: int | None


def stored_offset(place: TopicPartition, offset: int, time_ms: int | None = None) -> bytes:
    return orjson.dumps(
        {"topic": place.topic, "partition": place.partition, "offset": offset, "time": time_ms}
    )


def kept_place(stored: bytes | None, topic: str, partition: int) -> Kept | None:
    """What a cursor of this partition says; that of another place says nothing here."""
    found = orjson.loads(stored) if stored else {}
    same = (found.get("topic"), found.get("partition")) == (topic, partition)
    return Kept(int(found["offset"]), found.get("time")) if same else None


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
