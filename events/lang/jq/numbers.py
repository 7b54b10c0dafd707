"""jq mathematics: the functions of Go's package math under their jq names.

Missing   the Bessel functions j0, j1, jn, y0, y1, yn
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from events.lang.jq.values import JqError, Value, described, is_number, plain, to_float

LITERAL: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
"""What `tonumber` takes."""


def number(name: str, value: Value) -> float:
    """The value as a double. Raises JqError."""
    if not is_number(value):
        raise JqError(f"{name} cannot be applied to: {described(value)}")
    return to_float(plain(value))


def _one(name: str, function: Callable[[float], float]) -> Callable[[Value], float]:
    return lambda value: _careful(function, number(name, value))


def _two(name: str, function: Callable[[float, float], float]) -> Callable[[Value, Value, Value], float]:
    return lambda _, left, right: _careful(function, number(name, left), number(name, right))


def _careful(function: Callable[..., float], *arguments: float) -> float:
    """As Go: NaN outside of the domain, infinite where the result is too large."""
    try:
        return function(*arguments)
    except ValueError:
        return math.nan
    except OverflowError:
        return math.inf


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    def rounded(value: float) -> float:
        return math.copysign(float(function(value)), value) if math.isfinite(value) else value

    return rounded


def _round(value: float) -> float:
    """Half away from zero."""
    whole = math.floor(abs(value))
    return math.copysign(whole + (abs(value) - whole >= 0.5), value) if math.isfinite(value) else value


def _logarithm(function: Callable[[float], float], start: float = 0.0) -> Callable[[float], float]:
    return lambda value: -math.inf if value == -start else function(value)


def _exponent(value: float) -> float:
    """logb."""
    if value == 0:
        return -math.inf
    return float(math.frexp(value)[1] - 1) if math.isfinite(value) else abs(value)


def _gamma(value: float) -> float:
    if value == 0:
        return math.copysign(math.inf, value)
    return _signed_overflow(math.gamma, value)


def _signed_overflow(function: Callable[[float], float], value: float) -> float:
    try:
        return function(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _log_gamma(value: float) -> float:
    pole = value <= 0 and value == math.floor(value)
    return math.inf if pole or (math.isinf(value) and value > 0) else math.lgamma(value)


def _power(base: float, exponent: float) -> float:
    if base == 0 and exponent < 0:
        odd = exponent == math.floor(exponent) and exponent % 2 == 1
        return math.copysign(math.inf, base) if odd else math.inf
    try:
        return math.pow(base, exponent)
    except OverflowError:
        odd = base < 0 and exponent % 2 == 1
        return -math.inf if odd else math.inf


def _remainder(left: float, right: float) -> float:
    return math.remainder(left, right)


def _drem(left: float, right: float) -> float:
    rest = math.remainder(left, right)
    return math.copysign(rest, left) if rest == 0 else rest


def _scaled(value: float, exponent: float) -> float:
    try:
        return math.ldexp(value, int(max(min(exponent, 10_000), -10_000)))
    except OverflowError:
        return math.copysign(math.inf, value)


def _difference(left: float, right: float) -> float:
    """fdim."""
    return 0.0 if left - right <= 0 else left - right


def _largest(left: float, right: float) -> float:
    return right if left != left or (right == right and _above(right, left)) else left


def _smallest(left: float, right: float) -> float:
    return right if left != left or (right == right and _above(left, right)) else left


def _above(left: float, right: float) -> bool:
    return left > right or (left == right and math.copysign(1, left) > math.copysign(1, right))


def _fused(value: Value, *factors: Value) -> float:
    """fma: the product of the first two and the third, rounded once."""
    left, right, summand = [number("fma", factor) for factor in factors]
    if not all(map(math.isfinite, (left, right, summand))):
        return left * right + summand
    exact = [factor.as_integer_ratio() for factor in (left, right, summand)]
    above = exact[0][0] * exact[1][0] * exact[2][1] + exact[2][0] * exact[0][1] * exact[1][1]
    below = exact[0][1] * exact[1][1] * exact[2][1]
    if above == 0:
        return left * right + summand
    return to_float_ratio(above, below)


def to_float_ratio(above: int, below: int) -> float:
    try:
        return above / below
    except OverflowError:
        return math.inf if above > 0 else -math.inf


def _significand(value: float) -> float:
    return math.frexp(value)[0] * 2


def frexp(value: Value) -> list[Value]:
    fraction, exponent = math.frexp(number("frexp", value))
    return [fraction, exponent]


def modf(value: Value) -> list[Value]:
    fraction, whole = math.modf(number("modf", value))
    return [fraction, whole]


def is_finite(value: Value) -> bool:
    return is_number(value) and not math.isinf(to_float(plain(value)))


def is_infinite(value: Value) -> bool:
    return is_number(value) and math.isinf(to_float(plain(value)))


def is_nan(value: Value) -> bool:
    return value is not None and math.isnan(number("isnan", value))


def is_normal(value: Value) -> bool:
    if not is_number(value):
        return False
    size = abs(to_float(plain(value)))
    return 2.2250738585072014e-308 <= size < math.inf


_ONE: Final[dict[str, Callable[[float], float]]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin, "acos": math.acos,
    "atan": math.atan, "sinh": lambda value: _signed_overflow(math.sinh, value), "cosh": math.cosh,
    "tanh": math.tanh, "asinh": math.asinh, "acosh": math.acosh,
    "atanh": lambda value: math.copysign(math.inf, value) if abs(value) == 1 else math.atanh(value),
    "floor": _whole(math.floor), "round": _round, "nearbyint": _whole(round), "rint": _whole(round),
    "ceil": _whole(math.ceil), "trunc": _whole(math.trunc), "significand": _significand, "fabs": math.fabs,
    "sqrt": math.sqrt, "cbrt": math.cbrt, "exp": math.exp, "exp10": lambda value: _power(10.0, value),
    "exp2": lambda value: _power(2.0, value), "expm1": math.expm1, "log": _logarithm(math.log),
    "log10": _logarithm(math.log10), "log1p": _logarithm(math.log1p, 1.0), "log2": _logarithm(math.log2),
    "logb": _exponent, "gamma": _gamma, "tgamma": _gamma, "lgamma": _log_gamma, "erf": math.erf,
    "erfc": math.erfc,
}  # fmt: skip
_TWO: Final[dict[str, Callable[[float, float], float]]] = {
    "atan2": math.atan2, "copysign": math.copysign, "drem": _drem, "fdim": _difference, "fmax": _largest,
    "fmin": _smallest, "fmod": math.fmod, "hypot": math.hypot, "nextafter": math.nextafter,
    "nexttoward": math.nextafter, "remainder": _remainder, "ldexp": _scaled, "scalb": _scaled,
    "scalbln": _scaled, "pow": _power,
}  # fmt: skip

FUNCTIONS: Final[dict[tuple[str, int], Callable[..., Any]]] = {
    **{(name, 0): _one(name, function) for name, function in _ONE.items()},
    **{(name, 2): _two(name, function) for name, function in _TWO.items()},
    ("fma", 3): _fused,
    ("frexp", 0): frexp,
    ("modf", 0): modf,
    ("infinite", 0): lambda _: math.inf,
    ("nan", 0): lambda _: math.nan,
    ("isfinite", 0): is_finite,
    ("isinfinite", 0): is_infinite,
    ("isnan", 0): is_nan,
    ("isnormal", 0): is_normal,
}
"""By name and arity: functions of the input and the arguments."""
