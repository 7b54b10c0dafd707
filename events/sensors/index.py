"""Which dependencies an event has to be shown to: cost grows with the matches, not with the dependencies.

(source, subject) -> per path: exact values, plain literals to be found in the text -> the real predicate.
A dependency is left out when one filter that it needs certainly says no, whatever its other filters would
have said: also their errors are not told then. Without the value (no data, no JSON, no such path) the event
is shown to all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from events.event import Event
from events.lang.path import Path, compile_path
from events.sensors.dependencies import Dependency
from events.sensors.filters import SPECIAL, anchored_literal, document

if TYPE_CHECKING:
    from events.api.sensor import DataFilter

Entry = TypeVar("Entry")

LONGEST_SCAN = 512
"""Characters of a value up to which its substrings are looked up; longer ones are shown to all."""


class Needle(NamedTuple):
    """A filter that must hold: the value at `path` is, or contains, one of `literals`."""

    path: str
    literals: tuple[str, ...]
    exact: bool


def needle_of(dependency: Dependency) -> Needle | None:
    """One filter of the dependency that an index can decide: a string filter on a plain path, all `and`."""
    spec = dependency.spec
    filters = spec.filters
    if dependency.transform is not None or filters is None or spec.filters_logical_operator == "or":
        return None
    if filters.data_logical_operator == "or" and len(filters.data) > 1:
        return None
    found = [needle for item in filters.data if (needle := literal_needle(item)) is not None]
    return max(found, key=lambda needle: needle.exact, default=None)


def literal_needle(item: DataFilter) -> Needle | None:
    if item.type != "string" or item.comparator not in {"", "="} or item.template:
        return None
    if compile_path(item.path).keys is None:
        return None
    anchored = [literal for value in item.value if (literal := anchored_literal(value)) is not None]
    if len(anchored) == len(item.value):
        return Needle(item.path, tuple(anchored), True)
    if any(SPECIAL & set(value) or not value for value in item.value):
        return None
    return Needle(item.path, tuple(item.value), False)


class PathIndex(Generic[Entry]):
    """The entries that need some value at one path."""

    def __init__(self, path: str) -> None:
        self.path: Path = compile_path(path)
        self.exact: dict[str, list[Entry]] = {}
        self.within: dict[str, list[Entry]] = {}
        self.lengths: set[int] = set()
        self.all: list[Entry] = []

    def add(self, needle: Needle, entry: Entry) -> None:
        table = self.exact if needle.exact else self.within
        for literal in dict.fromkeys(needle.literals):
            table.setdefault(literal, []).append(entry)
            if not needle.exact:
                self.lengths.add(len(literal))
        self.all.append(entry)

    def candidates(self, event: Event) -> Iterable[Entry]:
        doc = document(event)
        if event.data is None or not doc.valid:
            return self.all
        found = self.path.get(doc)
        if not found.exists:
            return self.all
        text = found.text
        exact = self.exact.get(text, ())
        if not self.within:
            return exact
        if len(text) > LONGEST_SCAN:
            return self.all
        return unique([*exact, *self.contained(text)])

    def contained(self, text: str) -> Iterator[Entry]:
        within = self.within
        for length in self.lengths:
            for start in range(len(text) - length + 1):
                yield from within.get(text[start : start + length], ())


def unique(entries: Iterable[Entry]) -> list[Entry]:
    return list({id(entry): entry for entry in entries}.values())


class TopicIndex(Generic[Entry]):
    """All entries of one topic."""

    def __init__(self) -> None:
        self.always: list[Entry] = []
        self.paths: dict[str, PathIndex[Entry]] = {}

    def candidates(self, event: Event) -> list[Entry]:
        if not self.paths:
            return self.always
        found = list(self.always)
        for index in self.paths.values():
            found.extend(index.candidates(event))
        return found


class Index(Generic[Entry]):
    """All dependencies of a shard by topic. `Entry` is whatever the caller wants back."""

    def __init__(self) -> None:
        self._topics: dict[tuple[str, str], TopicIndex[Entry]] = {}

    @property
    def topics(self) -> frozenset[tuple[str, str]]:
        return frozenset(self._topics)

    def add(self, dependency: Dependency, entry: Entry) -> None:
        topic = self._topics.setdefault(dependency.topic, TopicIndex())
        needle = needle_of(dependency)
        if needle is None:
            topic.always.append(entry)
            return
        topic.paths.setdefault(needle.path, PathIndex(needle.path)).add(needle, entry)

    def candidates(self, event: Event) -> list[Entry]:
        """Those whose dependency may pass; the order among them is not that of the manifests."""
        topic = self._topics.get((event.source, event.subject))
        return topic.candidates(event) if topic is not None else []
