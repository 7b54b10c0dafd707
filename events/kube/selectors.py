"""Label selectors: as the API server reads them, and applied to labels in memory.

Spec      kubernetes.io: Labels and Selectors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

OPERATIONS = ("=", "==", "!=", "in", "notin", "exists", "!", "gt", "lt")


class Requirement(NamedTuple):
    """What one label has to be. `values` are alternatives of `in` and `notin`."""

    key: str
    operation: str = "="
    values: tuple[str, ...] = ("",)

    def __str__(self) -> str:
        """As in the query `labelSelector`."""
        key, operation, value = self.key, self.operation, self.values[0]
        if operation in {"in", "notin"}:
            return f"{key} {operation} ({','.join(self.values)})"
        if operation in {"gt", "lt"}:
            return f"{key}{'>' if operation == 'gt' else '<'}{value}"
        if operation == "exists":
            return key
        return f"!{key}" if operation == "!" else f"{key}{operation}{value}"

    def met(self, labels: Mapping[str, str]) -> bool:
        found = labels.get(self.key)
        if self.operation in {"exists", "!"}:
            return (found is not None) == (self.operation == "exists")
        if self.operation in {"!=", "notin"}:
            return found not in self.values
        if self.operation in {"gt", "lt"}:
            return found is not None and beyond(found, self.values[0], self.operation)
        return found in self.values


def beyond(found: str, limit: str, operation: str) -> bool:
    """Whole numbers only; a label that is none is on neither side."""
    try:
        one, other = int(found), int(limit)
    except ValueError:
        return False
    return one > other if operation == "gt" else one < other


class Selector(NamedTuple):
    """All requirements together; none of them: everything."""

    requirements: tuple[Requirement, ...] = ()

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    def met(self, labels: Mapping[str, str]) -> bool:
        return all(one.met(labels) for one in self.requirements)


def equal(labels: Mapping[str, str] | None) -> Selector:
    """All of these labels with these values."""
    return Selector(tuple(Requirement(key, "=", (value,)) for key, value in (labels or {}).items()))
