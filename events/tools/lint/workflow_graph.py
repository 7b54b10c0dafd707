"""What refers to what in a workflow: entrypoint, steps, tasks, dependencies, templates elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from events.api.model import Problem
from events.api.origin import Path
from events.tools.lint.subjects import as_list, as_map, as_text, error
from events.tools.lint.suggestions import did_you_mean
from events.tools.lint.workflow_parts import (
    Library,
    StepAt,
    TemplateAt,
    Workflow,
    steps_of,
    template_names,
)

STATUSES: Final = (
    "Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed",
)  # fmt: skip
_OPERAND: Final = re.compile(r"([\w-]+)(?:\.(\w+))?")


def check_entrypoint(workflow: Workflow, library: Library) -> Iterator[Problem]:
    """`entrypoint`, `onExit` and hooks name templates. `library` holds those of other objects."""
    names = known_names(workflow, library)
    entry, at = workflow.spec.get("entrypoint"), (*workflow.path, "entrypoint")
    if not entry and not workflow.is_template and not workflow.spec.get("workflowTemplateRef"):
        hint = f"write entrypoint: {min(names)}" if names else "name one of the templates"
        yield error(at, "workflow-entrypoint", "is missing", hint)
    yield from _is_template(entry, at, names, "workflow-entrypoint")
    yield from _is_template(workflow.spec.get("onExit"), (*workflow.path, "onExit"), names)
    for name, hook in as_map(workflow.spec.get("hooks")).items():
        yield from _is_template(
            as_map(hook).get("template"), (*workflow.path, "hooks", name, "template"), names
        )


def known_names(workflow: Workflow, library: Library) -> frozenset[str] | None:
    """Names of all templates of a workflow; None where some of them are not among the files."""
    own = template_names(workflow)
    ref = as_map(workflow.spec.get("workflowTemplateRef"))
    if not ref:
        return own
    others = _elsewhere(ref, workflow, library)
    return None if others is None else own | others


def _elsewhere(ref: dict[str, Any], workflow: Workflow, library: Library) -> frozenset[str] | None:
    """Names of the templates in the object that a reference names."""
    name = as_text(ref.get("name"))
    if ref.get("clusterScope"):
        return library.get(("ClusterWorkflowTemplate", "", name))
    return library.get(("WorkflowTemplate", workflow.namespace, name))


def _is_template(
    name: Any, at: Path, names: frozenset[str] | None, code: str = "workflow-unknown-template"
) -> Iterator[Problem]:
    if not isinstance(name, str) or not name or "{{" in name or names is None or name in names:
        return
    yield error(at, code, f"there is no template {name!r}", did_you_mean(name, sorted(names)))


def check_steps(workflow: Workflow, library: Library) -> Iterator[Problem]:
    """Steps and tasks: unique names, templates that exist, known dependencies without cycles."""
    names = known_names(workflow, library)
    for template in workflow.templates():
        steps = [*steps_of(template)]
        yield from _unique(steps)
        for step in steps:
            yield from _target(step, workflow, names, library)
        if "dag" in template.raw:
            yield from check_dag(template, steps)


def _unique(steps: Sequence[StepAt]) -> Iterator[Problem]:
    seen = set[str]()
    for step in steps:
        if step.name and step.name in seen:
            said = f"two {step.what}s of this template have the name {step.name!r}"
            yield error((*step.path, "name"), "workflow-duplicate-name", said, "rename one of them")
        seen.add(step.name)


def _target(
    step: StepAt, workflow: Workflow, names: frozenset[str] | None, library: Library
) -> Iterator[Problem]:
    yield from _is_template(step.raw.get("template"), (*step.path, "template"), names)
    yield from _is_template(step.raw.get("onExit"), (*step.path, "onExit"), names)
    for name, hook in as_map(step.raw.get("hooks")).items():
        yield from _is_template(as_map(hook).get("template"), (*step.path, "hooks", name, "template"), names)
    ref = as_map(step.raw.get("templateRef"))
    if ref:
        others = _elsewhere(ref, workflow, library)
        yield from _is_template(ref.get("template"), (*step.path, "templateRef", "template"), others)
    if not any(step.raw.get(key) for key in ("template", "templateRef", "inline")):
        hint = "write template: NAME"
        yield error(step.path, "workflow-unknown-template", f"the {step.what} names no template", hint)


def check_dag(template: TemplateAt, tasks: Sequence[StepAt]) -> Iterator[Problem]:
    """Dependencies of the tasks of one template."""
    names = [task.name for task in tasks if task.name]
    graph: dict[str, set[str]] = {}
    for task in tasks:
        if task.raw.get("depends") and task.raw.get("dependencies"):
            said, hint = "has both depends and dependencies", "write all of it into depends"
            yield error(task.path, "workflow-unknown-task", said, hint)
        needed = [*_dependencies(task), *_depends(task)]
        for name, at in needed:
            if name not in names:
                hint = did_you_mean(name, names)
                yield error(at, "workflow-unknown-task", f"there is no task {name!r}", hint)
        graph.setdefault(task.name, set()).update(name for name, _ in needed)
        yield from _statuses(task)
    yield from _cycle(template, graph)
    yield from _targets(template, names)


def _dependencies(task: StepAt) -> Iterator[tuple[str, Path]]:
    for place, name in enumerate(as_list(task.raw.get("dependencies"))):
        if isinstance(name, str) and "{{" not in name:
            yield name, (*task.path, "dependencies", place)


def _depends(task: StepAt) -> Iterator[tuple[str, Path]]:
    text = as_text(task.raw.get("depends"))
    for found in _OPERAND.finditer("" if "{{" in text else text):
        yield found[1], (*task.path, "depends")


def _statuses(task: StepAt) -> Iterator[Problem]:
    text = as_text(task.raw.get("depends"))
    for found in _OPERAND.finditer("" if "{{" in text else text):
        if found[2] and found[2] not in STATUSES:
            said = f"tasks have no status {found[2]!r}"
            hint = did_you_mean(found[2], STATUSES)
            yield error((*task.path, "depends"), "workflow-unknown-task", said, hint)


def _cycle(template: TemplateAt, graph: dict[str, set[str]]) -> Iterator[Problem]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        ring = " -> ".join(exc.args[1])
        hint = "remove one of these dependencies"
        yield error((*template.path, "dag"), "workflow-cycle", f"tasks wait for each other: {ring}", hint)


def _targets(template: TemplateAt, names: Sequence[str]) -> Iterator[Problem]:
    target = as_text(as_map(template.raw.get("dag")).get("target"))
    for name in ("" if "{{" in target else target).split():
        if name not in names:
            said = f"there is no task {name!r}"
            yield error(
                (*template.path, "dag", "target"), "workflow-unknown-task", said, did_you_mean(name, names)
            )
