"""JSON as Go's encoding/json writes it; expected texts are those of Go 1.26."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import EvaluationError
from events.lang import gojson


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        ({}, "{}"),
        ([], "[]"),
        ({"b": 1, "a": [None, False]}, '{"a":[null,false],"b":1}'),
        ({"é": 1, "z": 2, "A": 3, "😀": 4, "\uffff": 5}, '{"A":3,"z":2,"é":1,"\uffff":5,"😀":4}'),
        ("<&>", '"\\u003c\\u0026\\u003e"'),
        ({"<k>": "\u2028\u2029"}, '{"\\u003ck\\u003e":"\\u2028\\u2029"}'),
        ('"\\/', '"\\"\\\\/"'),
        ("\x00\x1f\x7f\b\f\n\r\t", '"\\u0000\\u001f\x7f\\b\\f\\n\\r\\t"'),
        ("é☕😀\ufffd", '"é☕😀\ufffd"'),
        ("a\udc80b\udcff", '"a\\ufffdb\\ufffd"'),
        (["\ud800", {"x": "ok"}], '["\\ufffd",{"x":"ok"}]'),
    ],
)
def test_values(value: Any, expected: str):
    assert gojson.dumps(value).decode() == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1.0, "1"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (1.5e300, "1.5e+300"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e-6, "0.000001"),
        (9.5e-7, "9.5e-7"),
        (1e-7, "1e-7"),
        (1.25e-10, "1.25e-10"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (2.0**53, "9007199254740992"),
        (12345678901234567.0, "12345678901234568"),
        (2**53 + 1, "9007199254740993"),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        (gojson.Number("59.90"), "59.90"),
        (gojson.Number("1E400"), "1E400"),
    ],
)
def test_numbers(number: float, expected: str):
    assert gojson.dumps(number).decode() == expected
    assert gojson.dumps([number]).decode() == f"[{expected}]"


def test_ordered_members_keep_their_order():
    assert gojson.dumps_ordered({"b": {"z": "<", "a": 1.0}, "a": 2}) == b'{"b":{"z":"\\u003c","a":1},"a":2}'


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, [-math.inf], {"a": math.nan}, {1: 2}, object(), {"a": {1, 2}}, {"a": b"x"}]
)
def test_what_json_does_not_have_is_an_error(value: Any):
    with pytest.raises(EvaluationError):
        gojson.dumps(value)


def test_a_number_with_too_many_digits_is_an_error():
    with pytest.raises(EvaluationError, match="too many digits"):
        gojson.dumps(10**5000)


@pytest.mark.parametrize("depth", [199, 200, 201, 255, 400, 50_000])
def test_depth_costs_no_stack(depth: int):
    value: Any = {"<": 1.0}
    for _ in range(depth):
        value = [value]
    assert gojson.dumps(value) == b"[" * depth + b'{"\\u003c":1}' + b"]" * depth


def test_the_value_is_not_changed():
    value = {"b": [1.0, "\udc80"], "a": gojson.Number("1.0")}
    gojson.dumps(value)
    assert list(value) == ["b", "a"]
    assert value["b"] == [1.0, "\udc80"]


def test_number_is_a_float_with_a_text():
    number = gojson.Number("2.50")
    assert number == 2.5
    assert number.text == "2.50"


trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner)
    ),
)


@given(trees)
def test_reading_gives_the_value_back(tree: Any):
    encoded = gojson.dumps(tree)
    assert json.loads(encoded, parse_int=float) == tree
    assert not {b"<", b">", b"&"} & {encoded[at : at + 1] for at in range(len(encoded))}


@given(trees)
def test_writing_again_gives_the_same_bytes(tree: Any):
    encoded = gojson.dumps(tree)
    assert gojson.dumps(json.loads(encoded, parse_int=float)) == encoded
