"""Writes what a shard's owner decided, many steps in one commit.

A note is what one step wants stored. Its places count as closed in the very commit that stores it: the mark
passes an event only together with, or after, what became of it. One commit runs at a time; what is noted
meanwhile goes into the next. Records are written in the order in which they were last noted, so that an
engine that stops in the middle of a commit has stored what came first.

A condition changes with every event: its record is made once for a commit, and an event that is held and
taken again between two commits leaves no trace, unless a former owner may have stored it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from events.aio import backoff
from events.bus._base import Bus, Changes, Lease, Mark
from events.errors import Retryable
from events.event import Decision, Event
from events.runtime.outage import LONGEST_PAUSE, Outage
from events.runtime.progress import Place, Progress
from events.runtime.records import encode, stripped

if TYPE_CHECKING:
    from collections.abc import Mapping

PACE = 0.1
"""Seconds that a note without hurry may wait for company."""

LATE = 1.0
"""Seconds of one commit above which nothing more should be done before it is stored."""

FULL = 10_000
"""Notes waiting for a commit above which the reader waits."""

FULL_BYTES = 64 << 20
"""Bytes of blobs waiting for a commit above which the reader waits."""


Late = bytes | None | Callable[[], bytes]
"""A record, None to remove it, or what makes it as it is after the last note of a commit."""

EVENT_BYTES = 200
"""Of a held event beside its payload, about."""


class Group:
    """What goes into the next commit."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.held: dict[str, Event] = {}
        self.records: dict[str, Late] = {}
        self.decisions: list[Decision] = []
        self.drops: dict[str, None] = {}
        self.places: list[Place] = []
        self.then: list[Callable[[], None]] = []
        self.notes = self.bytes = 0

    @property
    def full(self) -> bool:
        return self.notes >= FULL or self.bytes >= FULL_BYTES

    def record(self, key: str, value: Late) -> None:
        """The last word on a record counts, and takes the last place."""
        self.records.pop(key, None)
        self.records[key] = value

    def blob(self, key: str, value: bytes) -> None:
        self.drops.pop(key, None)
        self.blobs[key] = value
        self.bytes += len(value)

    def hold(self, key: str, event: Event) -> None:
        self.drops.pop(key, None)
        self.held[key] = event
        self.bytes += len(event.data or b"") + EVENT_BYTES

    def drop(self, key: str, *, again: bool) -> None:
        if self.held.pop(key, None) is not None and not again:
            return
        self.blobs.pop(key, None)
        self.drops[key] = None

    def changes(self, mark: Mark) -> Changes:
        blobs = self.blobs | {key: encode(stripped(event)) for key, event in self.held.items()}
        records = {key: value() if callable(value) else value for key, value in self.records.items()}
        return Changes(blobs, records, self.decisions, mark, list(self.drops))


class Recorder:
    """Collects notes for one shard and commits them with the current mark."""

    def __init__(
        self, bus: Bus, shard: int, lease: Lease, progress: Progress, outage: Outage | None = None
    ) -> None:
        self._outage = Outage(bus.name) if outage is None else outage
        self._bus, self._shard, self._lease, self._progress = bus, shard, lease, progress
        self.largest = bus.max_event_bytes
        """Bytes of one blob."""
        self._group = Group()
        self._hurry = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._marked: Mark | None = None
        self._began: float | None = None
        self.again = True
        """Whether events come that a former owner may have seen, or others at their places."""

    def note(
        self,
        *,
        decision: Decision | None = None,
        records: Mapping[str, Late] | None = None,
        blobs: Mapping[str, bytes] | None = None,
        held: Mapping[str, Event] | None = None,
        drop_blobs: Iterable[str] = (),
        closes: Place | None = None,
        then: Callable[[], None] | None = None,
        hurry: bool = True,
    ) -> None:
        """Have this stored; `then` runs once it is, soon if there is `hurry`.

        `held`: events as blobs, each under a key that only its place in the log has.
        """
        group = self._group
        if decision is not None:
            group.decisions.append(decision)
        if records:
            for key, value in records.items():
                group.record(key, value)
        if blobs:
            for key, data in blobs.items():
                group.blob(key, data)
        if held:
            for key, event in held.items():
                group.hold(key, event)
        for key in drop_blobs:
            group.drop(key, again=self.again)
        if closes is not None:
            group.places.append(closes)
        group.notes += 1
        if group.full:
            self._room.clear()
        if then is not None:
            group.then.append(then)
            if hurry:
                self._hurry.set()

    async def room(self) -> None:
        """Wait while too much waits for a commit."""
        if self._group.full:
            self._hurry.set()
        await self._room.wait()

    async def flush(self) -> None:
        """Return when everything noted so far is stored."""
        stored = asyncio.get_running_loop().create_future()
        self.note(then=lambda: None if stored.done() else stored.set_result(None))
        await stored

    async def run(self) -> None:
        """Commit until cancelled. Raises Fenced when somebody else has the shard."""
        while True:
            await self._pause()
            await self._commit_once()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(PACE):
                await self._hurry.wait()
        except TimeoutError:
            return

    async def _commit_once(self) -> None:
        self._hurry.clear()
        group, self._group = self._group, Group()
        for place in group.places:
            place.count -= 1
        mark = self._progress.mark()
        if not group.notes and mark == self._marked:
            return
        await self._commit(group.changes(mark))
        self._marked = mark
        if not self._group.full:
            self._room.set()
        for call in group.then:
            call()

    async def _commit(self, changes: Changes) -> None:
        """Until it is stored: the bus may be away for a while."""
        attempt, who = 0, f"recorder/{self._shard}"
        self._began = asyncio.get_running_loop().time()
        try:
            while True:
                try:
                    return await self._bus.commit(self._shard, self._lease.epoch, changes)
                except Retryable as exc:
                    attempt += 1
                    self._outage.fails(who, exc)
                    await asyncio.sleep(backoff(attempt, 0.5, exc.after, LONGEST_PAUSE))
        finally:
            self._began = None
            self._outage.works(who)

    @property
    def late(self) -> bool:
        """Whether the bus takes so long that what is done now may never be recorded."""
        return self._began is not None and asyncio.get_running_loop().time() - self._began > LATE
