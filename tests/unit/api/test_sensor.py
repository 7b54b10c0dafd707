from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from events.api.model import Model
from events.api.sensor import Filters, Sensor, Trigger
from events.manifest.decode import decode, warnings

DEPENDENCY = {"name": "dep", "eventSourceName": "webhook", "eventName": "example"}
PARAMETER = {"src": {"dependencyName": "dep"}, "dest": "a"}
SENSOR: dict[str, Any] = {
    "kind": "Sensor",
    "metadata": {"name": "s"},
    "spec": {
        "dependencies": [DEPENDENCY],
        "triggers": [{"template": {"name": "t", "http": {"url": "http://x"}}}],
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """SENSOR with one field set, or removed where the value is Ellipsis."""
    raw = deepcopy(SENSOR)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    at: Any = raw
    for key in parents:
        at = at[key] if isinstance(at, list) else at.setdefault(key, {})
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return raw


def faults(model: type[Model], raw: dict[str, Any]) -> list[tuple[str, str]]:
    made = decode(model, raw)
    return [] if isinstance(made, Model) else [(problem.field, problem.code) for problem in made]


def doubts(raw: dict[str, Any]) -> list[tuple[str, str]]:
    made = decode(Sensor, raw)
    assert isinstance(made, Sensor), made
    return [(problem.field, problem.code) for problem in warnings(made)]


def test_a_sensor_is_accepted() -> None:
    assert faults(Sensor, SENSOR) == []
    assert doubts(SENSOR) == []


DEP = "spec.dependencies.0"
FILTERS = f"{DEP}.filters"
TRIGGER = "spec.triggers.0"


@pytest.mark.parametrize(
    ("path", "value", "field", "code"),
    [
        ("spec", ..., "spec", "required"),
        ("spec.dependencies", [], "spec.dependencies", "required"),
        ("spec.dependencies", ..., "spec.dependencies", "required"),
        (f"{DEP}.name", "", f"{DEP}.name", "required"),
        (f"{DEP}.eventSourceName", ..., f"{DEP}.eventSourceName", "required"),
        (f"{DEP}.eventName", "", f"{DEP}.eventName", "required"),
        (f"{DEP}.filtersLogicalOperator", "AND", f"{DEP}.filtersLogicalOperator", "choice"),
        (f"{FILTERS}.exprLogicalOperator", "xor", f"{FILTERS}.exprLogicalOperator", "choice"),
        (f"{FILTERS}.dataLogicalOperator", "xor", f"{FILTERS}.dataLogicalOperator", "choice"),
        (
            f"{FILTERS}.exprs",
            [{"fields": [{"path": "a", "name": "a"}]}],
            f"{FILTERS}.exprs.0.expr",
            "required",
        ),
        (f"{FILTERS}.exprs", [{"expr": "a"}], f"{FILTERS}.exprs.0.fields", "required"),
        (f"{FILTERS}.exprs", [{"expr": "a", "fields": []}], f"{FILTERS}.exprs.0.fields", "required"),
        (
            f"{FILTERS}.exprs",
            [{"expr": "a", "fields": [{"path": "", "name": "a"}]}],
            f"{FILTERS}.exprs.0.fields.0.path",
            "required",
        ),
        (
            f"{FILTERS}.data",
            [{"path": "", "type": "string", "value": ["a"]}],
            f"{FILTERS}.data.0.path",
            "required",
        ),
        (f"{FILTERS}.data", [{"path": "a", "value": ["a"]}], f"{FILTERS}.data.0.type", "required"),
        (f"{FILTERS}.data", [{"path": "a", "type": "string"}], f"{FILTERS}.data.0.value", "required"),
        (
            f"{FILTERS}.data",
            [{"path": "a", "type": "string", "value": []}],
            f"{FILTERS}.data.0.value",
            "required",
        ),
        (
            f"{FILTERS}.data",
            [{"path": "a", "type": "string", "value": ["a", ""]}],
            f"{FILTERS}.data.0.value.1",
            "required",
        ),
        (
            f"{FILTERS}.data",
            [{"path": "a", "type": "string", "value": ["a"], "comparator": "=="}],
            f"{FILTERS}.data.0.comparator",
            "choice",
        ),
        (f"{FILTERS}.context", {"id": "1"}, f"{FILTERS}.context", "required"),
        (f"{FILTERS}.time", {"start": "01:00:00", "stop": "01:00:00"}, f"{FILTERS}.time", "choice"),
        (f"{FILTERS}.time", {"start": "01:00:00"}, f"{FILTERS}.time.stop", "required"),
        ("spec.triggers", [], "spec.triggers", "required"),
        (f"{TRIGGER}.template", ..., f"{TRIGGER}.template", "required"),
        (f"{TRIGGER}.template.name", "", f"{TRIGGER}.template.name", "required"),
        (
            f"{TRIGGER}.template.conditionsReset",
            [{}],
            f"{TRIGGER}.template.conditionsReset.0.byTime",
            "required",
        ),
        (f"{TRIGGER}.parameters", [{"dest": "a"}], f"{TRIGGER}.parameters.0", "required"),
        (
            f"{TRIGGER}.parameters",
            [{"src": {}, "dest": "a"}],
            f"{TRIGGER}.parameters.0.src.dependencyName",
            "required",
        ),
        (f"{TRIGGER}.parameters", [{**PARAMETER, "dest": ""}], f"{TRIGGER}.parameters.0.dest", "required"),
        (
            f"{TRIGGER}.parameters",
            [{**PARAMETER, "operation": "add"}],
            f"{TRIGGER}.parameters.0.operation",
            "choice",
        ),
        (f"{TRIGGER}.retryStrategy", {"duration": "5"}, f"{TRIGGER}.retryStrategy.duration", "duration"),
        (f"{TRIGGER}.retryStrategy", {"duration": ""}, f"{TRIGGER}.retryStrategy.duration", "duration"),
        (f"{TRIGGER}.rateLimit", {"unit": "Second"}, f"{TRIGGER}.rateLimit.requestsPerUnit", "required"),
        (f"{TRIGGER}.policy", {"status": {}}, f"{TRIGGER}.policy.status.allow", "required"),
        (f"{TRIGGER}.maxInFlight", 0, f"{TRIGGER}.maxInFlight", "range"),
    ],
)
def test_rejections(path: str, value: Any, field: str, code: str) -> None:
    assert faults(Sensor, changed(path, value)) == [(field, code)]


def test_names_are_unique() -> None:
    raw = deepcopy(SENSOR)
    raw["spec"]["triggers"] *= 2
    raw["spec"]["dependencies"] = [DEPENDENCY, {**DEPENDENCY, "name": "other"}, DEPENDENCY]
    assert faults(Sensor, raw) == [
        ("spec.triggers.1.template.name", "duplicate"),
        ("spec.dependencies.2.name", "duplicate"),
    ]


@pytest.mark.parametrize(
    ("own", "inner", "refused", "doubted"),
    [
        (True, True, [], []),
        (None, True, [], ["atLeastOnce"]),
        (None, None, [], ["atLeastOnce", "dlqTrigger.atLeastOnce"]),
        (False, True, ["atLeastOnce"], []),
        (True, False, ["dlqTrigger.atLeastOnce"], []),
    ],
)
def test_dead_letters_and_at_least_once(
    own: bool | None, inner: bool | None, refused: list[str], doubted: list[str]
) -> None:
    trigger = {
        "template": {"name": "t"},
        "atLeastOnce": own,
        "dlqTrigger": {"template": {"name": "dlq"}, "atLeastOnce": inner},
    }
    assert faults(Trigger, trigger) == [(field, "choice") for field in refused]
    if not refused:
        made = Trigger.model_validate(trigger)
        assert [problem.field for problem in made.problems()] == doubted


@pytest.mark.parametrize(
    ("kind", "policy", "refused"),
    [
        ("k8s", {"k8s": {}}, ["policy.k8s.labels"]),
        ("argoWorkflow", {"k8s": {"backoff": {}}}, ["policy.k8s.labels"]),
        ("awsLambda", {"status": {"allow": []}}, ["policy.status.allow"]),
        ("openWhisk", {"status": {}}, []),
        ("http", {"k8s": {}}, []),
        ("k8s", {"status": {}}, []),
        ("k8s", {"k8s": {"labels": {"a": "b"}}}, []),
        ("http", {"status": {"allow": [200]}}, []),
        ("http", {}, []),
    ],
)
def test_a_policy_says_what_success_is(kind: str, policy: dict[str, Any], refused: list[str]) -> None:
    trigger = {"template": {"name": "t", kind: {}}, "policy": policy}
    assert faults(Trigger, trigger) == [(field, "required") for field in refused]


def test_a_dead_letter_trigger_is_checked_as_well() -> None:
    raw = {"template": {"name": "t"}, "dlqTrigger": {"template": {"name": ""}, "atLeastOnce": True}}
    assert ("dlqTrigger.template.name", "required") in faults(Trigger, raw)


@pytest.mark.parametrize(
    ("path", "value", "field", "code"),
    [
        (
            f"{FILTERS}.data",
            [{"path": "a", "type": "string", "value": ["a", "b"], "comparator": "!="}],
            f"{FILTERS}.data.0.value",
            "always-true",
        ),
        (f"{DEP}.transform", {"jq": ".", "script": "return event"}, f"{DEP}.transform.script", "ignored"),
        (
            f"{TRIGGER}.rateLimit",
            {"unit": "Day", "requestsPerUnit": 1},
            f"{TRIGGER}.rateLimit.unit",
            "choice",
        ),
        (
            f"{TRIGGER}.parameters",
            [{"src": {"dependencyName": "other"}, "dest": "a"}],
            f"{TRIGGER}.parameters.0.src.dependencyName",
            "unknown-dependency",
        ),
    ],
)
def test_doubts(path: str, value: Any, field: str, code: str) -> None:
    assert doubts(changed(path, value)) == [(field, code)]


def test_absent_and_written_at_least_once_are_told_apart() -> None:
    given = [
        Trigger.model_validate({"template": {"name": "t"}, "atLeastOnce": value}) for value in (None, False)
    ]
    assert [trigger.at_least_once for trigger in given] == [None, False]


def test_numbers_and_truth_values_become_text_in_data_filters() -> None:
    made = Filters.model_validate({"data": [{"path": "a", "type": "number", "value": [50, 1.5, True]}]})
    assert made.data[0].value == ["50", "1.5", "true"]


def test_configs_of_kinds_are_kept_raw() -> None:
    made = Sensor.model_validate(SENSOR)
    template = made.spec.triggers[0].template
    assert template.kinds == {"http": {"url": "http://x"}}
    dumped = made.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert dumped == SENSOR
