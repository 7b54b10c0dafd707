"""Conformance family `conditions`: which conditions are usable, what they wait on, when they fire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from events.errors import ExpressionError
from events.lang.condition import compile_condition


def run(given: dict[str, Any], fixtures: dict[str, Any]) -> dict[str, Any]:
    """Run one case; see tests/conformance/README.md for the shapes."""
    return OPS[given["op"]](given, fixtures)


def parse(given: dict[str, Any], _: dict[str, Any]) -> dict[str, Any]:
    """A written condition: the dependencies in it and its text without blanks, or invalid."""
    try:
        condition = compile_condition(given["conditions"], given["dependencies"])
    except ExpressionError:
        return {"outcome": "invalid"}
    return {"outcome": "ok", "waits_on": list(condition.names), "expression": condition.normalized}


def evaluate(given: dict[str, Any], _: dict[str, Any]) -> dict[str, Any]:
    """Whether a condition is true for held dependencies; one that is invalid never fires."""
    held = {name for name, is_held in given["held"].items() if is_held}
    try:
        return {"fires": compile_condition(given["conditions"], given["dependencies"]).true_for(held)}
    except ExpressionError:
        return {"fires": False}


def default(given: dict[str, Any], _: dict[str, Any]) -> dict[str, Any]:
    """What a trigger without conditions waits on, or broken."""
    try:
        return {"outcome": "ok", "waits_on": list(compile_condition(None, given["dependencies"]).names)}
    except ExpressionError:
        return {"outcome": "broken"}


OPS: Final[dict[str, Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]]] = {
    "parse": parse,
    "evaluate": evaluate,
    "default": default,
}
