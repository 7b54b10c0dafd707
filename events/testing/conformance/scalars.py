"""Conformance family `scalars`: cron, durations, booleans, numbers, retry schedules."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from events.errors import ExpressionError
from events.lang.backoff import compile_backoff
from events.lang.cron import compile_cron
from events.lang.duration import format_duration, parse_duration
from events.lang.scalars import parse_bool, parse_float


def run(given: dict[str, Any], _: dict[str, Any]) -> dict[str, Any]:
    """Run one case; see tests/conformance/README.md for the shapes."""
    return OPS[given["op"]](given)


def cron(given: dict[str, Any]) -> dict[str, Any]:
    """The tick before a time; none if there is none in range, rejected if it does not compile."""
    try:
        previous = compile_cron(given["expression"]).previous(datetime.fromisoformat(given["before"]))
    except ExpressionError:
        return {"outcome": "rejected"}
    return {"outcome": "none"} if previous is None else {"outcome": "ok", "previous": f"{previous:%FT%TZ}"}


def duration(given: dict[str, Any]) -> dict[str, Any]:
    """Text as Go reads durations, or a whole number of nanoseconds."""
    value = given["value"]
    if not isinstance(value, str):
        if type(value) is not int:
            return {"outcome": "error"}
        return {"outcome": "ok", "text": format_duration(value), "nanoseconds": value}
    try:
        nanoseconds = parse_duration(value)
    except ExpressionError:
        return {"outcome": "error"}
    return {"outcome": "ok", "text": format_duration(nanoseconds), "nanoseconds": nanoseconds}


def boolean(given: dict[str, Any]) -> dict[str, Any]:
    """Text as Go reads booleans."""
    try:
        return {"outcome": "ok", "value": parse_bool(given["text"])}
    except ExpressionError:
        return {"outcome": "error"}


def number(given: dict[str, Any]) -> dict[str, Any]:
    """Text as Go reads floats; infinities and NaN are shown as text."""
    try:
        value = parse_float(given["text"])
    except ExpressionError:
        return {"outcome": "error"}
    if math.isfinite(value):
        return {"outcome": "ok", "value": value}
    return {"outcome": "ok", "value": "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"}


def backoff(given: dict[str, Any]) -> dict[str, Any]:
    """Attempts of an action that always fails, and the shortest and longest pause between two."""
    fields = given["backoff"]
    if fields is None:
        fields = {"steps": 1}  # no retryStrategy: one attempt
    try:
        schedule = compile_backoff(*map(fields.get, ("duration", "factor", "jitter", "steps")))
    except ExpressionError:
        return {"outcome": "error", "attempts": 0, "sleeps": []}
    attempts = range(1, schedule.steps)
    sleeps = [[schedule.delay(attempt, 0.0), schedule.delay(attempt, 1.0)] for attempt in attempts]
    return {"outcome": "ok", "attempts": schedule.steps, "sleeps": sleeps}


OPS: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "cron": cron,
    "duration": duration,
    "bool": boolean,
    "float": number,
    "backoff": backoff,
}
