"""From a raw object to its model: what does not fit becomes problems in words for the user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from events.api.model import Model, Problem, walk
from events.api.origin import Key, dotted
from events.api.shapes import FieldShape, Form, fields

Decoded = TypeVar("Decoded", bound=Model)

_WANTED: dict[Form, str] = {
    "model": "a map", "map": "a map", "list": "a list", "text": "text", "integer": "a whole number",
    "number": "a number", "boolean": "true or false", "int-or-string": "text or a whole number",
    "any": "another type",
}  # fmt: skip
_TYPE_ERRORS = {
    "model_type": "a map", "model_attributes_type": "a map", "dict_type": "a map", "list_type": "a list",
    "string_type": "text", "int_type": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "bool_type": "true or false",
}  # fmt: skip
_RANGE_ERRORS = {"greater_than_equal": "is below {}", "less_than": "is {} or more"}


def decode(model: type[Decoded], raw: dict[str, Any]) -> Decoded | list[Problem]:
    """The model of a raw object that is tidy, or why there is none."""
    try:
        return model.model_validate(raw, by_alias=True, by_name=False)
    except ValidationError as exc:
        return [problem for error in exc.errors(include_url=False) for problem in _problems(model, error)]


def warnings(model: Model) -> Iterator[Problem]:
    """What is doubtful in a model that is valid, with fields relative to it."""
    for path, inner in walk(model):
        for problem in inner.problems():
            if problem.severity == "warning":
                yield _moved(problem, path)


def _problems(model: type[Model], error: ErrorDetails) -> list[Problem]:
    path, kind = error["loc"], error["type"]
    if kind == "rules":
        return [_moved(problem, path) for problem in error["ctx"]["problems"]]
    place = dotted(path)
    if kind == "missing" or kind in ("string_too_short", "too_short"):
        said = "is missing" if kind == "missing" else "is empty"
        return [Problem(place, said, _meaning(_field(model, path)), "required")]
    if kind in _TYPE_ERRORS:
        return [_wrong_type(place, _TYPE_ERRORS[kind], error["input"])]
    if kind in _RANGE_ERRORS:
        limit = next(iter(error["ctx"].values()))
        return [Problem(place, _RANGE_ERRORS[kind].format(limit), code="range")]
    return [Problem(place, error["msg"][:1].lower() + error["msg"][1:])]


def _moved(problem: Problem, path: Sequence[Key]) -> Problem:
    parts = [*path, problem.field] if problem.field else path
    return Problem(dotted(parts), problem.message, problem.hint, problem.code, problem.severity)


def _wrong_type(place: str, wanted: str, given: object) -> Problem:
    """The value itself is not told: it may be a secret in the wrong place."""
    hint = ""
    if wanted == "text" and isinstance(given, (bool, int, float)):
        hint = "put it in quotes"
    elif isinstance(given, str) and wanted in ("a whole number", "a number", "true or false"):
        hint = "write it without quotes"
    return Problem(place, f"is {_type_name(given)}, but {wanted} is wanted", hint, "type")


def _type_name(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    names = {dict: "a map", list: "a list", str: "text", int: "a number", float: "a number"}
    return names.get(type(value), "something else")


def _field(model: type[Model], path: Sequence[Key]) -> FieldShape | None:
    """The field at a path, as far as models describe it."""
    found: FieldShape | None = None
    at: type[Model] | None = model
    for key in path:
        if isinstance(key, int) or at is None:
            continue
        found = fields(at).get(key, None)
        if found is None:
            return None
        shape = found.shape
        at = shape.model or (shape.item.model if shape.item else None)
    return found


def _meaning(field: FieldShape | None) -> str:
    return f"{field.name}: {field.description}" if field and field.description else ""
