"""Go values that only filter expressions have: pairs, maps with keys of any type, functions as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from events.errors import EvaluationError
from events.lang.gofmt import sprint
from events.lang.govalue import GoInt32, GoInt64, GoObject, GoUint8, GoUint64, is_nil, type_name

NUMBERS: Final = frozenset({int, float, GoInt64, GoInt32, GoUint8, GoUint64})
"""The types that operators take as numbers; durations and months are not among them."""

PLAIN: Final = frozenset({str, float, int, bool, type(None)})
"""The types that hold no other values and whose equality Python and Go see alike within one type."""


class GoPair(list[Any]):
    """[2]interface {}: one element of what `toPairs` returns."""

    go_type: ClassVar[str] = "[2]interface {}"
    go_kind: ClassVar[str] = "slice"


class GoPairs(list[GoPair]):
    """[][2]interface {}: what `toPairs` returns."""

    go_type: ClassVar[str] = "[][2]interface {}"
    go_kind: ClassVar[str] = "slice"


class GoGroups(dict[Any, list[Any]]):
    """map[interface {}][]interface {}: what `groupBy` returns. Keys are made by `map_key`."""

    go_type: ClassVar[str] = "map[interface {}][]interface {}"
    go_kind: ClassVar[str] = "map"


class GoNilGroups(GoGroups):
    """What `groupBy` returns for an empty list: a nil map."""

    go_nil: ClassVar[bool] = True


class GoPaired(dict[Any, Any]):
    """map[interface {}]interface {}: what `fromPairs` returns. Keys are made by `map_key`."""

    go_type: ClassVar[str] = "map[interface {}]interface {}"
    go_kind: ClassVar[str] = "map"


class GoFunction(GoObject):
    """A function of the environment, or a bound method. `call` gets the budget, then the arguments."""

    go_type: ClassVar[str] = "func"
    go_kind: ClassVar[str] = "func"

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self.name, self.call = name, call

    def go_text(self) -> str:
        """Go prints an address here."""
        return f"func {self.name}"


class IntSet(frozenset[int]):
    """The right side of `in`: nothing but an int may be looked up."""


class TextSet(frozenset[str]):
    """The right side of `in`: nothing but a string or nil, which counts as an empty one, may be looked up."""


@dataclass(frozen=True)
class AnyKey(GoObject):
    """A key of a map that takes all types: 1, 1.0 and true are three keys. Strings stand for themselves."""

    type: str
    value: Any

    def go_text(self) -> str:
        """The key as it is printed."""
        return sprint(key_value(self))

    def __lt__(self, other: object) -> bool:
        return _order(self) < _order(other)

    def __gt__(self, other: object) -> bool:
        return _order(self) > _order(other)


def _order(key: object) -> tuple[bool, str, Any]:
    """Maps are printed with sorted keys: nil first, then type by type, whose order is arbitrary in Go."""
    if not isinstance(key, AnyKey):
        return True, "string", key
    return key.value is not None, key.type, key.value


def map_key(value: Any) -> Any:
    """The key under which a value is kept. Raises EvaluationError for lists, maps and functions."""
    if type(value) is str:
        return value
    if isinstance(value, GoPair):
        return AnyKey(GoPair.go_type, tuple(map(map_key, value)))
    if isinstance(value, (list, dict, GoFunction)):
        raise EvaluationError(f"{type_name(value)} cannot be a key of a map")
    return AnyKey(type_name(value), value)


def key_value(key: Any) -> Any:
    """The value that `map_key` made this key of."""
    if not isinstance(key, AnyKey):
        return key
    return GoPair(map(key_value, key.value)) if key.type == GoPair.go_type else key.value


def has_any_keys(value: Any) -> bool:
    """Whether it is a map whose keys `map_key` makes."""
    return isinstance(value, (GoGroups, GoPaired))


def is_absent(value: Any) -> bool:
    """Whether `??` and `?.` take it for nil."""
    return value is None or (type(value) not in PLAIN and is_nil(value))


def describe(value: Any) -> str:
    """The type of a value for messages."""
    try:
        return type_name(value)
    except AttributeError:
        return type(value).__name__
