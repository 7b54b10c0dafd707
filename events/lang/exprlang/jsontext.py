"""Builtins between values and JSON text, as Go's encoding/json writes and reads it."""

from __future__ import annotations

import re
from typing import Any, Final

from events.errors import EvaluationError
from events.lang.document import Document
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.texts import text_of
from events.lang.exprlang.values import GoFunction, describe, has_any_keys
from events.lang.gojson import dumps
from events.lang.govalue import GoObject, is_nil

_PIECE: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|[^\[\]{},:"]++|\[\]|\{\}|[\[\]{},:]')


def to_json_indented(budget: Budget, value: Any, *_: Any) -> str:
    """toJSON: with two spaces for each level. Raises EvaluationError for what JSON cannot hold."""
    return _indented(budget, _encoded(budget, value))


def to_json(budget: Budget, value: Any) -> str:
    """The environment's toJson: compact; empty for what JSON cannot hold."""
    budget.walk(value)
    try:
        return dumps(_writable(value)).decode()
    except EvaluationError:
        return ""


def from_json(_: Budget, text: Any, *__: Any) -> Any:
    """The decoded value, integers as int. Raises EvaluationError."""
    return Document(text_of(text)).tree


def _encoded(budget: Budget, value: Any) -> str:
    budget.walk(value)
    return dumps(_writable(value)).decode()


def _writable(value: Any) -> Any:
    """The value in types that gojson knows. Raises EvaluationError for functions and maps with other keys."""
    if has_any_keys(value) or isinstance(value, GoFunction):
        raise EvaluationError(f"json: unsupported type: {describe(value)}")
    if is_nil(value):
        return None
    if isinstance(value, list):
        return [_writable(item) for item in value]
    if isinstance(value, dict):
        return {key: _writable(item) for key, item in value.items()}
    return _plain(value) if isinstance(value, GoObject) else value


def _plain(value: GoObject) -> Any:
    if isinstance(value, int):
        return int(value)
    from events.lang.sprig.times import GoTime  # loads the time zones and Sprig's types

    if isinstance(value, GoTime):
        return value.json_value()
    return {name: _writable(item) for name, item in value.go_fields().items()}


def _indented(budget: Budget, text: str) -> str:
    parts: list[str] = []
    depth = 0
    for piece in _PIECE.findall(text):
        depth += (piece in ("[", "{")) - (piece in ("]", "}"))
        line = "\n" + "  " * depth
        if piece in ("]", "}"):
            piece = line + piece
        elif piece in ("[", "{", ","):
            piece += line
        elif piece == ":":
            piece = ": "
        budget.write(len(piece))
        parts.append(piece)
    return "".join(parts)
