"""The schema registry: Avro in the wire form of Confluent, against a stand-in that checks logins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from events.api.common import SchemaRegistry
from events.clients.avro import NotAvro
from events.clients.http import Sessions
from events.clients.schema_registry import Registry, Schemas
from events.clients.secrets import LocalSecrets, Ref
from events.errors import Permanent, Retryable
from events.testing.registry import RegistryAPI
from events.testing.triggers import dead_port, serving

ORDER = {
    "type": "record", "name": "Order", "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "raw", "type": "bytes", "default": ""},
        {
            "name": "kind", "default": "NEW",
            "type": {"type": "enum", "name": "Kind", "symbols": ["NEW", "OLD"]},
        },
    ],
}  # fmt: skip
VALUE = b"\0\0\0\0\x07" + b"\x08" + b"\x02\x04hi" + b"\x04\x01\xff" + b"\x02"
"""Made by hand from the specification: number 7, then id 4, note "hi" as second branch, two bytes, OLD."""


@asynccontextmanager
async def registry(
    schemas: dict[int, Any], login: tuple[str, str] | None = None, given: tuple[str, str] = ("u", "p")
) -> AsyncIterator[tuple[RegistryAPI, Schemas]]:
    api, sessions = RegistryAPI(schemas, login), Sessions("off")
    secrets = LocalSecrets(
        lambda: {Ref("r", "u"): given[0].encode(), Ref("r", "p"): given[1].encode()}, environ={}
    )
    async with serving(api.handle) as url:
        spec: dict[str, Any] = {"url": url + "/"}
        if login:
            spec["auth"] = {"username": {"name": "r", "key": "u"}, "password": {"name": "r", "key": "p"}}
        yield api, Schemas(Registry.of(SchemaRegistry.model_validate(spec)), secrets, sessions)
    await sessions.aclose()


async def test_a_value_becomes_json_as_avro_writes_it_and_its_schema_is_fetched_once():
    async with registry({7: ORDER}) as (api, schemas):
        for _ in range(3):
            decoded = orjson.loads(await schemas.decode(VALUE))
            assert decoded == {"id": 4, "note": {"string": "hi"}, "raw": "\x01\xff", "kind": "OLD"}
        assert api.asked == 1


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ('{"id": 4, "note": "hi"}', b"\x02\x04hi"),
        ('{"id": 4, "note": {"string": "hi"}}', b"\x02\x04hi"),
        ('{"id": 4}', b"\x00"),
        ('{"id": 4, "note": null}', b"\x00"),
    ],
)
async def test_a_document_is_written_from_plain_json_and_from_that_of_avro(text: str, note: bytes):
    async with registry({7: ORDER}) as (_, schemas):
        assert await schemas.encode(text, 7) == b"\0\0\0\0\x07\x08" + note + b"\x00" + b"\x00"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "not Avro with the number of a schema"),
        (b"\0\0\0", "not Avro with the number of a schema"),
        (b'{"id": 4}', "not Avro with the number of a schema"),
        (VALUE[:-2], "does not fit its schema"),
        (VALUE + b"more", "longer than its schema"),
        (b"\0\0\0\0\x09abc", "there is no schema 9"),
    ],
)
async def test_what_is_no_avro(value: bytes, why: str):
    async with registry({7: ORDER}) as (_, schemas):
        with pytest.raises(NotAvro, match=why):
            await schemas.decode(value)


@pytest.mark.parametrize("text", ["{}", '{"id": "four"}', "[]", "no json", '{"id": 4, "kind": "BAD"}'])
async def test_a_document_that_does_not_fit(text: str):
    async with registry({7: ORDER}) as (_, schemas):
        with pytest.raises(NotAvro, match="the document does not fit the schema"):
            await schemas.encode(text, 7)


async def test_a_login_and_a_wrong_one():
    async with registry({7: ORDER}, ("ada", "secret-1"), ("ada", "secret-1")) as (_, schemas):
        assert await schemas.decode(VALUE)
    async with registry({7: ORDER}, ("ada", "secret-1"), ("ada", "secret-2")) as (_, schemas):
        with pytest.raises(Permanent, match=r"check the secrets of schemaRegistry\.auth") as caught:
            await schemas.decode(VALUE)
        assert "secret-2" not in str(caught.value)


async def test_a_registry_with_a_fault_is_asked_again():
    async with registry({7: ORDER}) as (api, schemas):
        api.status = 503
        with pytest.raises(Retryable, match=r"schema registry http.*/schemas/ids/7: it answered 503"):
            await schemas.decode(VALUE)
        api.status = 0
        assert await schemas.decode(VALUE)


async def test_a_registry_that_is_away():
    sessions = Sessions("off")
    with dead_port() as port:
        schemas = Schemas(Registry(f"http://127.0.0.1:{port}"), LocalSecrets(dict, environ={}), sessions)
        with pytest.raises(Retryable, match="schemas/ids/7"):
            await schemas.decode(VALUE)
    await sessions.aclose()


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "nonsense"}, "the schema cannot be used"),
        ({"type": "array"}, "the schema cannot be used"),
        ({"type": "record", "name": "X", "fields": [{"name": "a", "type": "of.Another"}]}, "of.Another"),
        ('syntax = "proto3";', "the schema is PROTOBUF, not Avro"),
    ],
)
async def test_a_schema_that_cannot_be_used_is_the_fault_of_its_values_alone(schema: Any, why: str):
    async with registry({7: schema}) as (_, schemas):
        with pytest.raises(NotAvro, match=why):
            await schemas.decode(VALUE)


async def test_an_answer_of_somebody_else_may_pass():
    async with registry({7: ORDER}) as (api, schemas):
        api.status = 200
        with pytest.raises(Retryable, match="the answer is none of a schema registry"):
            await schemas.decode(VALUE)
        api.status = 0
        assert await schemas.decode(VALUE)
