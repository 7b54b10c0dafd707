"""Workflows in files and in triggers."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from events.api.origin import Origin
from events.manifest import Manifests, load_objects
from events.manifest.yamltext import Document, read_documents
from events.tools.lint import lint

HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: a-}\nspec:\n"
SAY = """\
  entrypoint: say
  templates:
  - name: say
    container: {image: busybox}
"""


def workflow(findings: Any, spec: str, *others: str) -> list[tuple[str, str, str]]:
    return [(item.severity, item.code, item.field) for item in findings(HEAD + spec, *others)]


def dag(tasks: str) -> str:
    return f"{SAY}  - name: all\n    dag:\n      tasks:\n{indent(tasks, '      ')}"


def test_a_good_workflow_has_no_findings(findings: Any) -> None:
    assert workflow(findings, SAY) == []


def test_the_entrypoint_is_there(findings: Any) -> None:
    line = "  entrypoint: say\n"
    wanted = [("error", "workflow-entrypoint", "spec.entrypoint")]
    assert workflow(findings, SAY.replace(line, "")) == wanted
    assert workflow(findings, SAY.replace(line, "  entrypoint: sag\n")) == wanted


def test_the_near_template_is_named(findings: Any) -> None:
    (found,) = findings(HEAD + SAY.replace("entrypoint: say", "entrypoint: sag"))
    assert (found.message, found.hint) == ("there is no template 'sag'", "did you mean say?")


def test_templates_of_other_objects_may_be_anywhere(findings: Any) -> None:
    assert workflow(findings, "  entrypoint: x\n  workflowTemplateRef: {name: lib}\n") == []


LIB = HEAD.replace("kind: Workflow", "kind: WorkflowTemplate").replace("generateName: a-", "name: lib") + SAY


def test_templates_of_other_files_are_looked_at(findings: Any) -> None:
    ref = "  entrypoint: {}\n  workflowTemplateRef: {{name: lib}}\n"
    assert workflow(findings, ref.format("say"), LIB) == []
    assert workflow(findings, ref.format("sag"), LIB) == [("error", "workflow-entrypoint", "spec.entrypoint")]


def test_references_of_steps_are_looked_at(findings: Any) -> None:
    spec = dag("- {name: a, templateRef: {name: lib, template: sag}}")
    place = "spec.templates.1.dag.tasks.0.templateRef.template"
    assert workflow(findings, spec) == []
    assert workflow(findings, spec, LIB) == [("error", "workflow-unknown-template", place)]


@pytest.mark.parametrize(
    ("tasks", "code", "place"),
    [
        ("- {name: a, template: sag}", "workflow-unknown-template", ".tasks.0.template"),
        ("- {name: a}", "workflow-unknown-template", ".tasks.0"),
        ("- {name: a, template: say, dependencies: [b]}", "workflow-unknown-task", ".tasks.0.dependencies.0"),
        ("- {name: a, template: say, depends: b.Succeeded}", "workflow-unknown-task", ".tasks.0.depends"),
        (
            "- {name: a, template: say}\n- {name: b, template: say, depends: a.Succeded}",
            "workflow-unknown-task",
            ".tasks.1.depends",
        ),
        (
            "- {name: a, template: say, depends: b}\n- {name: b, template: say, dependencies: [a]}",
            "workflow-cycle",
            "",
        ),
        ("- {name: a, template: say, depends: a}", "workflow-cycle", ""),
        (
            "- {name: a, template: say}\n- {name: a, template: say}",
            "workflow-duplicate-name",
            ".tasks.1.name",
        ),
        (
            "- {name: b, template: say}\n- {name: a, template: say, depends: b, dependencies: [b]}",
            "workflow-unknown-task",
            ".tasks.1",
        ),
    ],
)
def test_tasks(findings: Any, tasks: str, code: str, place: str) -> None:
    assert workflow(findings, dag(tasks)) == [("error", code, f"spec.templates.1.dag{place}")]


def test_good_tasks(findings: Any) -> None:
    tasks = (
        "- {name: a-1, template: say}\n- {name: b, template: all, dependencies: [a-1]}\n"
        "- {name: c, depends: '(a-1.Succeeded || b.Failed) && !b.Skipped', "
        "inline: {container: {image: busybox}}}\n- {name: d, template: '{{item}}', withItems: [say]}"
    )
    assert workflow(findings, dag(tasks)) == []


def test_steps(findings: Any) -> None:
    spec = SAY + "  - {name: all, steps: [[{name: a, template: say}], [{name: b, template: sag}]]}\n"
    assert workflow(findings, spec) == [
        ("error", "workflow-unknown-template", "spec.templates.1.steps.1.0.template")
    ]


@pytest.mark.parametrize(
    ("template", "code", "place"),
    [
        ("{name: say, suspend: {}}", "workflow-duplicate-name", "1.name"),
        ("{name: b}", "workflow-template-type", "1"),
        ("{name: b, suspend: {}, script: {image: a, source: b}}", "workflow-template-type", "1"),
    ],
)
def test_templates(findings: Any, template: str, code: str, place: str) -> None:
    found = workflow(findings, f"{SAY}  - {template}\n")
    assert [(severity, name) for severity, name, _ in found] == [("error", code)]
    assert found[0][2] in (f"spec.templates.{place}", "spec.templates.0.name")


def test_misspelled_fields(findings: Any) -> None:
    spec = SAY.replace("entrypoint: say", "entrypoint: say\n  serviceAcountName: x\n  somethingElse: 1")
    assert workflow(findings, spec) == [("warning", "unknown-workflow-field", "spec.serviceAcountName")]


def test_inputs_are_declared(findings: Any) -> None:
    spec = SAY + (
        "  - name: b\n    inputs: {parameters: [{name: known}]}\n"
        "    container: {args: ['{{inputs.parameters.known}} {{ inputs.parameters.typo }}']}\n"
    )
    assert workflow(findings, spec) == [
        ("error", "workflow-undeclared-input", "spec.templates.1.container.args.0")
    ]


def test_inline_templates_have_inputs_of_their_own(findings: Any) -> None:
    inline = "{inputs: {parameters: [{name: p}]}, container: {args: ['{{inputs.parameters.p}}']}}"
    assert workflow(findings, dag(f"- {{name: a, inline: {inline}}}")) == []


def test_parameters_of_the_workflow(findings: Any) -> None:
    spec = SAY.replace("image: busybox", "args: ['{{workflow.parameters.p}}{{workflow.parameters.json}}']")
    assert workflow(findings, spec) == [
        ("warning", "workflow-undeclared-parameter", "spec.templates.0.container.args.0")
    ]
    assert workflow(findings, "  arguments: {parameters: [{name: p}]}\n" + spec) == []


def test_templates_get_parameters_from_those_who_use_them(findings: Any) -> None:
    used = LIB.replace("image: busybox", "args: ['{{workflow.parameters.p}}']")
    assert findings(used) == []


def test_cron_workflows(findings: Any) -> None:
    text = (
        HEAD.replace("kind: Workflow", "kind: CronWorkflow").replace("generateName: a-", "name: a")
        + "  schedule: '* * * * *'\n  concurencyPolicy: Forbid\n  workflowSpec:\n"
        + indent(SAY.replace("entrypoint: say", "entrypoint: sag"), "  ")
    )
    assert {(item.code, item.field) for item in findings(text)} == {
        ("unknown-workflow-field", "spec.concurencyPolicy"),
        ("workflow-entrypoint", "spec.workflowSpec.entrypoint"),
    }


def test_workflows_in_files_have_lines_where_the_loader_notes_them(tmp_path: Path) -> None:
    document = next(read_documents((HEAD + SAY.replace("entrypoint: say", "entrypoint: sag")).encode()))
    assert isinstance(document, Document)
    loaded = Manifests(objects=[document.value], origins=[Origin("a.yaml", document.lines)])
    (found,) = lint(loaded)
    assert (found.file, found.line, found.object) == ("a.yaml", 5, "Workflow/a-")


# in triggers

TRIGGER = """
- template:
    name: make
    argoWorkflow:
      operation: submit
      args: [ARGS]
      source:
        resource:
          apiVersion: argoproj.io/v1alpha1
          kind: Workflow
          metadata: {generateName: a-}
          spec:
            entrypoint: say
            arguments: {parameters: [{name: p}]}
            templates:
            - name: say
              container: {args: ["{{workflow.parameters.p}}"]}
      parameters: [OWN]
  parameters: [OUTER]
"""
SRC = "src: {dependencyName: push, dataKey: body.a}"


def trigger(sensor: Any, *changes: tuple[str, str]) -> list[Any]:
    text = TRIGGER
    for old, new in (*changes, ("ARGS", ""), ("OWN", ""), ("OUTER", "")):
        text = text.replace(old, new)
    return sensor(triggers=text)  # type: ignore[no-any-return]


def test_a_good_workflow_in_a_trigger(sensor: Any) -> None:
    assert trigger(sensor) == []


def test_workflows_in_triggers_are_looked_at(sensor: Any) -> None:
    (found,) = trigger(sensor, ("entrypoint: say", "entrypoint: sag"))
    assert (found.severity, found.code, found.line) == ("error", "workflow-entrypoint", 19)
    assert found.field == "spec.triggers.0.template.argoWorkflow.source.resource.spec.entrypoint"
    assert found.object == "Sensor/ci"


def test_what_parameters_write_is_not_judged(sensor: Any) -> None:
    wrong = ("entrypoint: say", "entrypoint: sag")
    assert trigger(sensor, wrong, ("OWN", f"{{{SRC}, dest: spec.entrypoint}}")) == []
    outer = f"{{{SRC}, dest: argoWorkflow.source.resource.spec.entrypoint}}"
    assert trigger(sensor, wrong, ("OUTER", outer)) == []


def test_parameters_of_a_workflow_may_come_with_the_trigger(sensor: Any) -> None:
    wrong = ("[{name: p}]", "[{name: q}]")
    assert [item.code for item in trigger(sensor, wrong)] == ["workflow-undeclared-parameter"]
    assert trigger(sensor, wrong, ("ARGS", "-p, p=1")) == []
    assert trigger(sensor, wrong, ("ARGS", "--parameter=p=1")) == []
    assert trigger(sensor, wrong, ("OWN", f"{{{SRC}, dest: spec.arguments.parameters.0.name}}")) == []
    value = f"{{{SRC}, dest: spec.arguments.parameters.0.value}}"
    assert [item.severity for item in trigger(sensor, wrong, ("OWN", value))] == ["error"]


def test_an_object_needs_a_name(sensor: Any) -> None:
    found = trigger(sensor, ("{generateName: a-}", "{}"))
    assert [(item.severity, item.code) for item in found] == [("error", "incomplete-object")]
    assert trigger(sensor, ("{generateName: a-}", "{}"), ("ARGS", "--name=x")) == []


def test_text_in_a_trigger_is_looked_at(sensor: Any) -> None:
    text = indent(HEAD + SAY.replace("entrypoint: say", "entrypoint: sag"), "          ")
    body = f"template:\n    name: a\n    k8s:\n      source:\n        inline: |\n{text}"
    (found,) = sensor(triggers=f"- {body}")
    assert found.field == "spec.triggers.0.template.k8s.source.inline"
    assert found.message == "spec.entrypoint: there is no template 'sag'"


def test_what_is_only_a_part_of_an_object_is_not_judged(sensor: Any) -> None:
    workflow = "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: a}, spec: {}}"
    source = f"source: {{resource: {workflow}}}"
    assert sensor(triggers=f"- template: {{name: a, k8s: {{operation: patch, {source}}}}}") == []
    found = sensor(triggers=f"- template: {{name: a, k8s: {{operation: create, {source}}}}}")
    assert [item.code for item in found] == ["workflow-entrypoint"]


def test_objects_of_other_kinds_are_left_alone() -> None:
    assert lint(load_objects([{"apiVersion": "v1", "kind": "Pod", "spec": {"templates": 1}}])) == []
