"""JSON: reading and writing as encoding/json of Go 1.26 does."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import partial
from json.encoder import encode_basestring
from typing import Any, Final, NoReturn

from events.errors import EvaluationError
from events.lang.gojson import float_text
from events.lang.govalue import GoObject, type_name
from events.lang.sprig.identity import is_typed_nil
from events.lang.sprig.runes import in_byte_order, valid
from events.lang.sprig.table import Table, check_size

TABLE = Table()

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_HUGE_NUMBER: Final = re.compile(r"[eE]\+?[0-9]{3}|[0-9]{300}")
_SEPARATORS: Final = {0x2028: "\\u2028", 0x2029: "\\u2029"}
_HTML: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"} | _SEPARATORS


class _NoJSON(EvaluationError):
    """A value that JSON cannot express."""


# --- writing --------------------------------------------------------------------------------------------


@TABLE.function("mustToJson", "any")
def must_to_json(value: Any) -> str:
    """Compact JSON with sorted keys; `<`, `>`, `&` are escaped. Raises EvaluationError for NaN."""
    return _escaped(_encoded(value, None), _HTML)


@TABLE.function("mustToPrettyJson", "any")
def must_to_pretty_json(value: Any) -> str:
    """As `mustToJson`, indented by two spaces."""
    return _escaped(_encoded(value, "\n"), _HTML)


@TABLE.function("toRawJson mustToRawJson", "any")
def to_raw_json(value: Any) -> str:
    """As `mustToJson`, without escapes for HTML."""
    return _escaped(_encoded(value, None), _SEPARATORS)


@TABLE.function("toJson", "any")
def to_json(value: Any) -> str:
    """As `mustToJson`; empty text for what has no JSON."""
    try:
        return must_to_json(value)
    except _NoJSON:
        return ""


@TABLE.function("toPrettyJson", "any")
def to_pretty_json(value: Any) -> str:
    """As `mustToPrettyJson`; empty text for what has no JSON."""
    try:
        return must_to_pretty_json(value)
    except _NoJSON:
        return ""


def _escaped(text: str, escapes: dict[int, str]) -> str:
    """The characters to escape occur only within strings, so the finished text can be treated as a whole."""
    return text.translate(escapes) if text.isascii() else _SURROGATE.sub(r"\\ufffd", text).translate(escapes)


def _encoded(value: Any, line: str | None) -> str:
    """`line` is None for compact text, else the line break and indentation in force."""
    encode = _ENCODERS.get(type(value))
    if encode is not None:
        return encode(value)
    if is_typed_nil(value):
        return "null"
    if isinstance(value, dict):
        return _container("{}", _members(value, line), line)
    if isinstance(value, list):
        return _container("[]", [_encoded(item, _deeper(line)) for item in value], line)
    return _encoded_object(value, line)


def _members(value: dict[str, Any], line: str | None) -> list[str]:
    colon = ":" if line is None else ": "
    inner = _deeper(line)
    keys = in_byte_order(value)
    return [encode_basestring(key) + colon + _encoded(value[key], inner) for key in keys]


def _encoded_object(value: Any, line: str | None) -> str:
    if isinstance(value, int):
        return int.__repr__(value)
    if hasattr(value, "json_value"):
        return _own_json(value)
    if isinstance(value, GoObject):
        colon, inner = ":" if line is None else ": ", _deeper(line)
        fields = value.go_fields().items()
        return _container("{}", [f'"{name}"{colon}{_encoded(item, inner)}' for name, item in fields], line)
    raise _NoJSON(f"json: unsupported type: {type_name(value)}")


def _own_json(value: Any) -> str:
    """The text that MarshalJSON of the value's type writes."""
    try:
        return encode_basestring(value.json_value())
    except EvaluationError as exc:
        raise _NoJSON(f"json: error calling MarshalJSON for type {type_name(value)}: {exc.message}") from exc


def _deeper(line: str | None) -> str | None:
    return None if line is None else line + "  "


def _container(brackets: str, parts: list[str], line: str | None) -> str:
    check_size(sum(map(len, parts)) + len(parts) * (len(line or "") + 3))
    if not parts or line is None:
        return brackets[0] + ",".join(parts) + brackets[1]
    return f"{brackets[0]}{line}  " + f",{line}  ".join(parts) + line + brackets[1]


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise _NoJSON(f"json: unsupported value: {value}")
    return float_text(value)


_ENCODERS: Final[dict[type, Callable[[Any], str]]] = {
    str: encode_basestring,
    int: int.__repr__,
    float: _float,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
}

# --- reading --------------------------------------------------------------------------------------------


@TABLE.function("fromJson", "string")
def from_json(text: str) -> Any:
    """The value of JSON text; nil if it is none, and in place of numbers that no float64 holds.

    Raises EvaluationError for text that nests too deeply.
    """
    try:
        return _decoded(text, [])
    except ValueError:
        return None


@TABLE.function("mustFromJson", "string")
def must_from_json(text: str) -> Any:
    """The value of JSON text. Raises EvaluationError if it is none."""
    refused: list[str] = []
    value = _decoded(text, refused)
    if refused:
        raise EvaluationError(f"json: cannot unmarshal number {refused[0]} into Go value of type float64")
    return value


def _decoded(text: str, refused: list[str]) -> Any:
    """Adds numbers out of range to `refused`. Raises ValueError or RecursionError for what is no JSON."""
    clean = valid(text)
    if _HUGE_NUMBER.search(clean):
        number: Callable[[str], Any] = partial(_number, refused)
        value = json.loads(clean, parse_float=number, parse_int=number, parse_constant=_no_constant)
    else:
        value = json.loads(clean, parse_int=float, parse_constant=_no_constant)
    return _without_halves(value) if _SURROGATE_ESCAPE.search(clean) else value


def _number(refused: list[str], text: str) -> float | None:
    value = float(text)
    if math.isfinite(value):
        return value
    refused.append(text)
    return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"invalid character {name[0]!r} looking for beginning of value")


def _without_halves(value: Any) -> Any:
    """Escapes of half a surrogate pair become U+FFFD."""
    if isinstance(value, str):
        return valid(value)
    if isinstance(value, dict):
        return {valid(key): _without_halves(item) for key, item in value.items()}
    return [_without_halves(item) for item in value] if isinstance(value, list) else value
