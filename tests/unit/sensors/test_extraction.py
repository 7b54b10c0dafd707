"""Which members of a payload are decoded."""

from __future__ import annotations

from typing import Any

from events.api.sensor import EventDependency
from events.sensors.dependencies import Dependency, compile_dependency
from events.sensors.extraction import data_keys, extractors
from events.sensors.problems import Problems


def dependency(name: str, **fields: Any) -> Dependency:
    raw = {"name": name, "eventSourceName": "es", "eventName": name, **fields}
    return compile_dependency(EventDependency.model_validate(raw), "dependencies.0", Problems())


def data_filter(*paths: str) -> dict[str, Any]:
    return {"data": [{"path": path, "type": "string", "value": ["x"]} for path in paths]}


def test_data_keys_are_found_wherever_they_stand():
    spec = {
        "triggers": [
            {"parameters": [{"src": {"dependencyName": "push", "dataKey": "body.ref"}}]},
            {"template": {"http": {"payload": [{"src": {"dependencyName": "push", "dataKey": "body.id"}}]}}},
        ],
        "other": {"dependencyName": "tick", "contextKey": "time"},
    }
    assert data_keys(spec) == {"push": {"body.ref", "body.id"}}


def test_filters_and_parameters_of_all_sensors_count():
    given = [
        ([dependency("push", filters=data_filter("body.ref"))], {"push": {"body.id"}}),
        ([dependency("push", filters=data_filter("body.user.name"))], {}),
    ]
    found = extractors(given)
    document = b'{"body":{"ref":"main","id":7,"user":{"name":"ada","mail":"-"},"large":[1,2]}}'
    assert list(found) == [("es", "push")]
    assert found["es", "push"].read(document) == {
        ("body", "ref"): "main",
        ("body", "id"): 7,
        ("body", "user", "name"): "ada",
    }


def test_paths_that_are_more_than_names_and_transformed_events_do_not_count():
    transformed = dependency("done", transform={"jq": "."}, filters=data_filter("a"))
    assert extractors([([dependency("push", filters=data_filter("$.a", "b.#.c"))], {})]) == {}
    assert extractors([([transformed], {"done": {"a"}})]) == {}
