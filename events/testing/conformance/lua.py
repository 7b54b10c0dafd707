"""Conformance family `lua`: Lua scripts as filter and as transform.

Outcome   filter: pass, reject or error; transform: ok with the new `data` as text, or error
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from events.errors import EvaluationError, ExpressionError
from events.lang import gojson
from events.lang.document import Document
from events.lang.lua import LuaScript, compile_lua

NOW = 1_709_294_415.0
"""What `os.time` gives: seconds since 1970."""


def run_filter(script: LuaScript, data: Any) -> dict[str, Any]:
    return {"outcome": "pass" if script.filter(data, NOW) else "reject"}


def run_transform(script: LuaScript, data: Any) -> dict[str, Any]:
    return {"outcome": "ok", "data": gojson.dumps(script.transform(data, NOW)).decode()}


OPS: dict[str, Callable[[LuaScript, Any], dict[str, Any]]] = {
    "filter": run_filter,
    "transform": run_transform,
}


def run(given: dict[str, Any], fixtures: dict[str, Any]) -> dict[str, Any]:
    """Run one script; see tests/conformance/README.md for the shapes."""
    text = given["data"] if "data" in given else fixtures[given["fixture"]]
    try:
        return OPS[given["op"]](compile_lua(given["script"]), Document(text).tree)
    except (ExpressionError, EvaluationError):
        return {"outcome": "error"}
