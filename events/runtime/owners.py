"""Keeps one shard of one bus at work in this process, or at hand while another process has it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from operator import is_
from typing import TYPE_CHECKING

from events.aio import Group, supervise
from events.bus._base import Bus, Health
from events.errors import BusUnavailable, Fenced, Retryable
from events.runtime.outage import Outage, pauses
from events.runtime.records import sensor_key
from events.runtime.shard import STANDBY, ShardRunner

if TYPE_CHECKING:
    from events.runtime.plans import SensorPlan

log = logging.getLogger(__name__)

MakeRunner = Callable[[Bus, int, Outage], ShardRunner]

RELEASE = 2.0
"""Seconds to give the lease back."""

ANSWER = 2.0
"""Seconds within which a bus answers that is not away."""

AGAIN = 0.5
"""Seconds until a lease that was lost is waited for again."""

HAND_OVER = 5.0
"""Seconds that firings in hand get when a shard is given to another process."""


class ShardOwner:
    """One shard of one bus: a new runner after each failure that may pass.

    Where several processes share a bus, an owner that does not get the lease stands by, and may be told to
    give its shard to a process that has fewer.
    """

    def __init__(self, bus: Bus, shard: int, make: MakeRunner, outage: Outage) -> None:
        self.bus, self.shard, self._make, self._outage = bus, shard, make, outage
        self._sensors: Sequence[SensorPlan] = ()
        self._task: asyncio.Task[None] | None = None
        self._allowed = asyncio.Event()
        self._allowed.set()
        self._ended = False
        self.runner: ShardRunner | None = None
        self.begun = False
        """Whether another process is known to have begun with these sensors."""
        self.down = ""

    def start(self, tasks: Group) -> None:
        """Run, unless it runs: a shard that gave up for good gets another chance with other manifests."""
        if self._task is None or self._task.done():
            self._task = tasks.start(f"shard/{self.bus.name}/{self.shard}", self.run())

    def replace(self, sensors: Sequence[SensorPlan]) -> None:
        """These are the sensors now; the same ones again change nothing."""
        same = len(sensors) == len(self._sensors) and all(map(is_, sensors, self._sensors))
        self._sensors = sensors
        self.begun = self.begun and same
        if self.runner is not None and not same:
            self.runner.replace(sensors)

    async def run(self) -> None:
        """Until cancelled or drained. A lease that was lost is waited for again."""
        await supervise(self._run_on, self._report, pauses)

    async def _run_on(self) -> None:
        while not self._ended:
            await self._allowed.wait()
            await self._run_once()

    async def _run_once(self) -> None:
        self.runner = self._make(self.bus, self.shard, self._outage)
        self.runner.replace(self._sensors)
        self.down = ""
        try:
            await self.runner.run()
        except Fenced as exc:
            self.runner, self.down = None, str(exc)
            await self._check_bus(exc)
            log.info("%s; waiting for it again", exc)
            await asyncio.sleep(AGAIN)
        finally:
            self.runner = None

    async def _check_bus(self, lost: Fenced) -> None:
        """Raises BusUnavailable when a lost lease is part of an outage, which is told as such.

        Otherwise another process has it, or it is taken again: no failure, and nothing to wait longer for.
        """
        if self._outage.near or not self.bus.health().ready:
            raise BusUnavailable(str(lost)) from lost
        try:
            async with asyncio.timeout(ANSWER):
                await self.bus.head()
        except (BusUnavailable, TimeoutError) as exc:
            raise BusUnavailable(f"{self.bus.name}: it does not answer") from exc

    def _report(self, error: BaseException, pause: float | None) -> None:
        self.down = f"{type(error).__name__}: {error}"
        if isinstance(error, BusUnavailable):
            self._outage.fails(self._name, error)
            return
        self._outage.works(self._name)
        again = "it stays down" if pause is None else f"again in {pause:.1f} s"
        log.error("%s shard %d: %s; %s", self.bus.name, self.shard, error, again)

    @property
    def _name(self) -> str:
        return f"shard/{self.shard}"

    # sharing with other processes

    @property
    def holds(self) -> bool:
        """Whether this process has the lease."""
        return self.runner is not None and self.runner.holds

    @property
    def stands_by(self) -> bool:
        """Whether another process seems to have the shard."""
        if not self._allowed.is_set():
            return True
        return self.runner is not None and self.runner.waited > STANDBY

    @property
    def follows(self) -> bool:
        """Whether the newest sensors are at work here."""
        return self.runner is not None and self.runner.settled

    async def begun_elsewhere(self) -> bool:
        """Whether an owner in another process has stored where these sensors begin: nothing that is published
        from now on is lost, even if that process dies."""
        try:
            records = (await self.bus.load(self.shard)).records if self._sensors else {}
        except Retryable:
            return False
        self.begun = all(sensor_key(plan.name) in records for plan in self._sensors)
        return self.begun

    async def give(self) -> None:
        """Hand the shard over; `take` lets this process have it again."""
        self._allowed.clear()
        if self.runner is not None:
            await self.runner.drain(HAND_OVER)

    def take(self) -> None:
        """Wait for the lease again."""
        self._allowed.set()

    # state

    @property
    def settled(self) -> bool:
        """Whether the newest sensors are at work, here or elsewhere, or cannot be for now."""
        if self.down or self.stands_by:
            return True
        return self.runner is not None and self.runner.settled

    @property
    def health(self) -> Health:
        runner = self.runner
        if runner is not None and runner.following:
            return Health(True)
        if self.stands_by and not self.down:
            return Health(True, "another process has it")
        return Health(False, self.down or (runner.trouble if runner else "not started"))

    async def drain(self, deadline: float) -> None:
        """Let what runs end, and the lease go: others may have the shard at once."""
        self._ended = True
        self._allowed.set()
        if self.runner is not None and self._task is not None:
            await self.runner.drain(deadline)
            await asyncio.wait([self._task], timeout=RELEASE)
