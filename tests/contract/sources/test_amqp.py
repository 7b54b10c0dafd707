"""The clauses of sources, on RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar
from uuid import uuid4

import aiormq
import pytest

from events.testing.servers.rabbitmq import RabbitMQ
from events.testing.sources import QueueContract, Rig

PASSWORD = "guest"


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMQ]:
    """One for this file: it takes seconds to start, and is started anew by a test."""
    with RabbitMQ() as server:
        yield server


class Rabbits(QueueContract):
    """A durable queue per test. The secret is a URL."""

    kind = "amqp"
    consume: ClassVar[dict[str, bool]]

    @pytest.fixture(autouse=True)
    def server(self, broker: RabbitMQ) -> None:
        self.broker, self.name = broker, f"q{uuid4().hex}"
        self.secrets = {"amqp/url": broker.url}

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        raw = {
            "urlSecret": {"name": "amqp", "key": "url"},
            "exchangeName": f"x{self.name}",
            "exchangeType": "direct",
            "exchangeDeclare": {"durable": True},
            "routingKey": "orders",
            "queueDeclare": {"name": self.name, "durable": True},
            "consume": self.consume,
            "jsonBody": True,
        }
        await rig.start(self.kind, raw, supervised=supervised)

    async def put(self, texts: Sequence[str]) -> None:
        connection = await aiormq.connect(self.broker.url)
        try:
            channel = await connection.channel()
            kept = aiormq.spec.Basic.Properties(delivery_mode=2)
            for text in texts:
                await channel.basic_publish(
                    f'"{text}"'.encode(), exchange=f"x{self.name}", routing_key="orders", properties=kept
                )
        finally:
            await connection.close()

    def shows(self, payload: Any) -> str:
        return payload["body"]

    async def restart_server(self) -> None:
        await asyncio.to_thread(self.broker.restart)


@pytest.mark.timeout(90)  # the broker takes seconds to stop and to start
@pytest.mark.servers("rabbitmq")
class TestAMQP(Rabbits):
    consume: ClassVar = {"autoAck": False}


@pytest.mark.timeout(90)  # the broker takes seconds to stop and to start
@pytest.mark.servers("rabbitmq")
class TestAMQPAutoAck(Rabbits):
    consume: ClassVar = {"autoAck": True}
