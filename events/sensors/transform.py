"""Transforms: replace an event's data by what a jq program or a Lua script makes of it.

Upstream  pkg/sensors/dependencies/transform.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from events.errors import EvaluationError
from events.event import JSON, Event
from events.lang import gojson
from events.sensors.filters import document
from events.sensors.moments import clock
from events.sensors.problems import Problems

if TYPE_CHECKING:
    from events.api.sensor import EventDependencyTransformer

Change = Callable[[Any, float], Any]
"""Data and the clock of the event (seconds since 1970) -> data."""


def compile_transform(
    spec: EventDependencyTransformer | None, field: str, problems: Problems
) -> Callable[[Event], Event] | None:
    """None when nothing is to be changed; jq wins over a script."""
    if spec is None or not (spec.jq or spec.script):
        return None
    text = spec.jq or spec.script or ""
    change = problems.attempt(
        f"{field}.{'jq' if spec.jq else 'script'}", lambda: compile_change(spec.jq, text)
    )

    def transform(event: Event) -> Event:
        if event.data is None:
            return event
        if change is None:
            raise EvaluationError("the transform does not compile", text)
        changed = gojson.dumps(change(members(event), clock(event)))
        return msgspec.structs.replace(event, data=changed, datacontenttype=JSON, document=None)

    return transform


def compile_change(jq: str | None, text: str) -> Change:
    if jq:
        from events.lang.jq import compile_jq

        return compile_jq(text).transform
    from events.lang.lua import compile_lua

    return compile_lua(text).transform


def members(event: Event) -> Any:
    """The data as an object; `null` counts as an empty one. Raises EvaluationError for anything else."""
    data = document(event).tree
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise EvaluationError("only a JSON object can be transformed")
    return data
