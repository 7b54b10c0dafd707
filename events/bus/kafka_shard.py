"""kafka_shard: the state of one shard, in one compacted partition, and the commits of its owner.

Records   m mark; r+key record; b+key blob; d+number the firings that one commit ended above the mark
Commit    all that waits, in one transaction of the lease's producer: state and decisions
Mirror    now and then the mark becomes committed offsets of the group `<group>-<shard>`, for the tools that
          show consumer lag
Doubt     a commit whose outcome is unknown ends the lease: the next owner reads what was stored
Memory    records and firings; of blobs only where they lie
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from events.aio import Group
from events.bus._base import Changes, Mark, ShardState
from events.bus.decisions import encoded
from events.bus.kafka_batches import BATCH_BYTES, Mirror, Packed, transact
from events.bus.kafka_leases import KafkaLease
from events.bus.kafka_link import PATIENCE, Link, unavailable
from events.bus.kafka_topics import Topics
from events.bus.kafka_wire import Record
from events.clients.kafka import abandon
from events.errors import EventsError, Fenced
from events.event import FINAL, Position

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

log = logging.getLogger(__name__)

MARK, RECORD, BLOB, DONE = b"m", b"r", b"b", b"d"
MIRROR_EVERY = 5.0

Ended = list[tuple[str, int, int]]
"""Firings with partition and offset of their positions."""


class Table:
    """What a shard has stored. `position`: up to where the partition was read."""

    def __init__(self) -> None:
        self.position = 0
        self.mark: Mark | None = None
        self.records: dict[str, bytes] = {}
        self.blobs: dict[str, int] = {}
        self.done: dict[bytes, Ended] = {}

    def apply(self, key: bytes, value: bytes | None, offset: int) -> None:
        kind, name = key[:1], key[1:]
        if kind == MARK:
            self.mark = None if value is None else msgspec.msgpack.decode(value, type=Mark)
        elif kind == DONE:
            put(self.done, name, None if value is None else msgspec.msgpack.decode(value, type=Ended))
        elif kind == RECORD:
            put(self.records, name.decode("utf-8", "surrogatepass"), value)
        elif kind == BLOB:
            put(self.blobs, name.decode("utf-8", "surrogatepass"), None if value is None else offset)

    def state(self) -> ShardState:
        firings = {
            firing
            for ended in self.done.values()
            for firing, partition, offset in ended
            if self.mark is None or not self.mark.covers(Position(partition, offset))
        }
        return ShardState(self.mark, dict(self.records), firings)


def settle(done: asyncio.Future[None], error: EventsError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def put(held: dict[Any, Any], key: Any, value: Any) -> None:
    if value is None:
        held.pop(key, None)
    else:
        held[key] = value


class Site(NamedTuple):
    """Where a shard is stored."""

    link: Link
    topics: Topics
    shard: int
    group: str


class OwnedShard:
    """A shard under our lease."""

    def __init__(
        self, site: Site, lease: KafkaLease, producer: AIOKafkaProducer, table: Table, tasks: Group
    ) -> None:
        self._site, self.lease, self._producer, self.table = site, lease, producer, table
        self._waiting: list[tuple[Changes, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._serial = int.from_bytes(max(table.done, default=b""), "big")
        self._mirrored: Mark | None = table.mark
        self._mirror_at, self._mirrors = 0.0, True
        self._closing = False
        self._task = tasks.start(f"kafka {lease.name}", self._run())

    async def commit(self, changes: Changes) -> None:
        """Raises Fenced, BusUnavailable, Permanent."""
        self.check()
        if self._closing:
            raise self._fenced()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((changes, done))
        self._wake.set()
        await done

    def check(self) -> None:
        if self.lease.lost.is_set():
            raise self._fenced()

    def _fenced(self) -> Fenced:
        return Fenced(f"{self._site.link.place}: epoch {self.lease.epoch} of {self.lease.name} is over")

    async def aclose(self) -> None:
        """Store what was accepted, unless the lease is lost, and end."""
        self._closing = True
        self._wake.set()
        try:
            await asyncio.wait([self._task])
        finally:
            await abandon(self._producer)

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            await self._pause()
            group = [(changes, done) for changes, done in self._waiting if not done.done()]
            self._waiting = []
            if group:
                await self._store(group)
            if self._mirror_due() <= 0:
                await self._mirror()
        if self._mirror_due() < math.inf:
            await self._mirror()

    async def _pause(self) -> None:
        """Until something is to be stored, or the mark to be shown."""
        due = self._mirror_due()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if due == math.inf else max(due, 0.0)):
                await self._wake.wait()
        self._wake.clear()

    def _mirror_due(self) -> float:
        """Seconds until the mark has to be shown to others."""
        shown = self.table.mark is None or self.table.mark == self._mirrored
        if shown or not self._mirrors or self.lease.lost.is_set():
            return math.inf
        return self._mirror_at - asyncio.get_running_loop().time()

    async def _store(self, group: list[tuple[Changes, asyncio.Future[None]]]) -> None:
        error: EventsError | None = self._fenced()
        try:
            self.check()
            await self._transact([changes for changes, _ in group])
            error = None
        except EventsError as exc:
            error = exc
        finally:
            if error is not None:
                self.lease.lost.set()
            for _, done in group:
                settle(done, error)

    async def _transact(self, group: list[Changes]) -> None:
        from aiokafka.errors import ProducerFenced

        site = self._site
        mark = next((one.mark for one in reversed(group) if one.mark is not None), self.table.mark)
        state = [record for changes in group for record in state_records(changes)]
        state += self._done_records(group, mark)
        packed, decided = Packed(self._producer, BATCH_BYTES), Packed(self._producer, BATCH_BYTES)
        places = [packed.put([record], site.shard)[0] for record in state]
        for changes in group:
            for decision in changes.decisions:
                decided.put([Record(b"", encoded(decision))], site.shard)
        if not (state or decided.batches):
            return
        try:
            with unavailable(f"{site.link.place}: {self.lease.name}", ProducerFenced):
                async with asyncio.timeout(PATIENCE):
                    await transact(self._producer, {
                        site.topics.state: packed.batches, site.topics.decisions: decided.batches,
                    })  # fmt: skip
        except ProducerFenced as exc:
            raise self._fenced() from exc
        for record, (batch, number) in zip(state, places, strict=True):
            self.table.apply(record.key, record.value, batch.first + number)

    async def _mirror(self) -> None:
        """Show the mark to others, in a transaction of its own."""
        from aiokafka import TopicPartition
        from aiokafka.errors import KafkaError

        mark = self.table.mark
        assert mark is not None
        self._mirrored, self._mirror_at = mark, asyncio.get_running_loop().time() + MIRROR_EVERY
        places = {TopicPartition(self._site.topics.events, p): offset for p, offset in mark.offsets.items()}
        try:
            async with asyncio.timeout(PATIENCE):
                await transact(self._producer, {}, Mirror(f"{self._site.group}-{self._site.shard}", places))
        except (KafkaError, TimeoutError) as exc:
            self._mirrors = False
            log.warning(
                "%s: %s is not shown as committed offsets: %s", self._site.link.place, self.lease.name, exc
            )
            await self._recover()

    async def _recover(self) -> None:
        """Go on with the producer when that is possible, else give the lease up."""
        from aiokafka.errors import KafkaError

        try:
            async with asyncio.timeout(PATIENCE):
                await self._producer.abort_transaction()
        except (KafkaError, AssertionError, TimeoutError):
            self.lease.lost.set()

    def _done_records(self, group: list[Changes], mark: Mark | None) -> Iterator[Record]:
        """The firings that ended above the mark; those that it has passed go."""
        ended = [
            (decision.firing, *decision.position)
            for changes in group
            for decision in changes.decisions
            if decision.firing is not None and decision.result in FINAL
            if mark is None or not mark.covers(decision.position)
        ]
        if ended:
            self._serial += 1
            yield Record(DONE + self._serial.to_bytes(8, "big"), msgspec.msgpack.encode(ended))
        if mark is not None and mark != self.table.mark:
            for number, firings in self.table.done.items():
                if all(mark.covers(Position(partition, offset)) for _, partition, offset in firings):
                    yield Record(DONE + number, None)


def state_records(changes: Changes) -> Iterator[Record]:
    for key, blob in changes.blobs.items():
        yield Record(BLOB + key.encode("utf-8", "surrogatepass"), blob)
    for key, value in changes.records.items():
        yield Record(RECORD + key.encode("utf-8", "surrogatepass"), value)
    if changes.mark is not None:
        yield Record(MARK, msgspec.msgpack.encode(changes.mark))
    for key in changes.drop_blobs:
        yield Record(BLOB + key.encode("utf-8", "surrogatepass"), None)
