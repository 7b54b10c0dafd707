"""Slash-separated paths, as packages path and path/filepath (on Unix) treat them."""

from __future__ import annotations

import posixpath

from events.lang.sprig.table import Table

TABLE = Table()


@TABLE.function("base osBase", "string")
def base(path: str) -> str:
    """The last element; `.` of an empty path, `/` of slashes only."""
    return path.rstrip("/").rpartition("/")[2] or ("/" if path else ".")


@TABLE.function("dir osDir", "string")
def directory(path: str) -> str:
    """All but the last element, cleaned."""
    return clean(path[: path.rfind("/") + 1])


@TABLE.function("clean osClean", "string")
def clean(path: str) -> str:
    """The shortest equal path: no empty elements, no `.`, no inner `..`."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


@TABLE.function("ext osExt", "string")
def extension(path: str) -> str:
    """The end of the last element from its last dot on."""
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    return name[dot:] if dot >= 0 else ""


@TABLE.function("isAbs osIsAbs", "string")
def is_absolute(path: str) -> bool:
    """Whether the path begins with a slash."""
    return path.startswith("/")
