"""The base of every manifest model, and the questions that loader, docs and CRDs ask of one.

Keys      camelCase as in the manifest; Python names are accepted from code only
Unknown   fields are kept (`model_extra`) and never rejected; the loader warns about them
Types     strict, as in Go's decoder: no number where text is asked for; null means absent
Rules     what upstream's validation rejects is reported by `problems`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from events.api.origin import Key, Path

Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a model. `field` is a dotted path below it, "" for the model itself."""

    field: str
    message: str
    hint: str = ""
    code: str = "invalid-value"
    severity: Severity = "error"


def camel(name: str) -> str:
    """`json_body` -> `jsonBody`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


class Model(BaseModel):
    """Base of all manifest models: immutable, strict about types, lenient about unknown fields."""

    model_config = ConfigDict(
        alias_generator=camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="allow",
        strict=True,
        frozen=True,
        defer_build=True,
    )

    @classmethod
    def allows(cls, name: str) -> bool:
        """True for a field that is fine although the model does not list it."""
        return False

    @classmethod
    def suggestions(cls) -> Iterable[str]:
        """Names that `allows` allows, as far as they can be listed."""
        return ()

    def problems(self) -> Iterable[Problem]:
        """What is wrong with this model beyond the types of its fields; models inside report their own."""
        return ()

    def children(self) -> Iterator[tuple[Path, Model]]:
        """The models directly below this one, through lists and maps, with their paths."""
        for name, info in type(self).model_fields.items():
            yield from _models(getattr(self, name), (info.alias or name,))

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        if isinstance(data, dict) and any(value is None for value in data.values()):
            return {key: value for key, value in data.items() if value is not None}
        return data

    @model_validator(mode="after")
    def _apply_rules(self) -> Self:
        errors = [problem for problem in self.problems() if problem.severity == "error"]
        if errors:
            text = "; ".join(f"{p.field}: {p.message}" if p.field else p.message for p in errors)
            raise PydanticCustomError("rules", "{text}", {"text": text, "problems": errors})
        return self


class Holder(Model):
    """A model with fields whose models are not known here: the configs of the kinds."""

    _configs: dict[Path, Any] = PrivateAttr(default_factory=dict)

    @property
    def configs(self) -> dict[Path, Any]:
        """Validated configs by their paths below this model; the loader fills them in."""
        return self._configs

    def children(self) -> Iterator[tuple[Path, Model]]:
        """Also the configs."""
        yield from super().children()
        yield from self._configs.items()


def walk(model: Model, path: Path = ()) -> Iterator[tuple[Path, Model]]:
    """This model and all below it, each with its path, in the order of declaration."""
    yield path, model
    for below, inner in model.children():
        yield from walk(inner, path + below)


def _models(value: object, path: Path) -> Iterator[tuple[Path, Model]]:
    if isinstance(value, Model):
        yield path, value
    elif isinstance(value, (dict, list)):
        pairs: Iterable[tuple[Key, object]] = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            yield from _models(item, (*path, key))


class Lenient:
    """Marks a field that takes more types of values than upstream, with a warning."""

    def __init__(self, types: type | tuple[type, ...], wanted: str) -> None:
        self.types, self.wanted = types, wanted


class IntOrString:
    """Marks a field that is a number or text, as durations and quantities are."""


@dataclass(frozen=True, slots=True)
class Width:
    """Marks how wide an integer may be: int32 or int64."""

    name: str


def go_text(value: object) -> object:
    """A scalar as the text Go's JSON encoder makes of it; anything else unchanged."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) else value


def _texts(value: object) -> object:
    """Null members of a map of text are empty text, as Go decodes them."""
    if isinstance(value, dict):
        return {key: "" if item is None else item for key, item in value.items()}
    return ["" if item is None else item for item in value] if isinstance(value, list) else value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


NonEmpty: TypeAlias = Annotated[str, Field(min_length=1)]
LenientStr: TypeAlias = Annotated[str, BeforeValidator(go_text), Lenient(str, "text in quotes")]
Int32: TypeAlias = Annotated[int, BeforeValidator(_whole), Field(ge=-(2**31), lt=2**31), Width("int32")]
Int64: TypeAlias = Annotated[int, BeforeValidator(_whole), Field(ge=-(2**63), lt=2**63), Width("int64")]
Strings: TypeAlias = Annotated[list[str], BeforeValidator(_texts)]
StringMap: TypeAlias = Annotated[dict[str, str], BeforeValidator(_texts)]
