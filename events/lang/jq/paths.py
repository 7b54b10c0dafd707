"""jq paths: index, slice, iterate, set and delete by path.

A path is a list of keys: text for objects, numbers for arrays, {"start": .., "end": ..} for slices.
"""

from __future__ import annotations

import math
from typing import Any, Final

from events.lang.jq.values import JqError, Value, compare, described, is_number, plain, preview, to_int, valid

_MAX_INDEX: Final = 0x20000000  # gojq refuses larger ones
_GONE: Final = object()  # stands where something is to be deleted


def index(value: Value, key: Value) -> Value:
    """`value[key]`; null where there is nothing."""
    kind = type(key)
    if kind is str:
        if type(value) is dict:
            return value.get(key)
        return _null_or(value, f"expected an object but got: {described(value)}")
    if is_number(key):
        return _element(value, to_int(key))
    if kind is list:
        if type(value) is list:
            return occurrences(value, key)
        return _null_or(value, f"expected an array but got: {described(value)}")
    if kind is dict:
        return None if value is None else cut(value, *_bounds(key))
    raise JqError(_bad_key(value, key))


def _null_or(value: Value, message: str) -> None:
    if value is not None:
        raise JqError(message)


def _element(value: Value, at: int) -> Value:
    if value is None:
        return None
    if type(value) not in (list, str):
        raise JqError(f"expected an array but got: {described(value)}")
    at += len(value) if at < 0 else 0
    if not 0 <= at < len(value):
        return None
    return valid(value[at]) if type(value) is str else value[at]


def _bad_key(value: Value, key: Value) -> str:
    if type(value) is list:
        return f"expected a number for indexing an array but got: {described(key)}"
    if type(value) is str:
        return f"expected a number for indexing a string but got: {described(key)}"
    return f"expected a string for object key but got: {described(key)}"


def _bounds(key: dict[str, Value]) -> tuple[Value, Value]:
    if "start" not in key or "end" not in key:
        raise JqError(f'expected "start" and "end" for slicing but got: {described(key)}')
    return key["start"], key["end"]


def cut(value: Value, start: Value, end: Value) -> Value:
    """`value[start:end]` of an array or a string; bounds may be null."""
    if value is None:
        return None
    if type(value) not in (list, str):
        raise JqError(f"expected an array but got: {described(value)}")
    first, last = _range(len(value), start, end, "array" if type(value) is list else "string")
    return value[first:last]


def _range(length: int, start: Value, end: Value, what: str) -> tuple[int, int]:
    first, last = 0, length
    if start is not None:
        first = _clamped(_bound(start, what), 0, length)
    if end is not None:
        end = plain(end)
        if type(end) is float and math.isfinite(end):
            end = math.ceil(end)
        last = _clamped(_bound(end, what), first, length)
    return first, last


def _bound(bound: Value, what: str) -> int:
    if not is_number(bound):
        raise JqError(f"expected a number for indexing {_AN[what]} but got: {described(bound)}")
    return to_int(bound)


_AN: Final = {"array": "an array", "string": "a string"}


def _clamped(at: int, low: int, high: int) -> int:
    return min(max(at + high if at < 0 else at, low), high)


def occurrences(values: list[Value], wanted: list[Value]) -> list[Value]:
    """Where `wanted` occurs within `values`."""
    return [at for at in _starts(values, wanted) if matches_at(values, wanted, at)]


def _starts(values: list[Value], wanted: list[Value]) -> range:
    return range(len(values) - len(wanted) + 1) if wanted else range(0)


def matches_at(values: list[Value], wanted: list[Value], at: int) -> bool:
    return all(compare(value, other) == 0 for value, other in zip(values[at:], wanted, strict=False))


def children(value: Value) -> list[Value]:
    """The members of an array, or of an object by key."""
    if type(value) is list:
        return value
    if type(value) is dict:
        return [value[key] for key in sorted(value)]
    raise JqError(f"cannot iterate over: {described(value)}")


def keys(value: Value) -> list[Any]:
    """The keys under which `children` are found."""
    if type(value) is list:
        return list(range(len(value)))
    if type(value) is dict:
        return sorted(value)
    raise JqError(f"cannot iterate over: {described(value)}")


def get_path(value: Value, path: Value) -> Value:
    """The value at the path, null where there is none."""
    if type(path) is not list:
        raise JqError(f"getpath({preview(path)}) cannot be applied to: {described(value)}")
    found = value
    for key in path:
        if found is not None and type(found) not in (list, dict):
            raise JqError(f"getpath({preview(path)}) cannot be applied to: {described(value)}")
        try:
            found = index(found, key)
        except JqError as exc:
            message = f"getpath({preview(path)}) cannot be applied to {preview(value)}: {exc}"
            raise JqError(message) from exc
    return found


class Editor:
    """Sets and deletes by path in one value after the other, and copies each array or object only once."""

    __slots__ = ("_own",)

    def __init__(self) -> None:
        self._own: dict[int, Any] = {}  # copies made here, by id

    def set_path(self, value: Value, path: Value, new: Value) -> Value:
        """The value with `new` at the path; arrays and objects are made where there is null."""
        if type(path) is not list:
            raise JqError(f"setpath({preview(path)}) cannot be applied to: {described(value)}")
        try:
            return self._updated(value, path, 0, new)
        except JqError as exc:
            call = f"setpath({preview(path)}; {preview(new)})"
            raise JqError(f"{call} cannot be applied to {preview(value)}: {exc}") from exc

    def delete_paths(self, value: Value, paths: Value) -> Value:
        """The value without what the paths lead to."""
        if type(paths) is not list:
            raise JqError(f"delpaths({preview(paths)}) cannot be applied to: {described(value)}")
        marked = value
        for path in paths:
            try:
                marked = self._updated(marked, _array_path(path), 0, _GONE)
            except JqError as exc:
                message = f"delpaths({preview(paths)}) cannot be applied to {preview(value)}: {exc}"
                raise JqError(message) from exc
        return _swept(marked) if paths else value

    def _updated(self, value: Value, path: list[Value], at: int, new: Value) -> Value:
        if at == len(path):
            return new
        if value is _GONE:
            return value
        key = path[at]
        if type(key) is str:
            return self._object(value, path, at, new)
        if is_number(key):
            return self._element(value, path, at, new)
        if type(key) is dict:
            return self._slice(value, path, at, new)
        what = "number for indexing an array" if type(value) is list else "string for object key"
        raise JqError(f"expected a {what} but got: {described(key)}")

    def _object(self, value: Value, path: list[Value], at: int, new: Value) -> Value:
        if value is not None and type(value) is not dict:
            raise JqError(f"expected an object but got: {described(value)}")
        key, members = path[at], value or {}
        if new is _GONE and key not in members:
            return value
        updated = self._updated(members.get(key), path, at + 1, new)
        edited = self._copy(members)
        edited[key] = updated
        return edited

    def _element(self, value: Value, path: list[Value], at: int, new: Value) -> Value:
        items = _array(value)
        place = to_int(path[at])
        place += len(items) if place < 0 else 0
        if not 0 <= place < len(items):
            if new is _GONE:
                return value
            _check_place(place - len(items) if place < 0 else place)
        updated = self._updated(items[place] if place < len(items) else None, path, at + 1, new)
        edited = self._copy(items)
        edited.extend([None] * (place + 1 - len(items)))
        edited[place] = updated
        return edited

    def _slice(self, value: Value, path: list[Value], at: int, new: Value) -> Value:
        items = _array(value)
        first, last = _range(len(items), *_bounds(path[at]), "array")
        if first == last and new is _GONE:
            return value
        updated = self._updated(items[first:last], path, at + 1, new)
        if updated is _GONE:
            updated = [_GONE] * (last - first)
        if type(updated) is not list:
            raise JqError(f"expected an array but got: {described(updated)}")
        edited = self._copy(items)
        edited[first:last] = updated
        return edited

    def _copy(self, container: Any) -> Any:
        if id(container) in self._own:
            return container
        copy = container.copy()
        self._own[id(copy)] = copy
        return copy


def _array_path(path: Value) -> list[Value]:
    if type(path) is not list:
        raise JqError(f"expected an array but got: {described(path)}")
    return path


def _array(value: Value) -> list[Value]:
    if value is not None and type(value) is not list:
        raise JqError(f"expected an array but got: {described(value)}")
    return value or []


def _check_place(place: int) -> None:
    if place < 0:
        raise JqError(f"array index should not be negative: {place}")
    if place >= _MAX_INDEX:
        raise JqError(f"array index too large: {place}")


def _swept(value: Value) -> Value:
    if value is _GONE:
        return None
    if type(value) is dict:
        return {key: _swept(item) for key, item in value.items() if item is not _GONE}
    if type(value) is list:
        return [_swept(item) for item in value if item is not _GONE]
    return value
