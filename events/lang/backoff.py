"""Retry schedules as Kubernetes' wait.ExponentialBackoff computes them; pure, chance comes from outside.

Fields    steps: attempts in all (5 where absent or not above 0), duration: first pause (1 s), factor: each
          pause is that many times the one before (1; 0 as 1), jitter: up to so many pauses more (1; 0 none)
Numbers   may be quoted; integers of `duration` are nanoseconds, its text is a Go duration
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from events.errors import ExpressionError
from events.lang.duration import MAX_NANOSECONDS, parse_duration
from events.lang.scalars import parse_float

STEPS: Final = 5
SECOND: Final = 1_000_000_000  # nanoseconds
LONGEST: Final = MAX_NANOSECONDS / SECOND  # seconds; Go's durations end there
SHORTEST: Final = 0.1  # seconds that what is tried for ever waits at least: 0 would keep a processor busy


@dataclass(frozen=True, slots=True)
class Backoff:
    """When to try again. `duration` is in seconds; `jitter` is a share of the pause."""

    steps: int
    duration: float
    factor: float
    jitter: float

    def delay(self, attempt: int, chance: float) -> float | None:
        """Seconds to wait before attempt + 1, None after the last; `attempt` counts from 1.

        `chance` is a random number in [0, 1).
        """
        return None if attempt >= self.steps else self._spread(attempt, chance)

    def endless(self, attempt: int, chance: float) -> float:
        """As `delay`, for what is tried for ever: the last pause is repeated, none is below SHORTEST."""
        return max(SHORTEST, self._spread(min(attempt, max(self.steps - 1, 1)), chance))

    def _spread(self, attempt: int, chance: float) -> float:
        pause = self._pause(attempt)
        if self.jitter > 0:
            pause += chance * self.jitter * pause
        return min(max(pause, 0.0), LONGEST)

    def _pause(self, attempt: int) -> float:
        if self.factor in (0, 1):
            return self.duration
        try:
            pause = self.duration * self.factor ** (attempt - 1)
        except OverflowError:
            return math.copysign(LONGEST, self.duration)
        return round(pause * SECOND) / SECOND if abs(pause) < LONGEST else math.copysign(LONGEST, pause)


def compile_backoff(
    duration: int | str | None,
    factor: float | str | None,
    jitter: float | str | None,
    steps: int | None,
) -> Backoff:
    """The schedule of a `Backoff` object; None is an absent field. Raises ExpressionError."""
    if steps is not None and type(steps) is not int:
        raise ExpressionError("steps is a whole number", "steps")
    return Backoff(
        steps=steps if steps is not None and steps > 0 else STEPS,
        duration=_duration(duration),
        factor=_amount("factor", factor),
        jitter=_amount("jitter", jitter),
    )


def _duration(value: int | str | None) -> float:
    if value is None:
        return 1.0
    if isinstance(value, str):
        return parse_duration(value) / SECOND
    if type(value) is not int or not -MAX_NANOSECONDS - 1 <= value <= MAX_NANOSECONDS:
        raise ExpressionError("duration is text such as 10s or whole nanoseconds", "duration")
    return value / SECOND


def _amount(name: str, value: float | str | None) -> float:
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ExpressionError(f"{name} is a number", name)
    try:
        number = parse_float(value) if isinstance(value, str) else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ExpressionError(f"{name} is a finite number", name)
    return number
