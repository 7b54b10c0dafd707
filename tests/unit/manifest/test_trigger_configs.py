"""The config models of the triggers: what upstream's validation rejects is rejected."""

from __future__ import annotations

from typing import Any

import pytest

from events.api.model import Model
from events.api.shapes import fields
from events.manifest.decode import decode, warnings
from events.registry import config_class, trigger_kinds

SECRET = {"name": "s", "key": "k"}
PARAMETERS = [{"src": {"dependencyName": "d"}, "dest": "x"}]
S3 = {
    "endpoint": "s3.local:9000", "bucket": {"name": "b", "key": "k"}, "accessKey": SECRET,
    "secretKey": SECRET, "caCertificate": SECRET,
}  # fmt: skip
NO_SOURCE = [{"dest": "x"}]
SOURCE = {"resource": {"kind": "Pod"}}

GOOD: dict[str, dict[str, Any]] = {
    "k8s": {"source": SOURCE},
    "argoWorkflow": {"source": SOURCE, "operation": "submit"},
    "http": {"url": "http://x"},
    "awsLambda": {"functionName": "f", "region": "r", "payload": PARAMETERS},
    "azureEventHubs": {},
    "azureServiceBus": {},
    "kafka": {"url": "k:9092", "topic": "t", "payload": PARAMETERS},
    "pulsar": {},
    "nats": {"url": "nats://x", "subject": "s", "payload": PARAMETERS},
    "slack": {"slackToken": SECRET},
    "openWhisk": {"host": "h", "actionName": "a", "payload": PARAMETERS},
    "custom": {"serverURL": "x:1", "spec": {}},
    "log": {},
    "email": {"host": "h", "port": 25},
}


def found(kind: str, raw: dict[str, Any]) -> list[tuple[str, str]]:
    made = decode(config_class("triggers", kind), raw)
    return [] if isinstance(made, Model) else [(problem.field, problem.code) for problem in made]


def doubts(kind: str, raw: dict[str, Any]) -> list[tuple[str, str]]:
    made = decode(config_class("triggers", kind), raw)
    assert isinstance(made, Model), made
    return [(problem.field, problem.code) for problem in warnings(made)]


def test_there_is_an_example_of_every_kind() -> None:
    assert set(GOOD) == set(trigger_kinds())


@pytest.mark.parametrize("kind", GOOD)
def test_a_small_config_is_accepted_without_doubts(kind: str) -> None:
    assert found(kind, GOOD[kind]) == []
    assert doubts(kind, GOOD[kind]) == []


@pytest.mark.parametrize("kind", GOOD)
def test_every_required_field_is_asked_for(kind: str) -> None:
    for name, field in fields(config_class("triggers", kind)).items():
        if field.required:
            raw = {key: value for key, value in GOOD[kind].items() if key != name}
            assert found(kind, raw) == [(name, "required")]
            if field.shape.form == "text":
                assert found(kind, {**raw, name: ""}) == [(name, "required")]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("k8s", ["source"]),
        ("argoWorkflow", ["source"]),
        ("http", ["url"]),
        ("awsLambda", ["functionName", "region", "payload"]),
        ("kafka", ["url", "topic", "payload"]),
        ("nats", ["url", "subject", "payload"]),
        ("slack", ["slackToken"]),
        ("openWhisk", ["host", "actionName", "payload"]),
        ("custom", ["serverURL", "spec"]),
        ("email", ["host"]),
    ],
)
def test_what_upstream_requires_is_required(kind: str, names: list[str]) -> None:
    required = {name for name, field in fields(config_class("triggers", kind)).items() if field.required}
    assert required == set(names)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *(
            (kind, "parameters")
            for kind in ("k8s", "argoWorkflow", "http", "awsLambda", "slack", "openWhisk")
        ),
        *((kind, "parameters") for kind in ("custom", "email")),
        *((kind, "payload") for kind in ("http", "awsLambda", "kafka", "nats", "openWhisk")),
    ],
)
def test_parameters_are_checked(kind: str, field: str) -> None:
    assert found(kind, {**GOOD[kind], field: NO_SOURCE}) == [(f"{field}.0", "required")]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *((kind, "parameters") for kind in ("kafka", "nats", "pulsar", "azureEventHubs", "azureServiceBus")),
        *((kind, "payload") for kind in ("custom", "pulsar", "azureEventHubs", "azureServiceBus")),
        ("http", "dynamicHeaders"),
    ],
)
def test_parameters_that_upstream_does_not_check_are_doubted(kind: str, field: str) -> None:
    assert doubts(kind, {**GOOD[kind], field: NO_SOURCE}) == [(f"{field}.0", "required")]


def test_only_the_payload_of_http_may_be_the_whole_body() -> None:
    whole = [{"src": {"dependencyName": "d"}, "dest": ""}]
    assert found("http", {**GOOD["http"], "payload": whole}) == []
    assert found("nats", {**GOOD["nats"], "payload": whole}) == [("payload.0.dest", "required")]
    assert found("http", {**GOOD["http"], "parameters": whole}) == [("parameters.0.dest", "required")]


def test_an_empty_payload_is_there() -> None:
    assert found("kafka", {**GOOD["kafka"], "payload": []}) == []


@pytest.mark.parametrize(
    ("kind", "change", "field", "code"),
    [
        ("k8s", {"operation": "replace"}, "operation", "choice"),
        ("argoWorkflow", {"operation": "create"}, "operation", "choice"),
        ("http", {"method": "post"}, "method", "choice"),
        ("http", {"timeout": "5"}, "timeout", "type"),
        ("openWhisk", {"authToken": {"name": "x"}}, "authToken.key", "required"),
        ("custom", {"secure": True}, "certSecret", "required"),
        ("email", {"port": 65536}, "port", "invalid-value"),
        ("email", {"port": -1}, "port", "invalid-value"),
        ("slack", {"slackToken": "xoxb"}, "slackToken", "type"),
    ],
)
def test_rejections(kind: str, change: dict[str, Any], field: str, code: str) -> None:
    assert found(kind, {**GOOD[kind], **change}) == [(field, code)]


@pytest.mark.parametrize(
    ("kind", "change", "field", "code"),
    [
        ("argoWorkflow", {"operation": ""}, "operation", "upstream-refuses"),
        ("k8s", {"source": {"s3": S3}}, "source.s3.caCertificate", "ignored"),
        ("awsLambda", {"invocationType": "sync"}, "invocationType", "choice"),
        ("http", {"tls": {}}, "tls", "tls"),
        ("kafka", {"tls": {}}, "tls", "tls"),
    ],
)
def test_doubts(kind: str, change: dict[str, Any], field: str, code: str) -> None:
    assert doubts(kind, {**GOOD[kind], **change}) == [(field, code)]


@pytest.mark.parametrize("operation", ["", "create", "update", "patch", "delete"])
def test_operations_on_objects(operation: str) -> None:
    assert found("k8s", {**GOOD["k8s"], "operation": operation}) == []


@pytest.mark.parametrize("method", ["", "GET", "DELETE", "PATCH", "POST", "PUT"])
def test_http_methods(method: str) -> None:
    assert found("http", {**GOOD["http"], "method": method}) == []
