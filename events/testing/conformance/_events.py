"""Events and specs out of cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.api.sensor import DataFilter, EventContext, ExprFilter, Filters, PayloadField, TimeFilter
from events.cloudevents import parse_time
from events.errors import EvaluationError
from events.event import Event
from events.sensors.filters import compile_filters
from events.sensors.problems import Problems


def event_of(context: Mapping[str, Any], data: str | None) -> Event:
    """The event of a fixture: its context, and the text of its data (None: no data)."""
    return Event(
        context.get("id", ""), context.get("source", ""), context.get("subject", ""), context.get("type", ""),
        parse_time(context.get("time")), None if data is None else data.encode("utf-8", "surrogateescape"),
        context.get("datacontenttype", ""),
    )  # fmt: skip


def filters_of(given: Mapping[str, Any]) -> Filters:
    """Filters as a case has them: not validated, so that what upstream refuses can be evaluated too."""
    fields: dict[str, Any] = {
        "data_logical_operator": given.get("dataLogicalOperator", ""),
        "expr_logical_operator": given.get("exprLogicalOperator", ""),
        "script": given.get("script", ""),
    }
    if "data" in given:
        fields["data"] = [data_filter(item) for item in given["data"]]
    if "exprs" in given:
        fields["exprs"] = [expr_filter(item) for item in given["exprs"]]
    if "context" in given:
        fields["context"] = EventContext.model_construct(**given["context"])
    if "time" in given:
        fields["time"] = time_filter(given["time"])
    return Filters.model_construct(**fields)


def data_filter(given: Mapping[str, Any]) -> DataFilter:
    return DataFilter.model_construct(
        path=given.get("path", ""), type=given.get("type", ""), value=given.get("value", []),
        comparator=given.get("comparator", ""), template=given.get("template", ""),
    )  # fmt: skip


def expr_filter(given: Mapping[str, Any]) -> ExprFilter:
    fields = [PayloadField.model_construct(**field) for field in given.get("fields", ())]
    return ExprFilter.model_construct(expr=given.get("expr", ""), fields=fields)


def time_filter(given: Mapping[str, Any]) -> TimeFilter:
    return TimeFilter.model_construct(
        start=given.get("start", ""), stop=given.get("stop", ""), timezone=given.get("timezone", "")
    )


def outcome(filters: Filters, operator: str, event: Event) -> str:
    """pass, reject or error."""
    compiled = compile_filters(filters, operator, "filters", Problems())
    if compiled is None:
        return "pass"
    try:
        return "pass" if compiled.test(event) else "reject"
    except EvaluationError:
        return "error"


def by_kind(filters: Filters, event: Event) -> dict[str, str]:
    """The outcome of every kind of filter on its own."""
    compiled = compile_filters(filters, "", "filters", Problems())
    found: dict[str, str] = {}
    for kind in compiled.kinds if compiled else ():
        try:
            found[kind.name] = "pass" if kind.test(event) else "reject"
        except EvaluationError:
            found[kind.name] = "error"
    return found


def plain_event(data: str | None) -> Event:
    """An event whose context does not matter."""
    return event_of({"datacontenttype": "application/json"}, data)


def data_text(given: Mapping[str, Any], fixtures: Mapping[str, Any]) -> str:
    text: str = given["data"] if "data" in given else fixtures[given["fixture"]]
    return text
