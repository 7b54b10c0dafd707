"""When a bus is away: one line in the log when it begins, and one when it is over, whoever noticed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from events.aio import usual

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0
"""Seconds between attempts to reach a bus, at the most: it is back sooner than most remote sides."""

pauses = partial(usual, longest=LONGEST_PAUSE)
"""Between attempts of what needs the bus."""

QUIET = 6.0
"""Seconds after an outage in which what fails belongs to it, unless it goes on for as long: calls that were
under way when it began run into their deadlines when it is over."""


class Outage:
    """What fails at one bus now. It is over when everything that failed works again."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._clock = name, clock
        self._failing: set[str] = set()
        self._began, self._ended = 0.0, float("-inf")
        self._told = False
        self.reason = ""

    def __bool__(self) -> bool:
        return bool(self._failing)

    @property
    def near(self) -> bool:
        """Whether it is there, or was a moment ago."""
        return bool(self._failing) or self._clock() - self._ended < QUIET

    def fails(self, who: str, error: object) -> None:
        """`who` cannot use the bus now. The first to say so has it told."""
        now = self._clock()
        if not self._failing:
            self._began = now
        self.reason = str(error).removeprefix(f"{self._name}: ")
        self._failing.add(who)
        if not self._told and max(self._began - self._ended, now - self._began) > QUIET:
            self._told = True
            log.warning("bus %s: %s; everything waits and goes on by itself", self._name, self.reason)

    def works(self, who: str) -> None:
        """`who` can use it, or is there no more."""
        if who not in self._failing:
            return
        self._failing.discard(who)
        if not self._failing:
            self._over()

    def _over(self) -> None:
        self.reason, self._ended = "", self._clock()
        if self._told:
            self._told = False
            log.info("bus %s: works again after %.0f s", self._name, self._ended - self._began)
