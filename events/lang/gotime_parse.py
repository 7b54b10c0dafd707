"""Reading moments through Go's layouts, as time.ParseInLocation of Go 1.26 with the zone UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from events.errors import EvaluationError
from events.lang.gotime import UTC_ZONE, Moment, Zone, moment_at, tokens
from events.lang.utc import MONTHS, WEEKDAYS, days_before

_SHORT_MONTHS: Final = tuple(name[:3] for name in MONTHS)
_SHORT_WEEKDAYS: Final = tuple(name[:3] for name in WEEKDAYS)
_NUMBER: Final = re.compile("[0-9]{1,2}")
_TWO_DIGITS: Final = re.compile("[0-9]{2}")
_FRACTION: Final = re.compile("[.,][0-9]+")
_SIGNED: Final = re.compile("[+-]?([0-9]*)")
_ABBREVIATION: Final = re.compile(
    r"ChST|MeST|(?P<gmt>GMT(?P<offset>[+-][0-9]+)?)|(?P<numeric>[+-][0-9]+)"
    r"|(?:WITA|[A-Z]{3}T|[A-Z]{4}T|[A-Z]{3})(?![A-Z])"
)
_OFFSETS: Final = {
    "07:00": re.compile("(.)([0-9]{2}):([0-9]{2})()", re.DOTALL),
    "07": re.compile("(.)([0-9]{2})()()", re.DOTALL),
    "07:00:00": re.compile("(.)([0-9]{2}):([0-9]{2}):([0-9]{2})", re.DOTALL),
    "070000": re.compile("(.)([0-9]{2})([0-9]{2})([0-9]{2})", re.DOTALL),
    "0700": re.compile("(.)([0-9]{2})([0-9]{2})()", re.DOTALL),
}


class _Unreadable(Exception):
    """The text does not follow the layout here. Carries the reason if it is a number out of range."""


@dataclass(slots=True)
class _Parts:
    """What was read so far; None is not read."""

    year: int = 0
    month: int | None = None
    day: int | None = None
    yearday: int | None = None
    hour: int = 0
    minute: int = 0
    second: int = 0
    nanos: int = 0
    half: str = ""
    offset: int | None = None
    abbreviation: str = ""
    utc: bool = False


def parse_moment(layout: str, text: str) -> Moment:
    """The moment that a text names. Raises EvaluationError if it does not follow the layout."""
    parts, rest = _Parts(), text
    pieces = tokens(layout)
    for index, (prefix, element) in enumerate(pieces):
        try:
            rest = _skipped(prefix, rest)
        except _Unreadable:
            raise _error(layout, text, f'cannot parse "{rest}" as "{prefix}"') from None
        if not element:
            break
        try:
            rest = _read(parts, element, rest, following=pieces[index + 1].element)
        except _Unreadable as exc:
            reason = f"{exc} out of range" if str(exc) else f'cannot parse "{rest}" as "{element}"'
            raise _error(layout, text, reason) from None
    if rest:
        raise _error(layout, text, f"extra text: {rest!r}")
    try:
        return _moment(parts)
    except _Unreadable as exc:
        raise _error(layout, text, str(exc)) from None


def _error(layout: str, text: str, reason: str) -> EvaluationError:
    return EvaluationError(f'parsing time "{text}" as "{layout}": {reason}')


def _skipped(prefix: str, text: str) -> str:
    """The text after literal characters of a layout; a space stands for any number of spaces."""
    for piece in re.findall(" +|[^ ]+", prefix):
        if piece[0] == " ":
            if text and text[0] != " ":
                raise _Unreadable
            text = text.lstrip(" ")
        elif text.startswith(piece):
            text = text[len(piece) :]
        else:
            raise _Unreadable
    return text


def _read(parts: _Parts, element: str, text: str, following: str) -> str:
    """Read one element into `parts`; the text after it."""
    if element in ("5", "05"):
        return _read_second(parts, element, text, following)
    if reader := _READERS.get(element):
        return reader(parts, text)
    if element[0] in "-Z":
        return _read_offset(parts, element, text)
    return _read_fraction(parts, element, text)


def _digits(text: str, *, two: bool = False) -> tuple[int, str]:
    match = (_TWO_DIGITS if two else _NUMBER).match(text)
    if match is None:
        raise _Unreadable
    return int(match[0]), text[match.end() :]


def _signed(text: str) -> int:
    """A number with an optional sign; Go takes no digits at all for 0."""
    match = _SIGNED.fullmatch(text)
    if match is None:
        raise _Unreadable
    number = int(match[1] or 0)
    return -number if text[:1] == "-" else number


def _within(value: int, low: int, high: int, what: str) -> int:
    if not low <= value <= high:
        raise _Unreadable(what)
    return value


def _read_year(parts: _Parts, text: str) -> str:
    if not re.match("[0-9]{4}", text):
        raise _Unreadable
    parts.year = int(text[:4])
    return text[4:]


def _read_short_year(parts: _Parts, text: str) -> str:
    if len(text) < 2:
        raise _Unreadable
    year = _signed(text[:2])
    parts.year = year + (1900 if year >= 69 else 2000)
    return text[2:]


def _named(names: tuple[str, ...], text: str) -> tuple[int, str]:
    for index, name in enumerate(names):
        if text[: len(name)].lower() == name.lower():
            return index, text[len(name) :]
    raise _Unreadable


def _read_named_month(names: tuple[str, ...]) -> Callable[[_Parts, str], str]:
    def read(parts: _Parts, text: str) -> str:
        index, rest = _named(names, text)
        parts.month = index + 1
        return rest

    return read


def _read_month(*, two: bool) -> Callable[[_Parts, str], str]:
    def read(parts: _Parts, text: str) -> str:
        month, rest = _digits(text, two=two)
        parts.month = _within(month, 1, 12, "month")
        return rest

    return read


def _read_day(*, two: bool = False, padded: bool = False) -> Callable[[_Parts, str], str]:
    def read(parts: _Parts, text: str) -> str:
        parts.day, rest = _digits(text[1:] if padded and text[:1] == " " else text, two=two)
        return rest

    return read


def _read_yearday(pattern: str) -> Callable[[_Parts, str], str]:
    compiled = re.compile(pattern)

    def read(parts: _Parts, text: str) -> str:
        match = compiled.match(text)
        if match is None:
            raise _Unreadable
        parts.yearday = int(match[1])
        return text[match.end() :]

    return read


def _read_hour(limit: int, *, two: bool = False) -> Callable[[_Parts, str], str]:
    def read(parts: _Parts, text: str) -> str:
        hour, rest = _digits(text, two=two)
        parts.hour = _within(hour, 0, limit, "hour")
        return rest

    return read


def _read_minute(*, two: bool) -> Callable[[_Parts, str], str]:
    def read(parts: _Parts, text: str) -> str:
        minute, rest = _digits(text, two=two)
        parts.minute = _within(minute, 0, 59, "minute")
        return rest

    return read


def _read_second(parts: _Parts, element: str, text: str, following: str) -> str:
    """Seconds; a fraction may follow in the text even if the layout has none."""
    second, rest = _digits(text, two=element == "05")
    parts.second = _within(second, 0, 59, "second")
    match = _FRACTION.match(rest)
    if match is None or following[:1] in (".", ","):
        return rest
    parts.nanos = _nanos(match[0])
    return rest[match.end() :]


def _nanos(text: str) -> int:
    """Nanoseconds of a fraction with its leading point or comma; digits after the ninth are dropped."""
    digits = text[1:10]
    if text[0] not in ".,":
        raise _Unreadable
    return _within(_signed(digits) * 10 ** (9 - len(digits)), 0, 999_999_999, "fractional second")


def _read_fraction(parts: _Parts, element: str, text: str) -> str:
    if element[1] == "9":
        match = _FRACTION.match(text)
        if match is None:
            return text
        parts.nanos = _nanos(match[0])
        return text[match.end() :]
    if len(text) < len(element):
        raise _Unreadable
    parts.nanos = _nanos(text[: len(element)])
    return text[len(element) :]


def _read_half(names: tuple[str, str]) -> Callable[[_Parts, str], str]:
    def read(parts: _Parts, text: str) -> str:
        if text[:2] not in names:
            raise _Unreadable
        parts.half = text[:2].lower()
        return text[2:]

    return read


def _read_weekday(names: tuple[str, ...]) -> Callable[[_Parts, str], str]:
    return lambda _, text: _named(names, text)[1]


def _read_offset(parts: _Parts, element: str, text: str) -> str:
    if element[0] == "Z" and text[:1] == "Z":
        parts.utc = True
        return text[1:]
    match = _OFFSETS[element[1:]].match(text)
    if match is None:
        raise _Unreadable
    sign, hours, minutes, seconds = match[1], int(match[2]), int(match[3] or 0), int(match[4] or 0)
    _within(hours, 0, 24, "time zone offset hour")
    _within(minutes, 0, 60, "time zone offset minute")
    _within(seconds, 0, 60, "time zone offset second")
    if sign not in "+-":
        raise _Unreadable
    offset = (hours * 60 + minutes) * 60 + seconds
    parts.offset = -offset if sign == "-" else offset
    return text[match.end() :]


def _read_abbreviation(parts: _Parts, text: str) -> str:
    if text.startswith("UTC"):
        parts.utc = True
        return text[3:]
    match = _ABBREVIATION.match(text)
    if match is None or len(text) < 3:
        raise _Unreadable
    end = match.end()
    if match["offset"] and abs(int(match["offset"])) > 23:
        end = match.start("offset")
    if match["numeric"] and abs(int(match["numeric"])) > 23:
        raise _Unreadable
    parts.abbreviation = text[:end]
    return text[end:]


_READERS: Final[dict[str, Callable[[_Parts, str], str]]] = {
    "2006": _read_year,
    "06": _read_short_year,
    "January": _read_named_month(MONTHS),
    "Jan": _read_named_month(_SHORT_MONTHS),
    "1": _read_month(two=False),
    "01": _read_month(two=True),
    "Monday": _read_weekday(WEEKDAYS),
    "Mon": _read_weekday(_SHORT_WEEKDAYS),
    "2": _read_day(),
    "_2": _read_day(padded=True),
    "02": _read_day(two=True),
    "__2": _read_yearday(" {0,2}([0-9]{1,3})"),
    "002": _read_yearday("([0-9]{3})"),
    "15": _read_hour(23),
    "3": _read_hour(12),
    "03": _read_hour(12, two=True),
    "4": _read_minute(two=False),
    "04": _read_minute(two=True),
    "PM": _read_half(("AM", "PM")),
    "pm": _read_half(("am", "pm")),
    "MST": _read_abbreviation,
}


def _moment(parts: _Parts) -> Moment:
    month, day = _date(parts)
    clock = (_hour(parts) * 60 + parts.minute) * 60 + parts.second
    moment = moment_at(UTC_ZONE, parts.year, month, day, clock, parts.nanos)
    if parts.utc:
        return moment
    if parts.offset is not None:
        known = parts.offset == 0 and parts.abbreviation in ("", "UTC")
        zone = UTC_ZONE if known else _fixed(parts.abbreviation, parts.offset)
        return Moment(moment.seconds - parts.offset, parts.nanos, zone)
    if parts.abbreviation:
        # an abbreviation alone tells no offset, except GMT+3 and the like, which Go only displays
        offset = int(parts.abbreviation[3:] or 0) * 3600 if parts.abbreviation.startswith("GMT") else 0
        return Moment(moment.seconds, parts.nanos, _fixed(parts.abbreviation, offset))
    return moment


def _fixed(abbreviation: str, offset: int) -> Zone:
    return Zone(abbreviation, abbreviation, offset)


def _hour(parts: _Parts) -> int:
    if parts.half == "pm" and parts.hour < 12:
        return parts.hour + 12
    return 0 if parts.half == "am" and parts.hour == 12 else parts.hour


def _date(parts: _Parts) -> tuple[int, int]:
    """Month and day; a day of the year must agree with them."""
    if parts.yearday is None:
        month, day = parts.month or 1, 1 if parts.day is None else parts.day
    else:
        month, day = _date_of_yearday(parts.year, parts.yearday)
        if parts.month not in (None, month):
            raise _Unreadable("day-of-year does not match month")
        if parts.day not in (None, day):
            raise _Unreadable("day-of-year does not match day")
    if not 1 <= day <= days_before(parts.year, month + 1, 1) - days_before(parts.year, month, 1):
        raise _Unreadable("day out of range")
    return month, day


def _date_of_yearday(year: int, yearday: int) -> tuple[int, int]:
    for month in range(1, 13):
        length = days_before(year, month + 1, 1) - days_before(year, month, 1)
        if 1 <= yearday <= length:
            return month, yearday
        yearday -= length
    raise _Unreadable("day-of-year out of range")
