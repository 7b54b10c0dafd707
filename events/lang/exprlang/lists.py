"""Builtins over lists and maps, and those that take any value."""

from __future__ import annotations

from typing import Any, Final

from events.errors import EvaluationError
from events.lang.exprlang.access import fetch, length
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.values import (
    GoPair,
    GoPaired,
    GoPairs,
    describe,
    has_any_keys,
    key_value,
    map_key,
)
from events.lang.gofmt import sprint
from events.lang.govalue import kind_name, to_bytes, type_name

_KINDS: Final = {"float64": "float", "slice": "array", "invalid": "nil"}
_NAMED: Final = {
    "time.Time": "time.Time",
    "time.Duration": "time.Duration",
    "time.Month": "time.Month",
    "time.Weekday": "time.Weekday",
    "*time.Location": "time.Location",
    "*semver.Version": "github.com/Masterminds/semver/v3.Version",
}
_SORTABLE: Final = frozenset({"int", "int32", "int64", "float64", "string"})


def count(_: Budget, value: Any) -> int:
    """len."""
    return length(value)


def type_text(_: Budget, value: Any) -> str:
    """`int`, `float`, `string`, `bool`, `array`, `map`, `nil`, `func`; named types with their package."""
    named = _NAMED.get(type_name(value))
    if named is not None:
        return named
    kind = kind_name(value)
    return _KINDS.get(kind) or kind.rstrip("0123456789")


def text(budget: Budget, value: Any) -> str:
    """The value as Go's %v prints it."""
    if type(value) is str:
        return value
    budget.walk(value)
    return sprint(value)


def first(_: Budget, value: Any) -> Any:
    """The first element, nil if there is none or this is no list."""
    return _fetch_or_nil(value, 0)


def last(_: Budget, value: Any) -> Any:
    """The last element, nil if there is none or this is no list."""
    return _fetch_or_nil(value, -1)


def get(_: Budget, value: Any, key: Any) -> Any:
    """The element or member, nil if there is none, whatever the reason."""
    return _fetch_or_nil(value, key)


def _fetch_or_nil(value: Any, key: Any) -> Any:
    try:
        return fetch(value, key)
    except EvaluationError:
        return None


def take(_: Budget, values: Any, number: Any) -> Any:
    """The first elements of a list; a JSON number (float) is no number of elements."""
    if not isinstance(values, list):
        raise EvaluationError(f"cannot take from {describe(values)}")
    if kind_name(number) not in ("int", "int32", "int64"):
        raise EvaluationError(f"cannot take {describe(number)} elements")
    if number > len(values):
        return values
    if number < 0 or isinstance(values, GoPair):
        raise EvaluationError("slice bounds out of range")
    return values[:number] if type(values) is list else type(values)(values[:number])


def keys(budget: Budget, value: Any) -> list[Any]:
    """The keys of a map."""
    return [key_value(key) for key in _map(budget, value, "get keys from")]


def values(budget: Budget, value: Any) -> list[Any]:
    """The values of a map."""
    return list(_map(budget, value, "get values from").values())


def to_pairs(budget: Budget, value: Any) -> GoPairs:
    """[key, value] for each member of a map."""
    return GoPairs(
        GoPair((key_value(key), item)) for key, item in _map(budget, value, "make pairs from").items()
    )


def from_pairs(budget: Budget, pairs: Any) -> GoPaired:
    """A map of a list of [key, value]."""
    paired = GoPaired()
    for pair in _list(budget, pairs, "make a map of"):
        if not isinstance(pair, list) or len(pair) != 2:
            raise EvaluationError(f"invalid pair: {describe(pair)}")
        paired[map_key(pair[0])] = pair[1]
    return paired


def sort(budget: Budget, items: Any, *direction: Any) -> list[Any]:
    """The elements in ascending order, or descending if "desc" is given. All are of one type."""
    return _sorted(_list(budget, items, "sort"), "", *direction)


def sort_by(budget: Budget, items: Any, name: Any, *direction: Any) -> list[Any]:
    """As `sort`, maps by the member of this name."""
    found = _list(budget, items, "sort")
    if type(name) is not str:
        raise EvaluationError(f"sortBy expects the name of a member, not {describe(name)}")
    return _sorted(found, name, *direction)


def _sorted(items: list[Any], name: str, direction: Any = "asc") -> list[Any]:
    if direction not in ("asc", "desc"):
        raise EvaluationError('the order must be "asc" or "desc"')
    ranks = [_rank(item, name) for item in items]
    if len({type_name(rank) for rank in ranks}) > 1:
        raise EvaluationError("cannot sort an array of different types")
    if len(items) < 2:
        return list(items)
    if kind_name(ranks[0]) not in _SORTABLE:
        raise EvaluationError(f"cannot sort {describe(ranks[0])}")
    if type(ranks[0]) is str:
        ranks = [to_bytes(rank) for rank in ranks]
    order = sorted(range(len(items)), key=ranks.__getitem__, reverse=direction == "desc")
    return [items[index] for index in order]


def _rank(item: Any, name: str) -> Any:
    """What an element is sorted by."""
    if isinstance(item, dict):
        key = map_key(name) if has_any_keys(item) else name
        if key not in item:
            raise EvaluationError(f"cannot sort by {name!r}: a map lacks it")
        return item[key]
    if type_name(item) == "time.Time":
        raise EvaluationError("cannot sort times")
    return item


def _map(budget: Budget, value: Any, purpose: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise EvaluationError(f"cannot {purpose} {describe(value)}")
    budget.spend(len(value))
    return value


def _list(budget: Budget, value: Any, purpose: str) -> list[Any]:
    if not isinstance(value, list):
        raise EvaluationError(f"cannot {purpose} {describe(value)}")
    budget.spend(len(value))
    return value
