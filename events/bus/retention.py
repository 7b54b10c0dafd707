"""retention: how long and how much a bus keeps, for the engines that decide it themselves.

Promise   nothing above the lowest mark of the shards goes. A shard counts as soon as its lease was taken once
          (without a mark as 0); while no lease was ever taken nobody reads, and nothing is protected.
          The newest event always stays
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from events.event import Event

OVERHEAD_BYTES = 100
"""Reckoned for an event beside its payload."""


class Retention(NamedTuple):
    """Limits of the log: `max_age` in seconds since an event was stored, `max_bytes` of all; None: none."""

    max_age: float | None = None
    max_bytes: int | None = None

    def oldest_ns(self, now_ns: int) -> int:
        """What was stored up to this time is too old (nanoseconds since 1970)."""
        return -1 if self.max_age is None else now_ns - int(self.max_age * 1e9)

    def excess(self, held_bytes: int) -> int:
        """By how many bytes the log is too large; 0 or less: there is room."""
        return -1 if self.max_bytes is None else held_bytes - self.max_bytes


def event_bytes(event: Event) -> int:
    """What an event counts for, against the limits of the log and the waiting room."""
    return OVERHEAD_BYTES + (len(event.data) if event.data else 0)


def protected_from(leased: Iterable[int], marks: Mapping[int, int], head: int) -> int:
    """Up to which offset, inclusive, events may go: the shards with a lease ever taken, and their marks."""
    return min((marks.get(shard, 0) for shard in leased), default=head)


def leased_shards(leases: Iterable[str]) -> set[int]:
    """The shards among the names of leases."""
    numbers = (name.removeprefix("shard/") for name in leases if name.startswith("shard/"))
    return {int(number) for number in numbers if number.isdecimal()}
