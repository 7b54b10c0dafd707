"""The bus instances of a process: which engine an EventBus means, opened once, each shard with its owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from operator import is_
from typing import TYPE_CHECKING

from events.aio import Group, supervise
from events.bus._base import Bus, Health, shard_of
from events.errors import Fenced, Retryable
from events.runtime.shard import ShardRunner

if TYPE_CHECKING:
    from events.runtime.plans import SensorPlan

log = logging.getLogger(__name__)

MakeRunner = Callable[[Bus, int], ShardRunner]


class ShardOwner:
    """Keeps one shard of one bus running: a new runner after each failure that may pass."""

    def __init__(self, bus: Bus, shard: int, make: MakeRunner) -> None:
        self.bus, self.shard, self._make = bus, shard, make
        self._sensors: Sequence[SensorPlan] = ()
        self._task: asyncio.Task[None] | None = None
        self.runner: ShardRunner | None = None
        self.down = ""

    def start(self, tasks: Group) -> None:
        """Run, unless it runs: a shard that gave up for good gets another chance with other manifests."""
        if self._task is None or self._task.done():
            self._task = tasks.start(f"shard/{self.bus.name}/{self.shard}", self.run())

    def replace(self, sensors: Sequence[SensorPlan]) -> None:
        """These are the sensors now; the same ones again change nothing."""
        same = len(sensors) == len(self._sensors) and all(map(is_, sensors, self._sensors))
        self._sensors = sensors
        if self.runner is not None and not same:
            self.runner.replace(sensors)

    async def run(self) -> None:
        """Until cancelled or drained. A lease that was lost is waited for again."""
        await supervise(self._run_once, self._report)

    async def _run_once(self) -> None:
        self.runner = self._make(self.bus, self.shard)
        self.runner.replace(self._sensors)
        self.down = ""
        try:
            await self.runner.run()
        except Fenced as exc:
            raise Retryable(str(exc)) from exc
        finally:
            self.runner = None

    def _report(self, error: BaseException, pause: float | None) -> None:
        self.down = f"{type(error).__name__}: {error}"
        again = "it stays down" if pause is None else f"again in {pause:.1f} s"
        log.error("%s shard %d: %s; %s", self.bus.name, self.shard, error, again)

    @property
    def settled(self) -> bool:
        """Whether the newest sensors are at work, or cannot be for now."""
        return bool(self.down) or (self.runner is not None and self.runner.settled)

    @property
    def health(self) -> Health:
        runner = self.runner
        if runner is not None and runner.following:
            return Health(True)
        return Health(False, self.down or (runner.trouble if runner else "not started"))

    async def drain(self, deadline: float) -> None:
        if self.runner is not None:
            await self.runner.drain(deadline)


class BusUnit:
    """One bus instance with the owners of its shards."""

    def __init__(self, bus: Bus, make: MakeRunner, tasks: Group) -> None:
        self.bus, self._tasks = bus, tasks
        self.owners = [ShardOwner(bus, shard, make) for shard in range(bus.shards)]

    def start(self) -> None:
        """Start the owners that do not run. Their sensors have to be known before."""
        for owner in self.owners:
            owner.start(self._tasks)

    def replace(self, sensors: Sequence[SensorPlan]) -> None:
        """These are the sensors of this bus now."""
        for owner in self.owners:
            owner.replace([plan for plan in sensors if shard_of(plan.name, self.bus.shards) == owner.shard])

    @property
    def settled(self) -> bool:
        return all(owner.settled for owner in self.owners)

    async def drain(self, deadline: float) -> None:
        await asyncio.gather(*(owner.drain(deadline) for owner in self.owners))

    @property
    def health(self) -> Health:
        """Of the bus, then of the first shard that has trouble."""
        own = self.bus.health()
        if not own.ready:
            return own
        return next((owner.health for owner in self.owners if not owner.health.ready), Health(True))
