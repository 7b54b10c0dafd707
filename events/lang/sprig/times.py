"""Values of Go's package time in templates, with their methods: Time, Duration, Month, Weekday, Location."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from events.errors import EvaluationError
from events.lang.duration import format_duration
from events.lang.gotime import UTC_ZONE, Local, Moment, Zone, format_moment, moment_at
from events.lang.govalue import Function, GoInt64, GoObject
from events.lang.sprig.cast import wrapped
from events.lang.sprig.table import Table
from events.lang.utc import MONTHS, WEEKDAYS

SECOND: Final = 1_000_000_000
ZERO_TIME_SECONDS: Final = -62_135_596_800
"""The zero time.Time: 0001-01-01."""

_LAYOUT: Final = "2006-01-02 15:04:05.999999999 -0700 MST"
_RFC3339: Final = "2006-01-02T15:04:05.999999999Z07:00"
_INT64_LIMIT: Final = 1 << 63

_TIME = Table()
_DURATION = Table()
_NAMED = Table()
_LOCATION = Table()


class GoNamedInt(GoObject, int):
    """An integer of a named type."""


class GoMonth(GoNamedInt):
    """time.Month."""

    go_type: ClassVar[str] = "time.Month"
    go_kind: ClassVar[str] = "int"
    go_methods: ClassVar[Mapping[str, Function]] = _NAMED.functions

    def go_text(self) -> str:
        """The English name."""
        return MONTHS[self - 1]


class GoWeekday(GoNamedInt):
    """time.Weekday, Sunday is 0."""

    go_type: ClassVar[str] = "time.Weekday"
    go_kind: ClassVar[str] = "int"
    go_methods: ClassVar[Mapping[str, Function]] = _NAMED.functions

    def go_text(self) -> str:
        """The English name."""
        return WEEKDAYS[self]


class GoDuration(GoNamedInt):
    """time.Duration in nanoseconds."""

    go_type: ClassVar[str] = "time.Duration"
    go_kind: ClassVar[str] = "int64"
    go_methods: ClassVar[Mapping[str, Function]] = _DURATION.functions

    def go_text(self) -> str:
        """`1h30m0s`."""
        return format_duration(int(self))


@dataclass(frozen=True)
class GoLocation(GoObject):
    """*time.Location."""

    zone: Zone

    go_type: ClassVar[str] = "*time.Location"
    go_kind: ClassVar[str] = "ptr"
    go_methods: ClassVar[Mapping[str, Function]] = _LOCATION.functions

    def go_text(self) -> str:
        """The name."""
        return self.zone.name


@dataclass(frozen=True)
class GoTime(GoObject):
    """time.Time, without the reading of a monotonic clock."""

    moment: Moment

    go_type: ClassVar[str] = "time.Time"
    go_methods: ClassVar[Mapping[str, Function]] = _TIME.functions

    def go_text(self) -> str:
        """`2006-01-02 15:04:05.999999999 -0700 MST`."""
        return format_moment(self.moment, _LAYOUT)

    def json_value(self) -> str:
        """RFC 3339. Raises EvaluationError outside the years 0 to 9999, as Go's MarshalJSON."""
        local = self.moment.local
        if not 0 <= local.year <= 9999:
            raise EvaluationError("Time.MarshalJSON: year outside of range [0,9999]")
        if abs(local.offset) >= 24 * 3600:
            raise EvaluationError("Time.MarshalJSON: timezone hour outside of range [0,23]")
        return format_moment(self.moment, _RFC3339)

    @property
    def nanoseconds(self) -> int:
        """Since 1970."""
        return self.moment.seconds * SECOND + self.moment.nanos


def from_seconds(seconds: int) -> GoTime:
    """time.Unix(seconds, 0)."""
    return GoTime(Moment(seconds))


def from_datetime(value: datetime) -> GoTime:
    """The same moment in UTC. The datetime is aware."""
    whole = value.replace(microsecond=0)
    return GoTime(Moment(math.floor(whole.timestamp()), value.microsecond * 1000))


def moved(time: GoTime, nanoseconds: int) -> GoTime:
    """Time.Add."""
    seconds, nanos = divmod(time.nanoseconds + nanoseconds, SECOND)
    return GoTime(Moment(seconds, nanos, time.moment.zone))


def between(time: GoTime, earlier: GoTime) -> GoDuration:
    """Time.Sub: limited to what int64 nanoseconds hold."""
    difference = time.nanoseconds - earlier.nanoseconds
    return GoDuration(min(max(difference, -_INT64_LIMIT), _INT64_LIMIT - 1))


def rounded_duration(value: int, unit: int) -> GoDuration:
    """Duration.Round: halves go away from zero."""
    if unit <= 0:
        return GoDuration(value)
    rest = abs(value) % unit
    size = abs(value) - rest if rest * 2 < unit else abs(value) + unit - rest
    return GoDuration(min(max(-size if value < 0 else size, -_INT64_LIMIT), _INT64_LIMIT - 1))


# --- methods of time.Time -------------------------------------------------------------------------------


def _local(name: str, read: Callable[[Local], Any]) -> None:
    _TIME.add(name, "", lambda time: read(time.moment.local))


_local("Year", lambda t: t.year)
_local("Month", lambda t: GoMonth(t.month))
_local("Day", lambda t: t.day)
_local("Hour", lambda t: t.hour)
_local("Minute", lambda t: t.minute)
_local("Second", lambda t: t.second)
_local("Weekday", lambda t: GoWeekday(t.weekday))
_local("YearDay", lambda t: t.yearday)
_TIME.add("Nanosecond", "", lambda time: time.moment.nanos)
_TIME.add("Unix", "", lambda time: GoInt64(time.moment.seconds))
_TIME.add("UnixMilli", "", lambda time: GoInt64(wrapped(time.nanoseconds // 1_000_000)))
_TIME.add("UnixMicro", "", lambda time: GoInt64(wrapped(time.nanoseconds // 1_000)))
_TIME.add("UnixNano", "", lambda time: GoInt64(wrapped(time.nanoseconds)))
_TIME.add("String", "", lambda time: time.go_text())
_TIME.add("Format", "string", lambda time, layout: format_moment(time.moment, layout))
_TIME.add("Location", "", lambda time: GoLocation(time.moment.zone))
_TIME.add("UTC Local", "", lambda time: in_zone(time, UTC_ZONE))
_TIME.add("In", "*time.Location", lambda time, location: in_zone(time, location.zone))
_TIME.add("IsDST", "", lambda time: time.moment.zone.is_daylight(time.moment.seconds))
_TIME.add("IsZero", "", lambda time: time.nanoseconds == ZERO_TIME_SECONDS * SECOND)
_TIME.add("After", "time.Time", lambda time, other: time.nanoseconds > other.nanoseconds)
_TIME.add("Before", "time.Time", lambda time, other: time.nanoseconds < other.nanoseconds)
_TIME.add("Equal", "time.Time", lambda time, other: time.nanoseconds == other.nanoseconds)
_TIME.add("Add", "time.Duration", moved)
_TIME.add("Sub", "time.Time", between)


def in_zone(time: GoTime, zone: Zone) -> GoTime:
    """Time.In: the same moment as another zone shows it."""
    return GoTime(Moment(time.moment.seconds, time.moment.nanos, zone))


@_TIME.function("Compare", "time.Time")
def _compare(time: GoTime, other: GoTime) -> int:
    return (time.nanoseconds > other.nanoseconds) - (time.nanoseconds < other.nanoseconds)


@_TIME.function("AddDate", "int, int, int")
def _add_date(time: GoTime, years: int, months: int, days: int) -> GoTime:
    t = time.moment.local
    clock = (t.hour * 60 + t.minute) * 60 + t.second
    zone = time.moment.zone
    return GoTime(moment_at(zone, t.year + years, t.month + months, t.day + days, clock, time.moment.nanos))


@_TIME.function("Truncate", "time.Duration")
def _truncate(time: GoTime, unit: int) -> GoTime:
    return moved(time, -_since_unit(time, unit)) if unit > 0 else time


@_TIME.function("Round", "time.Duration")
def _round(time: GoTime, unit: int) -> GoTime:
    if unit <= 0:
        return time
    rest = _since_unit(time, unit)
    return moved(time, -rest if rest * 2 < unit else unit - rest)


def _since_unit(time: GoTime, unit: int) -> int:
    """Nanoseconds since the last multiple of a unit, counted from the zero time."""
    return (time.nanoseconds - ZERO_TIME_SECONDS * SECOND) % unit


# --- methods of the others ------------------------------------------------------------------------------

_NAMED.add("String", "", lambda value: value.go_text())
_LOCATION.add("String", "", lambda location: location.zone.name)
_DURATION.add("String", "", lambda duration: duration.go_text())
_DURATION.add("Nanoseconds", "", lambda duration: GoInt64(int(duration)))
_DURATION.add("Microseconds", "", lambda duration: GoInt64(_quotient(duration, 1_000)))
_DURATION.add("Milliseconds", "", lambda duration: GoInt64(_quotient(duration, 1_000_000)))
_DURATION.add("Seconds", "", lambda duration: _in_units(duration, SECOND))
_DURATION.add("Minutes", "", lambda duration: _in_units(duration, 60 * SECOND))
_DURATION.add("Hours", "", lambda duration: _in_units(duration, 3600 * SECOND))
_DURATION.add("Abs", "", lambda duration: GoDuration(min(abs(int(duration)), _INT64_LIMIT - 1)))
_DURATION.add("Round", "time.Duration", rounded_duration)
_DURATION.add("Truncate", "time.Duration", lambda d, m: GoDuration(_quotient(d, m) * int(m)) if m > 0 else d)


def _quotient(value: int, unit: int) -> int:
    size = abs(int(value)) // int(unit)
    return -size if value < 0 else size


def _in_units(value: int, unit: int) -> float:
    whole = _quotient(value, unit)
    return float(whole) + float(int(value) - whole * unit) / unit
