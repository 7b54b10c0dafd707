"""Durations as Go's package time reads and writes them: `1h30m`, `250ms`, `1.5h`. Unit: nanoseconds."""

from __future__ import annotations

import re
from typing import Final

from events.errors import ExpressionError

MAX_NANOSECONDS: Final = (1 << 63) - 1

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART: Final = re.compile(r"([0-9]*)(?:(\.)([0-9]*))?([^0-9.]*)")
_LIMIT: Final = 1 << 63
_FRACTION_LIMIT: Final = MAX_NANOSECONDS // 10


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration as time.ParseDuration reads it; a sign and a bare 0 are allowed.

    Raises ExpressionError for other text, numbers without a unit included, and beyond 292 years.
    """
    negative, rest = text[:1] == "-", text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total = _total(rest, text)
    if total > MAX_NANOSECONDS + negative:
        raise ExpressionError("duration is out of range", text)
    return -total if negative else total


def format_duration(nanoseconds: int) -> str:
    """The text of a duration as Go's Duration.String writes it: `1h30m0s`, `1.5ms`, `0s`."""
    sign, value = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if value < _UNITS["s"]:
        return sign + _below_a_second(value)
    seconds = _decimal(value % _UNITS["m"], _UNITS["s"]) + "s"
    minutes, hours = value // _UNITS["m"] % 60, value // _UNITS["h"]
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else sign + seconds


def _total(rest: str, text: str) -> int:
    if not rest:
        raise ExpressionError("empty duration: write a number and a unit, such as 30s", text)
    total = position = 0
    while position < len(rest):
        part = _PART.match(rest, position)
        assert part is not None  # the pattern matches anything
        total += _part(part, text)
        position = part.end()
        if total > _LIMIT:
            raise ExpressionError("duration is out of range", text)
    return total


def _part(part: re.Match[str], text: str) -> int:
    whole, _, fraction, name = part.groups()
    if not whole and not fraction:
        raise ExpressionError("not a duration: write numbers with units, such as 1m30s", text)
    if name not in _UNITS:
        known = "ns, us, ms, s, m or h"
        wrong = f"unknown unit {name!r}" if name else "number without a unit"
        raise ExpressionError(f"{wrong} in a duration: write {known}", text)
    unit = _UNITS[name]
    return _whole(whole, text) * unit + _fraction(fraction or "", unit)


def _whole(digits: str, text: str) -> int:
    digits = digits.lstrip("0")
    if len(digits) > len(str(_LIMIT)):
        raise ExpressionError("duration is out of range", text)
    return int(digits or "0")


def _fraction(digits: str, unit: int) -> int:
    """Go computes the fraction in floating point and ignores the digits that an int64 cannot hold."""
    value, scale = 0, 1.0
    for digit in digits:
        if value > _FRACTION_LIMIT:
            break
        value = value * 10 + int(digit)
        scale *= 10
    return int(float(value) * (unit / scale)) if value else 0


def _below_a_second(value: int) -> str:
    if not value:
        return "0s"
    name = "ns" if value < 1_000 else "\u00b5s" if value < 1_000_000 else "ms"
    return _decimal(value, _UNITS[name]) + name


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    fraction = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)
