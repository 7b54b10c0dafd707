"""kafka_reader: follows all partitions of the events for some topics.

Doubles   Kafka stores a key twice when a sender repeats it; the second one within DEDUPE_WINDOW is dropped
          here and counted. A reader looks at the window before its mark first, so a takeover knows them too
Gaps      what retention removed before it was read is reported, and reading goes on behind it
Growth    partitions that appear later are read from their beginning
Deaf      when nothing comes though the brokers have more, the consumer is made anew, and that is counted
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from events.bus._base import DEDUPE_WINDOW, Batch, Double, Gap, Mark, Topic
from events.bus.kafka_link import EARLIEST, Link, unavailable
from events.bus.kafka_wire import Wire, delivery_of, position_of, topic_key
from events.clients.kafka import stop
from events.errors import BusUnavailable, Damaged, EventsError
from events.event import Delivery

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

log = logging.getLogger(__name__)

BATCH = 512
POLL_MS = 250
"""How long one wait takes at most: then places that moved over nothing but control records are told."""

STUCK = 5.0
"""Seconds without anything new after which the brokers are asked whether there is more."""

PAUSE = 0.5
"""Seconds until the next attempt while the brokers cannot be reached."""

MOST_KEYS = 1_000_000


WINDOW_MS = int(DEDUPE_WINDOW * 1000)


Halves = tuple[dict[str, int], dict[str, int]]
"""Ids with the time at which they were stored (milliseconds since 1970): the younger and the older ones."""


class Window:
    """The keys of one partition that were seen within DEDUPE_WINDOW, and some that are older.

    In two halves that take turns, so that keys go all at once and not each by itself.
    """

    def __init__(self) -> None:
        self._topics: dict[Topic, Halves] = {}
        self._until = self._count = 0

    def turn(self, now_ms: int, coming: int) -> dict[Topic, Halves]:
        """What is known, by topic, for so many records of this time and later."""
        self._count += coming
        if now_ms > self._until or self._count > MOST_KEYS // 2:
            self._topics = {topic: ({}, young) for topic, (young, _) in self._topics.items() if young}
            self._until, self._count = now_ms + WINDOW_MS, coming
        return self._topics


def knows(halves: Halves, name: str, stored_ms: int) -> bool:
    """Whether the id was there before; it is from now on."""
    young, old = halves
    if name in young or name in old:
        before = young[name] if name in young else old[name]
        young[name] = stored_ms
        return stored_ms - before <= WINDOW_MS
    young[name] = stored_ms
    return False


class KafkaReader:
    """Follows the log. One consumer; `aclose` ends a waiting `next`."""

    def __init__(
        self,
        link: Link,
        topic: str,
        wire: Wire,
        wanted: Iterable[Topic],
        failed: Callable[[EventsError], None],
    ) -> None:
        self._link, self._topic, self._wire = link, topic, wire
        self._topics = frozenset(wanted)
        self._keys = frozenset(topic_key(*one) for one in self._topics)
        self._failed = failed
        self._consumer: AIOKafkaConsumer | None = None
        self._at: dict[int, int] = {}
        """Place of the next record, by partition; what was told so far."""
        self._from: dict[int, int] = {}
        """Where the consumer starts: earlier than the mark, for the window."""
        self._windows: dict[int, Window] = {}
        self.end: Exception | None = None
        self._ended = asyncio.Event()
        self.doubles = self.restarts = self.unreadable = 0
        self._barren = 0
        """Restarts since anything came."""

    async def start(self, after: Mark, starts: dict[int, int]) -> None:
        """`starts`: the places of the window before the mark."""
        self._at = {partition: after.offsets.get(partition, 0) for partition in starts}
        self._from = {partition: min(starts[partition], at) for partition, at in self._at.items()}
        self._windows = {partition: Window() for partition in self._at}
        await self._connect()

    async def _connect(self) -> AIOKafkaConsumer:
        from aiokafka import TopicPartition

        consumer = await self._link.consumer(max_poll_records=BATCH)
        consumer.assign([TopicPartition(self._topic, partition) for partition in self._at])
        for partition in self._at:
            consumer.seek(TopicPartition(self._topic, partition), self._from[partition])
        self._consumer = consumer
        return consumer

    async def next(self) -> Batch:
        """Raises Damaged, Permanent; BusUnavailable, StopAsyncIteration at the end. Outages are sat out."""
        from aiokafka.errors import ConsumerStoppedError, KafkaError, OffsetOutOfRangeError

        clock = asyncio.get_running_loop().time
        looked = clock()
        while self.end is None:
            try:
                consumer = self._consumer or await self._connect()
                if new := (consumer.partitions_for_topic(self._topic) or set()) - self._at.keys():
                    await self._grow(new)
                    continue
                found = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
                if batch := await self._taken(consumer, found):
                    return batch
                if clock() - looked > STUCK:
                    looked = clock()
                    await self._check()
            except OffsetOutOfRangeError as exc:
                if gap := await self._gap(exc.args[0]):
                    return gap
            except ConsumerStoppedError:
                continue
            except (KafkaError, BusUnavailable) as exc:
                await self._sit_out(exc)
        raise self.end

    async def _sit_out(self, exc: Exception) -> None:
        """Raises Permanent for what does not pass."""
        await self._drop()
        if self.end is not None:
            return
        try:
            with unavailable(f"{self._link.place}: topic {self._topic}"):
                raise exc
        except BusUnavailable as trouble:
            self._failed(trouble)
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                await self._ended.wait()

    async def _taken(
        self, consumer: AIOKafkaConsumer, found: dict[TopicPartition, list[ConsumerRecord[Any, Any]]]
    ) -> Batch | None:
        """Nothing here waits: what was taken from the consumer is not lost by a cancellation."""
        deliveries: list[Delivery] = []
        doubles: list[Double] = []
        for place, records in found.items():
            self._sort(place.partition, records, deliveries, doubles)
        self.doubles += len(doubles)
        moved = False
        for place in consumer.assignment():
            position, before = await consumer.position(place), self._at[place.partition]
            self._from[place.partition] = position
            if position > before:
                self._at[place.partition], moved, self._barren = position, True, 0
        return Batch(deliveries, dict(self._at), doubles=doubles) if moved else None

    def _sort(
        self,
        partition: int,
        records: list[ConsumerRecord[Any, Any]],
        wanted: list[Delivery],
        doubles: list[Double],
    ) -> None:
        keys, decode, start = self._keys, self._wire.event, self._at[partition]
        seen = self._windows[partition].turn(records[0].timestamp, len(records))
        for record in records:
            if record.key not in keys:
                continue
            try:
                event = decode(record)
            except ValueError as exc:
                self._left_out(record, exc)
                continue
            topic = event.source, event.subject
            halves = seen.get(topic)
            if halves is None:
                if topic not in self._topics:
                    continue
                halves = seen[topic] = ({}, {})
            known = knows(halves, event.id, record.timestamp)
            if record.offset < start:
                continue
            if known:
                doubles.append(Double(event.key, position_of(partition, record.offset)))
            else:
                wanted.append(delivery_of(record, event))

    def _left_out(self, record: ConsumerRecord[Any, Any], exc: ValueError) -> None:
        self.unreadable += 1
        if self.unreadable == 1:
            log.error("%s/%d: offset %d: %s", self._topic, record.partition, record.offset, exc)

    async def _gap(self, places: dict[TopicPartition, int]) -> Batch | None:
        """What retention has removed; reading goes on behind it. Raises Damaged: the log was cut off."""
        firsts = await self._link.offsets(self._topic, [place.partition for place in places], EARLIEST)
        gaps = []
        for place, wanted in places.items():
            partition, first = place.partition, firsts[place.partition]
            if first < wanted:
                cut = f"{self._topic}/{partition} ends before {wanted}: it lost events"
                raise Damaged(f"{self._link.place}: {cut}")
            if first > self._at[partition]:
                gaps.append(Gap(partition, self._at[partition] + 1, first))
                self._at[partition] = first
            self._from[partition] = first
            if self._consumer is not None:
                self._consumer.seek(place, first)
        return Batch([], dict(self._at), gaps) if gaps else None

    async def _grow(self, new: set[int]) -> None:
        """The next consumer reads these too."""
        for partition in new:
            self._at[partition] = self._from[partition] = 0
            self._windows[partition] = Window()
        await self._drop()

    async def _check(self) -> None:
        """Start again with a new consumer when the brokers have more than it hands out."""
        ends = await self._link.offsets(self._topic, self._at, committed=True)
        if self._consumer is not None and any(ends[partition] > at for partition, at in self._from.items()):
            self.restarts, self._barren = self.restarts + 1, self._barren + 1
            log.warning(
                "%s: the consumer of %s gives nothing though there is more: made anew",
                self._link.place,
                self._topic,
            )
            await self._drop()

    @property
    def stuck(self) -> bool:
        """Whether a new consumer did not help."""
        return self._barren > 1

    async def lag(self) -> int:
        """Records of all topics behind our place, control records included."""
        ends = await self._link.offsets(self._topic, self._at, committed=True)
        return sum(max(0, ends[partition] - at) for partition, at in self._at.items())

    async def _drop(self) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stop(consumer)

    async def aclose(self) -> None:
        await self.finish(StopAsyncIteration())

    async def finish(self, reason: Exception) -> None:
        """End this reader: a waiting `next` and every later one raises the reason."""
        self.end = self.end or reason
        self._ended.set()
        with suppress(EventsError):
            await self._drop()
