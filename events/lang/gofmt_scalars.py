"""Text of single Go values: floats as strconv writes them, quoted strings and characters."""

from __future__ import annotations

import math
from typing import Final

_ESCAPES: Final = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_MANTISSA_BITS: Final = 52
_BIAS: Final = 1075  # exponent of the last mantissa bit of a float64


def format_float(value: float, verb: str = "g", precision: int = -1) -> str:
    """The text of a float64 as Go strconv.FormatFloat(value, verb, precision, 64).

    Verbs e, E, f, g, G, x, X, b; precision -1 means the fewest digits that read back as the same value.
    """
    if not math.isfinite(value):
        return "NaN" if value != value else ("+Inf" if value > 0 else "-Inf")
    if verb == "b":
        return _binary(value)
    if verb in "xX":
        return _hexadecimal(value, verb, precision)
    text = _shortest(value, verb.lower()) if precision < 0 else _rounded(value, verb.lower(), precision)
    return text.upper() if verb.isupper() else text


def float_text(value: float) -> str:
    """The text of a float64 as Go's %v: shortest digits, exponent form below 1e-4 and from 1e+06 on."""
    if 1e-4 <= value < 1e6 or -1e6 < value <= -1e-4:
        text = float.__repr__(value)
        return text[:-2] if text.endswith(".0") else text
    return format_float(value)


def _rounded(value: float, verb: str, precision: int) -> str:
    if verb == "g":
        precision = min(precision or 1, 800)  # no float64 has more digits, and %g drops trailing zeros
    return format(value, f".{precision}{verb}")


def _shortest(value: float, verb: str) -> str:
    sign, digits, point = _digits(value)
    exponent = point - 1 if digits != "0" else 0
    if verb == "e" or (verb == "g" and not -4 <= exponent < 6):
        fraction = "." + digits[1:] if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{exponent:+03d}"
    return sign + _positional(digits, point)


def _digits(value: float) -> tuple[str, str, int]:
    """Sign, shortest digits without outer zeros, and where the point stands: 0.digits times ten to it."""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(digits) - len(fraction) + int(exponent or 0)
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    return (sign, digits.rstrip("0"), point) if digits else (sign, "0", 1)


def _positional(digits: str, point: int) -> str:
    if point <= 0:
        return "0." + "0" * -point + digits
    whole = digits[:point].ljust(point, "0")
    return whole + "." + digits[point:] if len(digits) > point else whole


def _parts(value: float) -> tuple[str, int, int]:
    """Sign, mantissa and exponent of two, as the bits of a float64 hold them."""
    mantissa, exponent = math.frexp(abs(value))
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    shift = max(exponent - _MANTISSA_BITS - 1, 1 - _BIAS)
    return sign, int(math.ldexp(mantissa, exponent - shift)), shift


def _binary(value: float) -> str:
    sign, mantissa, exponent = _parts(value)
    return f"{sign}{mantissa}p{exponent if mantissa else 1 - _BIAS:+d}"


def _hexadecimal(value: float, verb: str, precision: int) -> str:
    sign, mantissa, exponent = _parts(value)
    if mantissa:
        shift = 61 - mantissa.bit_length()  # leading one to bit 60
        mantissa, exponent = mantissa << shift, exponent + 60 - shift
    else:
        exponent = 0
    if 0 <= precision < 15:
        mantissa, exponent = _round_bits(mantissa, exponent, 60 - 4 * precision)
    lead, fraction = mantissa >> 60, f"{mantissa & (1 << 60) - 1:015x}"
    fraction = fraction.rstrip("0") if precision < 0 else fraction.ljust(precision, "0")[:precision]
    text = f"{sign}0x{lead}{'.' if fraction else ''}{fraction}p{exponent:+03d}"
    return text.upper() if verb == "X" else text


def _round_bits(mantissa: int, exponent: int, drop: int) -> tuple[int, int]:
    """Round half to even `drop` bits away; a carry moves into the exponent."""
    kept, rest, half = mantissa >> drop, mantissa & (1 << drop) - 1, 1 << drop >> 1
    if rest > half or (rest == half and half and kept & 1):
        kept += 1
    mantissa = kept << drop
    return (mantissa >> 1, exponent + 1) if mantissa >> 61 else (mantissa, exponent)


def is_print(char: str) -> bool:
    """Whether Go's strconv.IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space."""
    return char.isprintable()


def quote(text: str, ascii_only: bool = False) -> str:
    """A double-quoted Go string literal, as strconv.Quote or, with ascii_only, QuoteToASCII."""
    if not ascii_only and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join([_escaped(char, '"', ascii_only) for char in text]) + '"'


def quote_rune(char: str, ascii_only: bool = False) -> str:
    """A single-quoted Go character literal, as strconv.QuoteRune."""
    return "'" + _escaped("\ufffd" if "\ud800" <= char <= "\udfff" else char, "'", ascii_only) + "'"


def can_backquote(text: str) -> bool:
    """Whether the text can stand between back quotes unchanged, as strconv.CanBackquote."""
    return not any(
        char in "`\x7f\ufeff" or (char < " " and char != "\t") or "\ud800" <= char <= "\udfff"
        for char in text
    )


def _escaped(char: str, mark: str, ascii_only: bool) -> str:
    if char in (mark, "\\"):
        return "\\" + char
    if is_print(char) and not (ascii_only and char > "~"):
        return char
    return _ESCAPES.get(char) or _numeric_escape(ord(char))


def _numeric_escape(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
