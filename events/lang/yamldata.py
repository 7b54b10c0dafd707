"""YAML event data as JSON: what a payload of content type application/yaml is turned into before it is read.

Spec      sigs.k8s.io/yaml YAMLToJSON: first document only, YAML 1.1 truth values, dates stay text, keys
          sorted; the later one of equal keys wins
Bounds    nesting, and values of the document after all aliases
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, cast

import yaml

from events.errors import EvaluationError
from events.lang import gojson
from events.lang.yamlscalars import resolve

MAX_NODES = 200_000
"""Values of a document, those behind aliases counted each time."""

MAX_DEPTH = 200
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def yaml_to_json(data: bytes) -> bytes:
    """Raises EvaluationError for what is not YAML, holds no JSON value, or is too large."""
    try:
        return gojson.dumps(_Reader(data.decode("utf-8-sig")).document())
    except UnicodeDecodeError as exc:
        raise EvaluationError("the YAML data is not UTF-8") from exc
    except (yaml.YAMLError, ValueError) as exc:
        raise EvaluationError(f"the data is not usable YAML: {exc}") from exc


class _Reader:
    """Builds the first document from parser events: the parser itself has no bound on nesting."""

    def __init__(self, text: str) -> None:
        self._events = cast("Generator[Any]", yaml.parse(text, Loader=_LOADER))
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def document(self) -> Any:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                return self._value(next(self._events), 0)
        return None

    def _value(self, event: Any, depth: int) -> Any:
        before = self._nodes
        self._count(1)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor)
        if depth > MAX_DEPTH:
            raise ValueError(f"it nests deeper than {MAX_DEPTH} levels")
        made = self._made(event, depth)
        if event.anchor:
            self._anchors[event.anchor] = made, self._nodes - before
        return made

    def _made(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return resolve(event.value, event.tag, plain=event.implicit[0])
        if isinstance(event, yaml.SequenceStartEvent):
            return [self._value(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        return self._mapping(depth + 1)

    def _until(self, end: type) -> Generator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event

    def _mapping(self, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for event in self._until(yaml.MappingEndEvent):
            if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
                merged = {**parts_joined(self._value(next(self._events), depth)), **merged}
            else:
                key = key_text(self._value(event, depth))
                own[key] = self._value(next(self._events), depth)
        return {**merged, **own}

    def _alias(self, name: Any) -> Any:
        if name not in self._anchors:
            raise ValueError(f"it refers to *{name}, but there is no &{name} above")
        value, size = self._anchors[name]
        self._count(size)
        return value

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise ValueError(f"it has more than {MAX_NODES} values, counting those behind aliases")


def parts_joined(value: Any) -> dict[str, Any]:
    """What stands behind `<<`: a map, or a list of maps of which the first ones win."""
    parts = value if isinstance(value, list) else [value]
    merged: dict[str, Any] = {}
    for part in reversed(parts):
        if not isinstance(part, dict):
            raise ValueError("`<<` merges something that is no map")
        merged.update(part)
    return merged


def key_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, int):
        return str(value)
    raise ValueError("a key is no scalar")
