"""YAML payloads as JSON."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import EvaluationError
from events.lang.yamldata import yaml_to_json

LEVELS = "abcdefgh"
BOMB = "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}' if before else '1'] * 9)}]"
    for before, name in zip(["", *LEVELS], LEVELS, strict=False)
).encode()


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ("", "null"),
        ("a: yes\nb: off", '{"a":true,"b":false}'),
        ("num: 1e3\nfl: 3.0\nhex: 0x10", '{"fl":3,"hex":16,"num":1000}'),
        ("d: 2026-01-15", '{"d":"2026-01-15"}'),
        ("b: 1\na: 2\nb: 3", '{"a":2,"b":3}'),
        ("base: &b {u: 1, v: 2}\nmore: {<<: *b, v: 3}", '{"base":{"u":1,"v":2},"more":{"u":1,"v":3}}'),
        ("1: a\ntrue: b", '{"1":"a","true":"b"}'),
        ("a: 1\n---\nb: 2", '{"a":1}'),
        ("- [1, 'two', ~]", '[[1,"two",null]]'),
    ],
)
def test_yaml_becomes_json(text: str, json: str):
    assert yaml_to_json(text.encode()).decode() == json


@pytest.mark.parametrize(
    "data",
    [
        b"a: [1", b"\xff", b"a: .inf", b"? [x]\n: 1", b"*nope", b"[" * 100_000, b"<<: 1", BOMB,
    ],
)  # fmt: skip
def test_what_is_no_usable_yaml_is_an_evaluation_error(data: bytes):
    with pytest.raises(EvaluationError):
        yaml_to_json(data)


@given(st.binary(max_size=200))
def test_nothing_else_is_raised(data: bytes):
    with suppress(EvaluationError):
        yaml_to_json(data)
