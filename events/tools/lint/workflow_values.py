"""`{{inputs.parameters.x}}` and `{{workflow.parameters.x}}`: everything that is used is declared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from events.api.model import Problem
from events.api.origin import Path
from events.tools.lint.subjects import as_list, as_map, error
from events.tools.lint.suggestions import did_you_mean
from events.tools.lint.workflow_parts import TemplateAt, Workflow

_INPUT: Final = re.compile(r"\{\{\s*inputs\.(parameters|artifacts)\.([\w-]+)(?:\.path)?\s*\}\}")
_GLOBAL: Final = re.compile(r"\{\{\s*workflow\.parameters\.([\w-]+)\s*\}\}")
_WHOLE = ("json",)
"""`workflow.parameters.json` is all of them as JSON."""


def check_inputs(workflow: Workflow) -> Iterator[Problem]:
    """Inputs that a template uses and does not declare."""
    for template in workflow.templates():
        inputs = as_map(template.raw.get("inputs"))
        names = {part: declared(inputs.get(part)) for part in ("parameters", "artifacts")}
        for at, text in texts(template):
            for found in _INPUT.finditer(text):
                yield from _undeclared(at, found[1], found[2], names[found[1]])


def _undeclared(at: Path, part: str, name: str, names: list[str]) -> Iterator[Problem]:
    if name not in names:
        said = f"the template has no input {name!r}"
        hint = did_you_mean(name, names) if names else f"add it: inputs: {{{part}: [{{name: {name}}}]}}"
        yield error(at, "workflow-undeclared-input", said, hint)


def check_globals(workflow: Workflow, further: set[str] | None) -> Iterator[Problem]:
    """Parameters of the workflow that are used and not declared.

    Silent for templates, whose users declare them, and with `further` (parameters that come from
    elsewhere) unknown.
    """
    if workflow.is_template or further is None or workflow.spec.get("workflowTemplateRef"):
        return
    names = declared(as_map(workflow.spec.get("arguments")).get("parameters"))
    known = {*names, *further, *_WHOLE}
    for at, text in _texts(workflow.spec, workflow.path):
        for found in _GLOBAL.finditer(text):
            if found[1] not in known:
                said = f"the workflow has no parameter {found[1]!r}"
                hint = (
                    did_you_mean(found[1], names)
                    or f"add it: arguments: {{parameters: [{{name: {found[1]}}}]}}"
                )
                yield error(at, "workflow-undeclared-parameter", said, hint)


def declared(items: Any) -> list[str]:
    """The names in a list of parameters or artifacts."""
    return [str(item["name"]) for item in as_list(items) if isinstance(item, dict) and "name" in item]


def texts(template: TemplateAt) -> Iterator[tuple[Path, str]]:
    """Every text of a template, those of inline templates left out: they have inputs of their own."""
    return _texts(template.raw, template.path, leave_out="inline")


def _texts(value: Any, path: Path, leave_out: str = "") -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if "{{" in value:
            yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key != leave_out or not isinstance(inner, dict):
                yield from _texts(inner, (*path, key), leave_out)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _texts(inner, (*path, place), leave_out)
