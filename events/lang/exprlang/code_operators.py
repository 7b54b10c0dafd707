"""Closures of unary and binary operators; comparisons with constants, the usual filter, have their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from events.errors import EvaluationError, ExpressionError
from events.lang.exprlang import operators, texts
from events.lang.exprlang.access import contains, in_constant
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.code import BUDGET, Code, Frame, boolean, normal
from events.lang.exprlang.values import IntSet, TextSet, describe, is_absent
from events.lang.govalue import GoInts
from events.lang.regex import compile_regex

_PATTERN_STEPS: Final = 100
"""What compiling a regular expression costs when its text is known only with the event."""
_EXACT: Final = 2**53

_ORDER: Final[dict[str, operators.Operation]] = {
    "<": operators.less,
    ">": operators.more,
    "<=": operators.less_or_equal,
    ">=": operators.more_or_equal,
}
_TEXT: Final[dict[str, operators.Operation]] = {
    "contains": texts.has,
    "startsWith": texts.starts,
    "endsWith": texts.ends,
}


def unary(operator: str, operand: Code) -> Code:
    """`not x`, `-x`; `+x` is x."""
    if operator == "+":
        return operand
    if operator == "-":
        return lambda frame: operators.negate(operand(frame))
    return lambda frame: not boolean(operand(frame))


def binary(operator: str, left: Code, right: Code) -> Code:
    """An operator whose sides are values of any kind."""
    if operator == "==":
        return lambda frame: operators.equal(frame[BUDGET], left(frame), right(frame))
    if operator == "!=":
        return lambda frame: not operators.equal(frame[BUDGET], left(frame), right(frame))
    special = {"+": _sum, "..": _range, "??": _coalesced, "matches": _matches}.get(operator)
    if special is not None:
        return special(left, right)
    plain = _ORDER.get(operator) or operators.ARITHMETIC.get(operator) or _TEXT[operator]
    return lambda frame: plain(left(frame), right(frame))


def strictly_equal(kind: type, left: Code, right: Code) -> Code:
    """`==` of sides that are known to be of one type: what is of another one all the same is an error."""

    def run(frame: Frame) -> bool:
        one, other = left(frame), right(frame)
        for side in (one, other):
            if type(side) is not kind:
                raise EvaluationError(f"expected {kind.__name__}, got {describe(side)}")
        return bool(one == other)

    return run


def equals_constant(left: Code, value: Any) -> Code:
    """`left == value` where the value is a string, bool or nil; `left` may be raw."""
    if value is None:
        return lambda frame: is_absent(left(frame))
    if type(value) is bool:
        return lambda frame: left(frame) is value
    return lambda frame: bool(left(frame) == value)


def equals_number(left: Code, value: float) -> Code:
    """`left == value` where the value is an int or float."""
    number = float(value)

    def run(frame: Frame) -> bool:
        found = left(frame)
        return found == number if type(found) is float else operators.equal(frame[BUDGET], found, value)

    return run


def ordered_number(operator: str, left: Code, value: float) -> Code:
    """`left < value` and its kin where the value is an int or float."""
    compare, number = _ORDER[operator], float(value)
    fast: Callable[[float], bool] = {
        "<": number.__gt__,
        ">": number.__lt__,
        "<=": number.__ge__,
        ">=": number.__le__,
    }[operator]

    def run(frame: Frame) -> bool:
        found = left(frame)
        return fast(found) if type(found) is float else bool(compare(found, value))

    return run


def negated(code: Code) -> Code:
    """Not the result, which is a bool."""
    return lambda frame: not code(frame)


# --- in


def member_of_constant(left: Code, collection: IntSet | TextSet) -> Code:
    """`left in [literals]`; `left` may be raw."""
    return lambda frame: in_constant(left(frame), collection)


def member_of_range(left: Code, collection: range) -> Code:
    """`left in 1..3`."""
    if collection and max(abs(collection[0]), abs(collection[-1])) > _EXACT:
        return lambda frame: contains(frame[BUDGET], left(frame), list(collection))

    def run(frame: Frame) -> bool:
        found = left(frame)
        if type(found) is float:
            return found.is_integer() and int(found) in collection
        return any(operators.equal(frame[BUDGET], found, bound) for bound in _near(found, collection))

    return run


def _near(value: Any, collection: range) -> range:
    """The element that an integer of any type can equal."""
    if isinstance(value, int) and type(value) is not bool and int(value) in collection:
        return range(int(value), int(value) + 1)
    return range(0)


def member_of(left: Code, right: Code, *, raw: bool) -> Code:
    """`left in right`; with `raw` the right side is."""

    def run(frame: Frame) -> bool:
        needle, collection = left(frame), right(frame)
        if raw and type(needle) is not str:
            collection = normal(frame[BUDGET], collection)
        return contains(frame[BUDGET], needle, collection)

    return run


# --- The others


def _sum(left: Code, right: Code) -> Code:
    def run(frame: Frame) -> Any:
        result = operators.add(left(frame), right(frame))
        if type(result) is str:
            frame[BUDGET].write(len(result))
        return result

    return run


def _range(left: Code, right: Code) -> Code:
    def run(frame: Frame) -> GoInts:
        first, last = operators.to_int(left(frame)), operators.to_int(right(frame))
        size = max(operators.wrap(last - first + 1), 0)
        frame[BUDGET].build(size)
        return GoInts(range(first, first + size))

    return run


def range_list(values: range) -> Code:
    """A range of literals as a list; upstream makes it at compile time, so it is free of its memory limit."""

    def run(frame: Frame) -> GoInts:
        frame[BUDGET].spend(len(values))
        return GoInts(values)

    return run


def _coalesced(left: Code, right: Code) -> Code:
    def run(frame: Frame) -> Any:
        value = left(frame)
        return right(frame) if is_absent(value) else value

    return run


def matches_constant(left: Code, search: Callable[[str], bool]) -> Code:
    """`left matches "..."`."""
    return lambda frame: search(texts.text_of(left(frame)))


def _matches(left: Code, right: Code) -> Code:
    def run(frame: Frame) -> bool:
        text, pattern = texts.text_of(left(frame)), texts.text_of(right(frame))
        frame[BUDGET].spend(_PATTERN_STEPS)
        return search_for(pattern)(text)

    return run


def search_for(pattern: str) -> Callable[[str], bool]:
    """The search for a regular expression. Raises EvaluationError."""
    try:
        return compile_regex(pattern).search
    except ExpressionError as exc:
        raise EvaluationError(exc.message) from exc


def read_text(code: Code) -> Code:
    """The code of a text that an operator searches: its length counts."""

    def run(frame: Frame) -> Any:
        value = code(frame)
        budget: Budget = frame[BUDGET]
        budget.read(value)
        return value

    return run


TEXT_OPERATORS: Final = frozenset({*_TEXT, "matches"})
ORDER_OPERATORS: Final = frozenset(_ORDER)
