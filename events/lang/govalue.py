"""Go values in Python: what templates compute with, how their types are called, strings as bytes.

Model     nil = None, missing map key = NO_VALUE, float64 = float, int = int, string = str (bytes that are
          not UTF-8 are lone surrogates, as `surrogateescape` makes them), bool, []interface {} = list,
          map[string]interface {} = dict, complex128 = complex
Others    where another Go type shows in output, `eq`, `typeOf` or `kindOf`: the subclasses below, with
          `go_type` (as %T prints it) and `go_kind` (as reflect names it); more may be derived elsewhere
Calls     the template engine checks number and static types of arguments before it calls a function, so a
          function gets None where Go passes a nil interface and never gets NO_VALUE
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from events.errors import EvaluationError


class NoValue:
    """Type of NO_VALUE: what Go calls the zero reflect.Value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<no value>"

    def __bool__(self) -> bool:
        return False


NO_VALUE: Final = NoValue()
"""The value of a missing map key, and of nil after a pipeline: prints as `<no value>`."""


class GoInt64(int):
    """int64: what `int64`, `add`, `mul`, `toDecimal` return."""

    go_type: ClassVar[str] = "int64"
    go_kind: ClassVar[str] = "int64"


class GoInt32(int):
    """int32."""

    go_type: ClassVar[str] = "int32"
    go_kind: ClassVar[str] = "int32"


class GoUint8(int):
    """uint8: a byte of a string, as `index` returns it."""

    go_type: ClassVar[str] = "uint8"
    go_kind: ClassVar[str] = "uint8"


class GoUint64(int):
    """uint64: the parts of a semantic version."""

    go_type: ClassVar[str] = "uint64"
    go_kind: ClassVar[str] = "uint64"


class GoStrings(list[str]):
    """[]string: what `splitList`, `sortAlpha`, `keys`, `regexFindAll` return."""

    go_type: ClassVar[str] = "[]string"
    go_kind: ClassVar[str] = "slice"


class GoInts(list[int]):
    """[]int: what `until` and `untilStep` return."""

    go_type: ClassVar[str] = "[]int"
    go_kind: ClassVar[str] = "slice"


class GoLists(list[list[Any]]):
    """[][]interface {}: what `chunk` returns."""

    go_type: ClassVar[str] = "[][]interface {}"
    go_kind: ClassVar[str] = "slice"


class GoNilList(list[Any]):
    """A nil []interface {}: prints `[]`, but JSON makes it null and it equals nil. Always empty."""

    go_type: ClassVar[str] = "[]interface {}"
    go_kind: ClassVar[str] = "slice"
    go_nil: ClassVar[bool] = True


class GoNilStrings(GoStrings):
    """A nil []string. Always empty."""

    go_nil: ClassVar[bool] = True


class GoStringMap(dict[str, str]):
    """map[string]string: what `split` and `splitn` return."""

    go_type: ClassVar[str] = "map[string]string"
    go_kind: ClassVar[str] = "map"


class GoNilMap(dict[str, Any]):
    """A nil map[string]interface {}: reads as empty; writing to it is an error in Go."""

    go_type: ClassVar[str] = "map[string]interface {}"
    go_kind: ClassVar[str] = "map"
    go_nil: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Function:
    """A Go function: `params` are its static parameter types as reflect prints them (`any` = interface {}).

    With `variadic` the last one is the type of each further argument. `call` gets the arguments only.
    """

    call: Callable[..., Any]
    params: tuple[str, ...]
    variadic: bool = False


class GoObject:
    """A value of a Go type with methods or exported fields (time.Time, *semver.Version, certificates).

    Templates reach methods and fields by name: `(now).Year`, `(semver "1.2.3").Minor`.
    """

    go_type: ClassVar[str]
    go_kind: ClassVar[str] = "struct"
    go_methods: ClassVar[Mapping[str, Function]] = {}
    """Name -> method; `call` gets the object before the arguments, `params` do not name it."""

    def go_text(self) -> str | None:
        """What String() or Error() returns; None if the type has no such method."""
        return None

    def go_fields(self) -> Mapping[str, Any]:
        """The exported fields in their order."""
        return {}


_TYPE_NAMES: Final[dict[type, str]] = {
    type(None): "<nil>",
    NoValue: "<nil>",
    bool: "bool",
    int: "int",
    float: "float64",
    complex: "complex128",
    str: "string",
    list: "[]interface {}",
    dict: "map[string]interface {}",
}
_KIND_NAMES: Final[dict[type, str]] = {
    type(None): "invalid",
    NoValue: "invalid",
    bool: "bool",
    int: "int",
    float: "float64",
    complex: "complex128",
    str: "string",
    list: "slice",
    dict: "map",
}


def type_name(value: Any) -> str:
    """The Go type as %T prints it: `float64`, `[]interface {}`, `<nil>`."""
    kind = type(value)
    return _TYPE_NAMES.get(kind) or _declared(kind, "go_type", _TYPE_NAMES)


def kind_name(value: Any) -> str:
    """The kind as reflect names it: `float64`, `slice`, `map`, `struct`, `invalid` for nil."""
    kind = type(value)
    return _KIND_NAMES.get(kind) or _declared(kind, "go_kind", _KIND_NAMES)


def _declared(kind: type, attribute: str, names: dict[type, str]) -> str:
    """What a class says of itself, or else the name of the class below it."""
    found = getattr(kind, attribute, None) or next(
        (names[base] for base in kind.__mro__ if base in names), None
    )
    if found is None:
        raise EvaluationError(f"no Go value: {kind.__name__}")
    return str(found)


def sorted_items(value: dict[str, Any]) -> list[tuple[str, Any]]:
    """Keys and values of a map in the order in which Go prints it and ranges over it."""
    return [(key, value[key]) for key in sorted(value)]


def is_nil(value: Any) -> bool:
    """Whether Go sees nil: no value, a nil interface, slice or map."""
    return value is None or value is NO_VALUE or getattr(value, "go_nil", False)


def is_unsigned(value: Any) -> bool:
    """Whether this integer is of one of Go's unsigned types."""
    return str(getattr(value, "go_kind", "int")).startswith("uint")


def to_bytes(text: str) -> bytes:
    """The bytes of a Go string. Surrogates that stand for no byte become U+FFFD."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _without_stray_surrogates(text).encode("utf-8", "surrogateescape")


def from_bytes(data: bytes) -> str:
    """The Go string of these bytes; those that are not UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def canonical(text: str) -> str:
    """The same string in its one form: escaped bytes that together are valid UTF-8 become characters.

    Needed after concatenation of pieces that were cut inside a character.
    """
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return from_bytes(to_bytes(text))
    return text


def byte_length(text: str) -> int:
    """Length in bytes, as Go's len."""
    return len(text) if text.isascii() else len(to_bytes(text))


def _without_stray_surrogates(text: str) -> str:
    return "".join(["\ufffd" if "\ud800" <= c < "\udc80" or "\udcff" < c <= "\udfff" else c for c in text])
