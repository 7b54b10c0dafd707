"""Operators of govaluate on decoded values: deep equality, order, arithmetic on float64, bits of int64.

All raise EvaluationError for operands of a wrong kind. Numbers behave as in Go on amd64.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from events.errors import EvaluationError, ExpressionError
from events.lang.gofmt import sprint
from events.lang.regex import Regex, compile_regex, go_bytes

Binary = Callable[[Any, Any], Any]

MAX_TEXT: Final = 1 << 20  # characters of a concatenation

_KINDS: Final = {
    float: "a number",
    str: "a string",
    bool: "a boolean",
    type(None): "null",
    list: "a list",
    dict: "an object",
    Regex: "a pattern",
}
_WORD: Final = (1 << 64) - 1
_SIGN: Final = 1 << 63
_EXACT: Final = 1 << 53  # from here on every float64 is an even integer


def wrong(symbol: str, value: Any, wanted: str) -> EvaluationError:
    """The error for an operand of a wrong kind."""
    return EvaluationError(f"{symbol} needs {wanted}, not {_KINDS.get(type(value), type(value).__name__)}")


def equal(left: Any, right: Any) -> bool:
    """Go's reflect.DeepEqual on decoded JSON: no conversions, so 1 and true and "1" all differ."""
    if type(left) is not type(right):
        return False
    if type(left) is list or type(left) is dict:
        return _deep_equal(left, right)
    return bool(left == right)


def _deep_equal(left: Any, right: Any) -> bool:
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if type(one) is not type(other):
            return False
        if type(one) is list:
            if one is not other and len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True) if one is not other else ())
        elif type(one) is dict:
            if one.keys() != other.keys():
                return False
            pairs.extend((value, other[key]) for key, value in one.items() if one is not other)
        elif one != other:
            return False
    return True


def member(left: Any, right: Any) -> bool:
    """`in`: whether a list has an equal item."""
    if type(right) is not list:
        raise wrong("in", right, "a list of two or more items")
    return any(equal(left, item) for item in right)


def ordering(symbol: str, compare: Binary) -> Binary:
    """`<` and its kin: two numbers, or two strings byte by byte."""

    def ordered(left: Any, right: Any) -> bool:
        if type(left) is float and type(right) is float:
            return bool(compare(left, right))
        if type(left) is str and type(right) is str:
            return bool(compare(go_bytes(left), go_bytes(right)))
        raise wrong(symbol, left if type(left) not in (float, str) else right, "two numbers or two strings")

    return ordered


def arithmetic(symbol: str, compute: Callable[[float, float], float]) -> Binary:
    """An operator on two numbers."""

    def computed(left: Any, right: Any) -> float:
        if type(left) is float and type(right) is float:
            return compute(left, right)
        raise wrong(symbol, right if type(left) is float else left, "two numbers")

    return computed


def add(left: Any, right: Any) -> Any:
    """`+`: the sum of two numbers, or the texts of both where one is a string."""
    if type(left) is float and type(right) is float:
        return left + right
    if type(left) is not str and type(right) is not str:
        raise wrong("+", right if type(left) is float else left, "two numbers or a string")
    text = _text(left) + _text(right)
    if len(text) > MAX_TEXT:
        raise EvaluationError(f"+ gives more than {MAX_TEXT} characters")
    return text


def matches(left: Any, right: Any) -> bool:
    """`=~`: whether a regular expression is found in a string."""
    if type(left) is not str:
        raise wrong("=~", left, "a string on its left")
    if isinstance(right, Regex):
        return right.search(left)
    if type(right) is not str:
        raise wrong("=~", right, "a string on its right")
    try:
        return compile_regex(right).search(left)
    except ExpressionError as exc:
        raise EvaluationError(exc.message) from exc


def differs(left: Any, right: Any) -> bool:
    """`!=`"""
    return not equal(left, right)


def lacks(left: Any, right: Any) -> bool:
    """`!~`"""
    return not matches(left, right)


def divide(left: float, right: float) -> float:
    """IEEE division: by zero gives an infinity, zero by zero is no number."""
    try:
        return left / right
    except ZeroDivisionError:
        return (
            math.nan if left == 0 or left != left else math.copysign(math.inf, left) * math.copysign(1, right)
        )


def modulo(left: float, right: float) -> float:
    """Go's math.Mod: the sign of the left operand; no number where it is not defined."""
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def power(base: float, exponent: float) -> float:
    """Go's math.Pow, which multiplies squarings, so that its last digit is Go's and not that of C.

    With an exponent that is not whole the last digit may differ: it depends on the logarithm's.
    """
    if exponent == 0 or base == 1:
        return 1.0
    if exponent == 1 or base != base:
        return base
    if exponent != exponent:
        return exponent
    if base == 0 or math.isinf(base) or math.isinf(exponent):
        return math.pow(base, exponent) if base or exponent > 0 else _pole(base, exponent)
    if abs(exponent) == 0.5:
        return _square_root(base, exponent)
    return _squarings(base, exponent)


def _pole(base: float, exponent: float) -> float:
    odd = abs(exponent) < _EXACT and exponent % 2 == 1
    return math.copysign(math.inf, base) if odd else math.inf


def _square_root(base: float, exponent: float) -> float:
    if base < 0:
        return math.nan
    return math.sqrt(base) if exponent > 0 else 1 / math.sqrt(base)


def _squarings(base: float, exponent: float) -> float:
    fraction, whole = math.modf(abs(exponent))
    if fraction and base < 0:
        return math.nan
    if whole >= _SIGN:
        return 1.0 if base == -1 else 0.0 if (abs(base) < 1) == (exponent > 0) else math.inf
    result = 1.0
    if fraction > 0.5:
        fraction, whole = fraction - 1, whole + 1
    if fraction:
        result = math.exp(fraction * math.log(base))
    result, shift = _integer_power(base, int(whole), result)
    return _scaled(1 / result, -shift) if exponent < 0 else _scaled(result, shift)


def _integer_power(base: float, whole: int, result: float) -> tuple[float, int]:
    """`result` times base to a whole power, as mantissa and power of two."""
    mantissa, binary = math.frexp(base)
    shift = 0
    while whole:
        if abs(binary) > 1 << 12:  # over- or underflows whatever follows
            return result, shift + binary
        if whole & 1:
            result, shift = result * mantissa, shift + binary
        mantissa, binary = mantissa * mantissa, binary * 2
        if mantissa < 0.5:
            mantissa, binary = mantissa * 2, binary - 1
        whole >>= 1
    return result, shift


def _scaled(mantissa: float, shift: int) -> float:
    try:
        return math.ldexp(mantissa, shift)
    except OverflowError:
        return math.copysign(math.inf, mantissa)


def bitwise(compute: Callable[[int, int], int]) -> Callable[[float, float], float]:
    """An operator on the bits of two numbers, cut to int64."""
    return lambda left, right: float(_signed(compute(to_int64(left), to_int64(right))))


def shift_left(left: float, right: float) -> float:
    """`<<` on uint64; 64 and more shift everything out."""
    count = to_uint64(right)
    return float((to_uint64(left) << count) & _WORD) if count < 64 else 0.0


def shift_right(left: float, right: float) -> float:
    """`>>` on uint64: a negative number shifts in zeros."""
    count = to_uint64(right)
    return float(to_uint64(left) >> count) if count < 64 else 0.0


def complement(value: float) -> float:
    """`~` on int64."""
    return float(~to_int64(value))


def to_int64(value: float) -> int:
    """Go's int64(value); what does not fit is the smallest int64."""
    if -_SIGN <= value < _SIGN:
        return int(value)
    return -_SIGN


def to_uint64(value: float) -> int:
    """Go's uint64(value): negative numbers wrap around, what does not fit is 1 << 63."""
    return int(value) if _SIGN <= value < 2.0 * _SIGN else to_int64(value) & _WORD


def _signed(value: int) -> int:
    value &= _WORD
    return value - (1 << 64) if value & _SIGN else value


def _text(value: Any) -> str:
    return value.source if isinstance(value, Regex) else sprint(value)


BINARY: Final[dict[str, Binary]] = {
    "==": equal,
    "!=": differs,
    ">": ordering(">", operator.gt),
    ">=": ordering(">=", operator.ge),
    "<": ordering("<", operator.lt),
    "<=": ordering("<=", operator.le),
    "=~": matches,
    "!~": lacks,
    "in": member,
    "+": add,
    "-": arithmetic("-", operator.sub),
    "*": arithmetic("*", operator.mul),
    "/": arithmetic("/", divide),
    "%": arithmetic("%", modulo),
    "**": arithmetic("**", power),
    "&": arithmetic("&", bitwise(operator.and_)),
    "|": arithmetic("|", bitwise(operator.or_)),
    "^": arithmetic("^", bitwise(operator.xor)),
    "<<": arithmetic("<<", shift_left),
    ">>": arithmetic(">>", shift_right),
}
"""What each symbol computes; not here are those that may skip their right side (`&&`, `||`, ternaries)."""
