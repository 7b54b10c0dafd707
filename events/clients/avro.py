"""Avro values and JSON.

JSON      as the Avro specification writes it: a value of a union is {"type": value}, bytes are text with one
          character for each; plain JSON is taken too, where a value tells its branch of a union by itself
Library   fastavro (extra `avro`)
Spec      avro.apache.org/docs/1.12.0/specification (JSON Encoding)
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import orjson

NAMED = ("record", "enum", "fixed")
BROKEN = (ValueError, TypeError, EOFError, KeyError, IndexError, AttributeError, StopIteration, OverflowError)
"""What fastavro raises for data that does not fit, and for schemas that lack something."""


class NotAvro(ValueError):
    """A value that is not what the schema, or the wire form, says."""


def compiled(text: str) -> Any:
    """The schema, ready for use. Raises ValueError."""
    from fastavro import parse_schema
    from fastavro.schema import SchemaParseException

    try:
        return parse_schema(orjson.loads(text))
    except (SchemaParseException, *BROKEN) as exc:
        raise ValueError(f"{type(exc).__name__}: {exc}") from exc


def to_json(binary: bytes, schema: Any) -> bytes:
    """Raises NotAvro."""
    from fastavro import json_writer, schemaless_reader

    source, out = io.BytesIO(binary), io.StringIO()
    try:
        value = schemaless_reader(source, schema, None, return_record_name=True)
        json_writer(out, schema, [value])
    except BROKEN as exc:
        raise NotAvro(f"the value does not fit its schema: {type(exc).__name__}") from exc
    if source.read(1):
        raise NotAvro("the value is longer than its schema says")
    return out.getvalue().strip().encode()


def from_json(text: str, schema: Any) -> bytes:
    """Raises NotAvro."""
    from fastavro import json_reader, schemaless_writer, validate

    out = io.BytesIO()
    try:
        told = _Branches(schema).told(orjson.loads(text), schema)
        value = next(iter(json_reader(io.StringIO(orjson.dumps(told).decode()), schema)))
        if not validate(value, schema, raise_errors=False):  # the writer itself cuts numbers
            raise NotAvro("the document does not fit the schema")
        schemaless_writer(out, schema, value)
    except NotAvro:
        raise
    except BROKEN as exc:
        raise NotAvro(f"the document does not fit the schema: {type(exc).__name__}") from exc
    return out.getvalue()


class _Branches:
    """Tells the branches of unions in plain JSON."""

    def __init__(self, schema: Any) -> None:
        self._named = {name: found for found in within(schema) if (name := found.get("name"))}

    def told(self, value: Any, schema: Any) -> Any:
        """The value with all branches told. What fits nowhere stays: reading it fails."""
        if isinstance(schema, list):
            return self._union(value, schema)
        schema = self._named.get(schema, schema) if isinstance(schema, str) else schema
        kind = type_of(schema)
        if kind == "record" and isinstance(value, dict):
            fields = {field["name"]: field["type"] for field in schema["fields"]}
            return {name: self.told(one, fields.get(name)) for name, one in value.items()}
        if kind == "map" and isinstance(value, dict):
            return {name: self.told(one, schema["values"]) for name, one in value.items()}
        if kind == "array" and isinstance(value, list):
            return [self.told(one, schema["items"]) for one in value]
        return value

    def _union(self, value: Any, branches: list[Any]) -> Any:
        if value is None:
            return None
        names = {label(branch): branch for branch in branches}
        if isinstance(value, dict) and len(value) == 1 and (name := next(iter(value))) in names:
            return {name: self.told(value[name], names[name])}
        for name, branch in names.items():
            if type_of(self._named.get(name, branch)) in FITS[type(value)]:
                return {name: self.told(value, branch)}
        return value


FITS: dict[type, tuple[str, ...]] = {
    bool: ("boolean",),
    int: ("int", "long", "float", "double"),
    float: ("double", "float"),
    str: ("string", "bytes", "enum", "fixed"),
    list: ("array",),
    dict: ("record", "map"),
}
"""Types of Avro for values of JSON: the first branch of one of them is taken."""


def within(schema: Any) -> Iterator[dict[str, Any]]:
    """All schemas that are defined in it."""
    if isinstance(schema, list):
        for branch in schema:
            yield from within(branch)
    elif isinstance(schema, dict):
        yield schema
        for below in ("items", "values", "type"):
            yield from within(schema.get(below))
        for field in schema.get("fields", ()):
            yield from within(field["type"])


def type_of(schema: Any) -> Any:
    return schema["type"] if isinstance(schema, dict) else schema


def label(branch: Any) -> str:
    """How the JSON of Avro names a branch: its own name, or its type."""
    kind = type_of(branch)
    return str(branch["name"] if isinstance(branch, dict) and kind in NAMED else kind)
