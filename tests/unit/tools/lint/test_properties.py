"""Lint never raises, whatever stands in a manifest."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from events.manifest import load_objects
from events.tools.lint import as_json, codes, github, lint, sarif

OBJECTS: list[dict[str, Any]] = [
    *yaml.safe_load_all(
        """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: web}
spec:
  webhook: {push: {endpoint: /push, port: "12000", method: POST, filter: {expression: "body.a == 1"}}}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: clock}
spec:
  calendar: {tick: {schedule: "* * * * *", timezone: UTC, exclusionDates: ["EXDATE:20260101T000000Z"]}}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: ci}
spec:
  dependencies:
  - name: push
    eventSourceName: web
    eventName: push
    filtersLogicalOperator: or
    filters:
      data: [{path: body.ref, type: string, comparator: "=", value: [main], template: "{{ .Input }}"}]
      exprs: [{expr: "a == 1 && b =~ '^x'", fields: [{path: body.a, name: a}, {path: body.b, name: b}]}]
      time: {start: "01:00:00", stop: "02:00:00", timezone: UTC}
      context: {type: webhook}
  - {name: tick, eventSourceName: clock, eventName: tick}
  triggers:
  - template:
      name: make
      conditions: push || (push && tick)
      conditionsReset: [{byTime: {cron: "* * * * *", timezone: UTC}}]
      k8s:
        operation: create
        source:
          resource:
            apiVersion: argoproj.io/v1alpha1
            kind: Workflow
            metadata: {generateName: a-}
            spec:
              entrypoint: all
              arguments: {parameters: [{name: p, value: q}]}
              templates:
              - name: all
                dag: {tasks: [{name: a, template: say}, {name: b, template: say, depends: a.Succeeded}]}
              - name: say
                inputs: {parameters: [{name: x}]}
                container: {image: busybox, args: ["{{inputs.parameters.x}} {{workflow.parameters.p}}"]}
        parameters:
        - {src: {dependencyName: push, dataKey: body.a}, dest: spec.arguments.parameters.0.value}
        - {src: {dependencyName: push, dataTemplate: "{{ .Input.body.a }}"}, dest: "spec.templates.#.name"}
    parameters: [{src: {dependencyName: push, contextKey: id}, dest: k8s.source.resource.metadata.name}]
    retryStrategy: {steps: 3, duration: 1s}
    atLeastOnce: true
    dlqTrigger: {template: {name: dead, log: {}}, atLeastOnce: true}
  - template:
      name: call
      http: {url: "http://x", payload: [{src: {dependencyName: push, dataKey: body}, dest: a}]}
---
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedules: ["0 1 * * *"]
  workflowSpec:
    entrypoint: all
    templates:
    - name: all
      steps: [[{name: a, templateRef: {name: lib, template: say}}], [{name: b, inline: {suspend: {}}}]]
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: lib}
spec: {templates: [{name: say, script: {image: a, source: "{{inputs.parameters.z}}"}}]}
"""
    )
]

WORDS = st.sampled_from(
    [
        "",
        "a",
        "push",
        "web",
        "{{",
        "a &&",
        "*",
        "#",
        "a.#.b",
        "-1",
        "0",
        "99999999999",
        "\udc80",
        "all",
        "^",
        "(",
        "$[",
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), WORDS, st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in pairs for place in places(inner, (*path, key)))]


PLACES = [place for place in places(OBJECTS) if len(place) > 1]


def changed(objects: list[Any], place: tuple[Any, ...], value: Any, *, remove: bool) -> None:
    """Put the value at a place, or remove what is there; a place that is gone by now is left alone."""
    at: Any = objects
    for key in place[:-1]:
        try:
            at = at[key]
        except (TypeError, LookupError):
            return
    if isinstance(at, dict) or (isinstance(at, list) and isinstance(place[-1], int) and place[-1] < len(at)):
        at[place[-1]] = value
        if remove:
            del at[place[-1]]


def test_the_manifests_themselves_have_few_findings() -> None:
    found = {finding.code for finding in lint(load_objects(copy.deepcopy(OBJECTS)))}
    assert found == {
        "superfluous-condition",
        "unanchored-pattern",
        "keeps-newest",
        "workflow-undeclared-input",
    }


@settings(max_examples=120)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES, st.booleans()), min_size=1, max_size=4))
def test_lint_never_raises(changes: list[tuple[tuple[Any, ...], Any, bool]]) -> None:
    objects = copy.deepcopy(OBJECTS)
    for place, value, remove in changes:
        changed(objects, place, copy.deepcopy(value), remove=remove)
    found = lint(load_objects([item for item in objects if isinstance(item, dict)]))
    assert {finding.code for finding in found} <= codes().keys()
    assert len(github(found)) == len(as_json(found)) == len(sarif(found)["runs"][0]["results"])
    assert len(set(found)) == len(found)
