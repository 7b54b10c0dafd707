"""What may have been meant: near names, and what to write instead of operators that do not exist."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches

from events.errors import shorten
from events.manifest import Finding

_PATTERN = "remove it: with type string every value is a regular expression, found anywhere in the text"
_ORDER = "with type number"
COMPARATORS = {
    "==": "write =",
    "===": "write =",
    "eq": "write =",
    "equal": "write =",
    "equals": "write =",
    "is": "write =",
    "<>": "write !=",
    "ne": "write !=",
    "not": "write !=",
    "!==": "write !=",
    "!~": "write !=: with type string every value is a regular expression",
    "not in": "write !=, in one filter for each value",
    "notin": "write !=, in one filter for each value",
    "~": _PATTERN,
    "=~": _PATTERN,
    "like": _PATTERN,
    "regex": _PATTERN,
    "regexp": _PATTERN,
    "match": _PATTERN,
    "matches": _PATTERN,
    "contains": _PATTERN,
    "in": "remove it: any of the values may match",
    "startswith": "remove it, and write the value as ^TEXT",
    "prefix": "remove it, and write the value as ^TEXT",
    "endswith": "remove it, and write the value as TEXT$",
    "suffix": "remove it, and write the value as TEXT$",
    "gt": f"write > {_ORDER}",
    "ge": f"write >= {_ORDER}",
    "gte": f"write >= {_ORDER}",
    "=>": f"write >= {_ORDER}",
    "lt": f"write < {_ORDER}",
    "le": f"write <= {_ORDER}",
    "lte": f"write <= {_ORDER}",
    "=<": f"write <= {_ORDER}",
}
"""Comparators that people write, and what does that here."""

_TEXT = "write type: string"
_NUMBER = "write type: number"
TYPES = {
    "regex": "write type: string; its values are regular expressions",
    "regexp": "write type: string; its values are regular expressions",
    "pattern": "write type: string; its values are regular expressions",
    "array": "write type: string; it sees the JSON text of the list",
    "list": "write type: string; it sees the JSON text of the list",
    "object": "write type: string; it sees the JSON text of the object",
    "json": "write type: string; it sees the JSON text",
} | dict.fromkeys(("str", "string", "strings", "text", "date", "time"), _TEXT)
TYPES |= dict.fromkeys(("int", "integer", "int64", "float", "float64", "double", "num", "number"), _NUMBER)
TYPES |= dict.fromkeys(("bool", "boolean"), "write type: bool")
"""Types of data filters that people write, in lower case, and what does that here."""

_UNKNOWN_COMPARATOR = re.compile(r"unknown comparator '(.*)'", re.DOTALL)


def near(name: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """The one of the names that is most like this one, "" when none is. The case of letters is free."""
    lower = {known.lower(): known for known in names}
    return next((lower[found] for found in get_close_matches(name.lower(), lower, 1, cutoff)), "")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A hint for a name that does not exist: the nearest one, or all there are."""
    known = [*names]
    found = near(name, known)
    if found:
        return f"did you mean {found}?"
    return f"there are {shorten(', '.join(known))}" if known else ""


def instead_of_type(name: str) -> str:
    """A hint for a type of data filters that does not exist."""
    return TYPES.get(name.strip().lower(), "write type: string, number or bool")


def better(finding: Finding) -> Finding:
    """A finding of the loader with a better hint, where there is one."""
    found = _UNKNOWN_COMPARATOR.fullmatch(finding.message)
    hint = COMPARATORS.get(found[1].strip().lower()) if found else None
    return replace(finding, hint=hint, code="unknown-comparator") if hint else _coded(finding, found)


def _coded(finding: Finding, found: re.Match[str] | None) -> Finding:
    return replace(finding, code="unknown-comparator") if found else finding
