"""The clauses of sources, on Redis channels and streams."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from redis.asyncio import Redis as Client

from events.testing.servers.redis import Redis
from events.testing.sources import QueueContract, Rig

PASSWORD = "s3cret-of-redis"


class Redises(QueueContract):
    """A server with a password."""

    secrets: ClassVar = {"redis/password": PASSWORD}

    @pytest.fixture(autouse=True)
    def server(self, own: Any) -> None:
        self.redis: Redis = own(Redis(f"requirepass {PASSWORD}"))

    def config(self, **more: Any) -> dict[str, Any]:
        password = {"name": "redis", "key": "password"}
        return {"hostAddress": self.redis.address, "password": password, "namespace": "default", **more}

    def client(self) -> Client:
        return Client(port=self.redis.port, password=PASSWORD)

    async def restart_server(self) -> None:
        await asyncio.to_thread(self.redis.restart)


@pytest.mark.servers("redis")
class TestRedis(Redises):
    kind = "redis"

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        await rig.start(self.kind, self.config(channels=["news"]), supervised=supervised)

    async def put(self, texts: Sequence[str]) -> None:
        async with self.client() as client:
            for text in texts:
                await client.publish("news", text)

    def shows(self, payload: Any) -> str:
        return payload["body"]


@pytest.mark.servers("redis")
class TestRedisStream(Redises):
    kind = "redisStream"

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        await rig.start(self.kind, self.config(streams=["orders"]), supervised=supervised)

    async def put(self, texts: Sequence[str]) -> None:
        async with self.client() as client:
            for text in texts:
                await client.xadd("orders", {"text": text})

    def shows(self, payload: Any) -> str:
        return payload["values"]["text"]
