"""Every step of a dependency again, with what was wanted and what was found."""

from __future__ import annotations

from typing import Any

import orjson

from events.api.sensor import EventDependency
from events.event import Event
from events.sensors.dependencies import Dependency, compile_dependency
from events.sensors.explain import ERROR, PASS, REJECT, SKIPPED, decisive, trace
from events.sensors.problems import Problems


def dependency(**more: Any) -> Dependency:
    spec = {"name": "d", "eventSourceName": "src", "eventName": "a", **more}
    return compile_dependency(EventDependency.model_validate(spec), "dependencies.0", Problems())


def event(payload: Any) -> Event:
    return Event("1", "src", "a", "webhook", None, orjson.dumps(payload))


FILTERS = {
    "context": {"type": "webhook"},
    "data": [
        {"path": "ref", "type": "string", "value": ["^main$"]},
        {"path": "n", "type": "number", "comparator": ">", "value": ["1"]},
    ],
}


def test_every_step_is_told_with_wanted_and_found():
    steps = trace(dependency(filters=FILTERS), event({"ref": "dev", "n": 2}))
    assert [(step.field, step.verdict, step.found) for step in steps] == [
        ("data.0", REJECT, "dev"), ("data.1", PASS, "2"), ("context", PASS, "type = webhook"),
    ]  # fmt: skip
    decided = decisive(steps)
    assert decided is not None
    assert (decided.expression, decided.wanted) == ("ref", "string = ^main$")


def test_an_error_decides_before_a_refusal_and_has_no_value():
    steps = trace(dependency(filters=FILTERS), event({"ref": "dev"}))
    decided = decisive(steps)
    assert decided is not None
    assert (decided.field, decided.verdict, decided.found) == ("data.1", ERROR, None)
    assert "does not exist" in decided.error


def test_nothing_decides_against_what_passes():
    assert decisive(trace(dependency(filters=FILTERS), event({"ref": "main", "n": 2}))) is None
    assert trace(dependency(), event({})) == []


def test_the_trace_agrees_with_the_verdict():
    made = dependency(filters=FILTERS)
    for payload in ({"ref": "main", "n": 2}, {"ref": "main", "n": 1}, {"ref": "main"}, {}, [], 1):
        passes = made.judge(event(payload)).event is not None
        assert passes is (decisive(trace(made, event(payload))) is None)


def test_scripts_are_left_out_on_request():
    looping = dependency(filters={**FILTERS, "script": "while true do end"})
    steps = trace(looping, event({"ref": "main", "n": 2}), scripts=False)
    assert [step.verdict for step in steps] == [PASS, PASS, PASS, SKIPPED]
    assert decisive(steps) is None
    changed = dependency(transform={"jq": ".n"}, filters=FILTERS)
    assert [step.verdict for step in trace(changed, event({}), scripts=False)] == [SKIPPED]


def test_a_transform_is_shown_with_what_it_made():
    made = dependency(transform={"jq": "{ref: .branch}"}, filters={"data": [FILTERS["data"][0]]})  # type: ignore[index]
    first, second = trace(made, event({"branch": "main"}))
    assert (first.field, first.verdict, first.found) == ("transform", PASS, '{"ref":"main"}')
    assert second.verdict == PASS
    (failed,) = trace(dependency(transform={"jq": ".n + {}"}), event({"n": 1}))
    assert (failed.field, failed.verdict) == ("transform", ERROR)
