from __future__ import annotations

from typing import Any

import pytest

from events.api.eventsource import EventSource, EventSourceSpec, WatchPath, WebhookContext
from events.api.model import Model
from events.manifest.decode import decode


def faults(model: type[Model], raw: dict[str, Any]) -> list[tuple[str, str]]:
    made = decode(model, raw)
    return [] if isinstance(made, Model) else [(problem.field, problem.code) for problem in made]


def doubts(model: type[Model], raw: dict[str, Any]) -> list[tuple[str, str]]:
    made = decode(model, raw)
    assert isinstance(made, Model)
    return [(problem.field, problem.code) for problem in made.problems()]


def test_events_in_the_order_of_the_manifest() -> None:
    spec = EventSourceSpec.model_validate(
        {"sqs": {"b": {"region": "x"}}, "replicas": 2, "webhook": {"a": {}, "c": {}}, "other": {"d": {}}}
    )
    assert [(event.kind, event.name) for event in spec.events()] == [
        ("sqs", "b"),
        ("webhook", "a"),
        ("webhook", "c"),
    ]
    assert next(spec.events()).config == {"region": "x"}


def test_names_are_unique_over_all_kinds() -> None:
    assert faults(EventSourceSpec, {"webhook": {"a": {}}, "sns": {"a": {}}}) == [("webhook.a", "duplicate")]


def test_a_kind_is_a_map() -> None:
    assert faults(EventSourceSpec, {"webhook": [{}]}) == [("webhook", "type")]


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ({}, [("", "no-events")]),
        ({"webhook": {"a": {}}, "kafka": {"b": {}}}, [("", "upstream-refuses")]),
        ({"webhook": {"a": {}}, "sns": {"b": {}}}, []),
        ({"webhook": {"a.b": {}}}, [("webhook.a.b", "unsafe-name")]),
        ({"webhook": {"a b": {}}}, [("webhook.a b", "unsafe-name")]),
    ],
)
def test_doubts(raw: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert doubts(EventSourceSpec, raw) == found


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ({"endpoint": "/x", "port": "12000"}, []),
        ({"endpoint": "", "port": "12000"}, [("endpoint", "required")]),
        ({"endpoint": "/x"}, [("port", "required")]),
        ({"endpoint": "/x", "port": 12000}, [("port", "type")]),
        ({"endpoint": "/x", "port": "http"}, [("port", "invalid-value")]),
        ({"endpoint": "/x", "port": "70000"}, [("port", "invalid-value")]),
    ],
)
def test_webhook_context(raw: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert faults(WebhookContext, raw) == found


def test_doubts_about_a_webhook_context() -> None:
    raw = {"endpoint": "x", "port": "1", "serverCertSecret": {"name": "s", "key": "k"}}
    assert doubts(WebhookContext, raw) == [("endpoint", "invalid-value"), ("", "tls")]


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ({"directory": "/a", "path": "x"}, []),
        ({"directory": "/a", "pathRegexp": "x"}, []),
        ({"directory": "a", "path": "x"}, [("directory", "invalid-value")]),
        ({"directory": "/a"}, [("", "choice")]),
        ({"directory": "/a", "path": "x", "pathRegexp": "y"}, [("", "choice")]),
        ({"directory": "/a", "path": "/x"}, [("path", "invalid-value")]),
        ({"path": "x"}, [("directory", "required")]),
    ],
)
def test_watched_paths(raw: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert faults(WatchPath, raw) == found


def test_a_status_from_the_api_server_is_accepted() -> None:
    raw = {
        "metadata": {"name": "a", "creationTimestamp": None, "managedFields": [{}], "generation": 3},
        "spec": {"webhook": {"a": {}}},
        "status": {"conditions": [{"type": "Deployed", "status": "True", "lastTransitionTime": None}]},
    }
    made = EventSource.model_validate(raw)
    assert made.status
    assert made.status.conditions[0].status == "True"
