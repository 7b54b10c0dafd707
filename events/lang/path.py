"""Compiled paths into JSON payloads: gjson syntax, and JSONPath where the text starts like one.

Paths of names, indexes, `#` and queries walk the decoded document; every other path, and every document that
the decoded tree does not represent exactly, is searched as text.
"""

from __future__ import annotations

import re
from typing import Final

from events.errors import EvaluationError
from events.lang.document import INEXACT, UNREAD, Document
from events.lang.gjson_get import Getter
from events.lang.gjson_number import parse_index
from events.lang.gjson_partial import ABSENT
from events.lang.gjson_result import DECODED, MISSING, Result, Scanned
from events.lang.gjson_tree import NotWalkable, Walk, compile_walk

__all__ = ["MISSING", "Path", "Result", "compile_path"]

_JSONPATH: Final = re.compile(r"\$(?:\Z|[.\[])")
_PLAIN: Final = re.compile(r"(?!\.\.)(?!.*[.][@!\[{])[^@!\[{\\*?|#][^\\*?|#]*|", re.DOTALL)


class Path:
    """A compiled path. `keys`: its names (str) and indexes (int) where it consists only of them, else None.

    An index stands for the member of that name when it meets an object.
    """

    __slots__ = ("_getter", "keys", "source")

    def __init__(self, source: str, keys: tuple[str | int, ...] | None = None) -> None:
        self.source = source
        self.keys = keys
        self._getter = Getter(source)

    def get(self, doc: Document) -> Result:
        """What the path finds, else a result that does not exist.

        Raises EvaluationError for what is too deep to follow.
        """
        return self.scan(doc)

    def scan(self, doc: Document) -> Scanned:
        """As `get`, always found in the text. Raises EvaluationError like it."""
        try:
            return self._getter(doc.text)
        except RecursionError as exc:
            raise EvaluationError("nested too deeply", self.source) from exc


class _NamePath(Path):
    """Member names only: a name that an array or a scalar does not have is as missing as one of an object."""

    __slots__ = ("_names",)

    def __init__(self, source: str, names: tuple[str, ...]) -> None:
        super().__init__(source, names)
        self._names = names

    def get(self, doc: Document) -> Result:
        node = doc.plain
        try:
            for name in self._names:
                node = node[name]
        except (KeyError, TypeError):
            return _missed(self, doc)
        return DECODED[type(node)](node, doc, self)


class _IndexPath(Path):
    """Names and at least one index."""

    __slots__ = ("_steps",)

    def __init__(self, source: str, keys: tuple[str | int, ...]) -> None:
        super().__init__(source, keys)
        self._steps = tuple((str(key), key if isinstance(key, int) else None) for key in keys)

    def get(self, doc: Document) -> Result:
        node = doc.plain
        try:
            for name, index in self._steps:
                node = node[name] if index is None or type(node) is not list else node[index]
        except (LookupError, TypeError):
            return _missed(self, doc)
        return DECODED[type(node)](node, doc, self)


class _TreePath(Path):
    """Another path that means the same in the decoded document, in most documents."""

    __slots__ = ("_walk",)

    def __init__(self, source: str, walk: Walk) -> None:
        super().__init__(source)
        self._walk = walk

    def get(self, doc: Document) -> Result:
        if doc.plain is UNREAD:
            doc.decode()
        if doc.plain is INEXACT:
            return self.scan(doc)
        try:
            found = self._walk(doc.plain)
        except (NotWalkable, RecursionError):
            return self.scan(doc)
        return MISSING if found is ABSENT else DECODED[type(found)](found, doc, self)


def _missed(path: Path, doc: Document) -> Result:
    """What a walk that failed means: not decoded yet, not to be walked, or no such value."""
    if doc.plain is not UNREAD:
        return path.scan(doc) if doc.plain is INEXACT else MISSING
    found = doc.primed.get(path.keys, UNREAD)
    if found is not UNREAD:
        return MISSING if found is ABSENT else DECODED[type(found)](found, doc, path)
    doc.decode()
    return path.get(doc)


def compile_path(text: str) -> Path:
    """The path in `text`: JSONPath for `$`, `$.` and `$[` at the start, else gjson, which accepts any text.

    Raises ExpressionError for JSONPath that does not parse.
    """
    if _JSONPATH.match(text):
        from events.lang.jsonpath import compile_jsonpath  # few use it, and its import is slow

        return compile_jsonpath(text)
    keys = _plain_keys(text)
    if keys is None:
        walk = compile_walk(text)
        return _TreePath(text, walk) if walk else Path(text)
    names = tuple(key for key in keys if isinstance(key, str))
    return _NamePath(text, names) if len(names) == len(keys) else _IndexPath(text, keys)


def _plain_keys(text: str) -> tuple[str | int, ...] | None:
    """None where a component is a pattern, query or modifier, or an index with leading zeros."""
    if not _PLAIN.fullmatch(text):
        return None
    keys = tuple(_key(part) for part in text.split("."))
    return None if None in keys else keys  # type: ignore[return-value] # without None


def _key(part: str) -> str | int | None:
    index = parse_index(part)
    if index < 0:
        return None if part.isdigit() else part
    return index if str(index) == part else None
