"""Avro from plain JSON and back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from events.clients.avro import NotAvro, compiled, from_json, to_json

INNER = {"type": "record", "name": "shop.Inner", "fields": [{"name": "n", "type": "int"}]}
TREE = {
    "type": "record", "name": "Tree", "fields": [
        {"name": "value", "type": "int"}, {"name": "left", "type": ["null", "Tree"], "default": None},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "plain", "told"),
    [
        (["null", "string"], None, None),
        (["null", "string"], "a", {"string": "a"}),
        (["null", "string"], {"string": "a"}, {"string": "a"}),
        (["boolean", "long"], 7, {"long": 7}),
        (["boolean", "long"], True, {"boolean": True}),
        (["int", "double"], 1.5, {"double": 1.5}),
        (["null", "bytes"], "\u00ff", {"bytes": "\u00ff"}),
        (["null", INNER], {"n": 1}, {"shop.Inner": {"n": 1}}),
        (["null", {"type": "array", "items": ["null", "int"]}], [1, None], {"array": [{"int": 1}, None]}),
        ({"type": "map", "values": ["null", "int"]}, {"a": 1, "b": None}, {"a": {"int": 1}, "b": None}),
        (
            TREE, {"value": 1, "left": {"value": 2}},
            {"value": 1, "left": {"Tree": {"value": 2, "left": None}}},
        ),
    ],
)  # fmt: skip
def test_plain_values_and_those_with_their_branches_are_the_same(schema: Any, plain: Any, told: Any):
    parsed = compiled(orjson.dumps(schema).decode())
    binary = from_json(orjson.dumps(plain).decode(), parsed)
    assert binary == from_json(orjson.dumps(told).decode(), parsed)
    assert orjson.loads(to_json(binary, parsed)) == told


@pytest.mark.parametrize("plain", ['"a"', "{}", "[1]", "null", "1.5", "4294967296"])
def test_what_fits_nowhere(plain: str):
    with pytest.raises(NotAvro):
        from_json(plain, compiled('"int"'))


@pytest.mark.parametrize("text", ["", "{", '{"type": "nonsense"}', "7"])
def test_what_is_no_schema(text: str):
    with pytest.raises(ValueError, match=r"Error|Exception|UnknownType"):
        compiled(text)
