"""When a bus is away: one line in the log when it begins, and one when it is over, whoever noticed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0
"""Seconds between attempts to reach a bus, at the most: it is back sooner than most remote sides."""


class Outage:
    """What fails at one bus now. It is over when everything that failed works again."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._clock = name, clock
        self._failing: set[str] = set()
        self._began = 0.0
        self.reason = ""

    def __bool__(self) -> bool:
        return bool(self._failing)

    def fails(self, who: str, error: object) -> None:
        """`who` cannot use the bus now. The first to say so has it told."""
        if not self._failing:
            self._began = self._clock()
            log.warning("bus %s: %s; everything waits and goes on by itself", self._name, error)
        self.reason = str(error)
        self._failing.add(who)

    def works(self, who: str) -> None:
        """`who` can use it, or is there no more."""
        if who not in self._failing:
            return
        self._failing.discard(who)
        if not self._failing:
            self.reason = ""
            log.info("bus %s: works again after %.0f s", self._name, self._clock() - self._began)
