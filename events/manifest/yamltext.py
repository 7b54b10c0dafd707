"""YAML text to documents, read as the Kubernetes API reads it, with the line of every value.

Spec      sigs.k8s.io/yaml (go-yaml v2) for scalars and merges; keys become text
Merges    `<<` replaces keys that stand above it and yields to keys below it, as there
Doubles   the later one of two equal keys wins, as there, and it is told
Bounds    nesting, and values of a document after all aliases
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import yaml

from events.api.origin import Lines
from events.errors import ManifestError
from events.lang.yamlscalars import TAG, resolve

MAX_DEPTH = 200
"""Levels of nesting; JSON encoders give up at 254."""
MAX_NODES = 500_000
"""Values in one document, those behind aliases counted each time."""

Value: TypeAlias = Any
"""None, bool, int, float, str, list or dict with text keys."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKER = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_EMPTY = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n|%[^\n]*\n)*[ \t]*(?:#[^\n]*|%[^\n]*)?")
_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file. `doubts` are keys that replace others: lines and messages."""

    value: Value
    lines: Lines
    doubts: list[tuple[int, str]]


def read_documents(data: bytes) -> Iterator[Document | ManifestError]:
    """The documents of a file in order; for one that cannot be read, why. Empty ones are left out."""
    text = _decode(data)
    if isinstance(text, ManifestError):
        yield text
        return
    for first, part in _parts(text):
        yield from _Reader(part, first).documents()


def is_deeper(value: Value, levels: int) -> bool:
    """True when lists and maps nest deeper than so many levels."""
    level = [value]
    for _ in range(levels + 1):
        held = [item for item in level if isinstance(item, (dict, list))]
        level = [inner for item in held for inner in (item.values() if isinstance(item, dict) else item)]
    return bool(level)


def _decode(data: bytes) -> str | ManifestError:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ManifestError("is UTF-16; save it as UTF-8", line=1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        return ManifestError("is not text in UTF-8", line=line)
    if found := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        return ManifestError(f"has the control character U+{ord(found.group()):04X}; is it text?", line=line)
    return text


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """The text cut before each `---`, with the number of the first line: a broken part hides no other."""
    starts = [0, *(found.start() for found in _MARKER.finditer(text) if found.start())]
    line = 1
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        if not _EMPTY.fullmatch(part):
            yield line, part
        line += part.count("\n")


@dataclass(slots=True)
class _Node:
    """A value with its lines and with how many values it is made of."""

    value: Value
    lines: Lines
    size: int = 1


class _Reader:
    """Builds the documents of one part from parser events."""

    def __init__(self, text: str, first_line: int) -> None:
        json = text.removeprefix("---").lstrip().startswith("{")
        # JSON writes characters beyond U+FFFF as two escapes, which YAML does not know.
        joined = _PAIR.sub(_join_surrogates, text) if json else text
        self._events = cast("Generator[Any]", yaml.parse(joined, Loader=_LOADER))
        self._text, self._first = text, first_line
        self._anchors: dict[str, _Node | None] = {}
        self._nodes = 0
        self._doubts: list[tuple[int, str]] = []

    def documents(self) -> Iterator[Document | ManifestError]:
        try:
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    self._anchors, self._nodes, self._doubts = {}, 0, []
                    yield from self._document()
        except yaml.MarkedYAMLError as exc:
            yield self._syntax_error(exc)
        except ManifestError as exc:
            yield exc
        finally:
            self._events.close()

    def _document(self) -> Iterator[Document]:
        node = self._node(next(self._events), 0)
        if node.value is not None:
            yield Document(node.value, node.lines, self._doubts)

    def _node(self, event: yaml.NodeEvent, depth: int) -> _Node:
        self._count(1, event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > MAX_DEPTH:
            raise self._error(event, f"nests deeper than {MAX_DEPTH} levels")
        if event.anchor:
            self._anchors[event.anchor] = None
        node = self._build(event, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _build(self, event: yaml.Event, depth: int) -> _Node:
        if isinstance(event, yaml.ScalarEvent):
            return _Node(self._scalar(event), Lines(self._line(event)))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth + 1)
        return self._mapping(event, depth + 1)

    def _sequence(self, start: yaml.Event, depth: int) -> _Node:
        made = _Node([], Lines(self._line(start)))
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            node = self._node(event, depth)
            made.lines.inner[len(made.value)] = replace(node.lines, line=self._line(event))
            made.value.append(node.value)
            made.size += node.size
        return made

    def _mapping(self, start: yaml.Event, depth: int) -> _Node:
        made, given = _Node({}, Lines(self._line(start))), set[str]()
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            node = self._node(event, depth)
            if isinstance(event, yaml.ScalarEvent) and _is_merge(event):
                self._merge(made, self._node(next(self._events), depth), event, given)
                continue
            key = self._key(node.value, event)
            if key in given:
                self._doubts.append(
                    (self._line(event), f"the key {key!r} stands above as well, this one wins")
                )
            given.add(key)
            value = self._node(next(self._events), depth)
            made.value[key] = value.value
            made.lines.inner[key] = replace(value.lines, line=self._line(event))
            made.size += value.size + 1
        return made

    def _merge(self, into: _Node, node: _Node, event: yaml.Event, given: set[str]) -> None:
        parts = node.value if isinstance(node.value, list) else [node.value]
        if not all(isinstance(part, dict) for part in parts):
            raise self._error(event, "merges something that is not a map")
        lines = list(node.lines.inner.values()) if isinstance(node.value, list) else [node.lines]
        for part, inner in zip(reversed(parts), reversed(lines), strict=True):
            into.value.update(part)
            into.lines.inner.update(inner.inner)
            replaced = ", ".join(sorted(given & part.keys()))
            if replaced:
                self._doubts.append((self._line(event), f"the merge replaces {replaced} above; put it first"))
        into.size += node.size

    def _alias(self, event: yaml.AliasEvent) -> _Node:
        name = event.anchor
        if name not in self._anchors:
            raise self._error(event, f"refers to *{name}, but there is no &{name} above")
        node = self._anchors[name]
        if node is None:
            raise self._error(event, f"the anchor &{name} holds itself")
        self._count(node.size, event)
        return _Node(_copied(node.value), node.lines, node.size)

    def _count(self, nodes: int, event: yaml.Event) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._error(event, f"has more than {MAX_NODES} values, counting those behind aliases")

    def _key(self, value: Value, event: yaml.Event) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return f"{value:.9g}" if isinstance(value, float) else str(value)
        raise self._error(event, "has a key that is not text")

    def _scalar(self, event: yaml.ScalarEvent) -> Value:
        try:
            return resolve(event.value, event.tag, plain=event.implicit[0])
        except ValueError as exc:
            raise self._error(event, str(exc)) from exc

    def _line(self, event: yaml.Event) -> int:
        return self._first + (event.start_mark.line if event.start_mark else 0)

    def _error(self, event: yaml.Event, message: str) -> ManifestError:
        return ManifestError(message, line=self._line(event))

    def _syntax_error(self, exc: yaml.MarkedYAMLError) -> ManifestError:
        mark = cast("Any", exc.problem_mark or exc.context_mark)
        line = int(mark.line) if mark else 0
        row = self._text.split("\n")[line : line + 1]
        if row and row[0].lstrip(" ").startswith("\t"):
            return ManifestError("is indented with a tab; YAML wants spaces", line=line + self._first)
        said = " ".join(part for part in (exc.context, exc.problem) if part)
        return ManifestError(f"is not YAML: {said}", line=line + self._first)


def _is_merge(event: yaml.ScalarEvent) -> bool:
    return event.value == "<<" and (event.implicit[0] or event.tag == TAG + "merge")


def _copied(value: Value) -> Value:
    """A copy, so that what stands behind two aliases can be changed apart."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _join_surrogates(found: re.Match[str]) -> str:
    slashes, high, low = found.groups()
    code = 0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00
    return f"{slashes}\\U{code:08X}"
