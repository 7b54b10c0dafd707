"""Kind, namespace and name of an object, as the API server would take them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from events.api.model import Problem

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NAMESPACE = re.compile(_LABEL)


class Identity(NamedTuple):
    """What names an object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def identify(raw: dict[str, Any], namespace: str) -> Identity | Problem:
    """Who the object is; `namespace` is for objects that name none."""
    metadata = raw.get("metadata")
    if not isinstance(metadata, dict):
        return Problem("metadata", "is missing", "write metadata: {name: NAME}", "required")
    name, given = metadata.get("name"), metadata.get("namespace") or namespace
    if not name:
        hint = (
            "generateName does not do here" if "generateName" in metadata else "write metadata: {name: NAME}"
        )
        return Problem("metadata.name", "is missing", hint, "required")
    if not _matches(_NAME, name, 253):
        return Problem("metadata.name", f"cannot be a name: {name!r}", "use a-z, 0-9, - and .", "name")
    if not _matches(_NAMESPACE, given, 63):
        return Problem(
            "metadata.namespace", f"cannot be a namespace: {given!r}", "use a-z, 0-9 and -", "name"
        )
    return Identity(raw["kind"], given, name)


def _matches(pattern: re.Pattern[str], value: object, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and pattern.fullmatch(value) is not None
