"""conditionsReset: at its ticks a trigger forgets what it holds, in the order of the log.

An event stored before a tick never meets one stored after it, however late both are read: before an event is
offered, what is older than the last tick before it is forgotten; what is still held when the tick has passed
and the log was read up to there is forgotten then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from events.bus._base import Mark
from events.errors import Retryable
from events.runtime.plans import TriggerPlan
from events.sensors.moments import moment

log = logging.getLogger(__name__)

LONGEST = 60.0
"""Seconds of one sleep: the clock may be set in between."""

AGAIN = 1.0
"""Seconds until the bus is asked again for its head."""


class Owner(Protocol):
    """What resets need of their shard."""

    now_ns: Callable[[], int]

    def forget_before(self, trigger: TriggerPlan, moment_ns: int) -> None:
        """Drop what the trigger holds from before a moment, and record it."""
        ...

    def passed(self, mark: Mark) -> bool:
        """Whether the log was read up to there."""
        ...

    def head(self) -> Awaitable[Mark]: ...

    def resetting(self) -> list[TriggerPlan]: ...


class Due(NamedTuple):
    """A tick that has passed; it counts once the log was read up to `head`."""

    trigger: TriggerPlan
    tick_ns: int
    head: Mark


class Resets:
    """All conditionsResets of one shard."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._due: list[Due] = []
        self._spans: dict[tuple[str, str, str], tuple[int, int]] = {}

    def before(self, trigger: TriggerPlan, stored_ns: int) -> None:
        """An event stored at that time is about to be offered."""
        key = (trigger.sensor, trigger.name, trigger.revision)
        first, last = self._spans.get(key, (0, 0))
        if not first <= stored_ns < last:
            first, last = self._spans[key] = span(trigger, stored_ns)
        if first:
            self._owner.forget_before(trigger, first)

    def settle(self) -> None:
        """Something was read: ticks whose events are all read count now."""
        if not self._due:
            return
        ready = [due for due in self._due if self._owner.passed(due.head)]
        self._due = [due for due in self._due if not self._owner.passed(due.head)]
        for due in ready:
            self._owner.forget_before(due.trigger, due.tick_ns)

    async def run(self) -> None:
        """Until cancelled, or while there is nothing to reset. First what was missed while down."""
        self._spans.clear()
        self._due.clear()
        while triggers := self._owner.resetting():
            now = self._owner.now_ns()
            await self._pass(last_ticks(triggers, now))
            ahead = [tick for trigger in triggers if (tick := next_ns(trigger, now)) is not None]
            if not ahead:
                return
            await self._until(min(ahead))

    async def _until(self, tick_ns: int) -> None:
        while (left := (tick_ns - self._owner.now_ns()) / 1e9) > 0:
            await asyncio.sleep(min(left, LONGEST))

    async def _pass(self, ticks: list[tuple[TriggerPlan, int]]) -> None:
        if ticks:
            head = await self._head()
            self._due.extend(Due(trigger, tick_ns, head) for trigger, tick_ns in ticks)
            self.settle()

    async def _head(self) -> Mark:
        while True:
            try:
                return await self._owner.head()
            except Retryable as exc:
                log.debug("reset waits for the bus: %s", exc)
                await asyncio.sleep(AGAIN)


def previous_ns(trigger: TriggerPlan, time_ns: int) -> int | None:
    """The last tick at or before a time."""
    at = moment(time_ns) + timedelta(seconds=1)
    ticks = [tick for schedule in trigger.resets if (tick := schedule.previous(at)) is not None]
    return nanoseconds(max(ticks)) if ticks else None


def next_ns(trigger: TriggerPlan, time_ns: int) -> int | None:
    """The first tick after a time."""
    at = moment(time_ns)
    ticks = [tick for schedule in trigger.resets if (tick := schedule.next(at)) is not None]
    return nanoseconds(min(ticks)) if ticks else None


def nanoseconds(tick: datetime) -> int:
    return int(tick.timestamp()) * 1_000_000_000


def span(trigger: TriggerPlan, time_ns: int) -> tuple[int, int]:
    """From the last tick up to a time (0: none) to the next one."""
    ahead = next_ns(trigger, time_ns)
    return previous_ns(trigger, time_ns) or 0, 1 << 63 if ahead is None else ahead


def last_ticks(triggers: Iterable[TriggerPlan], now_ns: int) -> list[tuple[TriggerPlan, int]]:
    found = [(trigger, previous_ns(trigger, now_ns)) for trigger in triggers]
    return [(trigger, tick) for trigger, tick in found if tick is not None]
