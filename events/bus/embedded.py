"""embedded: a durable bus in one SQLite file, for one process.

Promise   a publish or commit returns when its transaction is on disk: with durability "power" (the default)
          it survives a power cut, with "process" the end of the process; the file is consistent in both
Parts     embedded_schema: file and checks; embedded_writer: the writing thread's work; embedded_queries: the
          reading threads'; embedded_tail: the newest events in memory; embedded_rows: to rows and back
Readers   are served from memory right after the commit; the file is read for catch-up only. Their slowness
          blocks neither publishers nor each other
One owner an OS lock beside the file; a read-only bus works beside its owner or after it
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from events.bus import embedded_queries as queries
from events.bus import embedded_schema as schema
from events.bus._base import (
    Batch,
    Changes,
    Cursor,
    DecisionQuery,
    EventQuery,
    Health,
    Mark,
    ShardState,
    Stored,
    Topic,
)
from events.bus.embedded_rows import MOST, Place
from events.bus.embedded_segments import Segments, segments_of
from events.bus.embedded_tail import Chunk, Tail
from events.bus.embedded_writer import Commit, GiveBack, Log, Publish, Take
from events.bus.retention import Retention, event_bytes
from events.clients.sqlite import Faults, Synchronous, connect, make_folder, owned
from events.clients.sqlite_threads import Checkpointer, Readers, Writer
from events.errors import BusUnavailable, Damaged, Permanent, TooLarge
from events.event import Decision, Delivery, Event

T = TypeVar("T")

SYNCHRONOUS: dict[str, Synchronous] = {"power": "FULL", "process": "NORMAL"}
MAX_EVENT_BYTES = 32 << 20
MAX_WAITING_BYTES = 128 << 20
"""What may wait for the writer; beyond it a publish is refused as unavailable."""

BATCH = 512
POLL_SECONDS = 0.25
"""How often a read-only reader looks for what the owner has written."""


class EmbeddedReader:
    """Follows the log by offset: from the tail while that has everything above it, else from the file."""

    def __init__(self, bus: EmbeddedBus, topics: Iterable[Topic], at: int) -> None:
        self._bus, self._topics, self.at = bus, frozenset(topics), at
        self._value = queries.topics_value(self._topics)
        self._waiting: asyncio.Future[Any] | None = None
        self._news: asyncio.Future[None] | None = None
        self._end: Exception | None = None

    async def next(self) -> Batch:
        while self._end is None:
            tail = self._bus.tail
            if self.at < tail.floor:
                batch = await self._catch_up()
                if batch is not None:
                    return batch
            elif self.at < tail.head:
                return self._from_tail(tail)
            else:
                self._news = self._bus.loop.create_future()
                await self._until(self._news)
        raise self._end

    def _from_tail(self, tail: Tail) -> Batch:
        wanted, at = self._topics, self.at
        found: list[Delivery] = []
        for chunk in tail.chunks_after(at):
            found += [d for d in chunk.deliveries if (d.event.source, d.event.subject) in wanted]
            self.at = chunk.last
            if len(found) >= BATCH:
                break
        if found and found[0].position.offset <= at:  # the first chunk began before our place
            found = [delivery for delivery in found if delivery.position.offset > at]
        return Batch(found, {0: self.at})

    async def _catch_up(self) -> Batch | None:
        """The next batch of the file; None after a pause if there is nothing new in it."""
        job = partial(queries.catch_up, topics=self._value, after=self.at, place=self._bus.place)
        portion: queries.Portion = await self._until(self._bus.read_job(job))
        if portion.reached == self.at:
            pause = self._bus.loop.create_future()
            self._bus.loop.call_later(POLL_SECONDS, end, pause)
            await self._until(pause)
            return None
        self.at = portion.reached
        return Batch(portion.deliveries, {0: self.at}, portion.gaps)

    async def _until(self, future: asyncio.Future[T]) -> T:
        self._waiting = future
        return await future

    async def lag(self) -> int:
        return await self._bus.read_job(partial(queries.lag, topics=self._value, after=self.at))

    async def aclose(self) -> None:
        self._bus.readers.discard(self)
        self.stop(StopAsyncIteration())

    def stop(self, reason: Exception) -> None:
        """End this reader: a waiting `next` and every later one raises the reason."""
        self._end = self._end or reason
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(self._end)

    def wake(self) -> None:
        """There is something new in the tail."""
        if self._news is not None:
            end(self._news)


class EmbeddedLease:
    """The newest lease of a name is in force: taking it again ends the former one at once."""

    def __init__(self, bus: EmbeddedBus, name: str, epoch: int) -> None:
        self._bus, self.name, self.epoch, self.lost = bus, name, epoch, asyncio.Event()

    async def release(self) -> None:
        await self._bus.give_back(self)


class EmbeddedBus:
    """One bus in the file at `path`.

    name: `namespace/eventbus`; stored with the file, like the number of shards: others are refused.
    durability: "power" or "process": what a stored event survives.
    clock: nanoseconds since 1970, for the times of storing and the retention.
    readonly: look at the file beside its owner or after it; `shards` is then what the file says.
    """

    def __init__(
        self,
        path: Path | str,
        name: str,
        *,
        shards: int = 1,
        durability: Literal["power", "process"] = "power",
        retention: Retention | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        clock: Callable[[], int] = time.time_ns,
        readonly: bool = False,
    ) -> None:
        self.name, self.shards, self.max_event_bytes = name, shards, max_event_bytes
        self._path, self._synchronous, self._readonly = Path(path), SYNCHRONOUS[durability], readonly
        self._faults = Faults(self._path, BusUnavailable)
        self.place = Place(name.partition("/")[0], segments_of(self._path))
        self._log = Log(
            name,
            retention or Retention(),
            clock,
            self._published,
            Segments(self.place.segments),
            move_payloads=durability == "power",
        )
        self._writer: Writer | None = None
        self._checkpointer: Checkpointer | None = None
        self._pool: Readers | None = None
        self._incarnation = ""
        self.readers: set[EmbeddedReader] = set()
        self._leases: dict[str, EmbeddedLease] = {}

    # life

    async def open(self) -> None:
        self.loop = asyncio.get_running_loop()
        if self._readonly:
            await self._open_pool()
            return
        writer = Writer(self._path.name, self._session, self._log, self._faults, MAX_WAITING_BYTES)
        await writer.open()
        self.tail = Tail(self._log.head)
        self._checkpointer = Checkpointer(self._path, self._synchronous, writer, self._faults)
        self._checkpointer.start()
        self._writer = writer
        self._pool = Readers(self._path.name, self._connect_reader, self._faults)

    async def _open_pool(self) -> None:
        """Read-only: everything comes from the file."""
        self.tail = Tail(MOST)
        pool = Readers(self._path.name, self._connect_reader, self._faults)
        try:
            identity = await pool.run(partial(schema.check, path=self._path))
            schema.check_settings(identity, self._path, self.name, identity.shards)
        except Exception:
            await pool.aclose()
            raise
        self._incarnation, self.shards, self._pool = identity.incarnation, identity.shards, pool

    @contextmanager
    def _session(self) -> Iterator[sqlite3.Connection]:
        """In the writing thread: the file is ours, whole, and of the same settings."""
        make_folder(self._path.parent)
        with owned(self._path):
            if not self._path.exists():
                schema.create(self._path, self.name, self.shards)
            schema.check_present(self._path)
            with closing(connect(self._path, synchronous=self._synchronous)) as db:
                identity = schema.check(db, self._path)
                schema.check_settings(identity, self._path, self.name, self.shards)
                self._incarnation = identity.incarnation
                self._log.start(db)
                try:
                    yield db
                finally:
                    self._log.end(db)

    def _connect_reader(self) -> sqlite3.Connection:
        schema.check_present(self._path)
        return connect(self._path, readonly=True)

    async def aclose(self) -> None:
        writer, self._writer = self._writer, None
        pool, self._pool = self._pool, None
        for lease in self._leases.values():
            lease.lost.set()
        self._leases.clear()
        for reader in self.readers:
            reader.stop(self._closed())
        if pool is not None:
            await pool.aclose()
        if self._checkpointer is not None:
            await self._checkpointer.aclose()
        if writer is not None:
            await writer.aclose()

    # writing

    async def publish(self, events: Sequence[Event], cursor: Cursor | None = None) -> list[Stored]:
        size = 0
        for event in events:
            bytes_ = event_bytes(event)
            if bytes_ > self.max_event_bytes:
                raise TooLarge(bytes_, self.max_event_bytes)
            size += bytes_
        writer = self._writing()
        if not events and cursor is None:
            return []
        stored: list[Stored] = await writer.submit(Publish(events, cursor, size), size)
        return stored

    def _published(self, chunk: Chunk) -> None:
        """In the event loop, before the publishers are told."""
        self.tail.extend(chunk, [reader.at for reader in self.readers])
        for reader in self.readers:
            reader.wake()

    async def commit(self, shard: int, epoch: int, changes: Changes) -> None:
        self._check_shard(shard)
        values = [*changes.blobs.values(), *changes.records.values()]
        size = sum(len(value) for value in values if value is not None)
        await self._writing().submit(Commit(shard, epoch, changes), size)

    async def lease(self, name: str, ttl: float = 15.0) -> EmbeddedLease:
        """Never waits: the newest lease is in force, and ends with the process. `ttl` has no meaning here."""
        lease = EmbeddedLease(self, name, epoch=0)
        taken: asyncio.Future[int] = self._writing().submit(Take(name))
        taken.add_done_callback(partial(self._in_force, lease))
        await asyncio.shield(taken)
        return lease

    def _in_force(self, lease: EmbeddedLease, taken: asyncio.Future[int]) -> None:
        """The epoch is stored: whoever waited for it, or did not any more, the former lease is over."""
        if taken.cancelled() or taken.exception() is not None:
            return
        lease.epoch = taken.result()
        if (former := self._leases.get(lease.name)) is not None:
            former.lost.set()
        self._leases[lease.name] = lease

    async def give_back(self, lease: EmbeddedLease) -> None:
        """End a lease. One that cannot be ended in the file ends with this process."""
        lease.lost.set()
        if self._leases.get(lease.name) is lease:
            del self._leases[lease.name]
            with suppress(BusUnavailable, Damaged):
                await asyncio.shield(self._writing().submit(GiveBack(lease.name, lease.epoch)))

    def _writing(self) -> Writer:
        if self._readonly:
            raise Permanent(f"{self.name}: the bus was opened for reading only")
        if self._writer is None:
            raise self._closed()
        return self._writer

    # reading

    async def head(self) -> Mark:
        newest = await self.read_job(queries.head_of) if self._readonly else self._open_tail().head
        return Mark(self._incarnation, {0: newest})

    async def read(self, topics: Iterable[Topic], after: Mark) -> EmbeddedReader:
        self._open_tail()
        if after.incarnation != self._incarnation:
            raise ValueError(f"{self.name}: the mark is of another incarnation of the log")
        reader = EmbeddedReader(self, topics, after.offsets.get(0, 0))
        self.readers.add(reader)
        return reader

    async def cursor(self, name: str) -> bytes | None:
        return await self.read_job(partial(queries.cursor, name=name))

    async def load(self, shard: int) -> ShardState:
        self._check_shard(shard)
        return await self.read_job(partial(queries.load, shard=shard))

    async def blob(self, shard: int, key: str) -> bytes | None:
        self._check_shard(shard)
        return await self.read_job(partial(queries.blob, shard=shard, key=key))

    async def find_events(self, query: EventQuery) -> list[Delivery]:
        return await self.read_job(partial(queries.find_events, query=query, place=self.place))

    async def find_decisions(self, query: DecisionQuery) -> list[Decision]:
        return await self.read_job(partial(queries.find_decisions, query=query))

    def read_job(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run a query in a reading thread."""
        if self._pool is None:
            raise self._closed()
        return self._pool.run(job)

    def _open_tail(self) -> Tail:
        if self._pool is None:
            raise self._closed()
        return self.tail

    def _check_shard(self, shard: int) -> None:
        if not 0 <= shard < self.shards:
            raise ValueError(f"{self.name} has {self.shards} shards, there is no shard {shard}")

    def _closed(self) -> BusUnavailable:
        return BusUnavailable(f"{self.name}: the bus is not open")

    # health

    def health(self) -> Health:
        if self._pool is None:
            return Health(ready=False, detail=str(self._closed()))
        if self._faults.damage is not None:
            return Health(ready=False, detail=str(self._faults.damage))
        if self._writer is not None and self._writer.trouble is not None:
            return Health(ready=False, detail=str(self._writer.trouble))
        if self._log.full:
            return Health(
                ready=False, detail=f"{self.name}: the byte limit is reached by events not handled yet"
            )
        trouble = self._checkpointer and self._checkpointer.trouble
        return Health(ready=True, detail=f"the log beside the file grows: {trouble}" if trouble else "")


def end(future: asyncio.Future[None]) -> None:
    """Let whoever waits for it go on."""
    if not future.done():
        future.set_result(None)
