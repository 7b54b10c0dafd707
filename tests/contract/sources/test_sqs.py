"""The clauses of sources that fetch, on sqs against ElasticMQ (an SQS that keeps the strict limits)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import pytest

from events.testing.aws import KEYS, SECRETS, Cloud, cloud, unique
from events.testing.servers.elasticmq import ElasticMQ
from events.testing.sources import QueueContract, Rig

REGION = "elasticmq"


@pytest.mark.servers("elasticmq")
class TestSQS(QueueContract):
    kind = "sqs"
    secrets: ClassVar = SECRETS
    ordered = False

    @pytest.fixture(autouse=True)
    async def queue(self, elasticmq_server: ElasticMQ) -> AsyncIterator[None]:
        self.server, self.name = elasticmq_server, unique("contract")
        async with cloud(elasticmq_server.url, region=REGION) as self.cloud:
            self.url = await self.cloud.queue(self.name)
            yield

    cloud: Cloud

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        raw = {"region": REGION, "queue": self.name, "endpoint": self.server.url, "jsonBody": True, **KEYS}
        await rig.start(self.kind, raw, supervised=supervised)

    async def put(self, texts: Sequence[str]) -> None:
        await self.cloud.send(self.url, *[f'{{"text":"{text}"}}' for text in texts])

    def shows(self, payload: Any) -> str:
        text: str = payload["body"]["text"]
        return text

    async def restart_server(self) -> None:
        """It keeps its queues in memory: this one is made anew."""
        await asyncio.to_thread(self.server.restart)
        await self.cloud.queue(self.name)
