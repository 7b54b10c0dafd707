"""Numbers: conversions, integer arithmetic of 64 bits, decimal arithmetic, rounding, ranges."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import Any, Final

from events.errors import EvaluationError
from events.lang.gofmt import sprint
from events.lang.govalue import GoInt64, GoInts
from events.lang.sprig.cast import parse_digits, to_float64, to_int64, wrapped
from events.lang.sprig.table import Table, check_elements, check_size

TABLE = Table()
TABLE.add("float64", "any", to_float64)
TABLE.add("int", "any", to_int64)

_DIVISION_UNIT: Final = 10**16
"""Quotients are rounded to 16 decimal places (shopspring/decimal)."""
_INT64_LIMIT: Final = 1 << 63

# --- integers -----------------------------------------------------------------------------------------


@TABLE.function("int64", "any")
def int64(value: Any) -> GoInt64:
    """As `int`, typed int64."""
    return GoInt64(to_int64(value))


@TABLE.function("atoi", "string")
def atoi(text: str) -> int:
    """A decimal number from text; 0 for other text, the nearest one if it is out of range."""
    return parse_digits(text, 10)


@TABLE.function("toDecimal", "any")
def to_decimal(value: Any) -> GoInt64:
    """The text of a value read as an octal number; 0 if it is none."""
    number = parse_digits(sprint(value), 8)
    return GoInt64(0 if number in (-_INT64_LIMIT, _INT64_LIMIT - 1) else number)


@TABLE.function("add", "...any")
def add(*values: Any) -> GoInt64:
    """Sum as int64."""
    return GoInt64(wrapped(sum(map(to_int64, values))))


@TABLE.function("add1", "any")
def add1(value: Any) -> GoInt64:
    """One more, as int64."""
    return GoInt64(wrapped(to_int64(value) + 1))


@TABLE.function("sub", "any, any")
def sub(left: Any, right: Any) -> GoInt64:
    """Difference as int64."""
    return GoInt64(wrapped(to_int64(left) - to_int64(right)))


@TABLE.function("mul", "any, ...any")
def mul(first: Any, *others: Any) -> GoInt64:
    """Product as int64."""
    return GoInt64(reduce(lambda product, value: wrapped(product * to_int64(value)), others, to_int64(first)))


@TABLE.function("div", "any, any")
def div(left: Any, right: Any) -> GoInt64:
    """Quotient as int64, cut towards zero. Raises EvaluationError for a divisor of 0."""
    dividend, divisor = _division(left, right)
    quotient = abs(dividend) // abs(divisor)
    return GoInt64(wrapped(-quotient if (dividend < 0) != (divisor < 0) else quotient))


@TABLE.function("mod", "any, any")
def mod(left: Any, right: Any) -> GoInt64:
    """Remainder with the sign of the dividend. Raises EvaluationError for a divisor of 0."""
    dividend, divisor = _division(left, right)
    remainder = abs(dividend) % abs(divisor)
    return GoInt64(-remainder if dividend < 0 else remainder)


def _division(left: Any, right: Any) -> tuple[int, int]:
    dividend, divisor = to_int64(left), to_int64(right)
    if not divisor:
        raise EvaluationError("runtime error: integer divide by zero")
    return dividend, divisor


@TABLE.function("max biggest", "any, ...any")
def maximum(first: Any, *others: Any) -> GoInt64:
    """The largest, as int64."""
    return GoInt64(max(map(to_int64, (first, *others))))


@TABLE.function("min", "any, ...any")
def minimum(first: Any, *others: Any) -> GoInt64:
    """The smallest, as int64."""
    return GoInt64(min(map(to_int64, (first, *others))))


# --- floats -------------------------------------------------------------------------------------------


@TABLE.function("maxf", "any, ...any")
def maxf(first: Any, *others: Any) -> float:
    """The largest, NaN if there is one, unless there is +Inf (math.Max)."""
    return reduce(_larger, map(to_float64, others), to_float64(first))


@TABLE.function("minf", "any, ...any")
def minf(first: Any, *others: Any) -> float:
    """The smallest, NaN if there is one, unless there is -Inf (math.Min)."""
    return reduce(lambda a, b: -_larger(-a, -b), map(to_float64, others), to_float64(first))


def _larger(left: float, right: float) -> float:
    if math.inf in (left, right):
        return math.inf
    if math.isnan(left) or math.isnan(right):
        return math.nan
    if left == right:
        return left if math.copysign(1.0, left) > 0 else right
    return max(left, right)


@TABLE.function("floor", "any")
def floor(value: Any) -> float:
    """The next whole number below."""
    return _whole(to_float64(value), math.floor)


@TABLE.function("ceil", "any")
def ceil(value: Any) -> float:
    """The next whole number above."""
    return _whole(to_float64(value), math.ceil)


def _whole(value: float, rounding: Callable[[float], int]) -> float:
    return math.copysign(float(rounding(value)), value) if math.isfinite(value) else value


@TABLE.function("round", "any, int, ...float64")
def round_(value: Any, places: int, *threshold: float) -> float:
    """Rounded to decimal places: up if the part cut off is at least `threshold` (0.5), else down.

    As Sprig computes it, negative numbers always go down.
    """
    power = _power_of_ten(places)
    shifted = power * to_float64(value)
    upwards = math.modf(shifted)[0] >= (threshold[0] if threshold else 0.5)
    whole = _whole(shifted, math.ceil if upwards else math.floor)
    return whole / power if power else _by_zero(whole)


def _power_of_ten(exponent: int) -> float:
    """math.Pow(10, exponent): exact where float64 can be, 0 or +Inf far outside."""
    if abs(exponent) <= 22:
        return 10.0**exponent
    return 0.0 if exponent < -400 else math.inf if exponent > 308 else _long_power(exponent)


def _long_power(exponent: int) -> float:
    """Square and multiply on mantissas: Go's result differs from the nearest float64 in the last digits."""
    product, scale = 1.0, 0
    factor, shift = math.frexp(10.0)
    bits = abs(exponent)
    while bits:
        if bits & 1:
            product, scale = product * factor, scale + shift
        factor, shift, bits = factor * factor, shift * 2, bits >> 1
        if factor < 0.5:
            factor, shift = factor + factor, shift - 1
    return math.ldexp(product, scale) if exponent > 0 else math.ldexp(1 / product, -scale)


def _by_zero(value: float) -> float:
    return math.nan if math.isnan(value) or not value else math.copysign(math.inf, value)


# --- decimals -----------------------------------------------------------------------------------------


@TABLE.function("addf", "...any")
def addf(*values: Any) -> float:
    """Sum, exact in decimal."""
    return _folded(lambda a, b: a + b, 0, *values)


@TABLE.function("add1f", "any")
def add1f(value: Any) -> float:
    """One more, exact in decimal."""
    return addf(value, 1)


@TABLE.function("subf", "any, ...any")
def subf(first: Any, *others: Any) -> float:
    """Difference, exact in decimal."""
    return _folded(lambda a, b: a - b, first, *others)


@TABLE.function("mulf", "any, ...any")
def mulf(first: Any, *others: Any) -> float:
    """Product, exact in decimal."""
    return _folded(lambda a, b: a * b, first, *others)


@TABLE.function("divf", "any, ...any")
def divf(first: Any, *others: Any) -> float:
    """Quotient, each step rounded to 16 decimal places. Raises EvaluationError for a divisor of 0."""
    return _folded(_quotient, first, *others)


def _folded(operation: Callable[[Fraction, Fraction], Fraction], *values: Any) -> float:
    result = reduce(operation, map(_exact, values))
    try:
        return float(result)
    except OverflowError:
        return math.inf if result > 0 else -math.inf


def _exact(value: Any) -> Fraction:
    """The shortest decimal that stands for the float. NaN and infinities have none."""
    number = to_float64(value)
    if not math.isfinite(number):
        raise EvaluationError(f"Cannot create a Decimal from {sprint(number)}")
    return Fraction(Decimal(repr(number)))


def _quotient(left: Fraction, right: Fraction) -> Fraction:
    if not right:
        raise EvaluationError("decimal division by 0")
    scaled = left / right * _DIVISION_UNIT
    units = math.floor(abs(scaled) + Fraction(1, 2))
    return Fraction(-units if scaled < 0 else units, _DIVISION_UNIT)


# --- ranges -------------------------------------------------------------------------------------------


@TABLE.function("until", "int")
def until(count: int) -> GoInts:
    """0, 1, 2 and so on below `count`; for a negative count downwards."""
    return until_step(0, count, -1 if count < 0 else 1)


@TABLE.function("untilStep", "int, int, int")
def until_step(start: int, stop: int, step: int) -> GoInts:
    """From `start` on in steps, before `stop`; empty if the step leads away or is 0."""
    if not step or (stop < start) != (step < 0):
        return GoInts()
    numbers = range(start, stop, step)
    check_elements(_length(numbers))
    return GoInts(numbers)


def _length(numbers: range) -> int:
    """len() of a range, which Python refuses above its largest index."""
    return -(-(numbers.stop - numbers.start) // numbers.step)


@TABLE.function("seq", "...int")
def seq(*params: int) -> str:
    """Like seq(1): `last`, `first last` or `first step last`; the numbers with spaces between."""
    if len(params) not in (1, 2, 3):
        return ""
    first = params[0] if len(params) > 1 else 1
    last = params[-1]
    direction = -1 if last < first else 1
    step = params[1] if len(params) == 3 else direction
    if direction < 0 < step:
        return ""
    text = " ".join(map(str, until_step(first, last + direction, step)))
    check_size(len(text))
    return text
