"""The clauses of sources that fetch, on s3: a queue of ElasticMQ, and a bucket of MinIO that is listed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import orjson
import pytest

from events.sources.s3 import S3Config
from events.testing.aws import KEYS, SECRETS, Cloud, cloud, unique
from events.testing.servers.elasticmq import REGION, ElasticMQ
from events.testing.servers.minio import Minio
from events.testing.sources import QueueContract, Rig, rigged


class S3Contract(QueueContract):
    """A text is the key of an object."""

    kind = "s3"
    ordered = False

    def shows(self, payload: Any) -> str:
        key: str = payload["notification"][0]["s3"]["object"]["key"]
        return key


@pytest.mark.servers("elasticmq")
class TestQueue(S3Contract):
    secrets: ClassVar = SECRETS
    cloud: Cloud

    @pytest.fixture(autouse=True)
    async def queue(self, elasticmq_server: ElasticMQ) -> AsyncIterator[None]:
        self.server, self.name = elasticmq_server, unique("contract")
        async with cloud(elasticmq_server.url, region=REGION) as self.cloud:
            self.url = await self.cloud.queue(self.name)
            yield

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        raw = {
            "bucket": "b",
            "region": REGION,
            "endpoint": self.server.url,
            "queue": {"name": self.name},
            **KEYS,
        }
        await rig.start(self.kind, raw, supervised=supervised)

    async def put(self, texts: Sequence[str]) -> None:
        bodies = [
            {
                "Records": [
                    {
                        "eventName": "ObjectCreated:Put",
                        "s3": {"bucket": {"name": "b"}, "object": {"key": text}},
                    }
                ]
            }
            for text in texts
        ]
        await self.cloud.send(self.url, *[orjson.dumps(body).decode() for body in bodies])

    async def restart_server(self) -> None:
        """It keeps its queues in memory: this one is made anew."""
        await asyncio.to_thread(self.server.restart)
        await self.cloud.queue(self.name)


@pytest.mark.servers("minio")
class TestPoll(S3Contract):
    secrets: ClassVar = {"aws/id": Minio.user, "aws/key": Minio.password}
    cloud: Cloud

    @pytest.fixture(autouse=True)
    async def bucket(self, minio_server: Minio, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        monkeypatch.setattr(S3Config, "interval", 0.1)
        self.server = minio_server
        async with cloud(minio_server.url, self.secrets) as self.cloud:
            self.name = await self.cloud.bucket()
            yield

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        raw = {"bucket": self.name, "region": "us-east-1", "endpoint": self.server.url, "poll": {}, **KEYS}
        await rig.start(self.kind, raw, supervised=supervised)

    async def put(self, texts: Sequence[str]) -> None:
        await self.cloud.put(self.name, texts)

    async def restart_server(self) -> None:
        await asyncio.to_thread(self.server.restart)

    async def test_one_that_is_too_large_stops_no_other(self) -> None:
        """A key has 1024 bytes at most: the bus takes even less here."""
        async with rigged(self.secrets) as rig:
            await self.begin(rig)
            rig.limit = 600
            await self.put(["before", "/".join(["x" * 200] * 4), "after"])
            await rig.until(2)
            assert sorted(self.seen(rig)) == ["after", "before"]
            await self.put(["later"])
            await rig.until(3)
            assert self.seen(rig)[-1] == "later"
