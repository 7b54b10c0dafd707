"""Builtins over numbers and lists of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from events.errors import EvaluationError, ExpressionError, shorten
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.operators import less, more, truncate, wrap
from events.lang.exprlang.values import NUMBERS, describe
from events.lang.govalue import kind_name
from events.lang.scalars import parse_float

_DIGITS: Final = re.compile(r"[+-]?[0-9]{1,4000}")
_SIGNED: Final = frozenset({"int", "int32", "int64"})


def absolute(_: Budget, value: Any) -> Any:
    """Without its sign; the type stays."""
    _require_number("abs", value)
    if type(value) is float:
        return -value if value < 0 else value
    return value if value >= 0 else type(value)(wrap(-value))


def rounded(name: str, rule: Callable[[float], float]) -> Callable[[Budget, Any], float]:
    """The builtin that rounds a float by this rule and makes a float of an integer."""

    def call(_: Budget, value: Any) -> float:
        _require_number(name, value)
        number = float(value)
        return rule(number) if math.isfinite(number) else number

    return call


def ceiling(value: float) -> float:
    """Up to a whole number."""
    return math.copysign(float(math.ceil(value)), value)


def floor(value: float) -> float:
    """Down to a whole number."""
    return math.copysign(float(math.floor(value)), value)


def nearest(value: float) -> float:
    """To the nearest whole number, halves away from zero."""
    whole = float(math.trunc(value))
    if abs(value - whole) >= 0.5:
        whole += math.copysign(1.0, value)
    return math.copysign(whole, value)


def integer(_: Budget, value: Any) -> int:
    """An int: fractions are cut off, text is read as decimal digits. Raises EvaluationError."""
    if type(value) is float:
        return truncate(value)
    if type(value) in NUMBERS:
        return wrap(int(value))
    if type(value) is str and _DIGITS.fullmatch(value) and wrap(int(value)) == int(value):
        return int(value)
    raise EvaluationError(f"no integer: {_shown(value)}")


def floating(_: Budget, value: Any) -> float:
    """A float, also of text. Raises EvaluationError."""
    if type(value) is float:
        return value
    if type(value) in NUMBERS:
        return float(value)
    if type(value) is not str:
        raise EvaluationError(f"no number: {_shown(value)}")
    try:
        return parse_float(value)
    except ExpressionError as exc:
        raise EvaluationError(f"no number: {_shown(value)}") from exc


def _shown(value: Any) -> str:
    return repr(shorten(value)) if type(value) is str else describe(value)


def maximum(_: Budget, *values: Any) -> Any:
    """The largest argument; leading nils are passed over."""
    return _extreme(values, less)


def minimum(_: Budget, *values: Any) -> Any:
    """The smallest argument; leading nils are passed over."""
    return _extreme(values, more)


def _extreme(values: Iterable[Any], gives_way: Callable[[Any, Any], bool]) -> Any:
    best: Any = None
    for value in values:
        if best is None or gives_way(best, value):
            best = value
    return best


def total(budget: Budget, values: Any) -> int | float:
    """The sum: an int as long as all elements are."""
    items = _numbers(budget, "sum", values)
    result: int | float = 0
    for index, item in enumerate(items):
        if type(item) is float:
            return _float_sum(float(result), items[index:])
        result = wrap(int(result) + int(item))
    return result


def _float_sum(start: float, items: list[Any]) -> float:
    for item in items:
        start += float(item)
    return start


def mean(budget: Budget, values: Any) -> float:
    """The arithmetic mean, 0 of an empty list."""
    items = _numbers(budget, "mean", values)
    return _float_sum(0.0, items) / len(items) if items else 0.0


def median(budget: Budget, values: Any) -> float:
    """The middle value, 0 of an empty list."""
    items = sorted(map(float, _numbers(budget, "median", values)))
    if not items:
        return 0.0
    middle = len(items) // 2
    return items[middle] if len(items) % 2 else (items[middle - 1] + items[middle]) / 2


def _numbers(budget: Budget, name: str, values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise EvaluationError(f"cannot {name} {describe(values)}")
    budget.spend(len(values))
    for item in values:
        if type(item) is not float and kind_name(item) not in _SIGNED:
            raise EvaluationError(f"cannot {name} {describe(item)}")
    return values


def _require_number(name: str, value: Any) -> None:
    if type(value) not in NUMBERS:
        raise EvaluationError(f"invalid argument for {name} (type {describe(value)})")
