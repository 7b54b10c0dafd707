"""Near misses: what a filter was probably meant to find."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from events.api.sensor import EventDependency
from events.event import Event
from events.sensors.dependencies import compile_dependency
from events.sensors.misses import near_misses
from events.sensors.problems import Problems

PUSH = {"body": {"ref": "refs/heads/Main", "user_name": "ada", "count": 5, "flag": "yes", "text": " a "}}


def told(filters: Any, data: Any = PUSH, **more: Any) -> list[str]:
    spec = EventDependency.model_validate(
        {"name": "d", "eventSourceName": "s", "eventName": "e", "filters": filters, **more}
    )
    dependency = compile_dependency(spec, "dependencies.0", Problems())
    return near_misses(dependency, Event("1", "s", "e", "github", None, orjson.dumps(data)))


def data(path: str, value: str, kind: str = "string", comparator: str = "=") -> Any:
    return {"data": [{"path": path, "type": kind, "value": [value], "comparator": comparator}]}


@pytest.mark.parametrize(
    ("filters", "hint"),
    [
        (data("ref", "x"), "ref does not exist, but body.ref does, on another level"),
        (
            data("payload.body.ref", "x"),
            "payload.body.ref does not exist, but body.ref does, on another level",
        ),
        (data("body.userName", "x"), "body.userName does not exist, but body.user_name does, in another"),
        (data("body.Ref", "x"), "body.Ref does not exist, but body.ref does, in another spelling"),
        (data("body.reff", "x"), "body.reff does not exist, but body.ref does, in another spelling"),
        (data("body.count", "6"), "body.count is a number ('5'), but the filter compares text"),
        (
            data("body.ref", "6", "number"),
            "body.ref is text ('refs/heads/Main'), but the filter compares a n",
        ),
        (
            data("body.flag", "false", "bool", "!="),
            "body.flag is text ('yes'), but the filter compares a bool",
        ),
        (data("body", "zzz"), "body is an object or a list"),
        (data("body.ref", "^refs/heads/main$"), "matches when upper and lower case are the same"),
        (data("body.text", "^a$"), "matches without the blanks around it"),
        (data("body.ref", "^Main$"), "matches without ^ and $"),
        ({"context": {"type": "GitHub"}}, "the event's type is 'github': only upper and lower case differ"),
        (
            {"exprs": [{"expr": "r == 'x'", "fields": [{"name": "r", "path": "ref"}]}]},
            "ref does not exist, but body.ref does",
        ),
    ],
)
def test_slip_is_told(filters: Any, hint: str) -> None:
    (one,) = told(filters)
    assert hint in one


@pytest.mark.parametrize(
    "filters",
    [
        data("body.ref", "Main"),
        data("body.ref", "something else"),
        data("nothing.like.this", "x"),
        data("body.#(a==1)", "x"),
        data("$.nope", "x"),
        {"time": {"start": "09:00:00", "stop": "10:00:00"}},
    ],
)
def test_nothing_is_told_where_nothing_is_near(filters: Any) -> None:
    assert told(filters) == []


def test_dependency_without_filters_has_no_misses() -> None:
    assert told(None) == []


def test_payload_that_is_no_json_has_no_misses() -> None:
    spec = EventDependency.model_validate(
        {"name": "d", "eventSourceName": "s", "eventName": "e", "filters": data("a", "x")}
    )
    dependency = compile_dependency(spec, "dependencies.0", Problems())
    assert near_misses(dependency, Event("1", "s", "e", "x", None, b"{no json")) == []


def test_transformed_payload_is_looked_at() -> None:
    hints = told(data("ref", "x"), transform={"jq": "{inner: .body}"})
    assert hints == ["ref does not exist, but inner.ref does, on another level"]


def test_search_of_a_large_payload_ends() -> None:
    large: dict[str, Any] = {str(n): {str(m): {} for m in range(300)} for n in range(300)}
    assert told(data("ref", "x"), {**large, "z": {"ref": 1}}) == []
