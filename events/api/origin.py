"""Where a loaded object came from: its file, and the line of each of its fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Key: TypeAlias = str | int
Path: TypeAlias = tuple[Key, ...]


@dataclass(slots=True)
class Lines:
    """Line (1-based) of a value and, for mappings and lists, of what it holds."""

    line: int
    inner: dict[Key, Lines] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """`file` is None for objects that were never text; `lines` is None then as well."""

    file: str | None = None
    lines: Lines | None = field(default=None, repr=False)

    def line(self, path: str | Sequence[Key] = ()) -> int | None:
        """Line of a field given as "spec.triggers.0.template" or as a sequence of keys.

        A field that is not there has the line of the nearest parent that is. None without lines.
        """
        if self.lines is None:
            return None
        return _find(self.lines, path.split(".") if isinstance(path, str) else path)[1]


def _find(at: Lines, path: Sequence[Key]) -> tuple[int, int]:
    """How much of the path is left where the search ends, and the line there.

    A key may itself hold dots, so longer and longer joins of the parts are tried as well.
    """
    best = len(path), at.line
    for count in range(1, len(path) + 1):
        key = path[0] if count == 1 else ".".join(map(str, path[:count]))
        inner = at.inner.get(key) or at.inner.get(_index(key))
        if inner:
            best = min(best, _find(inner, path[count:]))
    return best


def _index(key: Key) -> Key:
    return int(key) if isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 10 else key


def dotted(path: Sequence[Key]) -> str:
    """The path as messages show it: "spec.triggers.0.template"."""
    return ".".join(map(str, path))
