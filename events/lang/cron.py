"""Schedules in the five-field dialect of robfig/cron: minute, hour, day of month, month, day of week.

Fields    `*`, `?`, lists, ascending ranges, steps (`N/step` runs to the end), names JAN-DEC and SUN-SAT;
          no seconds, no descriptors such as @daily, no day of week 7, no L, W or #
Days      both day fields must match if one of them has a star, else either one is enough
Zone      a prefix `TZ=Area/City ` or `CRON_TZ=Area/City ` wins over the zone given beside; else UTC
Changes   a wall time that the clock skips has no tick that day, one that it shows twice has two
Search    looks five calendar years ahead or back, then there is no tick
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from events.errors import ExpressionError
from events.lang.clock import DAY, load_zone, offset_at

HOUR: Final = 3_600  # seconds
MINUTE: Final = 60

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WALL_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  wall times have no zone
_FIRST: Final = -62_135_596_800 + DAY  # 0001-01-02 in seconds since 1970: room for any offset
_LAST: Final = 253_402_300_799 - DAY  # 9999-12-30
_YEARS: Final = 5

_BLANKS: Final = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_NUMBER: Final = re.compile(r"\+?[0-9]+|-0+")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class Field(NamedTuple):
    """The values of one field, and whether a star stands in it."""

    values: frozenset[int]
    star: bool


class Bounds(NamedTuple):
    """The values that a field may have."""

    name: str
    low: int
    high: int
    names: dict[str, int]


_FIELDS: Final = (
    Bounds("minute", 0, 59, {}),
    Bounds("hour", 0, 23, {}),
    Bounds("day of month", 1, 31, {}),
    Bounds("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    Bounds("day of week", 0, 6, {name: number for number, name in enumerate(_WEEKDAYS)}),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a cron expression ticks: at the full minute, in its zone."""

    source: str
    zone: tzinfo
    minutes: frozenset[int]
    hours: frozenset[int]
    days: Field
    months: frozenset[int]
    weekdays: Field

    def next(self, after: datetime) -> datetime | None:
        """The first tick after an aware moment, in UTC; None if there is none within five years."""
        return self._search(_second(after) + 1, 1)

    def previous(self, before: datetime) -> datetime | None:
        """The last tick at least one second before the second of an aware moment, in UTC, or None.

        So within the first second of a tick the answer is the tick before it.
        """
        return self._search(_second(before) - 1, -1)

    def _search(self, second: int, direction: int) -> datetime | None:
        if not (self.minutes and self.hours and _FIRST <= second <= _LAST):
            return None  # a list of commas alone is accepted and holds no value
        first_year = self._wall(second).year
        while _FIRST <= second <= _LAST:
            wall = self._wall(second)
            if abs(wall.year - first_year) > _YEARS:
                return None
            distance = self._distance(wall, forward=direction > 0)
            if not distance:
                return _EPOCH + timedelta(seconds=second)
            second = self._leap(second, distance, direction)
        return None

    def _wall(self, second: int) -> datetime:
        return _WALL_EPOCH + timedelta(seconds=second + offset_at(second, self.zone))

    def _distance(self, wall: datetime, *, forward: bool) -> int:
        """Seconds on the clock to the end of the day, hour or minute that cannot tick; 0 at a tick."""
        in_hour = wall.minute * MINUTE + wall.second
        if not self._day_matches(wall):
            size, inside = DAY, wall.hour * HOUR + in_hour
        elif wall.hour not in self.hours:
            size, inside = HOUR, in_hour
        elif wall.minute not in self.minutes:
            size, inside = MINUTE, wall.second
        else:
            return -wall.second % MINUTE if forward else wall.second
        return size - inside if forward else inside + MINUTE

    def _day_matches(self, wall: datetime) -> bool:
        if wall.month not in self.months:
            return False
        day, weekday = wall.day in self.days.values, wall.isoweekday() % 7 in self.weekdays.values
        return (day and weekday) if self.days.star or self.weekdays.star else (day or weekday)

    def _leap(self, second: int, distance: int, direction: int) -> int:
        """Move by a distance on the clock; where the clock is changed on the way, by less."""
        offset = offset_at(second, self.zone)
        while distance > 1 and offset_at(second + distance * direction, self.zone) != offset:
            distance //= 2
        return second + distance * direction


def compile_cron(text: str, timezone: str | None = None) -> Schedule:
    """Read a cron expression. Raises ExpressionError for a bad expression or an unknown zone."""
    zone, rest = _zone(text, timezone)
    if rest.startswith("@"):
        raise ExpressionError("descriptors are not accepted: write five fields", text)
    fields = [part for part in _BLANKS.split(rest) if part]
    if len(fields) != len(_FIELDS):
        raise ExpressionError(f"a schedule has five fields, this has {len(fields)}", text)
    minutes, hours, days, months, weekdays = (
        _field(part, bounds, text) for part, bounds in zip(fields, _FIELDS, strict=True)
    )
    return Schedule(text, zone, minutes.values, hours.values, days, months.values, weekdays)


def _zone(text: str, timezone: str | None) -> tuple[tzinfo, str]:
    if not text.startswith(("TZ=", "CRON_TZ=")):
        return load_zone(timezone), text
    prefix, blank, rest = text.partition(" ")
    if not blank:
        raise ExpressionError("no fields after the time zone", text)
    name = prefix.partition("=")[2]
    return load_zone(timezone if name == "Local" else name), _BLANKS.sub(" ", rest).strip(" ")


def _field(part: str, bounds: Bounds, text: str) -> Field:
    values: set[int] = set()
    star = False
    for item in filter(None, part.split(",")):
        some, has_star = _range(item, bounds, text)
        values.update(some)
        star = star or has_star
    return Field(frozenset(values), star)


def _range(item: str, bounds: Bounds, text: str) -> tuple[range, bool]:
    base, slash, step_text = item.partition("/")
    ends = base.split("-")
    star = ends[0] in ("*", "?")
    low, high = (bounds.low, bounds.high) if star else _ends(ends, bounds, text)
    if slash and len(ends) == 1:
        high = bounds.high
    step = _number(step_text, text) if slash else 1
    if low < bounds.low or high > bounds.high or low > high or step == 0:
        raise ExpressionError(
            f"{item!r} is no {bounds.name}: write {bounds.low}-{bounds.high}, ascending, step above 0", text
        )
    return range(low, high + 1, step), star and step == 1


def _ends(ends: list[str], bounds: Bounds, text: str) -> tuple[int, int]:
    if len(ends) > 2:
        raise ExpressionError("too many hyphens in a range", text)
    numbers = [bounds.names.get(end.lower(), -1) if end.isalpha() else _number(end, text) for end in ends]
    if -1 in numbers:
        raise ExpressionError(f"unknown name in the {bounds.name} field", text)
    return numbers[0], numbers[-1]


def _number(digits: str, text: str) -> int:
    if not _NUMBER.fullmatch(digits):
        raise ExpressionError(f"{digits!r} is not a number", text)
    significant = digits.lstrip("+-0") or "0"
    if len(significant) > 18:
        raise ExpressionError("number is too large", text)
    return int(significant)


def _second(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)
