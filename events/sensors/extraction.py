"""Which members of a payload the sensors of a topic read, so that only those are decoded.

The paths of data and expression filters and of the `dataKey` of parameters count. An event whose other parts
are wanted after all (templates, scripts, containers) is decoded in full then, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from events.lang.document import Extractor
from events.lang.path import compile_path
from events.sensors.dependencies import Dependency

Topic = tuple[str, str]


Reads = tuple[Sequence[Dependency], Mapping[str, set[str]]]
"""Of one sensor: its dependencies, and what parameters read from each of them (`data_keys`)."""


def extractors(sensors: Iterable[Reads]) -> dict[Topic, Extractor]:
    """Per topic; those without any path are left out."""
    wanted: dict[Topic, set[str]] = {}
    for dependencies, keys in sensors:
        for dependency in dependencies:
            if dependency.transform is None:
                found = wanted.setdefault(dependency.topic, set())
                found.update(filter_paths(dependency), keys.get(dependency.name, ()))
    return {topic: Extractor(compiled) for topic, paths in wanted.items() if (compiled := plain(paths))}


def plain(paths: Iterable[str]) -> list[Any]:
    """The compiled ones that consist of names only; `$` paths are never that."""
    made = [compile_path(path) for path in sorted(paths) if not path.startswith("$")]
    return [path for path in made if path.keys is not None]


def filter_paths(dependency: Dependency) -> Iterator[str]:
    filters = dependency.spec.filters
    if filters is not None:
        yield from (item.path for item in filters.data)
        yield from (field.path for item in filters.exprs for field in item.fields)


def data_keys(spec: Any) -> Mapping[str, set[str]]:
    """Dependency -> every `dataKey` that is read from it, wherever in the sensor it stands."""
    found: dict[str, set[str]] = {}
    unread = [spec]
    while unread:
        value = unread.pop()
        if isinstance(value, list):
            unread += value
        elif isinstance(value, dict):
            unread += value.values()
            name, key = value.get("dependencyName"), value.get("dataKey")
            if isinstance(name, str) and isinstance(key, str) and key:
                found.setdefault(name, set()).add(key)
    return found
