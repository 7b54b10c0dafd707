"""Moments with a time zone, written and read through Go's layouts (`2006-01-02T15:04:05Z07:00`).

Moment    seconds and nanoseconds since 1970, any year; the zone tells the abbreviation and offset at a moment
Layouts   split into tokens once per layout, as package time of Go 1.26 does
Local     the zone of templates is UTC, so "Local" is UTC too
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property, lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from events.lang import utc
from events.lang.utc import DAYS_OF_400_YEARS, MONTHS, WEEKDAYS, days_before, fields

_DAY: Final = 86_400
_CYCLE: Final = DAYS_OF_400_YEARS * _DAY
"""Seconds of 400 years, after which the calendar repeats."""
_YEAR_1: Final = -62_135_596_800
_YEAR_9999: Final = 253_402_300_799

# --- zones and moments ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Zone:
    """A time zone: its name as Go's Location.String(), and either rules or a fixed offset in seconds."""

    name: str
    abbreviation: str = ""
    offset: int = 0
    rules: tzinfo | None = None

    def at(self, seconds: int) -> tuple[str, int]:
        """Abbreviation and offset from UTC in force at this moment."""
        if self.rules is None:
            return self.abbreviation, self.offset
        local = datetime.fromtimestamp(_representable(seconds), UTC).astimezone(self.rules)
        return local.tzname() or "", int((local.utcoffset() or timedelta()).total_seconds())

    def is_daylight(self, seconds: int) -> bool:
        """Whether daylight saving time is in force at this moment."""
        if self.rules is None:
            return False
        return bool(datetime.fromtimestamp(_representable(seconds), UTC).astimezone(self.rules).dst())


UTC_ZONE: Final = Zone("UTC", "UTC")


@dataclass(frozen=True)
class Moment:
    """A point in time in a zone. `nanos` counts from the full second upwards, 0 to 999,999,999."""

    seconds: int
    nanos: int = 0
    zone: Zone = UTC_ZONE

    @cached_property
    def local(self) -> Local:
        """What clock and calendar of the zone show."""
        return local_time(self)


class Local(NamedTuple):
    """Date and time of day in a zone. `weekday` counts from Sunday as 0, `yearday` from 1."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    weekday: int
    yearday: int
    abbreviation: str
    offset: int


def local_time(moment: Moment) -> Local:
    """Date and time of day that the zone shows at a moment, in the calendar of Gregory for all years."""
    abbreviation, offset = moment.zone.at(moment.seconds)
    return Local(*fields(utc.Moment(moment.seconds + offset)), abbreviation, offset)


def moment_at(zone: Zone, year: int, month: int, day: int, clock: int = 0, nanos: int = 0) -> Moment:
    """The moment at which a zone shows this date and second of the day (time.Date)."""
    seconds = days_before(year, month, day) * _DAY + clock
    offset = zone.at(seconds)[1]
    if offset:
        offset = zone.at(seconds - offset)[1]
    return Moment(seconds - offset, nanos, zone)


def find_zone(name: str) -> Zone | None:
    """The zone of this name in the tz database, None if there is none; "" and "Local" mean UTC."""
    if name in ("", "UTC", "Local"):
        return UTC_ZONE
    if ".." in name or name[0] in "/\\":
        return None
    try:
        return Zone(name, rules=ZoneInfo(name))
    except (LookupError, OSError, ValueError):
        return None


def _representable(seconds: int) -> int:
    """The moment, if datetime has its year; a later one back by whole cycles, year 1 for an earlier one."""
    last_cycle = _YEAR_9999 - _CYCLE - _DAY
    if seconds > last_cycle:
        return last_cycle + (seconds - last_cycle) % _CYCLE
    return max(seconds, _YEAR_1 + _DAY)


# --- layouts --------------------------------------------------------------------------------------------

_STANDARD: Final = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|0[1-6]|002|15|1|2006|2|_2(?!006)|__2|3|4|5|PM|pm"
    r"|-070000|-07:00:00|-0700|-07:00|-07|Z070000|Z07:00:00|Z0700|Z07:00|Z07|[.,](?:0+|9+)(?![0-9])"
)


class Token(NamedTuple):
    """A piece of a layout: literal text, or an element such as `2006`."""

    prefix: str
    element: str


@lru_cache(maxsize=512)
def tokens(layout: str) -> tuple[Token, ...]:
    """The pieces of a layout: text that stands before an element, and the element; "" at the end."""
    found, end = [], 0
    for match in _STANDARD.finditer(layout):
        found.append(Token(layout[end : match.start()], match[0]))
        end = match.end()
    return (*found, Token(layout[end:], ""))


def format_moment(moment: Moment, layout: str) -> str:
    """The moment written through a layout, as Go's Time.Format."""
    return "".join([token.prefix + _written(moment, token.element) for token in tokens(layout)])


def _written(moment: Moment, element: str) -> str:
    write = _WRITERS.get(element)
    if write is not None:
        return write(moment.local)
    if element[:1] in ("-", "Z"):
        return _written_offset(moment.local.offset, element)
    return _written_fraction(moment.nanos, element) if element else ""


def _number(value: int, width: int) -> str:
    return f"-{-value:0{width}}" if value < 0 else f"{value:0{width}}"


def _hour12(local: Local) -> int:
    return local.hour % 12 or 12


_WRITERS: Final[dict[str, Callable[[Local], str]]] = {
    "2006": lambda t: _number(t.year, 4),
    "06": lambda t: f"{abs(t.year) % 100:02}",
    "January": lambda t: MONTHS[t.month - 1],
    "Jan": lambda t: MONTHS[t.month - 1][:3],
    "1": lambda t: str(t.month),
    "01": lambda t: f"{t.month:02}",
    "Monday": lambda t: WEEKDAYS[t.weekday],
    "Mon": lambda t: WEEKDAYS[t.weekday][:3],
    "2": lambda t: str(t.day),
    "_2": lambda t: f"{t.day:2}",
    "02": lambda t: f"{t.day:02}",
    "__2": lambda t: f"{t.yearday:3}",
    "002": lambda t: f"{t.yearday:03}",
    "15": lambda t: f"{t.hour:02}",
    "3": lambda t: str(_hour12(t)),
    "03": lambda t: f"{_hour12(t):02}",
    "4": lambda t: str(t.minute),
    "04": lambda t: f"{t.minute:02}",
    "5": lambda t: str(t.second),
    "05": lambda t: f"{t.second:02}",
    "PM": lambda t: "PM" if t.hour >= 12 else "AM",
    "pm": lambda t: "pm" if t.hour >= 12 else "am",
    "MST": lambda t: t.abbreviation or _written_offset(t.offset, "-0700"),
}


def _written_offset(offset: int, element: str) -> str:
    if not offset and element[0] == "Z":
        return "Z"
    sign, size = ("-", -offset) if offset <= -60 else ("+", offset)
    colon = ":" if ":" in element else ""
    text = f"{sign}{size // 3600:02}"
    if len(element) > 3:
        text += f"{colon}{size // 60 % 60:02}"
    if len(element) > 6:
        text += f"{colon}{size % 60:02}"
    return text


def _written_fraction(nanos: int, element: str) -> str:
    digits = f"{nanos:09}"[: len(element) - 1]
    if element[1] == "9":
        digits = digits.rstrip("0")
    return element[0] + digits if digits else ""
