"""The clauses of triggers, on Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import count
from types import MappingProxyType
from typing import Any

import pytest

from events.testing.kafka import headers, records
from events.testing.servers.kafka import Kafka
from events.testing.triggers import RemoteContract, Rig, parameter

pytestmark = [pytest.mark.servers("kafka"), pytest.mark.timeout(90)]  # the broker takes seconds to start
NUMBERS = count(1)


class TestKafka(RemoteContract):
    kind = "kafka"
    secrets = MappingProxyType({"kafka/token": "secret-value-1"})
    parameters = (parameter("text", "kafka.partitioningKey"),)

    @pytest.fixture(autouse=True)
    def place(self, kafka_server: Kafka) -> None:
        self.server, self.topic = kafka_server, f"fired-{next(NUMBERS)}"

    @asynccontextmanager
    async def target(self, rig: Rig) -> AsyncIterator[Any]:
        token = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "kafka", "key": "token"}}}
        yield {
            "url": self.server.brokers,
            "topic": self.topic,
            "payload": [parameter("n", "n", useRawData=True)],
            "secureHeaders": [token],
        }

    def fired(self, rig: Rig) -> list[str]:
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(lambda: asyncio.run(records(self.server.brokers, self.topic))).result()
        return [headers(record)["Idempotency-Key"] for record in found]

    def aimed(self, raw: Any, port: int) -> Any:
        return {**raw, "url": f"127.0.0.1:{port}"}

    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("events.clients.kafka.CONNECT_TIMEOUT", 0.5)

    async def refusals(self, rig: Rig, raw: Any) -> Sequence[Any]:
        missing = {"name": "x", "valueFrom": {"secretKeyRef": {"name": "none", "key": "none"}}}
        return [{**raw, "topic": "not a name"}, {**raw, "secureHeaders": [missing]}]
