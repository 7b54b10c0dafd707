"""kafka_publisher: the events and records of a process on their way to the brokers.

Group     all that waits when the former group is stored goes at once: at load few requests carry many events
Whole     a publish whose events go to one partition is one record batch, which brokers store as a whole; one
          of several partitions goes, with its group, in a transaction
After     records that belong to a publish (cursors), and those of leases, are stored after the events
Trouble   nothing stored within PATIENCE: the group fails, its producer is given up, the next one is new
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from events.aio import Group
from events.bus._base import Stored
from events.bus.kafka_batches import BATCH_BYTES, Batch, Packed, deliver, size_of, transact
from events.bus.kafka_link import PATIENCE, Link, unavailable
from events.bus.kafka_wire import Record, position_of
from events.clients.kafka import abandon
from events.errors import BusUnavailable, EventsError

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

TRANSACTION_MS = 10_000
"""A transaction that its process left open ends after this, and holds readers up till then."""


class Side(NamedTuple):
    """A record beside the events, and the partition of the state topic it goes to."""

    partition: int
    record: Record


class Item:
    """One publish on its way."""

    def __init__(self, records: Sequence[Record], sides: Sequence[Side], done: asyncio.Future[Any]) -> None:
        self.records, self.sides, self.done = records, sides, done
        self.places: list[tuple[Batch, int]] = []


class Publisher:
    """Takes what is to be stored, one group after the other."""

    def __init__(
        self, link: Link, topic: str, state_topic: str, limit: int, failed: Callable[[EventsError], None]
    ) -> None:
        self._link, self._topic, self._state_topic = link, topic, state_topic
        self._batch_bytes = min(limit, BATCH_BYTES)
        self._failed = failed
        self._waiting: list[Item] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._plain: AIOKafkaProducer | None = None
        self._whole: AIOKafkaProducer | None = None
        self._partitions: dict[bytes, int] = {}
        self._known = 0

    def start(self, tasks: Group) -> None:
        self._tasks = tasks
        self._task = tasks.start("kafka publisher", self._run())

    def put(self, records: Sequence[Record], sides: Sequence[Side] = ()) -> asyncio.Future[list[Stored]]:
        """Answers with one `Stored` per record of the events."""
        done = asyncio.get_running_loop().create_future()
        if self._closing:
            done.set_exception(self._closed())
            return done
        self._waiting.append(Item(records, sides, done))
        self._wake.set()
        return done

    async def aclose(self, *, hopeless: bool) -> None:
        """Store what was accepted, unless it is hopeless, then end. What is not stored by PATIENCE fails."""
        self._closing = True
        self._wake.set()
        if hopeless:
            self._task.cancel()
        await asyncio.wait([self._task])
        for producer in self._let_go():
            await abandon(producer)

    async def _run(self) -> None:
        try:
            while self._waiting or not self._closing:
                await self._wake.wait()
                self._wake.clear()
                group = [item for item in self._waiting if not item.done.done()]
                self._waiting = []
                if group:
                    await self._store(group)
        finally:
            self._closing = True
            fail(self._waiting, self._closed())

    def _closed(self) -> BusUnavailable:
        return BusUnavailable(f"{self._link.place}: the bus was closed before this was stored")

    async def _store(self, group: list[Item]) -> None:
        try:
            with unavailable(f"{self._link.place}: topic {self._topic}"):
                async with asyncio.timeout(PATIENCE):
                    answers = await self._send(group)
        except EventsError as exc:
            fail(group, exc)
            self._failed(exc)
            self._give_up()
        else:
            for item, answer in zip(group, answers, strict=True):
                if not item.done.done():
                    item.done.set_result(answer)
        finally:
            fail(group, self._closed())

    async def _send(self, group: list[Item]) -> list[list[Stored]]:
        if self._plain is None:
            self._plain = await self._producer()
        if any(item.records for item in group):
            await self._send_events(group)
        if sides := [side for item in group for side in item.sides]:
            await self._send_sides(self._plain, sides)
        return [[stored_at(*place) for place in item.places] for item in group]

    async def _send_events(self, group: list[Item]) -> None:
        assert self._plain is not None
        await self._learn_partitions(self._plain)
        split = any(self._is_split(item) for item in group)
        if not split:
            batches = self._pack(self._plain, group)
            await deliver(self._plain, self._topic, batches)
            return
        if self._whole is None:
            self._whole = await self._producer(
                transactional_id=f"{self._topic}.publish.{secrets.token_hex(8)}",
                transaction_timeout_ms=TRANSACTION_MS,
            )
        batches = self._pack(self._whole, group)
        await transact(self._whole, {self._topic: batches})
        await self._visible({batch.partition: batch.first for batch in batches})

    async def _visible(self, offsets: dict[int, int]) -> None:
        """Wait until the end of the transaction has reached the partitions: until then nobody reads on."""
        while True:
            ends = await self._link.offsets(self._topic, offsets, committed=True)
            if all(ends[partition] > offset for partition, offset in offsets.items()):
                return
            await asyncio.sleep(0.002)

    async def _learn_partitions(self, producer: AIOKafkaProducer) -> None:
        count = len(await producer.partitions_for(self._topic))
        if count != self._known or len(self._partitions) > 10_000:
            self._known = count
            self._partitions.clear()

    def _partition(self, key: bytes) -> int:
        """As Java's clients and aiokafka choose it."""
        from aiokafka.partitioner import murmur2

        found = self._partitions.get(key)
        if found is None:
            found = self._partitions[key] = (murmur2(key) & 0x7FFFFFFF) % self._known
        return found

    def _is_split(self, item: Item) -> bool:
        """Whether one batch cannot hold it: several partitions, or too large for one."""
        if len(item.records) < 2:
            return False
        first = self._partition(item.records[0].key)
        if any(self._partition(record.key) != first for record in item.records):
            return True
        return sum(map(size_of, item.records)) > self._batch_bytes

    def _pack(self, producer: AIOKafkaProducer, group: list[Item]) -> list[Batch]:
        """The batches, in the order in which they have to be sent; a whole publish in one where it fits."""
        packed = Packed(producer, self._batch_bytes)
        for item in group:
            apart = self._is_split(item)
            for records in [[record] for record in item.records] if apart else [item.records]:
                item.places += packed.put(records, self._partition(records[0].key)) if records else []
        return packed.batches

    async def _send_sides(self, producer: AIOKafkaProducer, sides: list[Side]) -> None:
        waiting = [
            await producer.send(self._state_topic, side.record.value, side.record.key, side.partition)
            for side in sides
        ]
        await asyncio.gather(*waiting)

    async def _producer(self, **more: Any) -> AIOKafkaProducer:
        return await self._link.producer(max_batch_size=self._batch_bytes, max_request_size=1 << 30, **more)

    def _let_go(self) -> list[AIOKafkaProducer]:
        producers = [one for one in (self._plain, self._whole) if one is not None]
        self._plain = self._whole = None
        return producers

    def _give_up(self) -> None:
        """The next group gets new producers; what these still hold is not sent any more."""
        for producer in self._let_go():
            self._tasks.start("kafka producer's end", abandon(producer))


def stored_at(batch: Batch, number: int) -> Stored:
    """The position is unknown where the broker knew the batch already and says no more."""
    known = batch.first >= 0
    return Stored(position_of(batch.partition, batch.first + number) if known else None, duplicate=False)


def fail(group: list[Item], error: EventsError) -> None:
    for item in group:
        if not item.done.done():
            item.done.set_exception(error)
