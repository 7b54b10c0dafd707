"""Rate limits: exact in the long run, with a burst, and no more than that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from events.runtime.pace import LATE_NS, Pace

MS = 1_000_000


def runs(pace: Pace, count: int, late_ns: int = 0, start: int = 10**18) -> list[int]:
    """When so many firings run that are all there at the start, with timers that are late."""
    now, found, waited = start, [], False
    for _ in range(count):
        if pace.ready_ns > now:
            now, waited = pace.ready_ns + late_ns, True
        pace.take(now, waited=waited)
        found.append(now - start)
    return found


def test_without_a_limit_everything_runs_at_once():
    assert runs(Pace(0, 1), 5) == [0] * 5


def test_one_per_interval():
    assert runs(Pace(10 * MS, 1), 4) == [0, 10 * MS, 20 * MS, 30 * MS]


def test_a_burst_runs_at_once_then_one_per_interval():
    assert runs(Pace(10 * MS, 3), 5) == [0, 0, 0, 10 * MS, 20 * MS]


def test_late_timers_do_not_lower_the_rate():
    found = runs(Pace(2 * MS, 1), 1001, late_ns=1_500_000)
    assert found[-1] <= 1000 * 2 * MS + 1_500_000


def test_idle_time_gives_no_more_than_the_burst():
    pace = Pace(10 * MS, 2)
    runs(pace, 3)
    later = 10**18 + 10**12
    assert runs(pace, 4, start=later) == [0, 0, 10 * MS, 20 * MS]


def test_a_shorter_interval_counts_at_once():
    pace = Pace(3600 * 10**9, 1)
    pace.take(0, waited=False)
    pace.change(10 * MS, 1, 5)
    assert pace.ready_ns == 5 + 10 * MS
    pace.change(0, 1, 5)
    assert pace.ready_ns == 0


@given(st.lists(st.integers(0, 50 * MS), max_size=60), st.integers(1, 5), st.integers(1, 20))
def test_no_window_has_more_than_the_limit_and_the_burst(gaps: list[int], burst: int, interval_ms: int):
    """Firings that come whenever they come, and run at their slot exactly."""
    interval, now, taken = interval_ms * MS, 0, []
    pace = Pace(interval, burst)
    for gap in gaps:
        now += gap
        waited = pace.ready_ns > now
        now = max(now, pace.ready_ns)
        pace.take(now, waited=waited)
        taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            allowed = burst + (taken[last] - taken[first]) // interval
            assert last - first + 1 <= allowed, "more than allowed"
    assert LATE_NS > 0
