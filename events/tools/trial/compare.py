"""How two documents differ, key by key: a part that is expected against what came, or two versions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple


class Absent:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


TOO_DEEP = "(nested too deeply to be compared)"


class Difference(NamedTuple):
    """One place where two documents differ. `path` is dotted; ABSENT means that nothing is there."""

    path: str
    wanted: Any
    got: Any

    def plain(self) -> dict[str, Any]:
        """For JSON: a side that is absent is left out."""
        sides = {"expected": self.wanted, "got": self.got}
        return {"path": self.path, **{name: side for name, side in sides.items() if side is not ABSENT}}


def missing_parts(wanted: Any, got: Any, path: str = "") -> list[Difference]:
    """Where `got` does not hold `wanted`; keys of maps that are not asked for do not count.

    A list has to be as long as expected; a map with numbers as keys asks for some elements of a list. A null
    asks for nothing at that place. A map or list asked of a text is compared with the JSON in the text.
    """
    try:
        return list(_missing(wanted, got, path))
    except RecursionError:
        return [Difference(path, TOO_DEEP, TOO_DEEP)]


def changes(old: Any, new: Any, path: str = "") -> list[Difference]:
    """Every place where two documents differ; `wanted` is the old value."""
    try:
        return list(_changes(old, new, path))
    except RecursionError:
        return [Difference(path, TOO_DEEP, TOO_DEEP)]


def _missing(wanted: Any, got: Any, path: str) -> Iterator[Difference]:
    if isinstance(wanted, (dict, list)):
        got = _opened(got)
    if isinstance(wanted, dict) and isinstance(got, (dict, list)):
        members = got if isinstance(got, dict) else {str(index): item for index, item in enumerate(got)}
        for key, value in wanted.items():
            yield from _missing(value, members.get(key, ABSENT), _below(path, key))
    elif isinstance(wanted, list) and isinstance(got, list):
        yield from _elements(wanted, got, path)
    elif wanted is None and (got is ABSENT or got is None):
        return
    elif not _same(wanted, got):
        yield Difference(path, wanted, got)


def _elements(wanted: list[Any], got: list[Any], path: str) -> Iterator[Difference]:
    for index, value in enumerate(wanted):
        item = got[index] if index < len(got) else ABSENT
        if item is ABSENT:
            yield Difference(_below(path, index), value, ABSENT)
        else:
            yield from _missing(value, item, _below(path, index))
    for index in range(len(wanted), len(got)):
        yield Difference(_below(path, index), ABSENT, got[index])


def _changes(old: Any, new: Any, path: str) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _changes(old.get(key, ABSENT), new.get(key, ABSENT), _below(path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before, after = (side[index] if index < len(side) else ABSENT for side in (old, new))
            yield from _changes(before, after, _below(path, index))
    elif _both_json(old, new):
        yield from _changes(_opened(old), _opened(new), path)
    elif not _same(old, new):
        yield Difference(path, old, new)


def _both_json(old: Any, new: Any) -> bool:
    """Two different texts that are both JSON maps or lists, as bodies of requests are."""
    texts = isinstance(old, str) and isinstance(new, str) and old != new
    return texts and isinstance(_opened(old), (dict, list)) and type(_opened(old)) is type(_opened(new))


def _opened(value: Any) -> Any:
    """The map or list in a JSON text; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, (dict, list)) else value


def _same(one: Any, other: Any) -> bool:
    """Equal, and both truth values or neither: 1 is 1.0, but not true."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _below(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)
