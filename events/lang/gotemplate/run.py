"""State of one rendering: output, variables, and how much work is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from events.errors import EvaluationError
from events.lang.gofmt import MAX_TEXT

if TYPE_CHECKING:
    from events.lang.sprig.env import Random

MAX_STEPS: Final = 1_000_000
"""Steps of one rendering: iterations, and calls where there can be many, by the size of what they handle."""


@dataclass(frozen=True, slots=True)
class Env:
    """What functions such as `now` and `uuidv4` take from outside.

    `now` is aware; `random` is a seeded source such as a `random.Random`.
    """

    now: datetime
    random: Random


class Undefined:
    """Type of UNDEFINED: a variable whose declaration was not reached."""

    __slots__ = ()


UNDEFINED: Final = Undefined()


class Run:
    """One rendering. `frame` holds the variables of the template in progress, `$` first."""

    __slots__ = ("env", "frame", "parts", "room", "steps")

    def __init__(self, env: Env, frame: list[Any]) -> None:
        self.env, self.frame = env, frame
        self.parts: list[str] = []
        self.room, self.steps = MAX_TEXT, MAX_STEPS

    def write(self, text: str) -> None:
        """Add to the output. Raises EvaluationError when there is too much of it."""
        self.room -= len(text)
        if self.room < 0:
            raise EvaluationError(f"output is longer than {MAX_TEXT} characters")
        self.parts.append(text)

    def spend(self, steps: int) -> None:
        """Count work. Raises EvaluationError when there was too much of it."""
        self.steps -= steps
        if self.steps < 0:
            raise EvaluationError("template takes too many steps")


Expression: TypeAlias = Callable[[Run, Any], Any]
"""Value for a dot: None is a nil interface, NO_VALUE the absence of a value."""
