"""Objects that triggers create: what the API server asks of every object."""

from __future__ import annotations

from collections.abc import Iterator

from events.api.model import Problem
from events.tools.lint.documents import Resource
from events.tools.lint.subjects import as_map, as_text, error


def check_object(resource: Resource) -> Iterator[Problem]:
    """Kind, version and a name."""
    for field, example in (("apiVersion", "argoproj.io/v1alpha1"), ("kind", "Workflow")):
        if not as_text(resource.raw.get(field)):
            hint = f"as in {field}: {example}"
            yield error((field,), "incomplete-object", "the object has none", hint)
    metadata = as_map(resource.raw.get("metadata"))
    written = any(resource.writes(("metadata", name)) for name in ("name", "generateName"))
    named = any(flag.startswith(("--name", "--generate-name")) for flag in resource.arguments)
    if not (metadata.get("name") or metadata.get("generateName") or written or named):
        hint = "write generateName: PREFIX-, so that every firing makes another object"
        yield error(("metadata",), "incomplete-object", "the object has no name", hint)
