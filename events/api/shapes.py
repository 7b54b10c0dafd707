"""What the fields of a model look like: names, types, descriptions. For the loader, CRDs, docs and tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from events.api.model import IntOrString, Lenient, Model, Width

Form: TypeAlias = Literal[
    "model", "map", "list", "text", "integer", "number", "boolean", "int-or-string", "any"
]

_PLAIN: dict[Any, Form] = {str: "text", int: "integer", float: "number", bool: "boolean", Any: "any"}


@dataclass(frozen=True, slots=True)
class Shape:
    """Type of a value. `item` is the type of what a list or map holds, `width` int32 or int64."""

    form: Form
    model: type[Model] | None = None
    item: Shape | None = None
    width: str = ""
    lenient: Lenient | None = None


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One field of a model, by its name in manifests."""

    name: str
    shape: Shape
    required: bool
    default: Any
    description: str


@cache
def fields(model: type[Model]) -> dict[str, FieldShape]:
    """The fields of a model by their names in manifests, in the order of declaration."""
    return {
        name: FieldShape(
            name,
            _marked(_shape(info.annotation), info.metadata),
            info.is_required(),
            None if info.is_required() else info.get_default(),
            info.description or "",
        )
        for info_name, info in model.model_fields.items()
        for name in [info.alias or info_name]
    }


def _shape(annotation: Any) -> Shape:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _marked(_shape(args[0]), args[1:])
    if origin in (Union, UnionType):
        kept = [arg for arg in args if arg is not NoneType]
        return _shape(kept[0]) if len(kept) == 1 else Shape("any")
    if origin is list:
        return Shape("list", item=_shape(args[0]))
    if origin is dict:
        return Shape("map", item=_shape(args[1]))
    if origin is Literal:
        return Shape("text")
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return Shape("model", annotation)
    return Shape(_PLAIN[annotation])


def _marked(shape: Shape, markers: Iterable[Any]) -> Shape:
    for marker in markers:
        if isinstance(marker, Lenient):
            shape = replace(shape, lenient=marker)
        elif isinstance(marker, IntOrString):
            shape = replace(shape, form="int-or-string")
        elif isinstance(marker, Width):
            shape = replace(shape, width=marker.name)
    return shape
