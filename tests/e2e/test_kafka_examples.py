"""The examples with Kafka: linted, and run as they are but for their addresses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import orjson
import pytest

from events.testing.kafka import headers, put, records
from events.testing.servers import free_port
from events.testing.servers.fixtures import Own
from events.testing.servers.kafka import Kafka
from tests.e2e.instance import Instance

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.servers("kafka")]

EXAMPLES = Path(__file__).parents[2] / "examples"
BROKER = "127.0.0.1:9092"


async def started(folder: Path, text: str, server: Kafka) -> Instance:
    assert BROKER in text
    instance = Instance(folder, text.replace(BROKER, server.brokers))
    code, out, err = await instance.command("lint", str(instance.manifests))
    assert code == 0, out + err
    await instance.start()
    return instance


async def test_source(tmp_path: Path, own: Own[Kafka]):
    server = own(Kafka())
    await put(server.brokers, "orders", [b'{"order": 7}'])
    instance = await started(tmp_path, (EXAMPLES / "event-sources" / "kafka.yaml").read_text(), server)
    try:
        await put(server.brokers, "orders", [b"not JSON", b'{"order": 8}'])
        async with asyncio.timeout(30):
            while len(found := await instance.get("workflows")) < 2:
                await asyncio.sleep(0.2)
        orders = [one["spec"]["arguments"]["parameters"][0]["value"] for one in found]
        assert sorted(orders) == ["7", "8"]
    finally:
        await instance.close()


async def test_trigger(tmp_path: Path, own: Own[Kafka]):
    server, port = own(Kafka()), free_port()
    text = (EXAMPLES / "triggers" / "kafka.yaml").read_text()
    assert '"12000"' in text
    instance = await started(tmp_path, text.replace("12000", str(port)), server)
    try:
        async with aiohttp.ClientSession() as session:
            for number in (7, 8):
                body = {"order": number, "customer": "ada"}
                async with session.post(f"http://127.0.0.1:{port}/order", json=body) as answer:
                    assert answer.status == 200
        async with asyncio.timeout(30):
            while len(found := await records(server.brokers, "bookings")) < 2:
                await asyncio.sleep(0.2)
        assert sorted(orjson.loads(record.value)["order"] for record in found) == [7, 8]
        assert {record.key for record in found} == {b"ada"}
        assert all(headers(record)["origin"] == "shop" for record in found)
        assert len({headers(record)["Idempotency-Key"] for record in found}) == 2
    finally:
        await instance.close()
