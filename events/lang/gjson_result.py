"""What a path yields: kind, string form, number, truth and Go value of one JSON value (gjson.Result).

`Scanned` holds source text. The other classes hold a value of the decoded document and look for its source
text only when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
import orjson

from events.errors import EvaluationError
from events.lang.document import INEXACT, Document, with_floats
from events.lang.gjson_number import number_text, parse_float
from events.lang.gjson_scan import STRING, Kind, bracket_ends, children, unescape
from events.lang.gofmt_scalars import format_float

if TYPE_CHECKING:
    from events.lang.path import Path

_TRUTHS: Final = frozenset(("1", "t", "true"))
_EXACT: Final = 2.0**63  # orjson makes an int of every number below it that is written as one


class Result:
    """One value that a path found, or `MISSING`.

    `raw` is the source text; `text`, `number` and `boolean` are gjson's String(), Float() and Bool().
    """

    __slots__ = ()

    @property
    def exists(self) -> bool:
        """Whether the path led to a value; JSON null is one."""
        return True

    @property
    def kind(self) -> Kind:
        """The kind of the value; "Null" when missing."""
        raise NotImplementedError

    @property
    def raw(self) -> str:
        """The source text of the value, "" when missing."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """The string form: strings unescaped, containers as in the source, "" for null and missing."""
        return self.raw

    @property
    def number(self) -> float:
        """The number, the number that a string spells, 1 for true, else 0."""
        return 0.0

    @property
    def boolean(self) -> bool:
        """Whether it is true, a number other than 0, or a string that spells true."""
        return False

    def value(self) -> Any:
        """The Go value: None, bool, float, str, list or dict; not to be changed by the caller.

        Raises EvaluationError for an object or array that cannot be decoded.
        """
        raise NotImplementedError


class Scanned(Result, msgspec.Struct, eq=False, gc=False):
    """A value with its source text.

    `offset` is where it lies in the searched text, -1 when the text was assembled or came through a pipe or
    modifier; `offsets` are those of the elements of an assembled array. sjson writes there.
    """

    kind: Kind
    raw: str
    offset: int = -1
    offsets: Sequence[int] = ()

    @property
    def exists(self) -> bool:
        return self.kind != "Null" or self.raw != ""

    @property
    def text(self) -> str:
        return _TEXT_OF[self.kind](self.raw)

    @property
    def number(self) -> float:
        if self.kind == "Number":
            return parse_float(self.raw)
        return parse_float(self.text) if self.kind == "String" else float(self.kind == "True")

    @property
    def boolean(self) -> bool:
        if self.kind == "String":
            return self.text.lower() in _TRUTHS
        return self.kind == "True" or self.number != 0

    def value(self) -> Any:
        return _VALUE_OF[self.kind](self.raw)


def _unquoted(raw: str) -> str:
    return unescape(raw[1:-1] if STRING.fullmatch(raw) else raw[1:])


def _container(raw: str) -> Any:
    document = Document(raw)
    document.decode()
    if document.plain is not INEXACT:
        return with_floats(document.plain)
    try:
        return _read(raw, 0, len(raw), bracket_ends(raw))
    except RecursionError as exc:
        raise EvaluationError("nested too deeply") from exc


def _read(text: str, start: int, stop: int, ends: Mapping[int, int]) -> Any:
    """Decoded value by value, the first of equal names wins. What is not JSON is passed over."""
    values = (
        (name, _read(text, i, end, ends) if kind == "JSON" else _VALUE_OF[kind](text[i:end]))
        for name, kind, i, end in children(text, start, stop, ends)
    )
    if text[start] == "[":
        return [value for _, value in values]
    members: dict[str, Any] = {}
    for name, value in values:
        members.setdefault(_unquoted(name), value)
    return members


_TEXT_OF: Final[dict[Kind, Callable[[str], str]]] = {
    "String": _unquoted,
    "Number": lambda raw: number_text(raw, parse_float(raw)),
    "JSON": lambda raw: raw,
    "True": lambda raw: "true",
    "False": lambda raw: "false",
    "Null": lambda raw: "",
}
_VALUE_OF: Final[dict[Kind, Callable[[str], Any]]] = {
    "String": _unquoted,
    "Number": parse_float,
    "JSON": _container,
    "True": lambda raw: True,
    "False": lambda raw: False,
    "Null": lambda raw: None,
}

MISSING: Final[Result] = Scanned("Null", "")
TRUE: Final = Scanned("True", "true")
FALSE: Final = Scanned("False", "false")
NULL: Final = Scanned("Null", "null")


class _Decoded(Result, msgspec.Struct, eq=False, gc=False):
    """A value of a document's `plain` tree, found by `path`."""

    found: Any
    document: Document
    path: Path

    @property
    def raw(self) -> str:
        if self.document.canonical:
            return orjson.dumps(self.found).decode()
        return self.path.scan(self.document).raw


class DecodedString(_Decoded, eq=False, gc=False):
    """A string of the decoded document."""

    kind: ClassVar[Kind] = "String"

    @property
    def text(self) -> str:
        return self.found  # type: ignore[no-any-return]

    @property
    def number(self) -> float:
        return parse_float(self.found)

    @property
    def boolean(self) -> bool:
        return self.found.lower() in _TRUTHS

    def value(self) -> Any:
        return self.found


class DecodedInt(_Decoded, eq=False, gc=False):
    """An integer of at most 64 bits; only zero has two spellings, 0 and -0."""

    kind: ClassVar[Kind] = "Number"

    @property
    def raw(self) -> str:
        return str(self.found) if self.found else super().raw

    @property
    def number(self) -> float:
        return float(self.found or self.raw)

    @property
    def boolean(self) -> bool:
        return bool(self.found)

    def value(self) -> Any:
        return self.number


class DecodedFloat(_Decoded, eq=False, gc=False):
    """A number with fraction or exponent, or an integer beyond 64 bits."""

    kind: ClassVar[Kind] = "Number"

    @property
    def text(self) -> str:
        if -_EXACT < self.found < _EXACT:
            return format_float(self.found, "f")
        return number_text(self.raw, self.found)

    @property
    def number(self) -> float:
        return self.found  # type: ignore[no-any-return]

    @property
    def boolean(self) -> bool:
        return bool(self.found)

    def value(self) -> Any:
        return self.found


class DecodedContainer(_Decoded, eq=False, gc=False):
    """An object or array of the decoded document."""

    kind: ClassVar[Kind] = "JSON"

    def value(self) -> Any:
        return with_floats(self.found)


def _decoded_bool(found: Any, document: Document, path: Path) -> Result:
    return TRUE if found else FALSE


def _decoded_null(found: Any, document: Document, path: Path) -> Result:
    return NULL


DECODED: Final[dict[type, Callable[[Any, Document, Path], Result]]] = {
    str: DecodedString,
    int: DecodedInt,
    float: DecodedFloat,
    bool: _decoded_bool,
    type(None): _decoded_null,
    dict: DecodedContainer,
    list: DecodedContainer,
}
