"""kafka_follower: one consumer that follows all partitions of the events.

Outage    is sat out: another consumer goes on at the same place
Gaps      what retention removed before it was read is told, and reading goes on behind it
Growth    partitions that appear later are read from their beginning
Deaf      when nothing comes though the brokers have more, the consumer is made anew, and that is counted
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from events.bus.kafka_link import EARLIEST, Link, unavailable
from events.bus.kafka_wire import Wire, delivery_of
from events.clients.kafka import stop
from events.errors import BusUnavailable, Damaged, EventsError
from events.event import Delivery

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

    Polled = dict[TopicPartition, list[ConsumerRecord[Any, Any]]]

log = logging.getLogger(__name__)

BATCH = 512
POLL_MS = 250
"""How long one wait takes at most."""

STUCK = 5.0
"""Seconds without anything new after which the brokers are asked whether there is more."""

PAUSE = 0.5
"""Seconds until the next attempt while the brokers cannot be reached."""


class Tally:
    """What the consumers and readers of one bus have counted."""

    def __init__(self) -> None:
        self.restarts = self.doubles = 0
        self.stuck: set[Follower] = set()
        """Those that a new consumer did not help."""


class Log(msgspec.Struct, frozen=True):
    """The log of one bus, for everybody who follows it."""

    link: Link
    topic: str
    incarnation: str
    """Id of the topic."""
    wire: Wire
    tally: Tally
    failed: Callable[[EventsError], None]


class Chunk(msgspec.Struct):
    """What came, by partition: all in order; nothing at all when nothing moved."""

    found: dict[int, list[Delivery]] = {}
    reached: dict[int, int] = {}
    """Place of the next record."""
    gaps: list[tuple[int, int, int]] = []
    """Partition, the record that was next, and the first one that is still there."""


class Follower:
    """Goes on from its places. `keys` are those of the records that are wanted."""

    def __init__(self, log: Log, at: Mapping[int, int], keys: frozenset[bytes]) -> None:
        self._log, self.at, self.keys = log, dict(at), keys
        self._consumer: AIOKafkaConsumer | None = None
        self._ended = asyncio.Event()
        self._looked = 0.0
        self._doubt: dict[int, int] = {}
        """The ends of partitions that were seen to hold more than had come."""
        self._barren = self._unreadable = 0

    async def next(self) -> Chunk:
        """Waits a little; sits outages out. Raises Damaged, Permanent. Empty once it is closed."""
        from aiokafka.errors import ConsumerStoppedError, KafkaError, OffsetOutOfRangeError

        if self._ended.is_set():
            return Chunk()
        try:
            consumer = self._consumer or await self._connect()
            if new := (consumer.partitions_for_topic(self._log.topic) or set()) - self.at.keys():
                await self._grow(new)
                return Chunk()
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            chunk = await self._taken(consumer, found)
            if not chunk.reached:
                await self._silence()
        except OffsetOutOfRangeError as exc:
            return await self._gap(exc.args[0])
        except ConsumerStoppedError:
            return Chunk()
        except (KafkaError, BusUnavailable) as exc:
            await self._sit_out(exc)
            return Chunk()
        return chunk

    async def _connect(self) -> AIOKafkaConsumer:
        from aiokafka import TopicPartition

        consumer = await self._log.link.consumer(max_poll_records=BATCH)
        if self._ended.is_set():
            await stop(consumer)
            raise BusUnavailable(f"{self._log.link.place}: closed while it was connecting")
        consumer.assign([TopicPartition(self._log.topic, partition) for partition in self.at])
        for partition, place in self.at.items():
            consumer.seek(TopicPartition(self._log.topic, partition), place)
        self._consumer, self._looked = consumer, asyncio.get_running_loop().time()
        return consumer

    async def _taken(self, consumer: AIOKafkaConsumer, polled: Polled) -> Chunk:
        """Nothing here waits: what was taken from the consumer is not lost by a cancellation."""
        chunk = Chunk({place.partition: self._decoded(records) for place, records in polled.items()})
        for place in consumer.assignment():
            position = await consumer.position(place)
            if position > self.at[place.partition]:
                self.at[place.partition] = chunk.reached[place.partition] = position
        if chunk.reached:
            self._works()
        return chunk

    def _decoded(self, records: list[ConsumerRecord[Any, Any]]) -> list[Delivery]:
        keys, decode = self.keys, self._log.wire.event
        found = []
        for record in records:
            if record.key not in keys:
                continue
            try:
                found.append(delivery_of(record, decode(record)))
            except ValueError as exc:
                self._left_out(record, exc)
        return found

    def _left_out(self, record: ConsumerRecord[Any, Any], exc: ValueError) -> None:
        self._unreadable += 1
        if self._unreadable == 1:
            log.error("%s/%d: offset %d: %s", self._log.topic, record.partition, record.offset, exc)

    def _works(self) -> None:
        self._looked, self._barren = asyncio.get_running_loop().time(), 0
        self._doubt = {}
        self._log.tally.stuck.discard(self)

    async def _silence(self) -> None:
        """Ask the brokers now and then; what they have and one more poll does not bring: a new consumer."""
        if any(end > self.at[partition] for partition, end in self._doubt.items()):
            await self._restart()
        elif asyncio.get_running_loop().time() - self._looked > STUCK:
            self._doubt = await self._log.link.offsets(self._log.topic, self.at, committed=True)
            self._looked = asyncio.get_running_loop().time()

    async def _restart(self) -> None:
        tally = self._log.tally
        tally.restarts, self._barren, self._doubt = tally.restarts + 1, self._barren + 1, {}
        if self._barren > 1:
            tally.stuck.add(self)
        log.warning(
            "%s: the consumer of %s gives nothing though there is more: made anew",
            self._log.link.place,
            self._log.topic,
        )
        await self._drop()

    async def _gap(self, places: dict[TopicPartition, int]) -> Chunk:
        """What retention has removed; reading goes on behind it. Raises Damaged: the log was cut off."""
        topic = self._log.topic
        firsts = await self._log.link.offsets(topic, [place.partition for place in places], EARLIEST)
        gaps = []
        for place, wanted in places.items():
            first = firsts[place.partition]
            if first < wanted:
                raise await self._cut_off(place.partition, wanted)
            gaps.append((place.partition, wanted, first))
            self.at[place.partition] = first
            if self._consumer is not None:
                self._consumer.seek(place, first)
        return Chunk(reached=firsts, gaps=gaps)

    async def _cut_off(self, partition: int, wanted: int) -> EventsError:
        """Why there is nothing at our place: the topic is another one by now, or has lost something."""
        link, topic = self._log.link, self._log.topic
        found = (await link.topics([topic])).get(topic)
        if found is None or found.id != self._log.incarnation:
            return BusUnavailable(f"{link.place}: topic {topic} was made anew")
        return Damaged(f"{link.place}: {topic}/{partition} ends before {wanted}: it lost events")

    async def _grow(self, new: set[int]) -> None:
        """The next consumer reads these too."""
        self.at.update(dict.fromkeys(new, 0))
        await self._drop()

    async def _sit_out(self, exc: Exception) -> None:
        """Raises Permanent for what does not pass."""
        await self._drop()
        if self._ended.is_set():
            return
        try:
            with unavailable(f"{self._log.link.place}: topic {self._log.topic}"):
                raise exc
        except BusUnavailable as trouble:
            self._log.failed(trouble)
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                await self._ended.wait()

    def near(self, records: int) -> bool:
        """Whether the end of the log is no further away, as the consumer knows it."""
        consumer = self._consumer
        if consumer is None:
            return False
        rest = 0
        for place in consumer.assignment():
            end: int | None = consumer.last_stable_offset(place)
            if end is None:
                return False
            rest += end - self.at[place.partition]
        return rest <= records

    async def _drop(self) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stop(consumer)

    async def aclose(self) -> None:
        self._ended.set()
        self._log.tally.stuck.discard(self)
        with suppress(EventsError):
            await self._drop()
