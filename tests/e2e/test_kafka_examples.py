"""The examples with Kafka: linted, and run as they are but for their addresses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from events.testing.kafka import headers, put, records
from events.testing.servers import free_port
from events.testing.servers.fixtures import Own
from events.testing.servers.kafka import Kafka
from tests.e2e.examples import example, parameters, post

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.servers("kafka")]

BROKER = "127.0.0.1:9092"


async def test_source(tmp_path: Path, own: Own[Kafka]):
    server = own(Kafka())
    await put(server.brokers, "orders", [b'{"order": 7}'])
    async with example(tmp_path, "event-sources/kafka.yaml", {BROKER: server.brokers}) as instance:
        await put(server.brokers, "orders", [b"not JSON", b'{"order": 8}'])
        assert await parameters(instance, 2) == ["7", "8"]


async def test_trigger(tmp_path: Path, own: Own[Kafka]):
    server, port = own(Kafka()), free_port()
    async with example(tmp_path, "triggers/kafka.yaml", {BROKER: server.brokers, "12000": str(port)}):
        for number in (7, 8):
            assert await post(port, "/order", {"order": number, "customer": "ada"}) == 200
        async with asyncio.timeout(30):
            while len(found := await records(server.brokers, "bookings")) < 2:
                await asyncio.sleep(0.2)
    assert sorted(orjson.loads(record.value)["order"] for record in found) == [7, 8]
    assert {record.key for record in found} == {b"ada"}
    assert all(headers(record)["origin"] == "shop" for record in found)
    assert len({headers(record)["Idempotency-Key"] for record in found}) == 2
