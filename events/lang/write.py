"""Writes a value into JSON text at an sjson path; the rest of the text stays as it is.

Differs from sjson v1.2.5 on purpose where that breaks the document: a path into a string that holds brackets
replaces the string, a list whose places gjson does not know stays unchanged, and an index far beyond the end
of an array is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from events.errors import EvaluationError
from events.lang.gjson_get import Getter
from events.lang.gjson_scan import container_end, first_value, go_string, iterate, trim

__all__ = ["MAX_INDEX", "Dest", "compile_dest", "quote"]

MAX_INDEX: Final = 100_000  # of an element that is not there yet: all before it are written as null

_COMPONENT: Final = re.compile(r"(:?)((?:[^\\.|#@*?]|\\.?)*+)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.?)", re.DOTALL)
_QUOTED: Final = re.compile(r'[^\x20-\x7f]|["\\]')
_FILLED: Final = re.compile(r".[\x00-\x20]*+[^\x00-\x20}\]]", re.DOTALL)


class _Part:
    """One key. `index`: the number it is where it makes or extends an array; `appends`: it is -1."""

    __slots__ = ("appends", "getter", "index", "name")

    def __init__(self, spelled: str, forced: bool) -> None:
        self.name = _ESCAPE.sub(r"\1", spelled)
        self.getter = Getter(spelled)
        self.index = None if forced else _index(self.name)
        self.appends = self.name == "-1" and not forced

    @property
    def makes_array(self) -> bool:
        return self.index is not None or self.appends


class Dest:
    """A compiled place in a document."""

    __slots__ = ("_parts", "_search", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self._parts = _split(source)
        self._search = Getter(source)

    def set(self, document: str, value: str) -> str:
        """The document with the string `value` at this place, as sjson.Set. Raises EvaluationError."""
        return self.set_raw(document, quote(value))

    def set_raw(self, document: str, raw: str) -> str:
        """The document with the JSON text `raw`, which is not checked, at this place, as sjson.SetRaw.

        Raises EvaluationError for an empty path, a name in an array, an index too far beyond its end.
        """
        if not self.source:
            raise EvaluationError("a path to write to cannot be empty", self.source)
        try:
            return self._replaced(document, raw) if self._parts is None else self._written(document, raw)
        except RecursionError as exc:
            raise EvaluationError("nested too deeply", self.source) from exc

    def _replaced(self, document: str, raw: str) -> str:
        """With the values that a search finds replaced; unchanged when there are none."""
        found = self._search(document)
        places = [(found.offset, found.raw)] if found.offset >= 0 else _places(found.offsets, found.raw)
        for offset, old in sorted(places, key=lambda place: -place[0]):
            document = document[:offset] + raw + document[offset + len(old) :]
        return document

    def _written(self, document: str, raw: str) -> str:
        before: list[str] = []
        after: list[str] = []
        text, parts = document, list(self._parts or ())
        while parts and (found := None if _is_string(text) else parts[0].getter(text)) and found.offset > 0:
            before.append(text[: found.offset])
            after.append(text[found.offset + len(found.raw) :])
            text = found.raw
            parts.pop(0)
        middle = self._extended(text, parts, raw) if parts else raw
        return "".join([*before, middle, *reversed(after)])

    def _extended(self, text: str, parts: list[_Part], raw: str) -> str:
        """The container with what the parts say added; anything else gives way to a new container."""
        first, content = parts[0], self._built(parts[1:], raw)
        value = first_value(text)
        if value is None or value[0] != "JSON":
            text = "{}" if first.index is None else "[]"
        else:
            text = text[value[1] :]
        comma = "," if _FILLED.match(text) else ""
        if text[0] == "{":
            return f"{text[: max(text.rfind('}'), 0)]}{comma}{quote(first.name)}:{content}}}"
        if first.index is not None:
            return f"[{self._padded(text, first.index)}{content}]"
        if not first.appends:
            raise EvaluationError(f"an array has no element {first.name!r}", self.source)
        return f"{trim(text).removesuffix(']')}{comma}{content}]"

    def _padded(self, text: str, index: int) -> str:
        """The elements of the array, and null up to the index, each with its comma."""
        elements = [raw for _, _, raw in iterate(text[: container_end(text, 0)])]
        elements += self._nulls(index - len(elements))
        return "".join(f"{element}," for element in elements)

    def _built(self, parts: list[_Part], raw: str) -> str:
        opened: list[str] = []
        closed: list[str] = []
        for part in parts:
            if part.makes_array:
                opened.append("[" + "null," * len(self._nulls(part.index or 0)))
            else:
                opened.append(f"{{{quote(part.name)}:")
            closed.append("]" if part.makes_array else "}")
        return "".join([*opened, raw, *reversed(closed)])

    def _nulls(self, count: int) -> list[str]:
        if count > MAX_INDEX:
            raise EvaluationError(f"an index beyond {MAX_INDEX} elements that are not there", self.source)
        return ["null"] * count


def compile_dest(text: str) -> Dest:
    """The place that an sjson path names. Never raises; what sjson refuses fails when it is written to."""
    return Dest(text)


def _split(path: str) -> list[_Part] | None:
    """The keys of a path; None for one with `|`, `#`, `@`, `*` or `?`, which only finds what is there."""
    parts: list[_Part] = []
    i = -1
    while i < len(path):
        found = _COMPONENT.match(path, i + 1)
        if found is None:
            return None
        i = found.end()
        if path[i : i + 1] not in ("", "."):
            return None
        parts.append(_Part(found[2], forced=found[1] == ":"))
    return parts


def _index(name: str) -> int | None:
    """The number that the name is; an empty name counts as 0."""
    if not re.fullmatch("[0-9]*", name):
        return None
    digits = name.lstrip("0")
    return MAX_INDEX + 1 if len(digits) > len(str(MAX_INDEX)) else int(digits or 0)


def _places(offsets: Sequence[int], raw: str) -> list[tuple[int, str]]:
    """Offset and text of each element of a list that a search has assembled, if it knows them all."""
    elements = [element for _, _, element in iterate(raw)]
    if len(elements) != len(offsets) or min(offsets, default=0) < 0:
        return []
    return list(zip(offsets, elements, strict=True))


def _is_string(text: str) -> bool:
    value = first_value(text)
    return value is not None and value[0] == "String"


def quote(text: str) -> str:
    """The text as a JSON string as sjson spells it: plain text as it is, other text as Go's encoder does."""
    return go_string(text) if _QUOTED.search(text) else f'"{text}"'
