"""Conformance of path look-ups: one path on one document."""

from __future__ import annotations

from typing import Any

from events.lang.document import Document
from events.lang.path import compile_path


def run(given: dict[str, Any], fixtures: dict[str, Any]) -> dict[str, Any]:
    """What the path finds in the document of the case: kind and string form, or missing."""
    text = given["document"] if "document" in given else fixtures[given["fixture"]]
    found = compile_path(given["path"]).get(Document(text))
    if not found.exists:
        return {"outcome": "missing"}
    return {"outcome": "found", "kind": found.kind, "text": found.text}
