"""How processes on one bus share its shards: each stands by for all, and who has more gives to who has less.

Every process waits for the lease of every shard that it does not have: what a dead or stopped one leaves is
taken at once. All of them write into one list (a cursor of the bus) how many times they have been there and
what they hold; from it the richest learns of poorer ones and gives shards back, half of the difference,
until nobody has two more than another. Only leases and epochs decide who may write: a list that is stale, or
lost a line to another writer, costs fairness for some seconds and nothing else.

The list also says which sensors each process has: an owner takes one that it does not know for one that was
removed, so processes that differ for longer than an edit takes to reach all of them are told.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from events.bus._base import Bus, Cursor
from events.errors import EventsError
from events.runtime.owners import ShardOwner

if TYPE_CHECKING:
    from events.runtime.plans import SensorPlan

log = logging.getLogger(__name__)

LIST = "workers"
"""Name of the cursor. Those of sources have a slash."""

CALL = 5.0
"""Seconds for one look at the list or one write."""

FRESH = 2
"""Rounds within which a line has to have changed for its process to be given something. One that says that
it has what we have is out of date, and perhaps dead."""

HOLD_OFF = 2.0
"""Seconds in which a shard that was given is left to the others, who wait for it already."""

FORGOTTEN = 8
"""Times the lease after which a line that does not change is removed."""


EDIT = 60.0
"""Seconds in which an edit has to reach all processes."""

AWAY = 10.0
"""Seconds after which a line that does not change says nothing of sensors, unless the lease is longer."""


class Line(msgspec.Struct, frozen=True):
    """One process in the list: how often it has written, the shards that it holds, its sensors in short."""

    beat: int
    holds: frozenset[int]
    sensors: str = ""


Lines = dict[str, Line]


def in_short(sensors: Sequence[SensorPlan]) -> str:
    """Tells sets of sensors apart; empty: there are none."""
    text = "\n".join(sorted(f"{plan.name} {plan.revision}" for plan in sensors))
    return f"{zlib.crc32(text.encode()):08x}" if text else ""


class Seen:
    """What this process has seen of another: a line that changes belongs to somebody who lives."""

    def __init__(self, line: Line, now: float) -> None:
        self.line, self.changed, self.proved = line, now, False

    def look(self, line: Line, now: float) -> None:
        if line.beat != self.line.beat:
            self.changed, self.proved = now, True
        self.line = line


class Sharing:
    """One process among those that share a bus."""

    def __init__(self, bus: Bus, owners: Sequence[ShardOwner], lease_ttl: float) -> None:
        self._bus, self._owners, self._ttl = bus, owners, lease_ttl
        self.pause = min(max(lease_ttl / 4, 0.25), 3.0)
        self.me = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._beat = 0
        self._others: dict[str, Seen] = {}
        self._given: set[int] = set()
        self._left = False
        self.sensors = ""
        """The sensors of this process, in short."""
        self._alike_at: float | None = None
        self._told = False
        """Whether it was told that another process has others."""

    async def run(self) -> None:
        """Until cancelled or left."""
        while not self._left:
            try:
                async with asyncio.timeout(CALL):
                    surplus = await self.look()
            except (EventsError, TimeoutError) as exc:
                log.debug("%s: the list of workers: %s", self._bus.name, exc)
            else:
                await asyncio.gather(*(self._give(shard) for shard in surplus))
            await asyncio.sleep(self.pause)

    async def look(self) -> list[int]:
        """One round: see the others, tell of oneself. Returns the shards to give."""
        now = asyncio.get_running_loop().time()
        lines = await self._read()
        self._see(lines, now)
        self._compare(now)
        await self._write(lines, now)
        return self._surplus(now)

    async def leave(self) -> None:
        """Be missed at once. One that cannot say so is missed a little later."""
        self._left = True
        try:
            async with asyncio.timeout(1.0):
                lines = await self._read()
                lines.pop(self.me, None)
                await self._bus.publish([], Cursor(LIST, msgspec.msgpack.encode(lines)))
        except (EventsError, TimeoutError) as exc:
            log.debug("%s: the list of workers: %s", self._bus.name, exc)

    def holder(self, shard: int) -> str:
        """Which other process says that it has a shard; empty: none."""
        return next((name for name, seen in self._others.items() if shard in seen.line.holds), "")

    # the list

    async def _read(self) -> Lines:
        data = await self._bus.cursor(LIST)
        try:
            return {} if data is None else msgspec.msgpack.decode(data, type=Lines)
        except msgspec.MsgspecError:
            return {}  # of another release: everybody writes anew

    def _see(self, lines: Mapping[str, Line], now: float) -> None:
        for name, line in lines.items():
            if name == self.me:
                continue
            if name in self._others:
                self._others[name].look(line, now)
            else:
                self._others[name] = Seen(line, now)
        for name, seen in list(self._others.items()):
            if name not in lines and now - seen.changed > self._ttl:
                del self._others[name]

    async def _write(self, lines: Lines, now: float) -> None:
        self._beat += 1
        kept = {name: line for name, line in lines.items() if name == self.me or not self._gone(name, now)}
        kept[self.me] = Line(self._beat, frozenset(self._mine()), self.sensors)
        await self._bus.publish([], Cursor(LIST, msgspec.msgpack.encode(kept)))

    def _gone(self, name: str, now: float) -> bool:
        return now - self._others[name].changed > FORGOTTEN * self._ttl

    def _compare(self, now: float) -> None:
        others = [
            name
            for name, seen in self._others.items()
            if now - seen.changed <= max(self._ttl, AWAY) and seen.line.sensors not in {"", self.sensors}
        ]
        if not others:
            if self._told:
                log.info("%s: all processes have the same sensors again", self._bus.name)
            self._alike_at, self._told = now, False
            return
        self._alike_at = now if self._alike_at is None else self._alike_at
        if not self._told and now - self._alike_at > EDIT:
            self._told = True
            log.warning(
                "%s: %s: other sensors than those of this process; a sensor misses what comes while somebody "
                "who does not know it has its shard: give all of them the same manifests",
                self._bus.name, ", ".join(sorted(name.rpartition(":")[0] for name in others)),
            )  # fmt: skip

    # giving

    def _mine(self) -> list[int]:
        return [owner.shard for owner in self._owners if owner.holds]

    def _surplus(self, now: float) -> list[int]:
        """What to give now. One round at a time: what was given has to be taken first."""
        mine = self._mine()
        living = [
            (len(seen.line.holds), name)
            for name, seen in self._others.items()
            if seen.proved and now - seen.changed <= FRESH * self.pause and seen.line.holds.isdisjoint(mine)
        ]
        if not living or self._given or (len(mine), self.me) < max(living):
            return []
        return mine[len(mine) - (len(mine) - min(living)[0]) // 2 :]

    async def _give(self, shard: int) -> None:
        """Hand a shard over. Those who wait for it have it soon; after that this process stands by again."""
        self._given.add(shard)
        await self._owners[shard].give()
        asyncio.get_running_loop().call_later(HOLD_OFF, self._take, shard)

    def _take(self, shard: int) -> None:
        self._given.discard(shard)
        self._owners[shard].take()
