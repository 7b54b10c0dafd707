from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from events.api.eventsource import EventSource
from events.api.origin import Lines
from events.api.sensor import Sensor
from events.manifest.tidy import tidy
from events.sources.sqs import SQSConfig

SENSOR: dict[str, Any] = {
    "metadata": {"name": "s", "creationTimestamp": "x", "annotations": {"a": "b"}},
    "spec": {
        "dependencies": [{"name": "d", "filters": {"data": [{"path": "a", "value": ["x"]}]}}],
        "triggers": [{"template": {"name": "t", "http": {"url": "x", "anything": 1}}}],
    },
}


def notes(model: Any, raw: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(problem.field, problem.code, problem.hint) for problem in tidy(model, raw)[1]]


def test_nothing_to_say() -> None:
    assert tidy(Sensor, SENSOR) == (SENSOR, [])


def test_the_given_object_is_left_alone() -> None:
    raw = {"SPEC": {"Triggers": [{"Template": {"openwhisk": {}}}]}}
    before = deepcopy(raw)
    tidy(Sensor, raw)
    assert raw == before


def test_keys_in_the_wrong_case_are_put_right() -> None:
    raw = {"Spec": {"triggers": [{"template": {"openwhisk": {"host": "x"}, "conditionsreset": []}}]}}
    made, problems = tidy(Sensor, raw)
    assert made == {"spec": {"triggers": [{"template": {"openWhisk": {"host": "x"}, "conditionsReset": []}}]}}
    assert [(problem.field, problem.code, problem.severity) for problem in problems] == [
        ("spec", "wrong-case", "warning"),
        ("spec.triggers.0.template.openWhisk", "wrong-case", "warning"),
        ("spec.triggers.0.template.conditionsReset", "wrong-case", "warning"),
    ]


def test_lines_are_found_under_the_right_name() -> None:
    lines = Lines(1, {"spec": Lines(2, {"REDISSTREAM": Lines(3, {"a": Lines(4)})})})
    tidy(EventSource, {"spec": {"REDISSTREAM": {"a": {}}}}, lines)
    assert lines.inner["spec"].inner["redisStream"].inner["a"].line == 4


def test_the_right_case_wins_over_the_wrong_one() -> None:
    made, _ = tidy(SQSConfig, {"region": "a", "Region": "b"})
    assert made == {"region": "a", "Region": "b"}


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("spec.eventBus", "did you mean eventBusName?"),
        ("spec.triggers.0.template.retryStrategy", "it belongs one level up, beside template"),
        ("spec.triggers.0.conditions", "it belongs into template"),
        ("spec.triggers.0.eventBusName", "it belongs one level up, beside triggers"),
        ("spec.triggers.0.template.htp", "did you mean http?"),
        ("spec.dependencies.0.filters.dat", "did you mean data?"),
        ("spec.dependencies.0.somethingElse", ""),
        ("kindd", "did you mean kind?"),
    ],
)
def test_unknown_fields(path: str, hint: str) -> None:
    raw = deepcopy(SENSOR)
    *parents, last = path.split(".")
    at: Any = raw
    for key in parents:
        at = at[int(key)] if isinstance(at, list) else at[key]
    at[last] = {"x": 1}
    assert notes(Sensor, raw) == [(path, "unknown-field", hint)]
    assert tidy(Sensor, raw)[0] == raw


def test_metadata_of_kubernetes_is_not_doubted() -> None:
    assert notes(Sensor, {"metadata": {"ownerReferences": [], "finalizers": []}}) == []


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"data": [{"value": [5]}]}, "spec.dependencies.0.filters.data.0.value.0"),
        ({"data": [{"value": ["a", True]}]}, "spec.dependencies.0.filters.data.0.value.1"),
    ],
)
def test_types_that_upstream_refuses(filters: Any, field: str) -> None:
    raw = {"spec": {"dependencies": [{"filters": filters}]}}
    assert notes(Sensor, raw) == [(field, "lenient-type", "write text in quotes")]


def test_quoted_factors() -> None:
    raw = {"spec": {"triggers": [{"retryStrategy": {"factor": "2", "jitter": 1}}]}}
    assert notes(Sensor, raw) == [
        ("spec.triggers.0.retryStrategy.factor", "lenient-type", "write a number without quotes")
    ]


@pytest.mark.parametrize("junk", [None, 5, "x", [], {}, [None], {"a": None}, [[]], True])
def test_junk_is_handed_on(junk: Any) -> None:
    for path in ("metadata", "spec", "status"):
        made, _ = tidy(Sensor, {path: junk})
        assert made == {path: junk}
