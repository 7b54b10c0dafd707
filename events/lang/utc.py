"""The calendar of Gregory for any year: seconds since 1970 in UTC, and what it shows of them."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final, NamedTuple

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
COMPOUND: Final = {
    "c": "%a %b %e %H:%M:%S %Y", "+": "%a %b %e %H:%M:%S %Z %Y", "v": "%e-%b-%Y", "r": "%I:%M:%S %p",
    "F": "%Y-%m-%d", "D": "%m/%d/%y", "x": "%m/%d/%y", "T": "%H:%M:%S", "X": "%H:%M:%S", "R": "%H:%M",
}  # fmt: skip
"""Conversions of strftime and strptime that stand for others."""
_DAY: Final = 86_400
DAYS_OF_400_YEARS: Final = 146_097
_EPOCH: Final = 719_468  # days from 1 March of year 0 to 1970-01-01


class Moment(NamedTuple):
    """A point in time: whole seconds since 1970, and nanoseconds."""

    seconds: int
    nanoseconds: int = 0


class Fields(NamedTuple):
    """A moment as a calendar shows it. `month` and `year_day` count from 1, `week_day` from Sunday = 0."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    week_day: int
    year_day: int


def days_before(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; months and days beyond their range run on, as in Go's time.Date."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5
    return era * DAYS_OF_400_YEARS + of_era * 365 + of_era // 4 - of_era // 100 + of_year - _EPOCH + day - 1


def seconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Seconds since 1970; every field may be beyond its range."""
    return days_before(year, month, day) * _DAY + hour * 3600 + minute * 60 + second


def fields(moment: Moment) -> Fields:
    """Year, month, day and so on, in UTC."""
    count, rest = divmod(moment.seconds, _DAY)
    year, month, day = civil_date(count)
    hour, rest = divmod(rest, 3600)
    return Fields(
        year, month, day, hour, *divmod(rest, 60), (count + 4) % 7, count - days_before(year, 1, 1) + 1
    )


def civil_date(count: int) -> tuple[int, int, int]:
    """Year, month and day that lie so many days after 1970-01-01. Years count from March inside."""
    era, of_era = divmod(count + _EPOCH, DAYS_OF_400_YEARS)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def iso_week(year: int, month: int, day: int) -> tuple[int, int]:
    """ISO 8601 year and week of a date."""
    count = days_before(year, month, day)
    thursday = count - (count + 3) % 7 + 3
    year = civil_date(thursday)[0]
    return year, (thursday - days_before(year, 1, 1)) // 7 + 1


def moment(value: float) -> Moment:
    """Seconds since 1970 with a fraction, cut as Go's time.Unix of int64 and nanoseconds cuts them."""
    whole = math.trunc(max(min(value, 2.0**62), -(2.0**62))) if value == value else 0
    fraction = value - math.floor(value) if math.isfinite(value) else 0.0
    return Moment(whole, int(fraction * 1e9))


def go_text(moment: datetime) -> str:
    """`2026-07-18 12:00:00 +0000 UTC`: how Go prints a time in UTC."""
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment.isoformat(' ', 'seconds')[:19]}{fraction} +0000 UTC"
