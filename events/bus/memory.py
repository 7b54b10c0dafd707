"""memory: the bus in plain Python, for tests, and as the model that the durable engines are compared with.

Promise   those of the protocol except surviving the process: a `MemoryLog` outlives its bus, so that a test
          can stop and start what uses it
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from events.bus._base import (
    Batch,
    Changes,
    Cursor,
    DecisionQuery,
    EventQuery,
    Gap,
    Health,
    Mark,
    ShardState,
    Stored,
    Topic,
)
from events.bus.queries import answers, meets
from events.bus.retention import Retention, event_bytes, leased_shards, protected_from
from events.errors import BusFull, BusUnavailable, Fenced, TooLarge
from events.event import FINAL, Decision, Delivery, Event, EventKey, Position

BATCH = 512
MAX_EVENT_BYTES = 32 << 20


class _Shard:
    """What one shard has committed."""

    def __init__(self) -> None:
        self.mark: Mark | None = None
        self.records: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.decisions: list[Decision] = []


class MemoryLog:
    """What a durable engine would have on disk. `trouble` makes it refuse writes with that reason."""

    def __init__(self, retention: Retention | None = None, clock: Callable[[], int] = time.time_ns) -> None:
        self.incarnation = secrets.token_hex(8)
        self.retention, self.clock = retention or Retention(), clock
        self.trouble = ""
        self.kept: list[Delivery] = []
        self.floor = 0
        """The last offset that was discarded: `kept[0]` has the next one."""
        self.bytes = 0
        self.wanted = 0
        """Bytes of the last publish: while they do not fit, the log is full."""
        self.keys: dict[EventKey, Position] = {}
        self.cursors: dict[str, bytes] = {}
        self.epochs: dict[str, int] = {}
        self.decisions: list[tuple[int, Decision]] = []
        """With the offset at whose discarding the decision goes."""
        self.shards: dict[int, _Shard] = {}

    @property
    def head(self) -> int:
        return self.floor + len(self.kept)

    @property
    def full(self) -> bool:
        return self.wanted > 0 and self.retention.excess(self.bytes + self.wanted) > 0

    def shard(self, number: int) -> _Shard:
        return self.shards.setdefault(number, _Shard())

    def check(self) -> None:
        if self.trouble:
            raise BusUnavailable(self.trouble)

    def append(self, event: Event) -> Stored:
        if (known := self.keys.get(event.key)) is not None:
            return Stored(known, duplicate=True)
        position = self.keys[event.key] = Position(0, self.head + 1)
        self.kept.append(Delivery(event, position, self.clock()))
        self.bytes += event_bytes(event)
        return Stored(position, duplicate=False)

    def trim(self, more_bytes: int = 0) -> None:
        """Discard what is too old or too much, with its decisions, as far as the marks allow."""
        goes = 0
        limit = min(self._unprotected(), self.head - 1) - self.floor
        oldest_ns = self.retention.oldest_ns(self.clock())
        for delivery in islice(self.kept, max(limit, 0)):
            if delivery.stored_ns > oldest_ns and self.retention.excess(self.bytes + more_bytes) <= 0:
                break
            goes += 1
            self.bytes -= event_bytes(delivery.event)
            del self.keys[delivery.event.key]
        if goes:
            del self.kept[:goes]
            self.floor += goes
            self.decisions = [entry for entry in self.decisions if entry[0] > self.floor]

    def _unprotected(self) -> int:
        marks = {n: s.mark.offsets.get(0, 0) for n, s in self.shards.items() if s.mark is not None}
        return protected_from(leased_shards(self.epochs), marks, self.head)


class MemoryReader:
    """Follows a MemoryLog by offset."""

    def __init__(self, bus: MemoryBus, topics: Iterable[Topic], at: int) -> None:
        self._bus, self._log, self._topics, self._at = bus, bus.log, frozenset(topics), at
        self.waiting: asyncio.Future[None] | None = None
        self.end: Exception | None = None

    async def next(self) -> Batch:
        while self.end is None:
            if self._at < self._log.head:
                return self._look()
            self.waiting = asyncio.get_running_loop().create_future()
            await self.waiting
        raise self.end

    def _look(self) -> Batch:
        gaps = [Gap(0, self._at + 1, self._log.floor)] if self._at < self._log.floor else []
        start = max(self._at, self._log.floor)
        seen = self._log.kept[start - self._log.floor :][:BATCH]
        self._at = start + len(seen)
        return Batch([d for d in seen if self._wants(d.event)], {0: self._at}, gaps)

    def _wants(self, event: Event) -> bool:
        return (event.source, event.subject) in self._topics

    async def lag(self) -> int:
        unseen = self._log.kept[max(self._at - self._log.floor, 0) :]
        return sum(self._wants(delivery.event) for delivery in unseen)

    async def aclose(self) -> None:
        self._bus.readers.discard(self)
        self.stop(StopAsyncIteration())

    def stop(self, reason: Exception) -> None:
        """End this reader: a waiting `next` and every later one raises the reason."""
        self.end = self.end or reason
        self.wake()

    def wake(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)


class MemoryLease:
    """The newest lease of a name is in force; taking it again ends the former one at once."""

    def __init__(self, bus: MemoryBus, name: str, epoch: int) -> None:
        self._bus, self.name, self.epoch, self.lost = bus, name, epoch, asyncio.Event()

    async def release(self) -> None:
        self.lost.set()
        if self._bus.leases.get(self.name) is self:
            del self._bus.leases[self.name]


class MemoryBus:
    """One handle to a MemoryLog. A log has one open bus at a time."""

    def __init__(
        self,
        name: str = "default/default",
        *,
        shards: int = 1,
        log: MemoryLog | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        self.name, self.shards, self.max_event_bytes = name, shards, max_event_bytes
        self.log = log or MemoryLog()
        self.readers: set[MemoryReader] = set()
        self.leases: dict[str, MemoryLease] = {}
        self._open = False

    async def open(self) -> None:
        self._open = True

    async def aclose(self) -> None:
        self._open = False
        for lease in self.leases.values():
            lease.lost.set()
        self.leases.clear()
        for reader in self.readers:
            reader.stop(self._closed())

    async def publish(self, events: Sequence[Event], cursor: Cursor | None = None) -> list[Stored]:
        self._check()
        for event in events:
            if event_bytes(event) > self.max_event_bytes:
                raise TooLarge(event_bytes(event), self.max_event_bytes)
        self._make_room(sum(map(event_bytes, events)))
        stored = [self.log.append(event) for event in events]
        self.log.wanted = 0
        if cursor is not None:
            self.log.cursors[cursor.name] = cursor.value
        for reader in self.readers:
            reader.wake()
        return stored

    def _make_room(self, more_bytes: int) -> None:
        self.log.trim(more_bytes)
        self.log.wanted = more_bytes
        if self.log.full:
            raise BusFull(f"{self.name}: the limit of {self.log.retention.max_bytes} bytes is reached")

    async def cursor(self, name: str) -> bytes | None:
        self._check_open()
        return self.log.cursors.get(name)

    async def head(self) -> Mark:
        self._check_open()
        return Mark(self.log.incarnation, {0: self.log.head})

    async def read(self, topics: Iterable[Topic], after: Mark) -> MemoryReader:
        self._check_open()
        if after.incarnation != self.log.incarnation:
            raise ValueError(f"{self.name}: the mark is of another incarnation of the log")
        reader = MemoryReader(self, topics, after.offsets.get(0, 0))
        self.readers.add(reader)
        return reader

    async def lease(self, name: str, ttl: float = 15.0) -> MemoryLease:
        """Never waits: the newest lease is in force and ends the former one. `ttl` has no meaning here."""
        self._check()
        epoch = self.log.epochs[name] = self.log.epochs.get(name, 0) + 1
        if (former := self.leases.get(name)) is not None:
            former.lost.set()
        lease = self.leases[name] = MemoryLease(self, name, epoch)
        return lease

    async def load(self, shard: int) -> ShardState:
        self._check_open()
        state = self.log.shard(shard)
        done = {d.firing for d in state.decisions if self._still_above(d, state.mark)}
        return ShardState(state.mark, dict(state.records), {firing for firing in done if firing is not None})

    def _still_above(self, decision: Decision, mark: Mark | None) -> bool:
        return decision.result in FINAL and (mark is None or not mark.covers(decision.position))

    async def commit(self, shard: int, epoch: int, changes: Changes) -> None:
        self._check()
        lease = self.leases.get(f"shard/{shard}")
        if lease is None or lease.epoch != epoch:
            raise Fenced(f"{self.name}: epoch {epoch} of shard {shard} is no longer in force")
        self._apply(self.log.shard(shard), changes)
        self.log.trim(self.log.wanted)

    def _apply(self, state: _Shard, changes: Changes) -> None:
        state.blobs |= changes.blobs
        for key, value in changes.records.items():
            if value is None:
                state.records.pop(key, None)
            else:
                state.records[key] = value
        state.decisions += changes.decisions
        self.log.decisions += [(self._goes_with(d.position.offset), d) for d in changes.decisions]
        state.mark = changes.mark or state.mark
        for key in changes.drop_blobs:
            state.blobs.pop(key, None)

    def _goes_with(self, offset: int) -> int:
        return offset if offset > self.log.floor else self.log.head

    async def blob(self, shard: int, key: str) -> bytes | None:
        self._check_open()
        return self.log.shard(shard).blobs.get(key)

    async def find_events(self, query: EventQuery) -> list[Delivery]:
        self._check_open()
        kept = self.log.kept[::-1] if query.newest_first else self.log.kept
        return [delivery for delivery in kept if _meets(delivery, query)][: query.limit]

    async def find_decisions(self, query: DecisionQuery) -> list[Decision]:
        self._check_open()
        newest = sorted((decision for _, decision in self.log.decisions), key=lambda d: d.time_ns)[::-1]
        return [decision for decision in newest if answers(decision, query)][: query.limit]

    def health(self) -> Health:
        if not self._open:
            return Health(ready=False, detail="not open")
        if self.log.full:
            return Health(ready=False, detail="the byte limit is reached by events that are not handled yet")
        return Health(ready=not self.log.trouble, detail=self.log.trouble)

    def _check(self) -> None:
        self._check_open()
        self.log.check()

    def _check_open(self) -> None:
        if not self._open:
            raise self._closed()

    def _closed(self) -> BusUnavailable:
        return BusUnavailable(f"{self.name}: the bus is not open")


def _meets(delivery: Delivery, query: EventQuery) -> bool:
    offset, last = delivery.position.offset, query.after and query.after.offset
    behind = last is None or (offset < last if query.newest_first else offset > last)
    return behind and meets(delivery, query)
