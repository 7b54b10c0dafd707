"""Static types of operations: which operands an operator takes, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from events.lang.exprlang.gotypes import (
    ANY,
    BOOL,
    DURATION,
    FLOAT,
    INTS,
    STRING,
    TIME,
    Signature,
    Test,
    Type,
    assignable,
    combined,
    comparable,
    either,
    is_any,
    is_duration,
    is_integer,
    is_number,
    is_string,
    is_time,
)

_ORDERED: Final[tuple[Test, ...]] = (is_number, is_string, is_time)
_ADDABLE: Final[tuple[Test, ...]] = (is_number, is_string, is_time, is_duration)


def coalesced(left: Type | None, right: Type | None) -> Type | None:
    """The type of `left ?? right`."""
    if left is None or right is None:
        return left or right
    return left if assignable(right, left) else ANY


def fits(signature: Signature, types: list[Type | None]) -> bool:
    """Whether a call with these arguments passes; integers pass for integers of another size."""
    count, given = len(signature.params), len(types)
    if given < count - 1 if signature.variadic else given != count:
        return False
    return all(_passes(found, signature.param(index)) for index, found in enumerate(types))


def _passes(found: Type | None, wanted: Type) -> bool:
    if found is None or is_any(found) or assignable(found, wanted):
        return True
    return is_integer(wanted) and is_integer(found) and found.kind != wanted.kind


def operation(operator: str, left: Type | None, right: Type | None) -> Type | None:
    """The type of `left operator right`, None if there is no such operation."""
    if left is not None and right is not None and is_number(left) and is_number(right):
        return _of_numbers(operator, left, right)
    rule = _RULES.get(operator)
    return rule(left, right) if rule is not None else None


def _of_numbers(operator: str, left: Type, right: Type) -> Type | None:
    if operator in _COMPARISONS:
        return BOOL
    if operator in ("/", "**", "^"):
        return FLOAT
    if operator == "..":
        return INTS if is_integer(left) and is_integer(right) else None
    if operator == "%" and not (is_integer(left) and is_integer(right)):
        return None
    return combined(left, right) if operator in "+-*%" else None


def _of_texts(left: Type | None, right: Type | None) -> Type | None:
    both = is_string(left) and is_string(right)
    return BOOL if both or either(left, right, is_string) else None


def _ordering(left: Type | None, right: Type | None) -> Type | None:
    both = any(test(left) and test(right) for test in (is_string, is_time))
    return BOOL if both or either(left, right, *_ORDERED) else None


def _difference(left: Type | None, right: Type | None) -> Type | None:
    if is_time(left) and (is_time(right) or is_duration(right)):
        return DURATION if is_time(right) else TIME
    return ANY if either(left, right, is_number, is_time) else None


def _sum(left: Type | None, right: Type | None) -> Type | None:
    if is_string(left) and is_string(right):
        return STRING
    if (is_time(left) and is_duration(right)) or (is_duration(left) and is_time(right)):
        return TIME
    return ANY if either(left, right, *_ADDABLE) else None


def _unknown(test: Test, result: Type) -> Callable[[Type | None, Type | None], Type | None]:
    """The rule of operators that need an unknown side when not both are numbers."""
    return lambda left, right: result if either(left, right, test) else None


_COMPARISONS: Final = frozenset({"==", "!=", "<", ">", "<=", ">="})
_RULES: Final[dict[str, Callable[[Type | None, Type | None], Type | None]]] = {
    **dict.fromkeys(("==", "!="), lambda left, right: BOOL if comparable(left, right) else None),
    **dict.fromkeys(("<", ">", "<=", ">="), _ordering),
    **dict.fromkeys(("matches", "contains", "startsWith", "endsWith"), _of_texts),
    **dict.fromkeys(("/", "**", "^"), _unknown(is_number, FLOAT)),
    "-": _difference,
    "+": _sum,
    "*": _unknown(is_number, ANY),
    "%": _unknown(is_integer, ANY),
    "..": _unknown(is_integer, INTS),
}
"""Operators on what is not a pair of numbers: from the types of both sides to the type of the result."""
