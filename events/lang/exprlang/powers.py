"""Go's math.Pow: for whole exponents to the last bit, since it multiplies step by step as Go does."""

from __future__ import annotations

import math
from typing import Final

_LARGEST: Final = 2.0**63
_FAR: Final = 1 << 12
"""Binary exponents beyond this one overflow or vanish for certain."""


def power(base: float, exponent: float) -> float:
    """base ** exponent. Never fails: NaN for roots of negative numbers, infinities for what is too large."""
    if not base or not math.isfinite(base) or not math.isfinite(exponent):
        return _special(base, exponent)
    if abs(exponent) == 0.5:
        root = math.sqrt(base) if base > 0 else math.nan
        return root if exponent > 0 else 1 / root
    fraction, whole = math.modf(abs(exponent))
    if fraction and base < 0:
        return math.nan
    if whole >= _LARGEST:
        return _extreme(base, exponent)
    return _computed(base, exponent, fraction, int(whole))


def _computed(base: float, exponent: float, fraction: float, whole: int) -> float:
    result, scale = 1.0, 0
    if fraction > 0.5:
        fraction, whole = fraction - 1, whole + 1
    if fraction:
        result = math.exp(fraction * math.log(base))
    square, binary = math.frexp(base)
    while whole:
        if abs(binary) > _FAR:
            scale += binary
            break
        if whole & 1:
            result *= square
            scale += binary
        square *= square
        binary *= 2
        if square < 0.5:
            square += square
            binary -= 1
        whole >>= 1
    return _scaled(1 / result, -scale) if exponent < 0 else _scaled(result, scale)


def _scaled(value: float, scale: int) -> float:
    try:
        return math.ldexp(value, scale)
    except OverflowError:
        return math.copysign(math.inf, value)


def _extreme(base: float, exponent: float) -> float:
    """Exponents so large that they are even."""
    if abs(base) == 1:
        return 1.0
    return 0.0 if (abs(base) < 1) == (exponent > 0) else math.inf


def _special(base: float, exponent: float) -> float:
    """Zeros, infinities and NaN, where C and Go agree; Python refuses to divide by zero."""
    if base or exponent >= 0 or math.isnan(exponent):
        return math.pow(base, exponent)
    return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf
