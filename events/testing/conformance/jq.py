"""Conformance family `jq`: transforms by jq programs.

Outcome   ok with the new `data` as text; or error, with `reason` not_object when the first output is none
"""

from __future__ import annotations

from typing import Any

from events.errors import EvaluationError, ExpressionError
from events.lang import gojson
from events.lang.document import Document
from events.lang.jq import NotAnObject, compile_jq

NOW = 1_709_294_415.0
"""What `now` gives: seconds since 1970."""


def run(given: dict[str, Any], fixtures: dict[str, Any]) -> dict[str, Any]:
    """Transform one document; see tests/conformance/README.md for the shapes."""
    text = given["data"] if "data" in given else fixtures[given["fixture"]]
    try:
        changed = compile_jq(given["program"]).transform(Document(text).tree, NOW)
        return {"outcome": "ok", "data": gojson.dumps(changed).decode()}
    except NotAnObject:
        return {"outcome": "error", "reason": "not_object"}
    except (ExpressionError, EvaluationError):
        return {"outcome": "error"}
