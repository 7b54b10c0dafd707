"""Numbers from any value (spf13/cast 1.10): text is read as a Go literal, what does not convert is 0."""

from __future__ import annotations

import math
import re
from typing import Any, Final

_INT64_MIN: Final = -(1 << 63)
_INT64_MAX: Final = (1 << 63) - 1

_DIGITS = r"[0-9](?:_?[0-9])*"
_HEX = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_INTEGER: Final = re.compile(
    r"([+-]?)(?:0[xX](?P<hex>(?:_?[0-9a-fA-F])+)|0[bB](?P<binary>(?:_?[01])+)|0[oO](?P<octal>(?:_?[0-7])+)"
    r"|0(?P<old>(?:_?[0-7])+)|(?P<decimal>0|[1-9](?:_?[0-9])*))"
)
_BASES: Final = {"hex": 16, "binary": 2, "octal": 8, "old": 8, "decimal": 10}
_FRACTION: Final = re.compile(r"([+-]?[0-9]*)\.[0-9]*")
_DECIMAL_FLOAT: Final = re.compile(rf"[+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
_HEX_FLOAT: Final = re.compile(rf"[+-]?0[xX](?:_?{_HEX}\.?(?:{_HEX})?|\.{_HEX})[pP][+-]?{_DIGITS}")
_SPECIAL: Final = re.compile(r"nan|[+-]?inf(?:inity)?", re.IGNORECASE)


def to_int64(value: Any) -> int:
    """cast.ToInt64: fractions are cut off; a float outside int64 becomes the smallest one, as on amd64."""
    if isinstance(value, float):
        return _truncated(value)
    if isinstance(value, int):
        return wrapped(value)
    return _integer(value) if isinstance(value, str) else 0


def to_float64(value: Any) -> float:
    """cast.ToFloat64."""
    if isinstance(value, (float, int)):
        return float(value)
    return parse_float(value) if isinstance(value, str) else 0.0


def wrapped(value: int) -> int:
    """The integer as 64 bits keep it."""
    if _INT64_MIN <= value <= _INT64_MAX:
        return int(value)
    return (value - _INT64_MIN) % (1 << 64) + _INT64_MIN


def parse_float(text: str) -> float:
    """strconv.ParseFloat(text, 64), 0 for anything that it refuses, also for what is out of range."""
    if _DECIMAL_FLOAT.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else 0.0
    if _HEX_FLOAT.fullmatch(text):
        return _hex_float(text.replace("_", ""))
    return float(text) if _SPECIAL.fullmatch(text) else 0.0


def parse_digits(text: str, base: int) -> int:
    """strconv.ParseInt(text, base, 64) for base 8 or 10: clamped to int64, 0 for what are no digits."""
    if not re.fullmatch(f"[+-]?[0-{base - 1}]+", text):
        return 0
    if len(text) > 1000:  # the conversion of very long texts is slow and refused by Python
        text = text[0] + text[1:].lstrip("0")[:1000]
    return min(max(int(text, base), _INT64_MIN), _INT64_MAX)


def _integer(text: str) -> int:
    """strconv.ParseInt with base 0, after a decimal fraction was cut off."""
    if fraction := _FRACTION.fullmatch(text):
        text = fraction[1] if fraction[1] not in ("", "+", "-") else "0"
    match = _INTEGER.fullmatch(text)
    if match is None or match.lastgroup is None or len(text) > 200:
        return 0
    value = int(match[1] + match[match.lastgroup].replace("_", ""), _BASES[match.lastgroup])
    return value if _INT64_MIN <= value <= _INT64_MAX else 0


def _truncated(value: float) -> int:
    if not math.isfinite(value):
        return _INT64_MIN
    number = int(value)
    return number if _INT64_MIN <= number <= _INT64_MAX else _INT64_MIN


def _hex_float(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:
        return 0.0
