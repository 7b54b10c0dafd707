"""Conditions and references."""

from __future__ import annotations

from typing import Any

import pytest

TWO = """
- {name: push, eventSourceName: web, eventName: push}
- {name: pull, eventSourceName: web, eventName: pull}
"""


def with_condition(sensor: Any, condition: str, dependencies: str = TWO) -> dict[str, Any]:
    found = sensor(
        dependencies=dependencies,
        triggers=f"- template: {{name: log, conditions: {condition!r}, log: {{}}}}",
    )
    return {finding.code: finding for finding in found}


def test_a_good_sensor_has_no_findings(sensor: Any) -> None:
    assert sensor() == []


def test_an_unknown_name_gets_the_near_one_and_is_told_once(sensor: Any) -> None:
    found = with_condition(sensor, "push || pul")
    assert found.keys() == {"unknown-condition-name"}
    finding = found["unknown-condition-name"]
    assert (finding.severity, finding.line, finding.field) == (
        "error",
        9,
        "spec.triggers.0.template.conditions",
    )
    assert finding.message == "there is no dependency 'pul'"
    assert finding.hint == "did you mean pull?"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("log", "that is a trigger; conditions take names of dependencies"),
        ("web", "conditions take the name of the dependency: push"),
        ("zzz", "there are push, pull"),
    ],
)
def test_what_an_unknown_name_may_be(sensor: Any, name: str, hint: str) -> None:
    assert with_condition(sensor, f"push || pull || {name}")["unknown-condition-name"].hint == hint


def test_dash_and_underscore_are_one_character(sensor: Any) -> None:
    dependency = "- {name: my-push, eventSourceName: web, eventName: push}"
    assert with_condition(sensor, "my_push", dependency) == {}


def test_names_in_comments_are_no_names(sensor: Any) -> None:
    assert with_condition(sensor, "push || pull // or nothing") == {}


def test_syntax_errors_are_told_where_they_are(sensor: Any) -> None:
    found = with_condition(sensor, "push &&")
    assert found.keys() == {"does-not-compile"}
    assert found["does-not-compile"].field == "spec.triggers.0.template.conditions"


def test_and_keeps_only_the_newest(sensor: Any) -> None:
    found = with_condition(sensor, "push && pull")
    assert found.keys() == {"keeps-newest"}
    assert found["keeps-newest"].severity == "warning"


def test_the_default_condition_is_an_and(sensor: Any) -> None:
    found = {finding.code: finding for finding in sensor(dependencies=TWO)}
    assert found.keys() == {"keeps-newest"}
    assert "write conditions: a || b" in found["keeps-newest"].hint


def test_what_changes_nothing_is_told(sensor: Any) -> None:
    found = with_condition(sensor, "push || (push && pull)")
    assert found["superfluous-condition"].message == "is true with or without pull"


def test_a_dependency_that_stands_twice(sensor: Any) -> None:
    found = with_condition(sensor, "push && pull && push")
    assert found["superfluous-condition"].hint == "write push && pull"


def test_an_unused_dependency(sensor: Any) -> None:
    found = with_condition(sensor, "push")
    assert found["unused-dependency"].field == "spec.dependencies.1.name"


def test_a_trigger_that_no_event_can_reach(sensor: Any) -> None:
    found = sensor(dependencies="- {name: push, eventSourceName: web, eventName: pusch}")
    assert [(finding.code, finding.severity) for finding in found] == [
        ("unknown-event", "error"),
        ("unreachable-trigger", "error"),
    ]
    assert found[0].hint == "did you mean push?"
    assert "EventSource web has no event 'pusch'" in found[1].message


def test_another_dependency_may_still_reach_it(sensor: Any) -> None:
    two = TWO.replace("eventName: pull", "eventName: poll")
    assert with_condition(sensor, "push || pull", two).keys() == {"unknown-event"}


def test_events_are_not_judged_without_any_event_source(sensor: Any) -> None:
    assert sensor(dependencies="- {name: a, eventSourceName: other, eventName: event}", source="") == []


def test_an_event_source_that_is_not_among_the_files_is_doubtful(sensor: Any) -> None:
    found = sensor(dependencies="- {name: a, eventSourceName: wep, eventName: push}")
    assert [(item.code, item.severity, item.hint) for item in found] == [
        ("unknown-event-source", "warning", "did you mean web?")
    ]


def test_a_broken_event_source_is_no_unknown_one(sensor: Any, findings: Any) -> None:
    broken = (
        "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: web}\nspec: {webhook: 1}\n"
    )
    assert {item.object for item in sensor(source=broken)} == {"EventSource/web"}


def test_two_buses(sensor: Any) -> None:
    source = (
        "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: web}\n"
        "spec: {eventBusName: other, webhook: {push: {endpoint: /p, port: '1', method: POST}}}\n"
    )
    assert [item.code for item in sensor(source=source)] == ["other-bus"]


@pytest.mark.parametrize("wanted", ["type: github", "subject: pull", "source: other"])
def test_a_context_that_no_event_has(sensor: Any, wanted: str) -> None:
    head = "name: push, eventSourceName: web, eventName: push"
    found = sensor(dependencies=f"- {{{head}, filters: {{context: {{{wanted}}}}}}}")
    assert [item.code for item in found] == ["never-passes", "unreachable-trigger"]


def test_a_context_that_events_have(sensor: Any) -> None:
    head = "name: push, eventSourceName: web, eventName: push"
    assert sensor(dependencies=f"- {{{head}, filters: {{context: {{type: webhook, source: web}}}}}}") == []
