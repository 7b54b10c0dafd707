"""Wall clocks as Go's package time reads them: time zones and the daily time filter.

Zones     IANA names, case sensitive; empty, UTC and Local mean UTC; offsets such as +05:00 are no zones
Instants  integers (seconds or nanoseconds since 1970) inside; years that datetime lacks do no harm
Gaps      a wall time that the clock skips or shows twice is resolved as Go's time.Date does
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from events.errors import EvaluationError, ExpressionError
from events.lang.gotime import find_zone

DAY: Final = 86_400  # seconds
SECOND: Final = 1_000_000_000  # nanoseconds

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_LOOKUP: Final = -6_000_000_000  # 1779: before it no zone changes
_LAST_LOOKUP: Final = 253_402_128_000  # 9999-12-30
_CLOCK: Final = re.compile(r" *([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?")


class DailyWindow:
    """A part of each day, start included, stop excluded; stop before start means over midnight."""

    __slots__ = ("_start", "_stop", "_today", "_zone")

    def __init__(self, start: int, stop: int, zone: tzinfo) -> None:
        """`start` and `stop` are wall times in nanoseconds since midnight."""
        self._start, self._stop, self._zone = start, stop, zone
        self._today = self._bounds(0)

    def contains(self, moment: datetime) -> bool:
        """Whether an aware moment lies in the window of its date in the zone."""
        now = _nanoseconds(moment)
        midnight = _midnight(now, self._zone)
        today = self._today
        if today[0] != midnight:
            self._today = today = self._bounds(midnight)
        _, start, stop = today
        if start < stop:
            return start <= now < stop
        return now >= start or now < stop

    def _bounds(self, midnight: int) -> tuple[int, int, int]:
        """The wall time at which a date begins, and the instants at which its window starts and stops."""
        start, stop = _instant(midnight, self._start, self._zone), _instant(midnight, self._stop, self._zone)
        return midnight, start, stop


def compile_window(start: str, stop: str, timezone: str | None) -> DailyWindow:
    """The daily window of a time filter: `H:MM:SS` or `HH:MM:SS`. Raises ExpressionError."""
    return DailyWindow(_clock(start), _clock(stop), load_zone(timezone))


def parse_clock(value: str, timezone: str | None, moment: datetime) -> datetime:
    """The instant at which clocks show `value` on the date that `moment` has in the zone, as UTC.

    Raises ExpressionError for a bad time or zone, EvaluationError where datetime has no such year.
    """
    zone = load_zone(timezone)
    instant = _instant(_midnight(_nanoseconds(moment), zone), _clock(value), zone)
    try:
        return _EPOCH + timedelta(microseconds=instant // 1_000)
    except OverflowError as exc:
        raise EvaluationError("time is outside the years 1 to 9999", value) from exc


def load_zone(name: str | None) -> tzinfo:
    """The time zone of an IANA name, as Go's time.LoadLocation finds it. Raises ExpressionError."""
    zone = find_zone(name or "")
    if zone is None:
        raise ExpressionError("unknown time zone: write an IANA name such as Europe/Berlin", name or "")
    return zone.rules or UTC


def offset_at(second: int, zone: tzinfo) -> int:
    """Seconds that clocks in the zone are ahead of UTC at an instant (seconds since 1970)."""
    if zone is UTC:
        return 0
    second = min(max(second, _FIRST_LOOKUP), _LAST_LOOKUP)
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    assert offset is not None  # every zone of load_zone knows its offset
    return offset.days * DAY + offset.seconds


def wall_to_instant(wall: int, zone: tzinfo) -> int:
    """The instant at which clocks show `wall`, as Go's time.Date picks it; both in seconds since 1970."""
    offset = offset_at(wall, zone)
    if offset:
        offset = offset_at(wall - offset, zone)
    return wall - offset


def _clock(value: str) -> int:
    match = _CLOCK.fullmatch(value)
    if match is None:
        raise ExpressionError("not a time of day: write HH:MM:SS, 24 hours", value)
    hour, minute, second = int(match[1]), int(match[2]), int(match[3])
    if hour > 23 or minute > 59 or second > 59:
        raise ExpressionError("no such time of day: write 00:00:00 to 23:59:59", value)
    return ((hour * 60 + minute) * 60 + second) * SECOND + int((match[4] or "")[:9].ljust(9, "0"))


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def _midnight(instant: int, zone: tzinfo) -> int:
    """The wall time, in seconds, at which the date of an instant (nanoseconds) begins."""
    second = instant // SECOND
    wall = second + offset_at(second, zone)
    return wall - wall % DAY


def _instant(midnight: int, clock: int, zone: tzinfo) -> int:
    seconds, fraction = divmod(clock, SECOND)
    return wall_to_instant(midnight + seconds, zone) * SECOND + fraction
