"""Conformance family `time_filters`: the daily window of `filters.time`, and single times of day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from events.errors import EvaluationError, ExpressionError
from events.lang.clock import compile_window, load_zone, parse_clock


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
    fraction = given["value"].replace(",", ".").partition(".")[2][:9].rstrip("0")
    return {
        "outcome": "ok",
        "instant": rfc3339(instant.astimezone(load_zone(given.get("timezone"))), fraction),
    }


def rfc3339(moment: datetime, fraction: str) -> str:
    """The moment as Go writes it; `fraction` has the digits of the second, which may be nine."""
    text = moment.isoformat(timespec="seconds")
    clock, offset = text[:19], text[19:]
    return clock + ("." + fraction if fraction else "") + ("Z" if offset == "+00:00" else offset)


OPS: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {"filter": window, "parse": parse}


def _moment(given: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(given["event_time"])
