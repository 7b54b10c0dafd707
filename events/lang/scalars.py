"""Numbers and booleans as Go's package strconv reads them from text."""

from __future__ import annotations

import math
import re
from typing import Final

from events.errors import ExpressionError

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})

_DIGITS: Final = r"[0-9](?:_?[0-9])*"
_HEX_DIGITS: Final = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL: Final = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
_HEXADECIMAL: Final = re.compile(
    rf"[+-]?0[xX](?:_?{_HEX_DIGITS}(?:\.(?:{_HEX_DIGITS})?)?|\.{_HEX_DIGITS})[pP][+-]?{_DIGITS}"
)
_SPECIAL: Final = re.compile(r"[+-]?inf(?:inity)?|nan", re.IGNORECASE | re.ASCII)


def parse_float(text: str) -> float:
    """A float64 as strconv.ParseFloat reads it: decimal, hexadecimal with exponent, `inf`, `nan`.

    Raises ExpressionError for other text and for numbers beyond the largest float64.
    """
    if _DECIMAL.fullmatch(text):
        return _in_range(float(text), text)
    if _HEXADECIMAL.fullmatch(text):
        return _in_range(_hexadecimal(text), text)
    if _SPECIAL.fullmatch(text):
        return float(text)
    raise ExpressionError("not a number", text)


def parse_bool(text: str) -> bool:
    """A boolean as strconv.ParseBool reads it: 1 t T TRUE true True, 0 f F FALSE false False.

    Raises ExpressionError for other text.
    """
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ExpressionError("not a boolean: write true or false", text)


def _in_range(value: float, text: str) -> float:
    if math.isinf(value):
        raise ExpressionError("number is out of the range of a float64", text)
    return value


def _hexadecimal(text: str) -> float:
    try:
        return float.fromhex(text.replace("_", ""))
    except OverflowError:
        return math.inf
