"""The rate limit of one trigger: slots at an even distance, some of which may be used at once."""

from __future__ import annotations

LATE_NS = 100_000_000
"""How late a firing that waited for its slot may run without moving the slots behind it: timers are late by a
little, and that must not add up to a lower rate."""


class Pace:
    """All times in nanoseconds. An interval of 0 is no limit."""

    def __init__(self, interval_ns: int, burst: int) -> None:
        self.interval_ns, self.burst = interval_ns, burst
        self._slot = 0

    @property
    def ready_ns(self) -> int:
        """From when on the next firing may run."""
        return self._slot

    def take(self, now_ns: int, *, waited: bool) -> None:
        """A firing runs now; `waited`: it stood ready before its slot came."""
        if not self.interval_ns:
            return
        credit = max((self.burst - 1) * self.interval_ns, LATE_NS if waited else 0)
        self._slot = max(self._slot, now_ns - credit) + self.interval_ns

    def change(self, interval_ns: int, burst: int, now_ns: int) -> None:
        """Another limit: what was used stays used, but no slot is further away than the new interval."""
        self.interval_ns, self.burst = interval_ns, burst
        self._slot = min(self._slot, now_ns + interval_ns) if interval_ns else 0
