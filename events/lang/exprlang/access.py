"""Members, indexes, slices, lengths and membership of Go values. Strings are bytes here, as in Go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from events.errors import EvaluationError, shorten
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.operators import equal, to_int
from events.lang.exprlang.values import (
    GoFunction,
    GoGroups,
    GoPair,
    IntSet,
    TextSet,
    describe,
    has_any_keys,
    map_key,
)
from events.lang.govalue import (
    GoNilList,
    GoObject,
    GoStringMap,
    GoUint8,
    byte_length,
    from_bytes,
    to_bytes,
)


class _Unreadable:
    """Stands for the elements of a map in a loop: they can be counted, but not read."""


UNREADABLE: Final = _Unreadable()


def fetch(base: Any, key: Any) -> Any:
    """`base[key]` and `base.key`: nil for an absent key of a map. Raises EvaluationError for all else."""
    kind = type(base)
    if kind is dict:
        return _fetch_member(base, key)
    if kind is list or isinstance(base, list):
        return base[_position(len(base), key)]
    if kind is str:
        data = to_bytes(base)
        return GoUint8(data[_position(len(data), key)])
    if isinstance(base, dict):
        return _fetch_other_member(base, key)
    if isinstance(base, GoObject) and isinstance(key, str):
        return _fetch_from_object(base, key)
    raise EvaluationError(f"cannot fetch {_shown(key)} from {describe(base)}")


def _fetch_member(base: dict[str, Any], key: Any) -> Any:
    if type(key) is str:
        return base.get(key)
    if key is None:
        return base.get("")
    raise EvaluationError(f"a key of {describe(base)} must be a string, not {describe(key)}")


def _fetch_other_member(base: dict[Any, Any], key: Any) -> Any:
    if has_any_keys(base):
        found = base.get(map_key(key))
        return GoNilList() if found is None and isinstance(base, GoGroups) else found
    found = _fetch_member(base, key)
    return "" if found is None and isinstance(base, GoStringMap) else found


def _position(length: int, key: Any) -> int:
    position = to_int(key)
    if position < 0:
        position += length
    if not 0 <= position < length:
        raise EvaluationError("index out of range")
    return position


def _fetch_from_object(base: GoObject, name: str) -> Any:
    from events.lang.exprlang.times import method  # loads the time zones and Sprig's types

    found = method(base, name)
    if found is not None:
        return found
    fields = base.go_fields()
    if name not in fields:
        raise EvaluationError(f"cannot fetch {_shown(name)} from {describe(base)}")
    return fields[name]


def _shown(key: Any) -> str:
    return repr(shorten(key) if type(key) is str else key) if type(key) in (str, int) else describe(key)


def cut(base: Any, start: Any, stop: Any) -> Any:
    """`base[start:stop]` of a list or string; bounds outside of it are moved to its ends."""
    if type(base) is str:
        if base.isascii():
            return base[slice(*_bounds(len(base), start, stop))]
        data = to_bytes(base)
        return from_bytes(data[slice(*_bounds(len(data), start, stop))])
    if isinstance(base, list) and not isinstance(base, GoPair):
        part = base[slice(*_bounds(len(base), start, stop))]
        return part if type(base) is list else type(base)(part)
    raise EvaluationError(f"cannot slice {describe(base)}")


def _bounds(length: int, start: Any, stop: Any) -> tuple[int, int]:
    first, last = _bound(length, to_int(start)), min(_bound(length, to_int(stop)), length)
    return min(first, last), last


def _bound(length: int, position: int) -> int:
    return max(position + length, 0) if position < 0 else position


def length(value: Any) -> int:
    """Elements of a list or map, bytes of a string. Raises EvaluationError for all else."""
    if type(value) is str:
        return byte_length(value)
    if isinstance(value, (list, dict)):
        return len(value)
    raise EvaluationError(f"invalid argument for len (type {describe(value)})")


def elements(value: Any) -> Sequence[Any]:
    """What a loop runs over: a list, the bytes of a string, or the places of a map."""
    if isinstance(value, (list, range)):
        return value
    if type(value) is str:
        return list(map(GoUint8, to_bytes(value)))
    if isinstance(value, dict):
        return [UNREADABLE] * len(value)
    raise EvaluationError(f"cannot loop over {describe(value)}")


def contains(budget: Budget, needle: Any, collection: Any) -> bool:
    """`needle in collection`: element of a list, key of a map. Raises EvaluationError for all else."""
    kind = type(collection)
    if kind is list or isinstance(collection, list):
        budget.spend(len(collection))
        if type(needle) is str:
            return needle in collection
        return any(equal(budget, item, needle) for item in collection)
    if isinstance(collection, dict):
        return _has_key(collection, needle)
    if kind is TextSet or kind is IntSet:
        return in_constant(needle, collection)
    if collection is None:
        return False
    if isinstance(collection, GoObject) and not isinstance(collection, (int, GoFunction)):
        return _has_field(collection, needle)
    raise EvaluationError(f"in is not defined for {describe(collection)}")


def in_constant(needle: Any, collection: IntSet | TextSet) -> bool:
    """Membership in a list of literals of one type, which must be the type of the needle."""
    if type(collection) is TextSet:
        if needle is None:
            return "" in collection
        if type(needle) is str:
            return needle in collection
        raise EvaluationError(f"in compares strings here, not {describe(needle)}")
    if needle is None:
        return 0 in collection
    if type(needle) is not int:
        raise EvaluationError(f"in compares integers here, not {describe(needle)}")
    return needle in collection


def _has_key(collection: dict[Any, Any], needle: Any) -> bool:
    if has_any_keys(collection):
        return map_key(needle) in collection
    if needle is None:
        return "" in collection
    if type(needle) is not str:
        raise EvaluationError(f"a key of {describe(collection)} must be a string, not {describe(needle)}")
    return needle in collection


def _has_field(collection: GoObject, needle: Any) -> bool:
    if type(needle) is not str:
        raise EvaluationError(f"a field is named by a string, not {describe(needle)}")
    from events.lang.exprlang.timemethods import TIME_FIELDS

    return needle in (TIME_FIELDS if describe(collection) == "time.Time" else collection.go_fields())
