"""What a rendering gives to functions: the time and a source of random numbers."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Random(Protocol):
    """Seeded random numbers; `random.Random` is one."""

    def randrange(self, start: int, /) -> int:
        """A number from 0 below `start`."""
        ...

    def getrandbits(self, k: int, /) -> int:
        """A number of `k` random bits."""
        ...


class Env(Protocol):
    """`now` is aware; with the same `now` and `random` a template renders the same text."""

    @property
    def now(self) -> datetime:
        """The time that `now` and the defaults of the date functions show."""
        ...

    @property
    def random(self) -> Random:
        """Where random text, numbers and ids come from."""
        ...
