"""A payload that many paths read: decoded at most once, and only when a path needs it.

Exactness   gjson reads text: the first of equal names wins, numbers keep their spelling. orjson keeps the
            last name and forgets spellings. So the decoded tree answers only where both must agree
            (`plain`); everything else goes to the scanner in gjson_scan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from events.errors import EvaluationError
from events.lang.gjson_partial import Extractor
from events.lang.json_text import as_bytes, well_formed, without_halves, without_surrogates

__all__ = ["INEXACT", "UNREAD", "Document", "Extractor", "with_floats"]


class _State:
    """Stands where a tree would be. It has no items, so a walk into it ends in the TypeError of any miss."""


UNREAD: Final = _State()
INEXACT: Final = _State()
_NONE: Final[Mapping[Any, Any]] = {}


class Document:
    """One payload and what was decoded of it so far; shared by all paths and sensors of a process.

    `plain` is the decoded tree where it answers paths exactly, else UNREAD or INEXACT; `primed` answers some
    paths before there is a tree. `canonical`: every part of the payload is spelled as orjson spells it, so
    source text can be made from the tree.
    """

    __slots__ = ("_fault", "_text", "_tree", "_valid", "_value", "canonical", "data", "plain", "primed")

    def __init__(self, data: bytes | str) -> None:
        self.data: bytes = as_bytes(data) if isinstance(data, str) else data
        self.plain: Any = UNREAD
        self.primed: Mapping[Any, Any] = _NONE
        self.canonical = False
        self._text: str | None = None
        self._tree: Any = UNREAD
        self._valid: bool | None = None
        self._value: Any = UNREAD
        self._fault: str | None = None

    @property
    def text(self) -> str:
        """The payload as text; bytes that are not UTF-8 are lone surrogates."""
        if self._text is None:
            self._text = self.data.decode("utf-8", "surrogateescape")
        return self._text

    @property
    def valid(self) -> bool:
        """Whether the payload is JSON as gjson.Valid sees it."""
        if self.plain is UNREAD and self._valid is None:
            self.decode()
        if self._valid is None:
            self._valid = well_formed(self.text)
        return self._valid

    @property
    def tree(self) -> Any:
        """The payload as Go's encoding/json decodes it, integers as int: the last of equal names wins.

        Raises EvaluationError when it is not JSON, nests deeper than 1024 levels, or has a number that no
        float64 holds.
        """
        if self.plain is UNREAD:
            self.decode()
        if self._tree is UNREAD and self._fault is None:
            self._decode_leniently()
        if self._fault is not None:
            raise EvaluationError(f"the payload is not usable JSON: {self._fault}")
        return self._tree

    @property
    def value(self) -> Any:
        """The payload as templates see it: `tree` with a float for every number. Not to be changed.

        Raises EvaluationError like `tree`.
        """
        if self._value is UNREAD:
            self._value = with_floats(self.tree)
        return self._value

    def prime(self, extractor: Extractor) -> None:
        """Decode what the extractor's paths read, if nothing is decoded yet. Does not raise."""
        if self.plain is not UNREAD:
            return
        found = extractor.read(self.data)
        if found is not None:
            self.primed, self._valid = found, True

    def decode(self) -> None:
        """Decode strictly and find out whether the tree may answer paths. Does not raise."""
        try:
            tree = orjson.loads(self.data)
        except orjson.JSONDecodeError:
            self.plain = INEXACT
        else:
            self._tree, self._valid = tree, True
            self.plain = tree if self._is_exact(tree) else INEXACT

    def _decode_leniently(self) -> None:
        try:
            self._tree = orjson.loads(without_halves(without_surrogates(self.text)))
        except orjson.JSONDecodeError as exc:
            self._fault = str(exc)

    def _is_exact(self, tree: Any) -> bool:
        """Whether no object of the payload has two members of one name.

        A member that the tree has lost was spelled with a colon, which a name or string may hide only as an
        escape. So equal numbers of colons mean that nothing was lost. A scalar payload is not exact: gjson
        looks for brackets even in its text.
        """
        if not isinstance(tree, (dict, list)):
            return False
        try:
            again = orjson.dumps(tree)
        except orjson.JSONEncodeError:  # nests deeper than orjson writes
            return False
        self.canonical = again == self.data
        return self.canonical or (
            again.count(b":") == self.data.count(b":")
            and b"\\u003a" not in self.data
            and b"\\u003A" not in self.data
        )


def with_floats(tree: Any) -> Any:
    """A copy of decoded JSON with a float for every int. Does not recurse."""
    root = [tree]
    unread: list[Any] = [root]
    while unread:
        container = unread.pop()
        for key, value in enumerate(container) if type(container) is list else container.items():
            if type(value) is int:
                container[key] = float(value)
            elif type(value) is dict or type(value) is list:
                container[key] = copy = value.copy()
                unread.append(copy)
    return root[0]
