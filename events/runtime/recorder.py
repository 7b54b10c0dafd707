"""Writes what a shard's owner decided, many steps in one commit.

A note is what one step wants stored. Its places count as closed in the very commit that stores it: the mark
passes an event only together with, or after, what became of it. One commit runs at a time; what is noted
meanwhile goes into the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from events.aio import backoff
from events.bus._base import Bus, Changes, Lease, Mark
from events.errors import Fenced, Retryable
from events.event import Decision
from events.runtime.progress import Place, Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

PACE = 0.1
"""Seconds that a note without hurry may wait for company."""

FULL = 10_000
"""Notes waiting for a commit above which the reader waits."""


class Recorder:
    """Collects notes for one shard and commits them with the current mark."""

    def __init__(self, bus: Bus, shard: int, lease: Lease, progress: Progress) -> None:
        self._bus, self._shard, self._lease, self._progress = bus, shard, lease, progress
        self._changes = Changes()
        self._places: list[Place] = []
        self._then: list[Callable[[], None]] = []
        self._notes = 0
        self._hurry = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._marked: Mark | None = None

    def note(
        self,
        *,
        decision: Decision | None = None,
        records: Mapping[str, bytes | None] | None = None,
        blobs: Mapping[str, bytes] | None = None,
        drop_blobs: list[str] | None = None,
        closes: Place | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Have this stored; `then` runs once it is. A note with `then` does not wait for company."""
        changes = self._changes
        if decision is not None:
            changes.decisions.append(decision)
        if records:
            changes.records.update(records)
        if blobs:
            changes.blobs.update(blobs)
        if drop_blobs:
            changes.drop_blobs.extend(drop_blobs)
        if closes is not None:
            self._places.append(closes)
        self._notes += 1
        if self._notes >= FULL:
            self._room.clear()
        if then is not None:
            self._then.append(then)
            self._hurry.set()

    async def room(self) -> None:
        """Wait while too much waits for a commit."""
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
        changes, self._changes = self._changes, Changes()
        places, self._places = self._places, []
        then, self._then = self._then, []
        notes, self._notes = self._notes, 0
        for place in places:
            place.count -= 1
        mark = self._progress.mark()
        if not notes and mark == self._marked:
            return
        changes.mark = mark
        await self._commit(changes)
        self._marked = mark
        self._room.set()
        for call in then:
            call()

    async def _commit(self, changes: Changes) -> None:
        """Until it is stored: the bus may be away for a while."""
        attempt = 0
        while True:
            try:
                await self._bus.commit(self._shard, self._lease.epoch, changes)
            except Fenced:
                raise
            except Retryable as exc:
                attempt += 1
                if attempt == 1:
                    log.warning("%s: cannot record, trying again: %s", self._bus.name, exc)
                await asyncio.sleep(backoff(attempt, 0.5, exc.after))
            else:
                if attempt:
                    log.info("%s: recording again", self._bus.name)
                return
