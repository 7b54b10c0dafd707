"""jq formats (`@csv`, `@uri` and so on) and JSON text as input."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn
from urllib.parse import quote

from events.lang.gojson import Number
from events.lang.jq.values import JqError, Value, described, preview, to_json, to_string, valid

_HTML: Final = str.maketrans({"<": "&lt;", ">": "&gt;", "&": "&amp;", "'": "&apos;", '"': "&quot;"})
_CSV: Final = str.maketrans({'"': '""', "\0": "\\0"})
_TSV: Final = str.maketrans({"\t": "\\t", "\r": "\\r", "\n": "\\n", "\\": "\\\\", "\0": "\\0"})
_SHELL: Final = str.maketrans({"'": "'\\''", "\0": "\\0"})
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_ESCAPE: Final = re.compile(b"%([0-9A-Fa-f]{2})")
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/\r\n]")


def html(value: Value) -> str:
    return to_string(value).translate(_HTML)


def uri(value: Value) -> str:
    return quote(to_string(value).encode(errors="surrogateescape"), safe="")


def uri_decoded(value: Value) -> str:
    text = to_string(value)
    if bad := _BAD_ESCAPE.search(text):
        raise JqError(f'@urid cannot be applied to {preview(value)}: invalid URL escape "{bad[0]}"')
    encoded = text.encode(errors="surrogateescape")
    decoded = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), encoded)
    return decoded.decode(errors="surrogateescape")


def csv(value: Value) -> str:
    return _row("csv", value, ",", lambda text: f'"{text.translate(_CSV)}"')


def tsv(value: Value) -> str:
    return _row("tsv", value, "\t", lambda text: text.translate(_TSV))


def shell(value: Value) -> str:
    row = value if type(value) is list else [value]
    return _row("sh", row, " ", lambda text: f"'{text.translate(_SHELL)}'")


def _row(name: str, value: Value, separator: str, escape: Callable[[str], str]) -> str:
    if type(value) is not list:
        raise JqError(f"@{name} cannot be applied to: {described(value)}")
    return separator.join([_cell(name, item, escape) for item in value])


def _cell(name: str, item: Value, escape: Callable[[str], str]) -> str:
    if type(item) is str:
        return escape(item)
    if type(item) in (list, dict):
        raise JqError(f"@{name} cannot format an array including: {described(item)}")
    text = to_json(item)
    return text if text != "null" or name == "sh" else ""


def base64_encoded(value: Value) -> str:
    return base64.b64encode(to_string(value).encode(errors="surrogateescape")).decode()


def base64_decoded(value: Value) -> str:
    """Up to the first `=`; padding may be missing, line ends are skipped."""
    text = to_string(value).partition("=")[0]
    bad = _NOT_BASE64.search(text)
    digits = re.sub("[\r\n]", "", text)
    if bad or len(digits) % 4 == 1:
        place = len(text[: bad.start()].encode(errors="surrogateescape")) if bad else len(text) - 1
        message = f"illegal base64 data at input byte {place}"
        raise JqError(f"@base64d cannot be applied to {preview(value)}: {message}")
    return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode(errors="surrogateescape")


_FORMATS: Final[dict[str, Callable[[Value], str]]] = {
    "text": to_string,
    "json": to_json,
    "html": html,
    "uri": uri,
    "urid": uri_decoded,
    "csv": csv,
    "tsv": tsv,
    "sh": shell,
    "base64": base64_encoded,
    "base64d": base64_decoded,
}


def formatted(value: Value, name: Value) -> str:
    if type(name) is not str:
        raise JqError(f"format cannot be applied to: {described(name)}")
    if name not in _FORMATS:
        raise JqError(f"format not defined: @{name}")
    return _FORMATS[name](value)


NAMED: Final = {f"@{name}": function for name, function in _FORMATS.items()}
"""The functions by the names that the syntax gives them."""


# --- JSON text ------------------------------------------------------------------------------------


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"invalid character '{text[0]}' looking for beginning of value")


_DECODER: Final = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_no_constant)
_BLANKS: Final = " \t\r\n"


def from_json(value: Value) -> Value:
    """The JSON value that the text holds; numbers keep their spelling."""
    if type(value) is not str:
        raise JqError(f"fromjson cannot be applied to: {described(value)}")
    text = value.strip(_BLANKS)
    try:
        decoded, end = _DECODER.raw_decode(text)
    except ValueError as exc:
        raise JqError(f"fromjson cannot be applied to {preview(value)}: {_reason(text, exc)}") from exc
    if end != len(text):
        raise JqError(f"fromjson cannot be applied to: {described(value)}")
    return _valid(decoded) if not text.isascii() or "\\u" in text else decoded


def _reason(text: str, exc: ValueError) -> str:
    """As Go's decoder words it."""
    at = exc.pos if isinstance(exc, json.JSONDecodeError) else 0
    if not text:
        return "EOF"
    if at >= len(text):
        return "unexpected EOF"
    return f"invalid character '{text[at]}' looking for beginning of value"


def _valid(decoded: Any) -> Any:
    """Lone surrogates, escaped or from bytes that are not UTF-8, become U+FFFD."""
    if type(decoded) is str:
        return valid(decoded)
    if type(decoded) is list:
        return [_valid(item) for item in decoded]
    if type(decoded) is dict:
        return {_valid(key): _valid(item) for key, item in decoded.items()}
    return decoded
