"""Decodes only the members that a set of paths reads; of the rest of a payload it checks the syntax."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from events.lang.path import Path

Keys = tuple[str, ...]

ABSENT: Final = object()

_FIELD_NAME: Final = re.compile('[^"\\\\\x00-\x1f\ud800-\udfff]*')  # what msgspec takes as one


class _Leaf:
    """A value that a path ends at."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Extractor:
    """Reads the members named by plain paths straight from JSON bytes.

    Paths of other kinds, and those that end in the middle of another, are left out. It counts while it reads:
    one payload at a time, so not for several threads.
    """

    __slots__ = ("_decoder", "_getters", "_leaves")

    def __init__(self, paths: Sequence[Path]) -> None:
        names = _tree_of([path.keys for path in paths if path.keys is not None])
        self._leaves = 0
        self._getters: dict[Keys, Callable[[Any], _Leaf]] = dict(_getters_of(names, (), ()))
        self._decoder = msgspec.json.Decoder(_struct_of(names), dec_hook=self._leaf)

    def _leaf(self, _: type, value: Any) -> _Leaf:
        self._leaves += 1
        return _Leaf(value)

    def read(self, data: bytes) -> Mapping[Keys, Any] | None:
        """The value at each path, ABSENT where there is none, objects and arrays left out.

        None when the payload is not JSON in UTF-8, has something else where a path needs an object, or names
        a member twice: the last one would have won here.
        """
        self._leaves = 0
        try:
            root = self._decoder.decode(data)
            if not data.isascii():
                data.decode()  # msgspec does not look at the bytes of strings that it skips
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        found = {keys: _value_at(getter, root) for keys, getter in self._getters.items()}
        if self._leaves != sum(value is not ABSENT for value in found.values()):
            return None
        return {
            keys: value
            for keys, value in found.items()
            if type(value) is not dict and type(value) is not list
        }


def _value_at(getter: Callable[[Any], _Leaf], root: Any) -> Any:
    try:
        return getter(root).value
    except AttributeError:  # of UNSET
        return ABSENT


def _tree_of(paths: Sequence[tuple[str | int, ...]]) -> dict[str, Any]:
    """The names of the paths as nested dicts, {} at their ends."""
    root: dict[str, Any] = {}
    for path in paths:
        names = [name for name in path if isinstance(name, str) and _FIELD_NAME.fullmatch(name)]
        if len(names) < len(path):
            continue
        node = root
        for name in names:
            node = node.setdefault(name, {})
    return root


def _struct_of(names: dict[str, Any]) -> type[msgspec.Struct]:
    fields = [
        (f"f{i}", _struct_of(below) if below else _Leaf, msgspec.UNSET)
        for i, below in enumerate(names.values())
    ]
    rename = {f"f{i}": name for i, name in enumerate(names)}
    return msgspec.defstruct("Members", fields, rename=rename, gc=False)


def _getters_of(
    names: dict[str, Any], above: Keys, fields: Keys
) -> list[tuple[Keys, Callable[[Any], _Leaf]]]:
    found: list[tuple[Keys, Callable[[Any], _Leaf]]] = []
    for i, (name, below) in enumerate(names.items()):
        keys, field = (*above, name), (*fields, f"f{i}")
        found += _getters_of(below, keys, field) if below else [(keys, operator.attrgetter(".".join(field)))]
    return found
