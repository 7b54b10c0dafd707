"""A dependency's verdict: passed, filtered, or which error."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from events.api.sensor import EventDependency
from events.event import FILTER_ERROR, FILTERED, TRANSFORM_ERROR, Event
from events.sensors.dependencies import Dependency, compile_dependency
from events.sensors.problems import Problems


def dependency(problems: Problems | None = None, **more: Any) -> Dependency:
    spec = {"name": "d", "eventSourceName": "src", "eventName": "a", **more}
    return compile_dependency(
        EventDependency.model_validate(spec), "dependencies.0", Problems() if problems is None else problems
    )


def event(payload: Any) -> Event:
    return Event("1", "src", "a", "webhook", None, orjson.dumps(payload))


NUMBER = {"data": [{"path": "n", "type": "number", "comparator": ">", "value": ["1"]}]}


def test_without_filters_everything_passes_as_it_is():
    given = event({"n": 1})
    assert dependency().judge(given).event is given


@pytest.mark.parametrize(
    ("payload", "result"), [({"n": 1}, FILTERED), ({}, FILTER_ERROR), ([], FILTER_ERROR)]
)
def test_a_refusal_and_an_error_are_told_apart(payload: Any, result: str):
    verdict = dependency(filters=NUMBER).judge(event(payload))
    assert (verdict.event, verdict.result) == (None, result)
    assert bool(verdict.reason) is (result == FILTER_ERROR)


def test_the_topic_is_source_and_event_name():
    assert dependency().topic == ("src", "a")


def test_a_transform_comes_before_the_filters_and_its_error_is_its_own():
    def raise_n(given: Event) -> Event:
        return Event(given.id, given.source, given.subject, given.type, None, b'{"n": 5}')

    made = dependency(filters=NUMBER)._replace(transform=raise_n)
    passed = made.judge(event({"n": 0}))
    assert passed.event is not None
    assert passed.event.data == b'{"n": 5}'


def test_a_filter_that_does_not_compile_is_a_problem_and_an_error_at_every_event():
    problems = Problems()
    broken = dependency(problems, filters={"data": [{"path": "n", "type": "string", "value": ["["]}]})
    assert [problem.field for problem in problems] == ["dependencies.0.filters.data.0.value.0"]
    assert broken.judge(event({"n": "x"})).result == FILTER_ERROR


def test_scripts_are_known_as_such():
    assert not dependency(filters=NUMBER).scripted
    assert dependency(transform={"jq": "."}).scripted
    assert dependency(filters={"script": "return true"}).scripted


def test_a_transform_that_fails_is_a_transform_error():
    made = dependency(transform={"jq": ".n + {}"})
    assert made.judge(event({"n": 1})).result == TRANSFORM_ERROR
