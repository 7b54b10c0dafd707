"""Defaults, choices and types."""

from __future__ import annotations

from typing import Any, NoReturn

from events.errors import EvaluationError
from events.lang.govalue import kind_name, type_name
from events.lang.sprig.identity import deep_equal
from events.lang.sprig.table import Table, check_tree

TABLE = Table()
TABLE.add("deepEqual", "any, any", deep_equal)
TABLE.add("typeOf", "any", type_name)
TABLE.add("kindOf", "any", kind_name)


@TABLE.function("empty", "any")
def empty(value: Any) -> bool:
    """Whether a value is nil, false, 0, or has no elements or characters. Times and versions never are."""
    return not value


@TABLE.function("default", "any, ...any")
def default(fallback: Any, *given: Any) -> Any:
    """The value, or the fallback if it is missing or empty."""
    return given[0] if given and given[0] else fallback


@TABLE.function("coalesce", "...any")
def coalesce(*values: Any) -> Any:
    """The first value that is not empty, nil if all are."""
    return next((value for value in values if value), None)


@TABLE.function("all", "...any")
def all_(*values: Any) -> bool:
    """Whether no value is empty."""
    return all(values)


@TABLE.function("any", "...any")
def any_(*values: Any) -> bool:
    """Whether some value is not empty."""
    return any(values)


@TABLE.function("ternary", "any, any, bool")
def ternary(if_true: Any, if_false: Any, condition: bool) -> Any:
    """The first value for true, else the second."""
    return if_true if condition else if_false


@TABLE.function("fail", "string")
def fail(message: str) -> NoReturn:
    """Always raises EvaluationError with this message."""
    raise EvaluationError(message)


@TABLE.function("typeIs", "string, any")
def type_is(name: str, value: Any) -> bool:
    """Whether the value is of this Go type, such as `float64`."""
    return name == type_name(value)


@TABLE.function("typeIsLike", "string, any")
def type_is_like(name: str, value: Any) -> bool:
    """Whether the value is of this Go type or a pointer to it."""
    return type_name(value) in (name, f"*{name}")


@TABLE.function("kindIs", "string, any")
def kind_is(name: str, value: Any) -> bool:
    """Whether the value is of this kind, such as `slice`."""
    return name == kind_name(value)


@TABLE.function("deepCopy mustDeepCopy", "any")
def deep_copy(value: Any) -> Any:
    """A copy that shares nothing with the value. Raises EvaluationError for nil."""
    if value is None:
        raise EvaluationError("nothing to copy: the value is nil")
    check_tree(value)
    return _copy(value)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return type(value)({key: _copy(item) for key, item in value.items()})
    if isinstance(value, list):
        return type(value)([_copy(item) for item in value])
    return value
