"""What Lua scripts get from Go through Python: text of numbers, `string.format`, case of letters, dates.

All FUNCTIONS take and return Lua values (bytes, int, float, bool, None) and raise nothing; None is failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from events.errors import EvaluationError
from events.lang import utc
from events.lang.gofmt import sprint, sprintf
from events.lang.govalue import GoInt64
from events.lang.sprig.runes import lower, upper

_NUMBER: Final = re.compile(rb"[-+]?[0-9]+")
_FLOAT: Final = re.compile(rb"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_DIGITS: Final = b"0123456789abcdefghijklmnopqrstuvwxyz"
_DIRECTIVE: Final = re.compile(r"%(?P<flags>[-+# 0]*[0-9]*(?:\.[0-9]*)?)(?P<verb>[^-+# 0-9.])", re.DOTALL)
_INTEGER_VERBS: Final = frozenset("bcdoxXUi")
_FLOAT_VERBS: Final = frozenset("eEfFgG")


def to_text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


def to_bytes(value: str) -> bytes:
    return value.encode(errors="surrogateescape")


def float_text(value: float) -> bytes:
    """A number without integer value as Go's fmt.Sprint writes it."""
    return sprint(float(value)).encode()


# --- tonumber -------------------------------------------------------------------------------------


def number(value: bytes, base: float) -> float | None:
    """`tonumber`: without a point only whole numbers of 64 bits are read; base 0 is none given."""
    text = value.strip(b" \n\t")
    if b"." in text:
        return float(text) if _FLOAT.fullmatch(text) else None
    digits = int(base) or 10
    if not base and text[:2].lower() == b"0x":
        digits, text = 16, text[2:]
    return _whole(text, digits)


def _whole(text: bytes, base: int) -> float | None:
    body = text[1:] if text[:1] in (b"-", b"+") else text
    if not 2 <= base <= 36 or not body or any(digit not in _DIGITS[:base] for digit in body.lower()):
        return None
    found = int(text, base)
    return float(found) if -(2**63) <= found < 2**63 else None


# --- string.format --------------------------------------------------------------------------------


def formatted(form: bytes, *values: Any) -> bytes:
    """`string.format`: Go's Sprintf with numbers that suit the verb. Raises EvaluationError for long text."""
    text = to_text(form)
    wanted = max(text.count("%") - text.count("%%"), 0)
    rest = [to_text(value) if isinstance(value, bytes) else value for value in values][:wanted]
    arguments: list[Any] = []
    verbs = _DIRECTIVE.sub(lambda found: _directive(found, rest, arguments), text)
    return to_bytes(sprintf(verbs, *arguments))


def _directive(found: re.Match[str], rest: list[Any], arguments: list[Any]) -> str:
    """Takes the next value, changed to what the verb prints; gives the verb that Go gets."""
    flags, verb = found["flags"], found["verb"]
    if verb == "%" or not rest:
        return found[0]
    value = rest.pop(0)
    verb, value = _suited(verb, value)
    arguments.append(value)
    return f"%{flags}{verb}"


def _suited(verb: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, bool):
        return ("s", "true" if value else "false") if verb in "sqvxX" else (verb, value)
    if value is None:
        return "s", "nil"
    if isinstance(value, str):
        return _suited_text(verb, value)
    if verb in "qs":
        return verb, number_text(value)
    if verb in _FLOAT_VERBS or not (verb in _INTEGER_VERBS or value == _int64(value)):
        return verb, float(value)
    return "d" if verb == "i" else verb, GoInt64(_int64(value))


def _suited_text(verb: str, value: str) -> tuple[str, Any]:
    if verb not in "di":
        return verb, value
    is_number = _FLOAT.fullmatch(to_bytes(value.strip(" \n\t"))) or number(to_bytes(value), 0) is not None
    return ("s", value) if is_number else ("d", 0)


def _int64(value: float) -> int:
    """As Go converts a float64 on amd64: the lowest integer where it does not fit."""
    return int(value) if -(2.0**63) <= value < 2.0**63 else -(2**63)


def number_text(value: float) -> str:
    return str(int(value)) if value == _int64(value) else sprint(float(value))


# --- Case, dates ----------------------------------------------------------------------------------


def cased(name: bytes, value: bytes) -> bytes:
    """`string.upper` and `string.lower` on all letters of Unicode."""
    change = upper if name == b"upper" else lower
    return to_bytes(change(to_text(value)))


_DATE: Final[dict[str, Callable[[utc.Fields], str]]] = {
    "a": lambda at: "mon",  # what gopher-lua 1.1.2 writes for every day
    "A": lambda at: utc.WEEKDAYS[at.week_day],
    "b": lambda at: utc.MONTHS[at.month - 1][:3],
    "B": lambda at: utc.MONTHS[at.month - 1],
    "c": lambda at: f"{_date('%d %b %y %H:%M', at)} UTC",
    "d": lambda at: f"{at.day:02}",
    "F": lambda at: _date("%Y-%m-%d", at),
    "H": lambda at: f"{at.hour:02}",
    "I": lambda at: f"{at.hour % 12 or 12:02}",
    "m": lambda at: f"{at.month:02}",
    "M": lambda at: f"{at.minute:02}",
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "P": lambda at: "am" if at.hour < 12 else "pm",
    "S": lambda at: f"{at.second:02}",
    "x": lambda at: _date("%H/%M/%S", at),
    "X": lambda at: _date("%H:%M:%S", at),
    "y": lambda at: f"{at.year % 100:02}",
    "Y": lambda at: f"{at.year:04}",
    "z": lambda at: "+0000",
    "Z": lambda at: "UTC",
    "w": lambda at: str(at.week_day),
}
_CONVERSION: Final = re.compile("%(.)", re.DOTALL)


def _date(form: str, at: utc.Fields) -> str:
    return _CONVERSION.sub(lambda found: _DATE[found[1]](at) if found[1] in _DATE else _kept(found[0]), form)


def _kept(conversion: str) -> str:
    return "%" if conversion == "%%" else conversion


def date(form: bytes, seconds: float) -> bytes:
    """`os.date` in UTC."""
    return to_bytes(_date(to_text(form), utc.fields(utc.Moment(_int64(seconds)))))


def time(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float:
    """`os.time` of a table, in UTC: seconds since 1970."""
    return float(utc.seconds(year, month, day, hour, minute, second))


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """None instead of an error: a Python exception must not reach a script."""

    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (EvaluationError, ValueError, OverflowError, TypeError):
            return None

    return call


FUNCTIONS: Final[dict[bytes, Callable[..., Any]]] = {
    b"float": _quiet(float_text),
    b"number": _quiet(number),
    b"format": _quiet(formatted),
    b"case": _quiet(cased),
    b"date": _quiet(date),
    b"time": _quiet(time),
}
"""By the names under which the prelude knows them."""
