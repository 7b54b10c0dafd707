"""Parameters: where values come from and where they go."""

from __future__ import annotations

from typing import Any

import pytest

TRIGGER = """
- template:
    name: make
    k8s:
      operation: create
      source:
        resource:
          apiVersion: v1
          kind: ConfigMap
          metadata: {generateName: a-}
          data: {text: a}
          list: [{name: x, value: z}]
      parameters: [OWN]
  parameters: [OUTER]
"""
SRC = "src: {dependencyName: push, dataKey: body.a}"
TWO = """
- {name: push, eventSourceName: web, eventName: push}
- {name: pull, eventSourceName: web, eventName: pull}
"""


def own(sensor: Any, *parameters: str, trigger: str = TRIGGER) -> list[tuple[str, str]]:
    text = trigger.replace("OWN", ", ".join(parameters)).replace("OUTER", "")
    return [(item.severity, item.code) for item in sensor(triggers=text)]


def outer(sensor: Any, *parameters: str, trigger: str = TRIGGER) -> list[tuple[str, str]]:
    text = trigger.replace("OUTER", ", ".join(parameters)).replace("OWN", "")
    return [(item.severity, item.code) for item in sensor(triggers=text)]


@pytest.mark.parametrize(
    "dest", ["data.text", "data.more", "metadata.labels.x", "list.0.value", "list.1", "list.-1", "spec.a.b"]
)
def test_places_that_are_fine(sensor: Any, dest: str) -> None:
    assert own(sensor, f"{{{SRC}, dest: {dest}}}") == []


@pytest.mark.parametrize(
    ("dest", "severity", "code"),
    [
        ("metadatas.name", "warning", "outside-object"),
        ("k8s.source.resource.data.text", "warning", "outside-object"),
        ("list.1.value", "warning", "new-element"),
        ("list.7", "warning", "new-element"),
        ("spec.things.0.value", "warning", "new-element"),
        ("'list.#(name==\"z\").value'", "warning", "no-such-place"),
        ("list.name", "error", "unwritable-dest"),
    ],
)
def test_places_that_surprise(sensor: Any, dest: str, severity: str, code: str) -> None:
    assert own(sensor, f"{{{SRC}, dest: {dest}}}") == [(severity, code)]


def test_a_search_that_finds_its_place_is_fine(sensor: Any) -> None:
    assert own(sensor, f"{{{SRC}, dest: 'list.#(name==\"x\").value'}}") == []


def test_a_parameter_may_make_the_place_of_the_next(sensor: Any) -> None:
    first, second = f"{{{SRC}, dest: list.1}}", f"{{{SRC}, dest: list.2}}"
    assert own(sensor, first, second) == []
    assert own(sensor, second) == [("warning", "new-element")]


def test_template_parameters_begin_with_the_kind(sensor: Any) -> None:
    assert outer(sensor, f"{{{SRC}, dest: k8s.source.resource.data.text}}") == []
    assert outer(sensor, f"{{{SRC}, dest: name}}") == []
    assert outer(sensor, f"{{{SRC}, dest: data.text}}") == [("warning", "outside-object")]
    assert outer(sensor, f"{{{SRC}, dest: http.url}}") == [("warning", "outside-object")]


HTTP = "- template: {name: call, http: {url: 'http://x', parameters: [OWN]}}\n  parameters: [OUTER]"


def test_parameters_of_a_config_name_its_fields(sensor: Any) -> None:
    assert own(sensor, f"{{{SRC}, dest: url}}", trigger=HTTP) == []
    assert own(sensor, f"{{{SRC}, dest: headers.X-A}}", trigger=HTTP) == []
    assert own(sensor, f"{{{SRC}, dest: uri}}", trigger=HTTP) == [("warning", "outside-object")]


def test_text_in_a_number_fails(sensor: Any) -> None:
    text = f"{{{SRC}, dest: timeout}}"
    raw = "{src: {dependencyName: push, dataKey: body.a, useRawData: true}, dest: timeout}"
    assert own(sensor, text, trigger=HTTP) == [("warning", "text-parameter")]
    assert own(sensor, raw, trigger=HTTP) == []
    outside = text.replace("dest: ", "dest: http.")
    assert outer(sensor, outside, trigger=HTTP) == [("warning", "text-parameter")]


@pytest.mark.parametrize(
    ("src", "severity", "code"),
    [
        ("{dependencyName: pusch, dataKey: body}", "error", "unknown-dependency"),
        ("{dependencyName: push, dataKey: text}", "warning", "unknown-path"),
        ("{dependencyName: push, contextKey: typo}", "warning", "unknown-path"),
        ("{dependencyName: push, dataTemplate: '{{ .Input.'}", "error", "does-not-compile"),
        ("{dependencyName: push, contextTemplate: '{{ nope }}'}", "error", "does-not-compile"),
        ("{dependencyName: push, dataKey: '$['}", "error", "does-not-compile"),
    ],
)
def test_sources_of_values(sensor: Any, src: str, severity: str, code: str) -> None:
    assert own(sensor, f"{{src: {src}, dest: data.text}}") == [(severity, code)]


def test_an_unknown_dependency_is_told_with_its_line_and_the_near_one(sensor: Any) -> None:
    text = TRIGGER.replace("OWN", "{src: {dependencyName: pusch, dataKey: body}, dest: data.text}")
    (found,) = sensor(triggers=text.replace("OUTER", ""))
    assert (found.line, found.hint) == (19, "did you mean push?")
    assert found.field == "spec.triggers.0.template.k8s.parameters.0.src.dependencyName"


def test_a_source_that_a_template_parameter_overwrites_is_not_judged(sensor: Any) -> None:
    text = TRIGGER.replace("OWN", "{src: {dependencyName: TO_BE_REPLACED}, dest: data.text}").replace(
        "OUTER", f"{{{SRC}, dest: k8s.parameters.0.src.dependencyName}}"
    )
    assert sensor(triggers=text) == []


def test_a_dependency_that_the_trigger_does_not_wait_for(sensor: Any) -> None:
    text = f"""
    - template: {{name: log, conditions: push, log: {{}}}}
    - template: {{name: call, conditions: pull, http: {{url: 'http://x', payload: [{{{SRC}, dest: a}}]}}}}
    """
    (found,) = sensor(dependencies=TWO, triggers=text)
    assert (found.code, found.severity) == ("never-present", "warning")


def test_payload_entries_are_sources_as_well(sensor: Any) -> None:
    text = "- template: {name: call, http: {url: 'http://x', payload: [{src: SRC, dest: a}]}}"
    src = "{dependencyName: push, dataKey: nothing}"
    (found,) = sensor(triggers=text.replace("SRC", src))
    assert found.field == "spec.triggers.0.template.http.payload.0.src.dataKey"
