"""Removed, deprecated and misplaced fields; texts of event sources."""

from __future__ import annotations

from typing import Any

import pytest

HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: {}\nmetadata: {{name: x}}\n"


@pytest.mark.parametrize(
    ("triggers", "field", "hint"),
    [
        (
            "- {template: {name: a, log: {}}, resourceParameters: []}",
            "0.resourceParameters",
            "k8s.parameters",
        ),
        (
            "- {template: {name: a, log: {}, switch: {any: [push]}}}",
            "0.template.switch",
            "conditions: a || b",
        ),
        (
            "- {template: {name: a, http: {url: 'http://x', serverURL: x}}}",
            "0.template.http.serverURL",
            "url",
        ),
    ],
)
def test_removed_fields(sensor: Any, triggers: str, field: str, hint: str) -> None:
    (found,) = sensor(triggers=triggers)
    assert (found.code, found.severity, found.field) == ("removed-field", "warning", f"spec.triggers.{field}")
    assert hint in found.hint


@pytest.mark.parametrize("name", ["group", "version", "resource"])
def test_the_old_form_of_k8s(sensor: Any, name: str) -> None:
    source = "source: {resource: {apiVersion: v1, kind: Pod, metadata: {generateName: a-}}}"
    (found,) = sensor(triggers=f"- {{template: {{name: a, k8s: {{{name}: x, {source}}}}}}}")
    assert (found.code, found.field) == ("removed-field", f"spec.triggers.0.template.k8s.{name}")


@pytest.mark.parametrize("field", ["retryStrategy: {steps: 2}", "policy: {}", "atLeastOnce: true"])
def test_fields_that_belong_beside_the_template(sensor: Any, field: str) -> None:
    (found,) = sensor(triggers=f"- template: {{name: a, log: {{}}, {field}}}")
    assert (found.code, found.severity) == ("misplaced-field", "warning")
    assert found.hint == "write it beside template"


def test_circuits_of_sensors(findings: Any) -> None:
    text = HEAD.format("Sensor") + (
        "spec: {circuit: a, dependencies: [{name: a, eventSourceName: b, eventName: c}], "
        "triggers: [{template: {name: a, log: {}}}]}\n"
    )
    (found,) = findings(text)
    assert (found.code, found.field) == ("removed-field", "spec.circuit")


def test_at_least_once_switched_off(sensor: Any) -> None:
    (found,) = sensor(triggers="- {template: {name: a, log: {}}, atLeastOnce: false}")
    assert (found.code, found.field) == ("may-lose-firings", "spec.triggers.0.atLeastOnce")


def test_deprecated_fields_of_sources(findings: Any) -> None:
    hook = "webhook: {endpoint: /a, port: '1', method: POST}"
    text = HEAD.format("EventSource") + f"spec: {{github: {{e: {{owner: a, repository: b, {hook}}}}}}}\n"
    assert [(item.code, item.field) for item in findings(text)] == [
        ("deprecated-field", "spec.github.e.owner"),
        ("deprecated-field", "spec.github.e.repository"),
    ]


def test_a_deprecated_field_of_a_trigger(sensor: Any) -> None:
    src = "payload: [{src: {dependencyName: push, dataKey: body}, dest: a}]"
    found = sensor(triggers=f"- template: {{name: a, kafka: {{url: 'a:1', topic: t, partition: 1, {src}}}}}")
    assert ("deprecated-field", "spec.triggers.0.template.kafka.partition") in {
        (item.code, item.field) for item in found
    }


def test_a_gateway(findings: Any) -> None:
    (found,) = findings(HEAD.format("Gateway"))
    assert (found.code, found.object) == ("removed-field", "Gateway/x")


def test_nats_streaming(findings: Any) -> None:
    found = findings(HEAD.format("EventBus") + "spec: {nats: {native: {}}}\n")
    assert "deprecated-field" in {item.code for item in found}


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ("{schedule: '* * * *'}", "schedule"),
        ("{schedule: '@daily'}", "schedule"),
        ("{schedule: '* * * * *', timezone: Mars}", "timezone"),
    ],
)
def test_texts_of_calendars(findings: Any, event: str, field: str) -> None:
    found = findings(HEAD.format("EventSource") + f"spec: {{calendar: {{e: {event}}}}}\n")
    assert [(item.severity, item.code, item.field, item.line) for item in found] == [
        ("error", "does-not-compile", f"spec.calendar.e.{field}", 4)
    ]


def test_patterns_of_watched_files(findings: Any) -> None:
    event = "{eventType: CREATE, watchPathConfig: {directory: /a, pathRegexp: '('}}"
    found = findings(HEAD.format("EventSource") + f"spec: {{file: {{e: {event}}}}}\n")
    assert ("does-not-compile", "spec.file.e.watchPathConfig.pathRegexp") in {
        (item.code, item.field) for item in found
    }


def test_filters_of_sources(findings: Any) -> None:
    event = "{interval: 1s, filter: {expression: 'a =='}}"
    (found,) = findings(HEAD.format("EventSource") + f"spec: {{calendar: {{e: {event}}}}}\n")
    assert (found.code, found.field) == ("does-not-compile", "spec.calendar.e.filter.expression")


def test_resets_compile(sensor: Any) -> None:
    resets = "conditionsReset: [{byTime: {cron: '* * * * 7'}}]"
    (found,) = sensor(triggers=f"- template: {{name: a, log: {{}}, {resets}}}")
    assert (found.code, found.field) == (
        "does-not-compile",
        "spec.triggers.0.template.conditionsReset.0.byTime.cron",
    )


@pytest.mark.parametrize("kind", ["k8s", "argoWorkflow"])
def test_a_source_is_required(sensor: Any, kind: str) -> None:
    found = sensor(triggers=f"- template: {{name: a, {kind}: {{operation: submit}}}}")
    assert f"spec.triggers.0.template.{kind}.source" in {
        item.field for item in found if item.severity == "error"
    }


BROKER = "spec: {{mqtt: {{e: {{url: 'tcp://b:1883', topic: t, clientId: c, connectionBackoff: {}}}}}}}\n"


@pytest.mark.parametrize(
    ("backoff", "told"),
    [
        ("{duration: 2s, factor: 2, jitter: 0.1, steps: 5}", []),
        ("{}", []),
        ("{duration: 5}", [("warning", "range", ".duration")]),
        ("{duration: -2s}", [("warning", "range", ".duration")]),
        ("{duration: 9999999999h}", [("error", "does-not-compile", "")]),
        ("{duration: 5x}", [("error", "duration", ".duration")]),
    ],
)
def test_pauses_that_cannot_work(findings: Any, backoff: str, told: list[tuple[str, str, str]]) -> None:
    found = findings(HEAD.format("EventSource") + BROKER.format(backoff))
    place = "spec.mqtt.e.connectionBackoff"
    assert [(item.severity, item.code, item.field) for item in found] == [
        (severity, code, place + field) for severity, code, field in told
    ]
