"""Numbers as Go's strconv reads and writes them, where gjson relies on it."""

from __future__ import annotations

import re
from typing import Final

from events.lang.gofmt_scalars import format_float

_DIGITS: Final = r"[0-9](?:_?[0-9])*+"
_HEX_DIGITS: Final = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*+"
_DECIMAL: Final = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
_HEXADECIMAL: Final = re.compile(
    rf"[+-]?0[xX](?:_?{_HEX_DIGITS}(?:\.(?:{_HEX_DIGITS})?)?|\.{_HEX_DIGITS})[pP][+-]?{_DIGITS}"
)
_NAMED: Final = re.compile(r"[+-]?inf(?:inity)?|nan", re.IGNORECASE)
_INTEGER: Final = re.compile(r"-?[0-9]*")


def parse_float(text: str) -> float:
    """The number in the text as strconv.ParseFloat reads it; 0 when it is none, infinity when too large."""
    if _DECIMAL.fullmatch(text) or _NAMED.fullmatch(text):
        return float(text)
    if not _HEXADECIMAL.fullmatch(text):
        return 0.0
    try:
        return float.fromhex(text.replace("_", ""))
    except OverflowError:
        return float("-inf" if text[0] == "-" else "inf")


def number_text(raw: str, value: float) -> str:
    """The string form of a JSON number: integers as spelled, others in the shortest form without exponent."""
    return raw if _INTEGER.fullmatch(raw) else format_float(value, "f")


def parse_index(text: str) -> int:
    """The array index that a path component names, -1 when it names none.

    Digits only. As in gjson a 64-bit counter goes round, so an index of many digits stays bounded work.
    """
    if not text.isascii() or not text.isdigit():
        return -1
    if len(text) < 19:
        return int(text)
    number = 0
    for digit in text:
        number = (number * 10 + int(digit)) & 0xFFFF_FFFF_FFFF_FFFF
    return number if number < 1 << 63 else -1
