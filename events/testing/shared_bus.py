"""One memory log that several "processes" have open at once, with leases that are waited for and run out.

For what the runtime does with a shared bus, in virtual time. A `SharedBus` that is cut off is what a dead or
a paused process looks like to the others: its leases run out, and what it writes afterwards is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from events.bus._base import Changes, Cursor, Stored
from events.bus.memory import MemoryBus, MemoryLease, MemoryLog
from events.errors import BusUnavailable, Fenced
from events.event import Event


class SharedLog(MemoryLog):
    """`holders`: name -> the lease in force, and when it runs out if its process is cut off."""

    def __init__(self, **given: object) -> None:
        super().__init__(**given)  # type: ignore[arg-type]
        self.buses: list[SharedBus] = []
        self.holders: dict[str, SharedLease] = {}
        self.changed = asyncio.Event()

    def take_away(self, bus: SharedBus) -> None:
        """Its leases are over, as after a pause of its process; whoever waits for them may have them."""
        for lease in bus.leases_of():
            lease.lost.set()
            del self.holders[lease.name]
        self.change()

    def change(self) -> None:
        """Let everybody who waits for a lease look again."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


class SharedLease(MemoryLease):
    """In force until it is released, or `until` has come for a process that is cut off."""

    def __init__(self, bus: SharedBus, name: str, epoch: int, ttl: float) -> None:
        super().__init__(bus, name, epoch)
        self.bus, self.ttl = bus, ttl
        self.until = float("inf")

    async def release(self) -> None:
        self.lost.set()
        if self.bus.shared.holders.get(self.name) is self:
            del self.bus.shared.holders[self.name]
            self.bus.shared.change()


class SharedBus(MemoryBus):
    """A handle to a log that others may have open too."""

    def __init__(self, name: str, log: SharedLog, shards: int = 8) -> None:
        super().__init__(name, shards=shards, log=log)
        self.shared = log
        self.cut = False

    async def open(self) -> None:
        await super().open()
        self.shared.buses.append(self)

    async def aclose(self) -> None:
        """The leases of one that is cut off run out by themselves."""
        mine = [lease for lease in self.shared.holders.values() if lease.bus is self and not self.cut]
        for lease in mine:
            await lease.release()
        if self in self.shared.buses:
            self.shared.buses.remove(self)
        await super().aclose()

    def cut_off(self) -> None:
        """From now on nothing of this process reaches the bus."""
        self.cut = True
        now = asyncio.get_running_loop().time()
        for lease in self.shared.holders.values():
            if lease.bus is self:
                lease.until = now + lease.ttl
        self.shared.change()

    def heal(self) -> None:
        """It is back: what it has lost meanwhile it learns now."""
        self.cut = False
        for lease in self.leases_of():
            lease.until = float("inf")

    def leases_of(self) -> list[SharedLease]:
        """Those in force."""
        return [lease for lease in self.shared.holders.values() if lease.bus is self]

    async def lease(self, name: str, ttl: float = 15.0) -> SharedLease:
        clock = asyncio.get_running_loop().time
        while (holder := self.shared.holders.get(name)) is not None and holder.until > clock():
            left = None if holder.until == float("inf") else holder.until - clock()
            try:
                async with asyncio.timeout(left):
                    await self.shared.changed.wait()
            except TimeoutError:
                continue
        self._check()
        if holder is not None:
            holder.lost.set()
        epoch = self.shared.epochs[name] = self.shared.epochs.get(name, 0) + 1
        lease = self.shared.holders[name] = SharedLease(self, name, epoch, ttl)
        return lease

    async def publish(self, events: Sequence[Event], cursor: Cursor | None = None) -> list[Stored]:
        stored = await super().publish(events, cursor)
        for bus in self.shared.buses:
            for reader in bus.readers:
                reader.wake()
        return stored

    async def commit(self, shard: int, epoch: int, changes: Changes) -> None:
        self._check()
        holder = self.shared.holders.get(f"shard/{shard}")
        if holder is None or holder.bus is not self or holder.epoch != epoch:
            raise Fenced(f"{self.name}: epoch {epoch} of shard {shard} is no longer in force")
        self._apply(self.log.shard(shard), changes)
        self.log.trim(self.log.wanted)

    def _check(self) -> None:
        super()._check()
        if self.cut:
            raise BusUnavailable("nothing reaches the bus")
