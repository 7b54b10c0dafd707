"""Arithmetic and comparison of Go values, as antonmedv/expr 1.15.5 defines them.

Numbers of different types compare by value and mix in arithmetic: with a float the result is a float, else an
int of 64 bits that wraps around. Inside lists and maps types count: `[1] == [1.0]` is false.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from events.errors import EvaluationError
from events.lang.exprlang import powers
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.values import NUMBERS, PLAIN, GoFunction, describe
from events.lang.govalue import GoObject, GoUint8, canonical, is_nil, to_bytes, type_name

_LIMIT: Final = 1 << 63
_MASK: Final = (1 << 64) - 1

Operation = Callable[[Any, Any], Any]


def wrap(value: int) -> int:
    """The value as an int64 holds it."""
    return value if -_LIMIT <= value < _LIMIT else ((value + _LIMIT) & _MASK) - _LIMIT


def to_int(value: Any) -> int:
    """An index or bound as an int; floats lose their fraction. Raises EvaluationError for other types."""
    if type(value) is float:
        return truncate(value)
    if type(value) in NUMBERS:
        return wrap(int(value))
    raise EvaluationError(f"invalid operation: int({describe(value)})")


def truncate(value: float) -> int:
    """Go's int(value): out of range and NaN give the smallest int, as on x86."""
    return int(value) if -_LIMIT <= value < _LIMIT else -_LIMIT


def mismatch(operator: str, left: Any, right: Any) -> EvaluationError:
    """The error of an operator that does not take these types."""
    return EvaluationError(f"invalid operation: {describe(left)} {operator} {describe(right)}")


# --- Arithmetic


def add(left: Any, right: Any) -> Any:
    """Numbers, strings, and times with durations."""
    if type(left) is str and type(right) is str:
        return canonical(left + right)
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return _number(left + right)
    return _of_times("+", left, right)


def subtract(left: Any, right: Any) -> Any:
    """Numbers, times and durations."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return _number(left - right)
    return _of_times("-", left, right)


def multiply(left: Any, right: Any) -> Any:
    """Numbers and durations."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return _number(left * right)
    return _of_times("*", left, right)


def divide(left: Any, right: Any) -> float:
    """Always a float; dividing by zero gives an infinity or NaN."""
    if type(left) not in NUMBERS or type(right) not in NUMBERS:
        raise mismatch("/", left, right)
    dividend, divisor = float(left), float(right)
    if divisor:
        return dividend / divisor
    if not dividend or dividend != dividend:
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def modulo(left: Any, right: Any) -> int:
    """Of integers only, which JSON numbers are not; the sign is that of the dividend."""
    for side in (left, right):
        if type(side) not in NUMBERS or type(side) is float:
            raise mismatch("%", left, right)
    if not right:
        raise EvaluationError("integer divide by zero")
    rest = abs(int(left)) % abs(int(right))
    return -rest if left < 0 else rest


def power(left: Any, right: Any) -> float:
    """Always a float."""
    if type(left) not in NUMBERS or type(right) not in NUMBERS:
        raise mismatch("**", left, right)
    return powers.power(float(left), float(right))


ARITHMETIC: Final[dict[str, Operation]] = {
    "+": add, "-": subtract, "*": multiply, "/": divide, "%": modulo, "**": power, "^": power,
}  # fmt: skip


def negate(value: Any) -> Any:
    """Numbers only; the type stays."""
    if type(value) is float:
        return -value
    if type(value) not in NUMBERS:
        raise EvaluationError(f"invalid operation: - {describe(value)}")
    if type(value) is GoUint8:
        return GoUint8(-value & 0xFF)
    return type(value)(wrap(-value))


def _number(value: float) -> float:
    return value if type(value) is float else wrap(int(value))


def _of_times(operator: str, left: Any, right: Any) -> Any:
    if isinstance(left, GoObject) or isinstance(right, GoObject):
        from events.lang.exprlang.times import arithmetic  # loads the time zones and Sprig's types

        result = arithmetic(operator, left, right)
        if result is not None:
            return result
    raise mismatch(operator, left, right)


# --- Order


def less(left: Any, right: Any) -> bool:
    """`left < right` of numbers, strings, times or durations."""
    first, second = _ordered("<", left, right)
    return bool(first < second)


def more(left: Any, right: Any) -> bool:
    """`left > right`."""
    first, second = _ordered(">", left, right)
    return bool(first > second)


def less_or_equal(left: Any, right: Any) -> bool:
    """`left <= right`."""
    first, second = _ordered("<=", left, right)
    return bool(first <= second)


def more_or_equal(left: Any, right: Any) -> bool:
    """`left >= right`."""
    first, second = _ordered(">=", left, right)
    return bool(first >= second)


def _ordered(operator: str, left: Any, right: Any) -> tuple[Any, Any]:
    """Both sides as Python compares them."""
    one, other = type(left), type(right)
    if one in NUMBERS and other in NUMBERS:
        if one is other or (one is not float and other is not float):
            return left, right
        return float(left), float(right)
    if one is str and other is str:
        return (left, right) if left.isascii() and right.isascii() else (to_bytes(left), to_bytes(right))
    if one is other and type_name(left) in ("time.Time", "time.Duration"):
        return (
            (left.nanoseconds, right.nanoseconds)
            if type_name(left) == "time.Time"
            else (int(left), int(right))
        )
    raise mismatch(operator, left, right)


# --- Equality


def equal(budget: Budget, left: Any, right: Any) -> bool:
    """`left == right`: numbers by value, other values only within one type. Never fails for its types."""
    one, other = type(left), type(right)
    if one is other and one in PLAIN:
        return bool(left == right)
    if one in NUMBERS and other in NUMBERS:
        if one is float or other is float:
            return float(left) == float(right)
        return bool(left == right)
    if one in PLAIN and other in PLAIN:
        return False
    if is_nil(left) and is_nil(right):
        return True
    if one is other and describe(left) == "time.Time":
        return bool(left.nanoseconds == right.nanoseconds)
    return deep_equal(budget, left, right)


def deep_equal(budget: Budget, left: Any, right: Any) -> bool:
    """Go's reflect.DeepEqual: types and values are the same all the way down."""
    one = type(left)
    if one in PLAIN or type(right) in PLAIN:
        return one is type(right) and bool(left == right)
    if type_name(left) != type_name(right) or is_nil(left) != is_nil(right):
        return False
    if left is right and isinstance(left, (list, dict)):
        return True
    if isinstance(left, list):
        return _equal_lists(budget, left, right)
    if isinstance(left, dict):
        return _equal_maps(budget, left, right)
    return not isinstance(left, GoFunction) and bool(left == right)


def _equal_lists(budget: Budget, left: list[Any], right: list[Any]) -> bool:
    if len(left) != len(right):
        return False
    budget.spend(len(left))
    return all(deep_equal(budget, one, other) for one, other in zip(left, right, strict=True))


def _equal_maps(budget: Budget, left: dict[Any, Any], right: dict[Any, Any]) -> bool:
    if len(left) != len(right) or left.keys() != right.keys():
        return False
    budget.spend(len(left))
    return all(deep_equal(budget, value, right[key]) for key, value in left.items())
