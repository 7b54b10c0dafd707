"""Conformance of writing into documents: op `write` of the parameters family."""

from __future__ import annotations

from typing import Any

from events.errors import EvaluationError
from events.lang.write import compile_dest


def write(given: dict[str, Any], fixtures: dict[str, Any]) -> dict[str, Any]:
    """The document after the value was written at the place of the case, or error."""
    dest = compile_dest(given["dest"])
    try:
        put = dest.set_raw if given["raw"] else dest.set
        return {"outcome": "ok", "document": put(given["document"], given["value"])}
    except EvaluationError:
        return {"outcome": "error"}
