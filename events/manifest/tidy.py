"""Raw objects made ready for their models: keys in the right case; what is unknown or mistyped is told.

Nothing is rejected here. Values that the models do not describe are handed on as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from events.api.model import Model, Problem
from events.api.origin import Lines, Path, dotted
from events.api.shapes import Shape, fields


def tidy(
    model: type[Model], raw: dict[str, Any], lines: Lines | None = None
) -> tuple[dict[str, Any], list[Problem]]:
    """A copy of the raw object as its model wants it, and warnings with fields relative to it.

    Where a key is renamed, `lines` learns the new name as well.
    """
    walker = _Walker()
    return walker.mapping(model, raw, _Place(lines)), walker.found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk is: lines, path, and the model around."""

    lines: Lines | None
    path: Path = ()
    parent: type[Model] | None = None

    def inside(self, key: str | int, parent: type[Model] | None) -> _Place:
        return _Place(self.lines.inner.get(key) if self.lines else None, (*self.path, key), parent)


@dataclass(slots=True)
class _Walker:
    found: list[Problem] = field(default_factory=list)

    def mapping(self, model: type[Model], raw: dict[str, Any], place: _Place) -> dict[str, Any]:
        known, made = fields(model), {}
        for key, value in raw.items():
            name = self._name(model, key, raw, place)
            made[name] = value
            if name in known:
                made[name] = self._value(known[name].shape, value, place.inside(name, model))
        return made

    def _value(self, shape: Shape, value: Any, place: _Place) -> Any:
        if shape.model and isinstance(value, dict):
            return self.mapping(shape.model, value, place)
        if shape.form == "list" and shape.item and isinstance(value, list):
            return [
                self._value(shape.item, item, place.inside(index, place.parent))
                for index, item in enumerate(value)
            ]
        if shape.form == "map" and shape.item and isinstance(value, dict):
            return {
                key: self._value(shape.item, item, place.inside(key, place.parent))
                for key, item in value.items()
            }
        if shape.lenient and value is not None and not isinstance(value, shape.lenient.types):
            hint = f"write {shape.lenient.wanted}"
            self._warn(place.path, "has a type that upstream refuses", hint, "lenient-type")
        return value

    def _name(self, model: type[Model], key: str, raw: dict[str, Any], place: _Place) -> str:
        """The key as the model knows it, or the key itself, with a warning."""
        known = fields(model)
        if key in known or model.allows(key):
            return key
        names = [*known, *model.suggestions()]
        cased = [name for name in names if name.lower() == key.lower() and name not in raw]
        if not cased:
            self._warn((*place.path, key), "is not a known field and has no effect", _hint(model, key, place))
            return key
        message = f"is written {key} here"
        self._warn((*place.path, cased[0]), message, f"write {cased[0]}", "wrong-case")
        if place.lines and key in place.lines.inner:
            place.lines.inner[cased[0]] = place.lines.inner[key]
        return cased[0]

    def _warn(self, path: Path, message: str, hint: str, code: str = "unknown-field") -> None:
        self.found.append(Problem(dotted(path), message, hint, code, "warning"))


def _hint(model: type[Model], key: str, place: _Place) -> str:
    """What may have been meant by an unknown key."""
    if place.parent and key in fields(place.parent):
        names = [part for part in place.path if isinstance(part, str)]
        return f"it belongs one level up, beside {names[-1]}"
    for name, known in fields(model).items():
        if known.shape.model and key in fields(known.shape.model):
            return f"it belongs into {name}"
    near = _nearest(key, [*fields(model), *model.suggestions()])
    return f"did you mean {near}?" if near else ""


def _nearest(key: str, names: Iterable[str]) -> str:
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in get_close_matches(key.lower(), lower, 1, 0.75)), "")
