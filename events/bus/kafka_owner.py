"""kafka_owner: the leases of one handle, and the state of the shards under them.

Taking    a lease of a shard comes with the producer that fences its former owner, and with what that one has
          stored
Looking   a shard that another handle owns is read from its partition, on from where we were
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from events.aio import Group
from events.bus._base import Changes, ShardState
from events.bus.kafka_leases import Beat, Board, KafkaLease, claim, fence
from events.bus.kafka_link import EARLIEST, Link
from events.bus.kafka_scan import Scanner
from events.bus.kafka_shard import OwnedShard, Site, Table
from events.bus.kafka_topics import Topics
from events.bus.kafka_wire import Record
from events.clients.kafka import abandon
from events.errors import Fenced

SETTLING = 1.0
"""Seconds that a commit which is just being stored is waited for."""


class Office(NamedTuple):
    """What the owner works with. `shards` in all; `group`: what the groups begin with that show marks."""

    name: str
    link: Link
    topics: Topics
    shards: int
    state_bytes: int
    group: str
    scanner: Scanner
    board: Board
    say: Callable[[Record], asyncio.Future[Any]]
    """Stores a record of a lease."""
    tasks: Group


class Owner:
    """Takes leases under one id and keeps what belongs to them."""

    def __init__(self, holder: str, office: Office) -> None:
        self._holder, self._office = holder, office
        self._owned: dict[int, OwnedShard] = {}
        self._tables: dict[int, Table] = {}
        self.leases: dict[str, KafkaLease] = {}
        office.board.watch = self._seen

    async def aclose(self, *, hopeless: bool) -> None:
        """Commit what waits and release all; when it is hopeless, let go of them."""
        if hopeless:
            for lease in self.leases.values():
                lease.lost.set()
        await asyncio.gather(*(owned.aclose() for owned in self._owned.values()))
        await asyncio.gather(*(lease.release() for lease in self.leases.values()))
        self._owned.clear()
        self.leases.clear()

    def begin_anew(self) -> None:
        """The topic of the states is another one by now: what was read of the old one, and held, is over."""
        self._tables.clear()
        for lease in self.leases.values():
            lease.lost.set()

    # --- leases ---

    async def lease(self, name: str, ttl: float) -> KafkaLease:
        key = name.encode("utf-8", "surrogatepass")
        while True:
            await self._office.board.free(key, self._holder)
            await self._end(name)
            taken = await self._take(name, ttl)
            if taken is not None:
                return taken

    async def _end(self, name: str) -> None:
        """A lease of this handle that is taken again is over."""
        former = self.leases.pop(name, None)
        if former is not None:
            former.lost.set()
        shard = shard_of_lease(name, self._office.shards)
        if shard is not None and (owned := self._owned.pop(shard, None)) is not None:
            await owned.aclose()

    async def _take(self, name: str, ttl: float) -> KafkaLease | None:
        office, clock = self._office, asyncio.get_running_loop().time
        started, beat = clock(), Beat(0, ttl, self._holder)
        if not await claim(office.link, office.board, name, beat, office.topics.events):
            return None
        lease = KafkaLease(name, beat, started + ttl, office.say)
        shard = shard_of_lease(name, office.shards)
        try:
            if shard is not None and not await self._own(shard, lease, beat):
                return None
        except BaseException:  # who stops waiting now keeps it from nobody
            await lease.release()
            raise
        self.leases[name] = lease
        office.tasks.start(f"kafka beat {name}", lease.beat())
        return lease

    async def _own(self, shard: int, lease: KafkaLease, beat: Beat) -> bool:
        """Fence the former owner, then read what it has stored."""
        office = self._office
        producer = await fence(
            office.link, office.board, lease.name, beat, office.topics.events, office.state_bytes
        )
        if producer is None:
            return False
        try:
            table = await self._table(shard)
        except BaseException:
            await abandon(producer)
            raise
        site = Site(office.link, office.topics, shard, office.group)
        self._owned[shard] = OwnedShard(site, lease, producer, table, office.tasks)
        return True

    def _seen(self, key: bytes, epoch: int) -> None:
        """Somebody holds this name with this epoch."""
        lease = self.leases.get(key.decode("utf-8", "surrogatepass"))
        if lease is not None and epoch > lease.epoch:
            lease.lost.set()

    # --- state ---

    async def load(self, shard: int) -> ShardState:
        return (await self._current(shard)).state()

    async def commit(self, shard: int, epoch: int, changes: Changes) -> None:
        owned = self._owned.get(shard)
        if owned is None or owned.lease.epoch != epoch:
            raise Fenced(f"{self._office.name}: epoch {epoch} of shard {shard} is no longer in force")
        await owned.commit(changes)

    async def blob(self, shard: int, key: str) -> bytes | None:
        offset = (await self._current(shard)).blobs.get(key)
        if offset is None:
            return None
        record = await self._office.scanner.one(self._office.topics.state, shard, offset)
        return None if record is None else record.value

    async def _current(self, shard: int) -> Table:
        """Of an owned shard as it was committed, of another as it is stored now."""
        owned = self._owned.get(shard)
        if owned is not None and not owned.lease.lost.is_set():
            return owned.table
        return await self._table(shard)

    async def _table(self, shard: int) -> Table:
        """What is stored of a shard, read on from where we were."""
        office, table = self._office, self._tables.setdefault(shard, Table())
        topic = office.topics.state
        goal = await self._settled(shard)
        [first] = (await office.link.offsets(topic, [shard], EARLIEST)).values()
        async for records in office.scanner.read(topic, shard, max(table.position, first), goal):
            for record in records:
                table.apply(record.key, record.value, record.offset)
        table.position = max(goal, table.position)
        return table

    async def _settled(self, shard: int) -> int:
        """The end of a shard's partition; a commit that is just being stored is waited for."""
        link, topic, clock = self._office.link, self._office.topics.state, asyncio.get_running_loop().time
        deadline = clock() + SETTLING
        [goal] = (await link.offsets(topic, [shard])).values()
        while True:
            [end] = (await link.offsets(topic, [shard], committed=True)).values()
            if end >= goal or clock() > deadline:
                return end
            await asyncio.sleep(0.005)


def shard_of_lease(name: str, shards: int) -> int | None:
    """The shard that a lease is for; None: it is for something else."""
    prefix, _, number = name.partition("/")
    if prefix == "shard" and number.isdecimal() and int(number) < shards:
        return int(number)
    return None
