"""Lists. None of these functions changes a list in place; those without `must` fail as those with it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from events.errors import EvaluationError
from events.lang.govalue import GoLists, GoNilList, GoStrings, kind_name
from events.lang.sprig.cast import to_int64
from events.lang.sprig.identity import identity
from events.lang.sprig.runes import in_byte_order
from events.lang.sprig.table import Table, check_elements, check_tree
from events.lang.sprig.text import to_strings

TABLE = Table()


def _items(value: Any, action: str) -> list[Any]:
    """The elements of a list. Raises EvaluationError for anything else."""
    if isinstance(value, list):
        return value
    if value is None:
        raise EvaluationError("runtime error: invalid memory address or nil pointer dereference")
    raise EvaluationError(f"Cannot {action} type {kind_name(value)}")


@TABLE.function("list tuple", "...any")
def list_(*values: Any) -> list[Any]:
    """The values as a list."""
    return list(values)


@TABLE.function("append push mustAppend mustPush", "any, any")
def append(items: Any, value: Any) -> list[Any]:
    """The list with one value more."""
    return [*_items(items, "push on"), value]


@TABLE.function("prepend mustPrepend", "any, any")
def prepend(items: Any, value: Any) -> list[Any]:
    """The list with one value more in front."""
    return [value, *_items(items, "prepend on")]


@TABLE.function("concat", "...any")
def concat(*lists: Any) -> list[Any]:
    """The elements of all lists; a nil list if there are none."""
    parts = [_items(items, "concat as list") for items in lists]
    check_elements(sum(map(len, parts)))
    return [item for items in parts for item in items] or GoNilList()


@TABLE.function("first mustFirst", "any")
def first(items: Any) -> Any:
    """The first element, nil of an empty list."""
    return next(iter(_items(items, "find first on")), None)


@TABLE.function("last mustLast", "any")
def last(items: Any) -> Any:
    """The last element, nil of an empty list."""
    found = _items(items, "find last on")
    return found[-1] if found else None


@TABLE.function("rest mustRest", "any")
def rest(items: Any) -> list[Any]:
    """All but the first element."""
    found = _items(items, "find rest on")
    return list(found[1:]) if found else GoNilList()


@TABLE.function("initial mustInitial", "any")
def initial(items: Any) -> list[Any]:
    """All but the last element."""
    found = _items(items, "find initial on")
    return list(found[:-1]) if found else GoNilList()


@TABLE.function("reverse mustReverse", "any")
def reverse(items: Any) -> list[Any]:
    """From the last to the first."""
    return list(reversed(_items(items, "find reverse on")))


@TABLE.function("compact mustCompact", "any")
def compact(items: Any) -> list[Any]:
    """Without elements that are empty."""
    return [item for item in _items(items, "compact on") if item]


@TABLE.function("uniq mustUniq", "any")
def uniq(items: Any) -> list[Any]:
    """The first of equal elements."""
    check_tree(items)
    seen: dict[Hashable, Any] = {}
    for item in _items(items, "find uniq on"):
        seen.setdefault(identity(item), item)
    return list(seen.values())


@TABLE.function("without mustWithout", "any, ...any")
def without(items: Any, *omitted: Any) -> list[Any]:
    """Without elements that equal one of these values."""
    check_tree(items, *omitted)
    unwanted = {identity(value) for value in omitted}
    return [item for item in _items(items, "find without on") if identity(item) not in unwanted]


@TABLE.function("has mustHas", "any, any")
def has(needle: Any, items: Any) -> bool:
    """Whether a list has an equal element; nil has none."""
    if items is None:
        return False
    check_tree(needle, items)
    wanted = identity(needle)
    return any(identity(item) == wanted for item in _items(items, "find has on"))


@TABLE.function("slice mustSlice", "any, ...any")
def slice_(items: Any, *bounds: Any) -> Any:
    """Elements from the first to before the second index; nil of an empty list."""
    found = _items(items, "slice")
    if not found:
        return None
    start = to_int64(bounds[0]) if bounds else 0
    end = to_int64(bounds[1]) if len(bounds) > 1 else len(found)
    if not 0 <= start <= end <= len(found):
        raise EvaluationError("reflect.Value.Slice: slice index out of bounds")
    return type(found)(found[start:end])


@TABLE.function("chunk mustChunk", "int, any")
def chunk(size: int, items: Any) -> GoLists:
    """Lists of `size` elements, the last one may be shorter."""
    found = _items(items, "chunk")
    if size <= 0:
        return _odd_chunks(size, found)
    return GoLists([list(found[i : i + size]) for i in range(0, len(found), size)])


def _odd_chunks(size: int, found: list[Any]) -> GoLists:
    """What Sprig's arithmetic makes of sizes below 1: mostly an error, sometimes one list or none."""
    if len(found) == 1 and size < -1:
        return GoLists([list(found)])
    if 1 < len(found) <= 1 - size:
        return GoLists()
    raise EvaluationError("runtime error: makeslice: len out of range")


@TABLE.function("sortAlpha", "any")
def sort_alpha(value: Any) -> GoStrings:
    """The texts of a list in the order of their bytes; of anything else a list of its text.

    As in Go a []string is sorted in place (it never is part of an event's data).
    """
    texts = GoStrings(["<nil>"]) if value is None else to_strings(value)
    texts[:] = in_byte_order(texts)
    return texts
