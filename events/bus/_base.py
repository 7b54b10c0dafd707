"""What every bus engine offers: an ordered log of events, and per shard a mark, state records and a lease.

The bus keeps events in order and hands them on. It knows no sensor logic and redelivers nothing by itself:
progress is a mark, and retries are the reader's business. One instance is one (namespace, EventBus name).

Promises
  publish   returns when all events are stored, or raises and has stored all or none of them; a key seen
            within the window (>= 120 s) is stored once where the engine can
  read      in order per partition, following the log; a gap is reported and never skipped over
  commit    blobs, records, decisions, mark, dropped blobs: one step where the engine can, else in that order;
            a write with an epoch that is no longer in force raises Fenced and changes nothing
  load      sees everything committed by the former holder of the lease
  retention never deletes what lies above a mark where the engine leaves that to us; else the gap is reported
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from events.event import Decision, Delivery, Event, EventKey, Position

Topic = tuple[str, str]
"""(source, subject)"""

DEDUPE_WINDOW = 120.0


class Mark(msgspec.Struct, frozen=True):
    """A place in every partition of one incarnation of the log: all up to here, inclusive.

    An incarnation names one life of the log: under another one, old offsets mean nothing.
    """

    incarnation: str
    offsets: dict[int, int]

    def covers(self, position: Position) -> bool:
        return position.offset <= self.offsets.get(position.partition, -1)


class Cursor(NamedTuple):
    """A source's place in the outside world; stored with the events it belongs to, or after them."""

    name: str
    value: bytes


class Stored(NamedTuple):
    """What became of one published event. A duplicate was dropped; its position may be unknown."""

    position: Position | None
    duplicate: bool


class Gap(NamedTuple):
    """Offsets that were discarded before they were read: `first` to `last`, inclusive."""

    partition: int
    first: int
    last: int


class Double(NamedTuple):
    """An event whose key was stored again within the window, by an engine that cannot tell at once."""

    key: EventKey
    position: Position


class Batch(msgspec.Struct):
    """Deliveries in order, and how far the log has been looked at (also over events of other topics).

    `doubles` are left out of the deliveries.
    """

    deliveries: list[Delivery]
    reached: dict[int, int]
    gaps: list[Gap] = []
    doubles: list[Double] = []


class Reader(Protocol):
    """Follows the log for some topics. One consumer; `aclose` ends a waiting `next` (StopAsyncIteration)."""

    async def next(self) -> Batch:
        """The next batch; waits for one. Raises BusUnavailable, Damaged.

        It may hold no delivery, and then only says how far the log was looked at. A cancelled wait loses
        nothing.
        """
        ...

    async def lag(self) -> int:
        """How many stored events of these topics were not handed out yet (an estimate is allowed)."""
        ...

    async def aclose(self) -> None: ...


class Lease(Protocol):
    """The right to write for one name. Ends by itself when the holder dies; `lost` is set when it is gone.

    Released, taken over, or with its bus closed: commits with its epoch raise Fenced from then on.
    """

    name: str
    epoch: int
    lost: asyncio.Event

    async def release(self) -> None: ...


class Changes(msgspec.Struct):
    """One step of a shard's owner. A record of None is deleted.

    Records are read at takeover and stay small; blobs are read on demand.
    """

    blobs: dict[str, bytes] = {}
    records: dict[str, bytes | None] = {}
    decisions: list[Decision] = []
    mark: Mark | None = None
    drop_blobs: list[str] = []


class ShardState(msgspec.Struct):
    """What a new owner finds. `done`: firing ids with a final decision at a position above the mark."""

    mark: Mark | None
    records: dict[str, bytes]
    done: set[str]


class EventQuery(msgspec.Struct, kw_only=True):
    """Events that meet all given fields.

    `since_ns` (inclusive) and `until_ns` (exclusive) are about when the bus stored the event. `after` goes on
    behind that position in the order asked for, which is the order of positions.
    """

    id: str | None = None
    source: str | None = None
    subject: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    after: Position | None = None
    newest_first: bool = True
    limit: int = 100


class DecisionQuery(msgspec.Struct, kw_only=True):
    """Decisions that meet all given fields; the newest first."""

    event_id: str | None = None
    firing: str | None = None
    sensor: str | None = None
    trigger: str | None = None
    results: frozenset[str] | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    limit: int = 100


class Health(NamedTuple):
    """Whether the bus stores and reads now, and if not, why."""

    ready: bool
    detail: str = ""
    restarts: int = 0
    """Subscriptions that the engine found deaf or broken, and replaced."""
    doubles: int = 0
    """Events stored twice and handed out once, by engines whose store knows no keys."""


class Bus(Protocol):
    """One bus instance. Made by its engine's constructor, which does no I/O; `open` comes first."""

    name: str
    """`namespace/eventbus`, for messages and metrics."""
    shards: int
    max_event_bytes: int

    async def open(self) -> None:
        """Connect or create. Raises BusUnavailable, Damaged, Permanent (settings unlike the stored ones)."""
        ...

    async def aclose(self) -> None:
        """Finish what was accepted, release everything. Waiting calls end with BusUnavailable."""
        ...

    async def publish(self, events: Sequence[Event], cursor: Cursor | None = None) -> list[Stored]:
        """Store all events and the cursor, in order. Raises BusUnavailable, BusFull, TooLarge, Damaged.

        The events are handed to the readers as they are: whoever published them changes them no more.
        """
        ...

    async def cursor(self, name: str) -> bytes | None:
        """The newest stored cursor of that name."""
        ...

    async def head(self) -> Mark:
        """The newest position of every partition."""
        ...

    async def read(self, topics: Iterable[Topic], after: Mark) -> Reader:
        """Follow the log for `topics` from just after the mark; ValueError: another incarnation's mark."""
        ...

    async def lease(self, name: str, ttl: float = 15.0) -> Lease:
        """Wait until the lease is ours. `shard/<n>` is the lease that `commit` and `load` of shard n need."""
        ...

    async def load(self, shard: int) -> ShardState:
        """Everything a new owner needs. Without a lease it is a look from outside (tools)."""
        ...

    async def commit(self, shard: int, epoch: int, changes: Changes) -> None:
        """One step of the holder of `shard/<n>`. Raises Fenced, BusUnavailable, BusFull, Damaged."""
        ...

    async def blob(self, shard: int, key: str) -> bytes | None:
        """One blob of a shard, by key."""
        ...

    async def find_events(self, query: EventQuery) -> list[Delivery]: ...

    async def find_decisions(self, query: DecisionQuery) -> list[Decision]: ...

    def health(self) -> Health: ...


def shard_of(sensor: str, shards: int) -> int:
    """Which shard a sensor lives in: the same on every process and release."""
    return zlib.crc32(sensor.encode()) % shards
