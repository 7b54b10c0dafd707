"""Schemas of EventSource, Sensor and EventBus, made from the models.

structural  for CRDs: no references, every node typed, unknown fields and nulls accepted everywhere, as the
            API server wants it (structural schema, apiextensions.k8s.io/v1). Only types are checked
editor      JSON Schema (draft 2020-12) with references, for completion and checking while typing
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from events.api.common import Envelope
from events.api.eventbus import EventBus
from events.api.eventsource import EventSource, EventSourceSpec
from events.api.model import Model
from events.api.sensor import Sensor, TriggerTemplate
from events.api.shapes import FieldShape, Shape, fields
from events.registry import Group, config_class, source_kinds, trigger_kinds

Schema: TypeAlias = dict[str, Any]

KINDS: tuple[type[Envelope], ...] = (EventBus, EventSource, Sensor)

_OPEN = "x-kubernetes-preserve-unknown-fields"
_SIMPLE: dict[str, Schema] = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
}


def structural(kind: type[Envelope]) -> Schema:
    """The openAPIV3Schema of a CRD."""
    properties: Schema = {
        name: {"type": "string", "description": field.description}
        for name, field in fields(kind).items()
        if name in ("apiVersion", "kind")
    }
    properties["metadata"] = {"type": "object"}  # the API server knows it, and allows nothing else here
    for name in ("spec", "status"):
        schema = _structural_field(fields(kind)[name], ())
        properties[name] = {key: value for key, value in schema.items() if key != "nullable"}
    return {
        "type": "object",
        "description": _first_line(kind.__doc__),
        "required": ["metadata", "spec"],
        "properties": properties,
    }


def editor(kind: type[Envelope]) -> Schema:
    """The JSON Schema of a kind. Unknown fields are allowed; what the models require is required."""
    definitions: Schema = {}
    root = _reference(Shape("model", kind), definitions)
    definitions[kind.__name__]["required"] += ["apiVersion", "kind"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": definitions}


def all_fields(model: type[Model]) -> dict[str, FieldShape]:
    """The fields of a model, with those of the kinds where it holds configs."""
    if model is EventSourceSpec:
        return {**fields(model), **_kinds("sources", source_kinds(), _named)}
    if model is TriggerTemplate:
        return {**fields(model), **_kinds("triggers", trigger_kinds(), lambda config: config)}
    return fields(model)


def summary(group: Group, kind: str) -> str:
    """What a kind is, in one sentence: the first line of its module."""
    module = sys.modules[config_class(group, kind).__module__]
    return _first_line(module.__doc__).partition(": ")[2]


def _kinds(group: Group, kinds: tuple[str, ...], wrap: Callable[[Shape], Shape]) -> dict[str, FieldShape]:
    return {
        kind: FieldShape(
            kind, wrap(Shape("model", config_class(group, kind))), False, None, summary(group, kind)
        )
        for kind in kinds
    }


def _named(config: Shape) -> Shape:
    return Shape("map", item=config)


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _structural_field(field: FieldShape, around: tuple[type[Model], ...]) -> Schema:
    schema = _structural(field.shape, around)
    return {"description": field.description, **schema, "nullable": True}


def _structural(shape: Shape, around: tuple[type[Model], ...]) -> Schema:
    """`around` are the models that hold this one: a model inside itself is left open."""
    if shape.form == "model" and shape.model:
        if shape.model in around:
            return {"type": "object", _OPEN: True}
        inside = (*around, shape.model)
        properties = {n: _structural_field(f, inside) for n, f in all_fields(shape.model).items()}
        return {"type": "object", "properties": properties, _OPEN: True}
    if shape.item and shape.form == "list":
        return {"type": "array", "items": _structural(shape.item, around)}
    if shape.item and shape.form == "map":
        if shape.item.form == "any":
            return {"type": "object", _OPEN: True}
        return {
            "type": "object",
            "additionalProperties": {**_structural(shape.item, around), "nullable": True},
        }
    if shape.form == "int-or-string":
        return {"x-kubernetes-int-or-string": True}
    if shape.form == "integer":
        return {"type": "integer", "format": shape.width}
    return {_OPEN: True} if shape.lenient or shape.form == "any" else dict(_SIMPLE[shape.form])


def _reference(shape: Shape, definitions: Schema) -> Schema:
    if shape.form == "model" and shape.model:
        name = _definition_name(shape.model)
        if name not in definitions:
            definitions[name] = {}  # known while its fields are written: models may hold themselves
            definitions[name].update(_definition(shape.model, definitions))
        return {"$ref": f"#/$defs/{name}"}
    if shape.item and shape.form == "list":
        return {"type": "array", "items": _reference(shape.item, definitions)}
    if shape.item and shape.form == "map":
        return {"type": "object", "additionalProperties": _reference(shape.item, definitions)}
    if shape.lenient:
        return {"type": ["string", "number", "boolean"]}
    types = {"integer": "integer", "int-or-string": ["integer", "string"]}
    return {"type": types[shape.form]} if shape.form in types else dict(_SIMPLE.get(shape.form, {}))


def _definition(model: type[Model], definitions: Schema) -> Schema:
    given = all_fields(model)
    return {
        "type": "object",
        "description": _first_line(model.__doc__),
        "properties": {
            name: {"description": field.description, **_reference(field.shape, definitions)}
            for name, field in given.items()
        },
        "required": [name for name, field in given.items() if field.required],
    }


def _definition_name(model: type[Model]) -> str:
    """Models of kinds are told apart by their module: sources and triggers share names."""
    group, _, module = model.__module__.removeprefix("events.").partition(".")
    return f"{group}.{module}.{model.__name__}" if group in ("sources", "triggers") else model.__name__
