"""The CRDs: generated, structural, and no stricter than upstream's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from events.api.model import Model
from events.manifest.crds import crd, file_name, main
from events.manifest.schemas import KINDS, all_fields, editor, summary
from events.manifest.yamltext import read_documents
from events.registry import source_kinds, trigger_kinds

CRDS = Path(__file__).parents[2] / "crds"
OPEN = "x-kubernetes-preserve-unknown-fields"
APPLY_LIMIT = 262_144
"""`kubectl apply` keeps the object in an annotation of at most so many bytes."""


def inside(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside a schema."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from inside(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from inside(schema[key], f"{path}[]")


def below_spec_and_status() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in KINDS:
        schema = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for part in ("spec", "status"):
            yield from inside(schema["properties"][part], f"{kind.__name__}.{part}")


Nodes = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def nodes() -> Nodes:
    return list(below_spec_and_status())


def test_the_files_are_those_that_the_command_makes(tmp_path: Path) -> None:
    main(str(tmp_path / "out"))
    made = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert made == {path.name: path.read_text() for path in CRDS.iterdir()}, (
        "run: python -m events.manifest.crds"
    )
    assert made.keys() == {file_name(kind) for kind in KINDS}


def test_names_are_those_of_upstream() -> None:
    found = {kind.__name__: crd(kind)["spec"]["names"] for kind in KINDS}
    assert {name: (names["plural"], names["shortNames"]) for name, names in found.items()} == {
        "EventBus": ("eventbus", ["eb"]),
        "EventSource": ("eventsources", ["es"]),
        "Sensor": ("sensors", ["sn"]),
    }
    for kind in KINDS:
        made = crd(kind)
        (version,) = made["spec"]["versions"]
        assert made["metadata"]["name"] == f"{made['spec']['names']['plural']}.argoproj.io"
        assert made["spec"]["scope"] == "Namespaced"
        assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
        assert version["subresources"] == {"status": {}}
        assert version["schema"]["openAPIV3Schema"]["required"] == ["metadata", "spec"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_can_be_applied(kind: Any) -> None:
    text = (CRDS / file_name(kind)).read_text()
    assert "$ref" not in text
    (made,) = (document.value for document in read_documents(text.encode()))
    assert made == crd(kind)
    assert len(json.dumps(made, separators=(",", ":"))) < APPLY_LIMIT


def test_every_node_is_typed_or_open(nodes: Nodes) -> None:
    untyped = [
        path
        for path, node in nodes
        if "type" not in node and not node.get(OPEN) and not node.get("x-kubernetes-int-or-string")
    ]
    assert untyped == []
    assert {node["type"] for _, node in nodes if "type" in node} == {
        "object", "array", "string", "integer", "boolean",
    }  # fmt: skip


def test_only_keywords_of_structural_schemas_are_used(nodes: Nodes) -> None:
    allowed = {
        "type", "format", "description", "nullable", "properties", "additionalProperties", "items", OPEN,
        "x-kubernetes-int-or-string",
    }  # fmt: skip
    assert {key for _, node in nodes for key in node} <= allowed
    both = [path for path, node in nodes if "properties" in node and "additionalProperties" in node]
    assert both == []


def test_arrays_say_what_they_hold(nodes: Nodes) -> None:
    assert [path for path, node in nodes if (node.get("type") == "array") != ("items" in node)] == []


def test_unknown_fields_are_kept_at_every_level(nodes: Nodes) -> None:
    pruned = [path for path, node in nodes if "properties" in node and not node.get(OPEN)]
    assert pruned == []


def test_null_is_accepted_wherever_a_field_may_be_absent(nodes: Nodes) -> None:
    strict = [
        f"{path}.{name}"
        for path, node in nodes
        for name, inner in node.get("properties", {}).items()
        if not inner.get("nullable")
    ]
    assert strict == []


def test_every_field_has_a_description(nodes: Nodes) -> None:
    silent = [
        f"{path}.{name}"
        for path, node in nodes
        for name, inner in node.get("properties", {}).items()
        if not inner.get("description")
    ]
    assert silent == []


def test_every_kind_is_there(nodes: Nodes) -> None:
    paths = {path for path, _ in nodes}
    assert {f"EventSource.spec.{kind}[]" for kind in source_kinds()} <= paths
    assert {f"Sensor.spec.triggers[].template.{kind}" for kind in trigger_kinds()} <= paths


def test_a_trigger_inside_a_trigger_is_left_open(nodes: Nodes) -> None:
    schema = dict(nodes)["Sensor.spec.triggers[].dlqTrigger"]
    assert {key: schema[key] for key in ("type", OPEN)} == {"type": "object", OPEN: True}
    assert "properties" not in schema


def test_fields_that_take_any_scalar_have_no_type(nodes: Nodes) -> None:
    known = dict(nodes)
    assert "type" not in known["Sensor.spec.triggers[].parameters[].src.value"]
    assert "type" not in known["Sensor.spec.dependencies[].filters.data[].value[]"]
    assert known["Sensor.spec.triggers[].retryStrategy.duration"]["x-kubernetes-int-or-string"]


def reachable(model: type[Model], seen: set[type[Model]]) -> set[type[Model]]:
    if model not in seen:
        seen.add(model)
        for field in all_fields(model).values():
            shape = field.shape
            for found in (shape.model, shape.item.model if shape.item else None):
                if found:
                    reachable(found, seen)
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_for_editors_defines_all_it_refers_to(kind: Any) -> None:
    schema = editor(kind)
    text = json.dumps(schema)
    references = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert references == set(schema["$defs"])
    assert len(schema["$defs"]) == len(reachable(kind, set())), "two models share a name"
    assert schema["$ref"] == f"#/$defs/{kind.__name__}"


def test_the_schema_for_editors_says_what_is_required() -> None:
    definitions = editor(KINDS[2])["$defs"]
    assert definitions["Sensor"]["required"] == ["metadata", "spec", "apiVersion", "kind"]
    assert definitions["triggers.http.HTTPConfig"]["required"] == ["url"]
    assert definitions["Trigger"]["properties"]["dlqTrigger"]["$ref"] == "#/$defs/Trigger"


def test_every_kind_has_a_summary() -> None:
    for group, kinds in (("sources", source_kinds()), ("triggers", trigger_kinds())):
        for kind in kinds:
            assert summary(group, kind).endswith("."), kind  # type: ignore[arg-type] # a literal in a loop
