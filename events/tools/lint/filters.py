"""Data filters: comparators, types, patterns that match more than they seem to, paths that find nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from events.api.model import Problem
from events.api.origin import Path
from events.tools.lint.payloads import HEADERS, check_path
from events.tools.lint.subjects import Index, dependencies, error, warning
from events.tools.lint.suggestions import instead_of_type

if TYPE_CHECKING:
    from events.api.sensor import DataFilter, EventDependency, Sensor

TYPES = ("string", "number", "bool")
EQUALITY = ("", "=", "!=")

_PLAIN = re.compile(r"[^\\+*?()|\[\]{}^$]+")
"""No metacharacter of regular expressions but the dot, which stands in versions and file names."""
_COMMAS = re.compile(r"[\w.-]+(?:,[\w.-]+)+")
_WHOLE_HEADER = re.compile(r"headers?\.[\w-]+")


def check_filters(sensor: Sensor, index: Index) -> Iterator[Problem]:
    """All rules about the data filters of one sensor."""
    for path, dependency in dependencies(sensor):
        filters = dependency.filters
        kind = kind_of_data(sensor.namespace, dependency, index)
        for place, item in enumerate(filters.data if filters else ()):
            at = (*path, "filters", "data", place)
            yield from _comparison(at, item)
            yield from _patterns(at, item)
            yield from _paths(at, item, kind)


def kind_of_data(namespace: str, dependency: EventDependency, index: Index) -> str:
    """The kind of source whose data filters and parameters see: "" where it is not known or transformed."""
    if dependency.transform is not None:
        return ""
    return index.kind(namespace, dependency)


def _comparison(at: Path, item: DataFilter) -> Iterator[Problem]:
    if item.type not in TYPES:
        said, hint = f"there is no type {item.type!r}", instead_of_type(item.type)
        yield error((*at, "type"), "unknown-type", said, hint)
    elif item.type == "string" and item.comparator not in EQUALITY:
        said = f"text is never {item.comparator} anything: the filter refuses every event"
        hint = "write type: number, or a pattern without comparator"
        yield warning((*at, "comparator"), "never-passes", said, hint)
    elif item.type == "bool" and item.comparator not in EQUALITY:
        said = f"{item.comparator} counts as = with type bool"
        yield warning((*at, "comparator"), "ignored-comparator", said, "write = or !=")


def _patterns(at: Path, item: DataFilter) -> Iterator[Problem]:
    if item.type != "string" or item.comparator not in EQUALITY:
        return
    for place, value in enumerate(item.value):
        if _PLAIN.fullmatch(value):
            said = f"is a pattern that is found anywhere: it also matches {_longer(value)!r}"
            hint = f"write {anchored(value)} for the whole text, or {value}.* if more may stand around it"
            yield warning((*at, "value", place), "unanchored-pattern", said, hint)


def anchored(value: str) -> str:
    """The pattern that matches this text and no other."""
    return f"^{value.replace('.', chr(92) + '.')}$"


def _longer(value: str) -> str:
    return {"main": "maintenance", "dev": "developer", "prod": "nonprod"}.get(value, f"{value}-old")


def _paths(at: Path, item: DataFilter, kind: str) -> Iterator[Problem]:
    if _COMMAS.fullmatch(item.path):
        said = "looks for one member whose name has commas in it"
        hint = f"write [{item.path}] to get several values"
        yield warning((*at, "path"), "comma-path", said, hint)
    elif found := check_path((*at, "path"), item.path, kind):
        yield found
    elif kind in HEADERS and _WHOLE_HEADER.fullmatch(item.path):
        yield from _header_list(at, item, kind)


def _header_list(at: Path, item: DataFilter, kind: str) -> Iterator[Problem]:
    """`headers.X` is `["push"]`, so that `^push$` never matches."""
    anchors = any(value.startswith("^") or value.endswith("$") for value in item.value)
    if item.path.startswith(f"{HEADERS[kind]}.") and item.type == "string" and anchors and not item.template:
        said = "is a list of values, whose text begins with a bracket: anchored patterns never match it"
        yield warning((*at, "path"), "header-list", said, f"write {item.path}.0")
