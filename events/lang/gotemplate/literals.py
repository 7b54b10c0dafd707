"""Go literals in templates: quoted strings, character constants, numbers.

A number literal has no type of its own: where a parameter wants an int, `5.0` is one; where it wants a float,
`5` is one; elsewhere its spelling decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from events.lang.govalue import from_bytes, to_bytes

_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"
}  # fmt: skip
_UNIT: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))|([^\\\n])", re.DOTALL
)
_UNSIGNED: Final = re.compile(
    r"0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*"
)
_DIGITS: Final = r"[0-9](?:_?[0-9])*"
_DECIMAL: Final = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
_HEX_DIGITS: Final = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_HEX_FLOAT: Final = re.compile(
    rf"[+-]?0[xX]_?(?:{_HEX_DIGITS}(?:\.(?:{_HEX_DIGITS})?)?|\.{_HEX_DIGITS})[pP][+-]?{_DIGITS}"
)
_INT64: Final = 1 << 63
_UINT64: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Number:
    """What a number literal can be: each of the forms that it fits."""

    text: str
    as_int: int | None = None
    as_uint: int | None = None
    as_float: float | None = None
    as_complex: complex | None = None

    @property
    def looks_float(self) -> bool:
        """Whether the spelling makes it a float64 where no type is asked for."""
        hexadecimal = self.text[:2] in ("0x", "0X") and not _contains(self.text, "pP")
        return not hexadecimal and self.text[0] != "'" and _contains(self.text, ".eEpP")


def unquote(literal: str) -> str | None:
    """The value of a double-quoted or back-quoted Go string, as strconv.Unquote; None if malformed."""
    if literal[0] == "`":
        return literal[1:-1].replace("\r", "")
    return _unescape(literal[1:-1], '"')


def character(literal: str) -> Number | None:
    """A character constant such as 'a': its code, or the byte of `\\xff`. None if malformed."""
    unit = _UNIT.match(literal, 1)
    if unit is None or unit.end() != len(literal) - 1 or unit[0] == "'":
        return None
    code = _code(unit, "'")
    return None if code is None else Number(literal, code, code, float(code))


def number(text: str) -> Number | None:
    """A number literal; None if malformed or too large."""
    if text.endswith("i"):
        imaginary = parse_float(text[:-1])
        if imaginary is not None:
            return _complex(text, complex(0.0, imaginary))
    whole = _integer(text)
    unsigned = whole if whole is not None and 0 <= whole < _UINT64 and text[0] not in "+-" else None
    signed = whole if whole is not None and -_INT64 <= whole < _INT64 else None
    if signed == 0:
        unsigned = 0
    best = signed if signed is not None else unsigned
    if best is not None:
        return Number(text, signed, unsigned, float(best))
    return _float(text)


def complex_number(text: str) -> Number | None:
    """A literal like 1+2i; None if malformed."""
    for middle in [at for at, char in enumerate(text) if at and char in "+-"]:
        real, imaginary = parse_float(text[:middle]), parse_float(text[middle:-1])
        if real is not None and imaginary is not None:
            return _complex(text, complex(real, imaginary))
    return None


def parse_float(text: str) -> float | None:
    """A Go floating-point literal with an optional sign; None if malformed or out of range."""
    try:
        if _HEX_FLOAT.fullmatch(text):
            return float.fromhex(text.replace("_", ""))
        if not _DECIMAL.fullmatch(text):
            return None
    except OverflowError:
        return None
    value = float(text.replace("_", ""))
    return None if value in (float("inf"), float("-inf")) else value


def _float(text: str) -> Number | None:
    value = parse_float(text)
    if value is None or not _contains(text, ".eEpP"):
        return None
    return Number(text, _whole(value, -_INT64, _INT64), _whole(value, 0, _UINT64), value)


def _complex(text: str, value: complex) -> Number:
    if value.imag:
        return Number(text, as_complex=value)
    real = value.real
    return Number(text, _whole(real, -_INT64, _INT64), _whole(real, 0, _UINT64), real, value)


def _whole(value: float, low: int, end: int) -> int | None:
    return int(value) if low <= value < end and value == int(value) else None


def _integer(text: str) -> int | None:
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not _UNSIGNED.fullmatch(digits) or len(digits) > 256:
        return None
    digits = digits.replace("_", "").lower()
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    value = int(digits, 8 if octal else 0)
    return -value if text[0] == "-" else value


def _contains(text: str, chars: str) -> bool:
    return any(char in text for char in chars)


def _unescape(body: str, mark: str) -> str | None:
    if "\\" not in body and body.isascii():
        return body
    out, at = bytearray(), 0
    while at < len(body):
        unit = _UNIT.match(body, at)
        code = None if unit is None else _code(unit, mark)
        if unit is None or code is None:
            return None
        out += bytes([code]) if unit[1] or unit[2] else to_bytes(chr(code))
        at = unit.end()
    return from_bytes(bytes(out))


def _code(unit: re.Match[str], mark: str) -> int | None:
    """The code of one character or escape. Bytes that are not UTF-8 count as U+FFFD, as in Go."""
    hexadecimal = unit[1] or unit[3] or unit[4]
    if hexadecimal:
        code = int(hexadecimal, 16)
        return code if unit[1] or (code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF) else None
    if unit[2]:
        return int(unit[2], 8) if int(unit[2], 8) < 256 else None
    if unit[5]:
        char = _ESCAPES.get(unit[5]) or (unit[5] if unit[5] == mark else None)
        return None if char is None else ord(char)
    return 0xFFFD if "\ud800" <= unit[6] <= "\udfff" else ord(unit[6])
