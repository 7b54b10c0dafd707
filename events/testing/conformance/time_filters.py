"""Conformance family `time_filters`: the daily window of `filters.time`, and single times of day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from events.errors import EvaluationError, ExpressionError
from events.lang.clock import compile_window, parse_clock


def run(given: dict[str, Any], _: dict[str, Any]) -> dict[str, Any]:
    """Run one case; see tests/conformance/README.md for the shapes."""
    return OPS[given["op"]](given)


def window(given: dict[str, Any]) -> dict[str, Any]:
    """Whether an event time passes a time filter."""
    fields = given["filter"]
    try:
        daily = compile_window(fields.get("start", ""), fields.get("stop", ""), fields.get("timezone"))
    except ExpressionError:
        return {"outcome": "error"}
    return {"outcome": "pass" if daily.contains(_moment(given)) else "reject"}


def parse(given: dict[str, Any]) -> dict[str, Any]:
    """The instant of a time of day on the date of an event."""
    try:
        instant = parse_clock(given["value"], given.get("timezone"), _moment(given))
    except (ExpressionError, EvaluationError):
        return {"outcome": "error"}
    return {"outcome": "ok", "instant": instant.isoformat()}


OPS: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {"filter": window, "parse": parse}


def _moment(given: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(given["event_time"])
