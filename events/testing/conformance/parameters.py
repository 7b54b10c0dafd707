"""Family parameters: values out of events, into documents, payloads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.api.sensor import TriggerParameter
from events.errors import EvaluationError, ExpressionError
from events.event import Firing
from events.sensors.parameters import compile_edits, compile_payload, compile_source
from events.testing.conformance._events import event_of
from events.testing.conformance.parameters_write import write


def firing_of(given: Mapping[str, Any], fixtures: Mapping[str, Any]) -> Firing:
    fixture = fixtures[given["fixture"]]
    changed = dict(given.get("override", {}))
    data = changed.pop("data", fixture.get("data"))
    event = event_of({**fixture["context"], **changed}, data)
    return Firing("f", "default", "s", "t", {fixture["dependency"]: event}, event.time_ns or 0)


def parameter_of(given: Mapping[str, Any]) -> TriggerParameter:
    raw = {key: given[key] for key in ("src", "dest", "operation") if key in given}
    return TriggerParameter.model_validate(raw)


def resolve(given: Mapping[str, Any], fixtures: Mapping[str, Any]) -> dict[str, Any]:
    source = parameter_of(given).src
    assert source is not None
    try:
        value = compile_source(source)(firing_of(given, fixtures))
    except (EvaluationError, ExpressionError):
        return {"outcome": "error"}
    if value is None:
        return {"outcome": "nil"}
    return {"outcome": "value", "kind": value.kind, "text": value.text}


def apply(given: Mapping[str, Any], fixtures: Mapping[str, Any]) -> dict[str, Any]:
    try:
        edit = compile_edits([parameter_of(given)], given["document"])
        return {"outcome": "ok", "document": edit(firing_of(given, fixtures))}
    except (EvaluationError, ExpressionError):
        return {"outcome": "error"}


def payload(given: Mapping[str, Any], fixtures: Mapping[str, Any]) -> dict[str, Any]:
    try:
        build = compile_payload([parameter_of(entry) for entry in given["entries"]])
        body = build(firing_of(given, fixtures))
    except (EvaluationError, ExpressionError):
        return {"outcome": "error"}
    return {"outcome": "no_body"} if body is None else {"outcome": "body", "body": body}


OPS = {"resolve": resolve, "write": write, "apply": apply, "payload": payload}


def run(given: Any, fixtures: Any) -> dict[str, Any]:
    """By `op`."""
    return OPS[given["op"]](given, fixtures)
