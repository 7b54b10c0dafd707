"""The bus instances of a process: each is opened in the background, and its shards have their owners.

A bus that is away, at the start or later, stops nobody else: its sources are refused, and everything goes on
by itself when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from events.aio import Group, supervise
from events.bus._base import Bus, Health, shard_of
from events.errors import EventsError, Permanent
from events.observability.metrics import BusCounts
from events.runtime.intake import Gate
from events.runtime.outage import Outage, pauses
from events.runtime.owners import MakeRunner, ShardOwner
from events.runtime.shard import LEASE
from events.runtime.sharing import Sharing, in_short

if TYPE_CHECKING:
    from events.runtime.plans import SensorPlan

log = logging.getLogger(__name__)

SETTLE = 5.0
"""Seconds that sensors get to begin before sources may store."""

LOOK = 1.0
"""Seconds between looks at the health of a bus."""


class BusUnit:
    """One bus instance with the owners of its shards. `settings`: what it was made from, to notice edits."""

    def __init__(
        self,
        bus: Bus,
        make: MakeRunner,
        tasks: Group,
        *,
        settings: Any = None,
        shared: bool = False,
        lease_ttl: float = LEASE,
        counts: BusCounts | None = None,
    ) -> None:
        self.bus, self.settings, self._tasks, self._lease_ttl = bus, settings, tasks, lease_ttl
        self._counts = counts or BusCounts()
        self.outage = Outage(bus.name)
        self.intake = Gate(bus, self.outage, lease_ttl)
        self.owners = [ShardOwner(bus, shard, make, self.outage) for shard in range(bus.shards)]
        self.sharing = Sharing(bus, self.owners, lease_ttl) if shared else None
        self._takes_part = not shared
        """Whether it owns shards: a process that has had no sensor leaves them to those that have some."""
        self._shares = False
        self.refused: EventsError | None = None
        """Why it cannot be opened at all."""
        self._trouble = ""
        self._opened = False
        self._life: asyncio.Task[None] | None = None
        self._stopping = False

    # life

    def start(self) -> None:
        """Open the bus, then start the owners that do not run. Their sensors have to be known before."""
        if self._life is None or (self._life.done() and not self._opened):
            self.refused = None
            self._life = self._tasks.start(f"bus/{self.bus.name}", self._live())
        elif self._opened and not self._stopping:
            self._start_owners()

    async def _live(self) -> None:
        await supervise(self._open, self._cannot_open, pauses)
        if not self._opened or self._stopping:
            return
        self._start_owners()
        await self._follow()
        self.intake.open = True
        self._share()
        await self._watch()

    async def _open(self) -> None:
        await self.bus.open()
        self._opened = True
        self.outage.works("open")

    def _cannot_open(self, error: BaseException, pause: float | None) -> None:
        self._trouble = str(error)
        self.intake.reason = self._trouble
        if not isinstance(error, EventsError):
            log.error("bus %s: unexpected error", self.bus.name, exc_info=error)
        if pause is not None:
            self.outage.fails("open", error)
            return
        self.refused = error if isinstance(error, EventsError) else Permanent(str(error))
        log.error("bus %s: %s; it stays closed", self.bus.name, error)

    def _start_owners(self) -> None:
        if not self._takes_part:
            return
        for owner in self.owners:
            owner.start(self._tasks)
        if self.intake.open:
            self._share()

    def _share(self) -> None:
        if self.sharing is not None and self._takes_part and not self._shares:
            self._shares = True
            self._tasks.start(f"bus/{self.bus.name}/sharing", self.sharing.run())

    async def _follow(self) -> None:
        """Sensors first: an event that a source takes is seen by the sensors that came with it."""
        self.intake.reason = "its sensors do not read yet"
        await self._begin()

    async def _begin(self) -> None:
        """Until every sensor has its place in the log, or that takes too long."""
        try:
            async with asyncio.timeout(SETTLE + (2 * self._lease_ttl if self.sharing else 0.0)):
                for owner in self.owners:
                    while not await self._begun(owner):
                        await asyncio.sleep(0.2 if self.sharing else 0.005)
        except TimeoutError:
            log.warning("bus %s: the sensors do not read yet; events are taken all the same", self.bus.name)

    async def edited(self) -> None:
        """After `replace` while sources run: until the sensors that are new have their place, wherever their
        shards are. During an outage nobody can say; the sensors begin when it is over."""
        if self.sharing is not None and self.intake.open and not self.outage:
            await self._begin()

    async def _begun(self, owner: ShardOwner) -> bool:
        """Whether the sensors of a shard have their place in the log: here, or where its owner is."""
        if self.sharing is None:
            return owner.settled
        return owner.begun or owner.follows or await owner.begun_elsewhere()

    async def _watch(self) -> None:
        """An outage that only the engine notices is one too."""
        while True:
            health = self.bus.health()
            self._counts.by_engine = health.restarts
            if health.ready:
                self.outage.works("bus")
                self.intake.calm()
            else:
                self.outage.fails("bus", health.detail)
            await asyncio.sleep(LOOK)

    async def drain(self, deadline: float) -> None:
        """Stop reading, let what runs end, hand the shards over."""
        self._stopping = True
        if self.sharing is not None and self._shares:
            await self.sharing.leave()
        await asyncio.gather(*(owner.drain(deadline) for owner in self.owners))

    async def aclose(self) -> None:
        """After `drain`. Raises nothing."""
        self.intake.open, self.intake.reason = False, "it is closed"
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])
        try:
            await self.bus.aclose()
        except EventsError as exc:
            log.error("%s: %s", self.bus.name, exc)

    # what it does

    def replace(self, sensors: Sequence[SensorPlan]) -> None:
        """These are the sensors of this bus now."""
        self._takes_part = self._takes_part or bool(sensors)
        if self.sharing is not None:
            self.sharing.sensors = in_short(sensors)
        for owner in self.owners:
            owner.replace([plan for plan in sensors if shard_of(plan.name, self.bus.shards) == owner.shard])

    @property
    def settled(self) -> bool:
        """Whether the newest sensors are at work, or cannot be for now."""
        return bool(self._trouble and not self._opened) or (
            self.intake.open and all(owner.settled for owner in self._at_work())
        )

    @property
    def health(self) -> Health:
        """Of the bus, then of the first shard that has trouble."""
        if not self._opened:
            return Health(False, self._trouble or "not open yet")
        own = self.bus.health()
        if not own.ready:
            return own
        if self.outage:
            return Health(False, self.outage.reason)
        if not self.intake.open:
            return Health(False, self.intake.reason)
        return next((owner.health for owner in self._at_work() if not owner.health.ready), Health(True))

    def _at_work(self) -> Sequence[ShardOwner]:
        return self.owners if self._takes_part else ()

    def state(self) -> dict[str, Any]:
        """For /readyz."""
        health = self.health
        return {
            "name": self.bus.name, "ready": health.ready, "reason": health.detail,
            "shards": [owner.shard for owner in self.owners if owner.holds], "of": len(self.owners),
        }  # fmt: skip
