"""Workflows taken apart: the templates with their steps and tasks, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from events.api.origin import Path
from events.tools.lint.subjects import as_list, as_map, as_text

KINDS = ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")
TEMPLATE_KINDS = ("WorkflowTemplate", "ClusterWorkflowTemplate")


class TemplateAt(NamedTuple):
    """A template, and its path in the object. Inline ones have no name."""

    path: Path
    raw: dict[str, Any]
    is_inline: bool

    @property
    def name(self) -> str:
        return "" if self.is_inline else as_text(self.raw.get("name"))


class StepAt(NamedTuple):
    """A step of `steps`, or a task of a `dag`."""

    path: Path
    raw: dict[str, Any]
    what: str
    """`step` or `task`."""

    @property
    def name(self) -> str:
        return as_text(self.raw.get("name"))


Library = Mapping[tuple[str, str, str], frozenset[str]]
"""(kind, namespace, name) of the workflow templates among the files -> names of their templates."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """The spec of a workflow, and where in its object it stands."""

    kind: str
    namespace: str
    path: Path
    spec: dict[str, Any]

    @property
    def is_template(self) -> bool:
        return self.kind in TEMPLATE_KINDS

    def templates(self) -> Iterator[TemplateAt]:
        """Every template, each followed by those inline in its steps."""
        for place, raw in enumerate(as_list(self.spec.get("templates"))):
            if isinstance(raw, dict):
                yield from _with_inline(TemplateAt((*self.path, "templates", place), raw, False))


def workflow_of(raw: dict[str, Any], namespace: str) -> Workflow | None:
    """The workflow in an object; None for other kinds, and for one without a spec."""
    kind, metadata = raw.get("kind"), as_map(raw.get("metadata"))
    if kind not in KINDS or not as_text(raw.get("apiVersion")).startswith("argoproj.io/"):
        return None
    spec, path = raw.get("spec"), ("spec",)
    if kind == "CronWorkflow":
        spec, path = as_map(spec).get("workflowSpec"), ("spec", "workflowSpec")  # type: ignore[assignment]
    space = "" if kind == "ClusterWorkflowTemplate" else as_text(metadata.get("namespace")) or namespace
    return Workflow(kind, space, path, spec) if isinstance(spec, dict) else None


def _with_inline(template: TemplateAt) -> Iterator[TemplateAt]:
    """Manifests nest to a bounded depth, and so does this."""
    yield template
    for step in steps_of(template):
        inline = step.raw.get("inline")
        if isinstance(inline, dict):
            yield from _with_inline(TemplateAt((*step.path, "inline"), inline, True))


def steps_of(template: TemplateAt) -> Iterator[StepAt]:
    """The steps and tasks of one template."""
    for number, group in enumerate(as_list(template.raw.get("steps"))):
        for place, raw in enumerate(as_list(group)):
            if isinstance(raw, dict):
                yield StepAt((*template.path, "steps", number, place), raw, "step")
    for place, raw in enumerate(as_list(as_map(template.raw.get("dag")).get("tasks"))):
        if isinstance(raw, dict):
            yield StepAt((*template.path, "dag", "tasks", place), raw, "task")


def template_names(workflow: Workflow) -> frozenset[str]:
    """Names of the templates that steps can refer to."""
    return frozenset(template.name for template in workflow.templates() if template.name)
