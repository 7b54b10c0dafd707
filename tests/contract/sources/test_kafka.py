"""The clauses of sources, on Kafka: as a member of a group, and with a partition of its own."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

import pytest

from events.testing.kafka import put
from events.testing.servers.kafka import Kafka
from events.testing.sources import QueueContract, Rig

pytestmark = [pytest.mark.servers("kafka"), pytest.mark.timeout(90)]  # one clause starts a broker twice
NUMBERS = count(1)


class KafkaContract(QueueContract):
    """What both modes share. The server is theirs: one clause restarts it."""

    kind = "kafka"
    mode: ClassVar[Mapping[str, Any]]

    @pytest.fixture(autouse=True)
    def place(self, request: pytest.FixtureRequest) -> None:
        restarts = "anew" in request.node.name
        fixture = "own" if restarts else "kafka_server"
        given = request.getfixturevalue(fixture)
        self.server: Kafka = given(Kafka()) if restarts else given
        self.topic = f"clauses-{next(NUMBERS)}"

    def config(self) -> dict[str, Any]:
        return {"url": self.server.brokers, "topic": self.topic, "jsonBody": False, **self.mode}

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        await rig.start(self.kind, self.config(), supervised=supervised)
        async with asyncio.timeout(15):
            await rig.ready.wait()

    async def put(self, texts: Sequence[str]) -> None:
        await put(self.server.brokers, self.topic, [text.encode() for text in texts])

    def shows(self, payload: Any) -> str:
        return b64decode(payload["body"]).decode()

    async def restart_server(self) -> None:
        await asyncio.to_thread(self.server.restart)


class TestGroup(KafkaContract):
    mode: ClassVar = {"consumerGroup": {"groupName": "g"}}


class TestPartition(KafkaContract):
    mode: ClassVar = {"partition": "0"}
