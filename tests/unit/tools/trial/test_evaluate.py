"""One expression on one payload."""

from __future__ import annotations

from typing import Any

import pytest

from events.errors import EvaluationError, ExpressionError
from events.tools.trial import script
from events.tools.trial.evaluate import evaluate

DATA = b'{"a": {"b": 5, "t": "x"}, "list": [1, 2]}'


def run(language: str, text: str, data: bytes = DATA, **fields: str) -> tuple[str, Any]:
    return tuple(evaluate(language, text, data, 0, fields))


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("path", "a.b", ("number", 5)),
        ("path", "$.a.t", ("text", "x")),
        ("path", "list", ("list", [1, 2])),
        ("expr", "[a.b] > 4 && [a.t] == 'x'", ("bool", True)),
        ("template", "{{ .Input.a.b | add 1 }}", ("text", "6")),
        ("source_filter", "a.b + 1", ("number", 6)),
        ("jq", "{n: .a.b}", ("object", {"n": 5})),
        ("lua", "return event.a.b == 5", ("bool", True)),
        ("lua", "return {n = event.a.b}", ("object", {"n": 5})),
    ],
)
def test_value_and_kind(language: str, text: str, value: tuple[str, Any]) -> None:
    assert run(language, text) == value


def test_fields_name_variables() -> None:
    assert run("expr", "v == 5", v="a.b") == ("bool", True)


@pytest.mark.parametrize(
    ("language", "text", "position"),
    [
        ("expr", "a ==", None),
        ("template", "{{ .x | nope }}", 8),
        ("source_filter", "a ==", 4),
        ("jq", ".a |", 4),
    ],
)
def test_text_that_does_not_compile(language: str, text: str, position: int | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        run(language, text)
    if position is not None:
        assert caught.value.position == position


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("path", "nope"),
        ("expr", "nope == 1"),
        ("source_filter", "a.b.c.d"),
        ("jq", ".a.b"),
        ("lua", "error('x')"),
    ],
)
def test_evaluation_that_fails(language: str, text: str) -> None:
    with pytest.raises(EvaluationError):
        run(language, text)


def test_payload_has_to_be_json() -> None:
    with pytest.raises(EvaluationError, match="not valid JSON"):
        run("path", "a", b"nope")


def test_script_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SECONDS", 0.05)
    with pytest.raises(EvaluationError, match="took longer"):
        run("lua", "while true do end")


def test_value_that_nests_too_deeply_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="deep"):
        run("path", "@this", b"[" * 300 + b"]" * 300)
