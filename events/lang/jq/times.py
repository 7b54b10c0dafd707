"""jq times: `gmtime`, `mktime`, `strftime`, `strptime`; all zones are UTC.

Formats   those of timefmt-go: C's strftime with flags `-_0^#:` and widths
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from events.lang.gofmt_scalars import quote
from events.lang.jq.timeparse import parse_time
from events.lang.jq.values import JqError, Value, described, is_number, plain, preview, to_float, to_int
from events.lang.utc import COMPOUND, MONTHS, WEEKDAYS, Fields, Moment, fields, iso_week, moment, seconds


def gmtime(value: Value, name: str = "gmtime") -> list[Value]:
    """Year, month from 0, day, hours, minutes, seconds with fraction, week day, day of the year from 0."""
    if not is_number(value):
        raise JqError(f"{name} cannot be applied to: {described(value)}")
    return broken_down(moment(to_float(plain(value))))


def broken_down(at: Moment) -> list[Value]:
    shown = fields(at)
    second = float(shown.second) + at.nanoseconds / 1e9
    return [
        shown.year, shown.month - 1, shown.day, shown.hour, shown.minute, second, shown.week_day,
        shown.year_day - 1,
    ]  # fmt: skip


def mktime(value: Value) -> float:
    if type(value) is not list:
        raise JqError(f"mktime cannot be applied to: {described(value)}")
    return epoch(_gathered(value, f"mktime cannot be applied to {preview(value)}"))


def epoch(at: Moment) -> float:
    return float(at.seconds) + at.nanoseconds / 1e9


def _gathered(parts: list[Value], call: str) -> Moment:
    """The moment of a broken-down time; what is missing is 0. Raises JqError."""
    numbers = [0.0] * 8
    for at, part in enumerate(parts[:8]):
        if not is_number(part):
            raise JqError(f"{call}: expected an array of 8 numbers")
        numbers[at] = to_float(plain(part)) if at == 5 else to_int(part)
    year, month, day, hour, minute = map(int, numbers[:5])
    second = numbers[5]
    whole = to_int(second)
    fraction = int((second - math.floor(second)) * 1e9) if math.isfinite(second) else 0
    return Moment(seconds(year, month + 1, day, hour, minute, whole), fraction)


def strftime(value: Value, form: Value, name: str = "strftime") -> str:
    parts = gmtime(value) if is_number(value) else value
    if type(parts) is not list or type(form) is not str:
        raise JqError(f"{name}({preview(form)}) cannot be applied to: {described(parts)}")
    call = f"{name}({preview(form)}) cannot be applied to {preview(parts)}"
    return format_time(_gathered(parts, call), form)


def strptime(value: Value, form: Value) -> list[Value]:
    if type(value) is not str or type(form) is not str:
        raise JqError(f"strptime({preview(form)}) cannot be applied to: {described(value)}")
    try:
        at = parse_time(value, form)
    except ValueError as exc:
        call = f"strptime({preview(form)}) cannot be applied to {preview(value)}"
        raise JqError(f"{call}: failed to parse {quote(value)} with {quote(form)}: {exc}") from exc
    return broken_down(moment(epoch(at)))


# --- Formatting -----------------------------------------------------------------------------------

_CONVERSION: Final = re.compile(
    r"%(?P<flags>[-_^#0]*)(?P<width>[1-9][0-9]*)?(?P<colons>:*)(?P<letter>.)?", re.DOTALL
)
_MAX_WIDTH: Final = 1024


class Style(NamedTuple):
    """Flags and width of a conversion. `pad` is `-` for none, blank, `0`, or empty where not asked for."""

    pad: str = ""
    width: int = 0
    upper: bool = False
    swap: bool = False

    def number(self, value: int, width: int, pad: str = "0") -> str:
        pad, width = self.pad or pad, max(self.width, width)
        if pad == "-":
            return str(value)
        return f"{value:0{width}d}" if pad == "0" and width else str(value).rjust(width)

    def text(self, value: str) -> str:
        if self.swap:
            value = value.lower() if value[1:2].isupper() else value.upper()
        elif self.upper:
            value = value.upper()
        return value if self.pad == "-" else value.rjust(self.width, self.pad or " ")


def _style(flags: str, width: str | None) -> Style:
    pads = [flag for flag in flags if flag in "-_0"]
    pad = {"_": " "}.get(pads[-1], pads[-1]) if pads else ""
    if width and pad == "-":
        pad = " "
    return Style(pad, min(int(width or 0), _MAX_WIDTH), "^" in flags, "#" in flags)


def format_time(at: Moment, form: str) -> str:
    """The moment in C's strftime format. What is no conversion stays as it is."""
    shown = fields(at)

    def converted(found: re.Match[str]) -> str:
        letter, style = found["letter"], _style(found["flags"], found["width"])
        if letter in COMPOUND:
            text = format_time(at, COMPOUND[letter])
            return text.upper() if style.upper else text
        if letter == "z":
            return _zone(style, len(found["colons"]))
        show = _SHOWN.get(letter) if not found["colons"] else None
        return show(shown, style, at) if show else _unknown(found[0], style.width)

    return _CONVERSION.sub(converted, form)


def _unknown(conversion: str, width: int) -> str:
    return conversion[:-1].rjust(width - 1) + conversion[-1:]


Show = Callable[[Fields, Style, Moment], str]


def _number(of: Callable[[Fields], int], width: int, pad: str = "0") -> Show:
    return lambda shown, style, at: style.number(of(shown), width, pad)


def _name(of: Callable[[Fields], str]) -> Show:
    return lambda shown, style, at: style.text(of(shown))


def _half(shown: Fields) -> str:
    return "AM" if shown.hour < 12 else "PM"


def _lower_half(shown: Fields, style: Style, at: Moment) -> str:
    return style._replace(swap=not (style.upper or style.swap)).text(_half(shown))


def _hundreds(year: int) -> int:
    return year // 100 if year >= 0 else -(-year // 100)


_SHOWN: Final[dict[str | None, Show]] = {
    "Y": lambda shown, style, at: style.number(shown.year, 0 if style.width else 4),
    "y": _number(lambda shown: abs(shown.year) % 100, 2),
    "C": _number(lambda shown: _hundreds(shown.year), 2),
    "G": lambda shown, style, at: style.number(iso_week(*shown[:3])[0], 0 if style.width else 4),
    "g": _number(lambda shown: abs(iso_week(*shown[:3])[0]) % 100, 2),
    "m": _number(lambda shown: shown.month, 2),
    "d": _number(lambda shown: shown.day, 2),
    "e": _number(lambda shown: shown.day, 2, " "),
    "j": _number(lambda shown: shown.year_day, 3),
    "H": _number(lambda shown: shown.hour, 2),
    "k": _number(lambda shown: shown.hour, 2, " "),
    "I": _number(lambda shown: shown.hour % 12 or 12, 2),
    "l": _number(lambda shown: shown.hour % 12 or 12, 2, " "),
    "M": _number(lambda shown: shown.minute, 2),
    "S": _number(lambda shown: shown.second, 2),
    "w": _number(lambda shown: shown.week_day, 0),
    "u": _number(lambda shown: shown.week_day or 7, 0),
    "V": _number(lambda shown: iso_week(*shown[:3])[1], 2),
    "U": _number(lambda shown: (shown.year_day + 6 - shown.week_day) // 7, 2),
    "W": _number(lambda shown: (shown.year_day + 6 - (shown.week_day - 1) % 7) // 7, 2),
    "s": lambda shown, style, at: style.number(at.seconds, 0, " "),
    "f": lambda shown, style, at: style.number(at.nanoseconds // 1000, 0 if style.width else 6),
    "B": _name(lambda shown: MONTHS[shown.month - 1]),
    "b": _name(lambda shown: MONTHS[shown.month - 1][:3]),
    "h": _name(lambda shown: MONTHS[shown.month - 1][:3]),
    "A": _name(lambda shown: WEEKDAYS[shown.week_day]),
    "a": _name(lambda shown: WEEKDAYS[shown.week_day][:3]),
    "p": _name(_half),
    "P": _lower_half,
    "Z": _name(lambda shown: "UTC"),
    "t": lambda shown, style, at: style._replace(upper=False, swap=False).text("\t"),
    "n": lambda shown, style, at: style._replace(upper=False, swap=False).text("\n"),
    "%": lambda shown, style, at: style._replace(upper=False, swap=False).text("%"),
}


def _zone(style: Style, colons: int) -> str:
    """The offset from UTC, which is none."""
    rest = _ZONE_RESTS[min(colons, 3)]
    if style.pad in ("-", " "):
        return ("+0" + rest).rjust(max(style.width, 3 + len(rest)) if style.pad == " " else 0)
    return "+" + ("00" + rest).rjust(style.width - 1, "0")


_ZONE_RESTS: Final = ("00", ":00", ":00:00", "")
