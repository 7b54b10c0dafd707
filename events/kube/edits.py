"""Changing objects in memory: merges and patches as the API server makes them.

Spec      RFC 7396 (merge patch), RFC 6902 (JSON patch)
Upstream  pkg/sensors/triggers/standard-k8s/standard-k8s.go merges before an update
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

from events.errors import shorten
from events.kube._base import Invalid, Object

INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


def merge_over(new: Any, old: Any) -> Any:
    """`new` laid over `old`: maps member by member, the rest replaced; an empty map keeps the old one."""
    if not (isinstance(new, dict) and isinstance(old, dict)):
        return copy.deepcopy(new)
    merged = dict(old)
    for key, value in new.items():
        merged[key] = merge_over(value, old[key]) if key in old else copy.deepcopy(value)
    return merged


def merge_patch(patch: Any, target: Any) -> Any:
    """RFC 7396: null removes a member."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(value, result.get(key))
    return result


def json_patch(operations: Sequence[Any], target: Object) -> Object:
    """RFC 6902: all operations in order, or Invalid."""
    document = copy.deepcopy(target)
    for operation in operations:
        try:
            document = patched(document, operation)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as exc:
            said = shorten(repr(operation))
            raise Invalid(f"JSON patch operation {said} cannot be applied: {exc!r}") from exc
    return document


def patched(document: Any, operation: dict[str, Any]) -> Any:
    name, path = operation["op"], pointer(operation["path"])
    if name == "test":
        if not equal(look_up(document, path), operation["value"]):
            raise ValueError("the value differs")
        return document
    if name == "remove":
        return removed(document, path)
    if name == "replace":
        look_up(document, path)
        return added(removed(document, path), path, copy.deepcopy(operation["value"]))
    if name in {"copy", "move"}:
        source = pointer(operation["from"])
        value = copy.deepcopy(look_up(document, source))
        return added(removed(document, source) if name == "move" else document, path, value)
    if name != "add":
        raise ValueError(f"unknown op {name!r}")
    return added(document, path, copy.deepcopy(operation["value"]))


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def pointer(text: str) -> list[str]:
    """The parts of a JSON pointer (RFC 6901)."""
    if text and not text.startswith("/"):
        raise ValueError(f"{text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def look_up(document: Any, path: Sequence[str]) -> Any:
    for part in path:
        document = document[index(part, document)] if isinstance(document, list) else document[part]
    return document


def index(part: str, items: Sequence[Any], *, end: int = 0) -> int:
    """The place in a list; `end` 1 allows the one behind the last."""
    if not INDEX.fullmatch(part):
        raise ValueError(f"{part!r} is no index")
    number = int(part)
    if number >= len(items) + end:
        raise IndexError(part)
    return number


def removed(document: Any, path: Sequence[str]) -> Any:
    if not path:
        return None
    parent = look_up(document, path[:-1])
    del parent[index(path[-1], parent) if isinstance(parent, list) else path[-1]]
    return document


def added(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = look_up(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else index(last, parent, end=1), value)
    else:
        parent[last] = value
    return document
