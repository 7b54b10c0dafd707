"""Conformance family `expr_filters`: expressions of `filters.exprs`, variables as decoded JSON."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from events.errors import EvaluationError, ExpressionError
from events.lang.govaluate import compile_expression

_TYPES: Final = {bool: "bool", float: "number", str: "string", type(None): "nil", list: "list", dict: "map"}


def run(given: dict[str, Any], fixtures: dict[str, Any]) -> dict[str, Any]:
    """Run one case; see tests/conformance/README.md for the shapes."""
    return OPS[given["op"]](given, fixtures)


def evaluate(given: dict[str, Any], _: dict[str, Any]) -> dict[str, Any]:
    """One expression: its value with the kind, or error, also for one that does not compile."""
    variables = {name: _doubles(value) for name, value in given["variables"].items()}
    try:
        value = compile_expression(given["expression"]).evaluate(variables)
    except (ExpressionError, EvaluationError):
        return {"outcome": "error"}
    return {"outcome": "value", "type": _TYPES[type(value)], "value": _shown(value)}


OPS: Final[dict[str, Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]]] = {"evaluate": evaluate}


def _doubles(value: Any) -> Any:
    """The decoded value with every number a double, as decoding JSON gives it in Go."""
    if isinstance(value, list):
        return [_doubles(item) for item in value]
    if isinstance(value, dict):
        return {name: _doubles(item) for name, item in value.items()}
    return float(value) if type(value) is int else value


def _shown(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return value
