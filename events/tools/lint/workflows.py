"""Workflows, in files and in triggers: everything that can be told without running them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from events.api.model import Problem
from events.api.origin import dotted
from events.tools.lint.documents import Resource, resource_of
from events.tools.lint.objects import check_object
from events.tools.lint.subjects import OtherObject, as_map, as_text, error, triggers
from events.tools.lint.workflow_fields import (
    WORK,
    check_arguments,
    check_step_fields,
    check_template_fields,
    misspelled,
)
from events.tools.lint.workflow_graph import check_entrypoint, check_steps
from events.tools.lint.workflow_parts import (
    TEMPLATE_KINDS,
    Library,
    Workflow,
    steps_of,
    template_names,
    workflow_of,
)
from events.tools.lint.workflow_values import check_globals, check_inputs

if TYPE_CHECKING:
    from events.api.sensor import Sensor

DEFAULT_NAMESPACE = "default"


def library(objects: Iterable[OtherObject], namespace: str = DEFAULT_NAMESPACE) -> Library:
    """The workflow templates among the files."""
    found = {}
    for raw, _ in objects:
        workflow = workflow_of(raw, namespace)
        if workflow and workflow.kind in TEMPLATE_KINDS:
            name = as_text(as_map(raw.get("metadata")).get("name"))
            found[workflow.kind, workflow.namespace, name] = template_names(workflow)
    return found


def check_file_object(item: OtherObject, known: Library) -> Iterator[Problem]:
    """Rules about a workflow that stands in a file of its own."""
    workflow = workflow_of(item.raw, DEFAULT_NAMESPACE)
    if workflow is None:
        return
    if workflow.kind == "CronWorkflow":
        yield from misspelled("cron", item.raw.get("spec"), ("spec",))
    yield from check_workflow(workflow, known)
    for problem in check_globals(workflow, set()):
        yield replace(problem, severity="warning", hint=f"{problem.hint}, or give it at every submission")


def check_trigger_objects(sensor: Sensor, known: Library) -> Iterator[Problem]:
    """Rules about the objects that triggers create. What parameters write is not judged."""
    for trigger in triggers(sensor):
        resource = resource_of(trigger)
        if resource is None or resource.is_partial or () in resource.dests:
            continue
        for problem in (
            *check_object(resource),
            *_embedded(workflow_of(resource.raw, sensor.namespace), known, resource),
        ):
            if not resource.writes(problem.field.split(".")):
                yield _placed(problem, resource)


def _embedded(workflow: Workflow | None, known: Library, resource: Resource) -> Iterator[Problem]:
    if workflow is None:
        return
    yield from check_workflow(workflow, known)
    yield from check_globals(workflow, _further(resource, workflow))


def _further(resource: Resource, workflow: Workflow) -> set[str] | None:
    """Parameters that come with `args`; None where parameters of the trigger may add some."""
    arguments = (*workflow.path, "arguments", "parameters")
    for dest in resource.dests:
        size = min(len(dest), len(arguments))
        if dest[:size] == arguments[:size] and dest[-1:] != ("value",):
            return None
    return {
        text.partition("=")[0].strip()
        for flag, text in zip(resource.arguments, resource.arguments[1:], strict=False)
        if flag in ("-p", "--parameter")
    } | {
        text.split("=")[1]
        for text in resource.arguments
        if text.startswith(("-p=", "--parameter=")) and "=" in text
    }


def _placed(problem: Problem, resource: Resource) -> Problem:
    """The problem, seen from the sensor. Text has no lines of its own, so the message says where in it."""
    if resource.is_inline:
        said = f"{problem.field}: {problem.message}" if problem.field else problem.message
        return replace(problem, field=dotted(resource.path), message=said)
    return replace(problem, field=dotted((*resource.path, problem.field) if problem.field else resource.path))


def check_workflow(workflow: Workflow, known: Library) -> Iterator[Problem]:
    """All rules but those about the parameters of the workflow itself."""
    yield from misspelled("spec", workflow.spec, workflow.path)
    yield from check_arguments(workflow.spec.get("arguments"), (*workflow.path, "arguments"))
    yield from _templates(workflow)
    yield from check_entrypoint(workflow, known)
    yield from check_steps(workflow, known)
    yield from check_inputs(workflow)


def _templates(workflow: Workflow) -> Iterator[Problem]:
    counts = Counter(template.name for template in workflow.templates() if template.name)
    defaults = as_map(workflow.spec.get("templateDefaults"))
    for template in workflow.templates():
        if counts[template.name] > 1:
            said = f"{counts[template.name]} templates have the name {template.name!r}"
            hint = "rename one of them"
            yield error((*template.path, "name"), "workflow-duplicate-name", said, hint)
            counts[template.name] = 0
        work = [name for name in WORK if template.raw.get(name) is not None]
        if len(work) != 1 and not (not work and any(name in defaults for name in WORK)):
            said = f"does {' and '.join(work)} at once" if work else "has nothing to do"
            hint = f"write one of {', '.join(WORK)}"
            yield error(template.path, "workflow-template-type", said, hint)
        yield from check_template_fields(template.raw, template.path)
        for step in steps_of(template):
            yield from check_step_fields(step.what, step.raw, step.path)
