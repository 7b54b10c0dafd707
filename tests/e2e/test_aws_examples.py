"""The examples of the kinds that call AWS: linted, and run as they are but for their addresses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from events.testing.aws import cloud
from events.testing.minio import Listening
from events.testing.servers import free_port
from events.testing.servers.elasticmq import REGION, ElasticMQ
from events.testing.servers.minio import Minio
from events.testing.servers.moto import Moto
from tests.e2e.examples import example, parameters

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.mark.servers("elasticmq")
async def test_sqs(tmp_path: Path, elasticmq_server: ElasticMQ):
    replaced = {"http://127.0.0.1:9324": elasticmq_server.url}
    async with cloud(elasticmq_server.url, region=REGION) as amazon:
        url = await amazon.queue("orders")
        async with example(tmp_path, "event-sources/sqs.yaml", replaced) as instance:
            await amazon.send(url, '{"order": 7}', "not JSON", '{"order": 8}')
            assert await parameters(instance, 2) == ["7", "8"]


@pytest.mark.servers("minio")
async def test_s3(tmp_path: Path, minio_server: Minio):
    replaced = {"127.0.0.1:9000": minio_server.address, "interval: 5s": "interval: 1s"}
    login = {"aws/id": Minio.user, "aws/key": Minio.password}
    async with cloud(minio_server.url, login) as store:
        bucket = await store.bucket("uploads")
        async with example(tmp_path, "event-sources/s3.yaml", replaced) as instance:
            await store.put(bucket, ["in/a b.csv", "in/notes.txt", "out/b.csv"])
            assert await parameters(instance, 1) == ["in/a b.csv"]
            assert await instance.terminate() == 0
            await store.put(bucket, ["in/while-away.csv"])
            await instance.start()
            assert await parameters(instance, 2) == ["in/a b.csv", "in/while-away.csv"]


async def test_minio(tmp_path: Path):
    server = Listening(bucket="uploads")
    await server.start()
    try:
        replaced = {"127.0.0.1:9000": f"127.0.0.1:{server.port}"}
        async with example(tmp_path, "event-sources/minio.yaml", replaced) as instance:
            await server.send("out/a.csv")
            await server.send("in/a.csv")
            assert await parameters(instance, 1) == ["in/a.csv"]
    finally:
        await server.stop()


@pytest.mark.servers("moto")
async def test_sns(tmp_path: Path, moto_server: Moto):
    replaced = {"http://127.0.0.1:5000": moto_server.url, "12000": str(free_port())}
    async with cloud(moto_server.url) as amazon:
        sns = await amazon.api("sns")
        topic = (await sns.create_topic(Name="orders"))["TopicArn"]
        async with example(tmp_path, "event-sources/sns.yaml", replaced) as instance:
            async with asyncio.timeout(10):
                while not (await sns.list_subscriptions_by_topic(TopicArn=topic))["Subscriptions"]:
                    await asyncio.sleep(0.1)
            await sns.publish(TopicArn=topic, Message="order 7")
            assert await parameters(instance, 1) == ["order 7"]


@pytest.mark.servers("elasticmq")
async def test_sqs_after_a_kill(tmp_path: Path, elasticmq_server: ElasticMQ):
    """What was in hand comes again when its time is over (30 s); each order is shipped once."""
    replaced = {"http://127.0.0.1:9324": elasticmq_server.url, "queue: orders": "queue: killed"}
    async with cloud(elasticmq_server.url, region=REGION) as amazon:
        url = await amazon.queue("killed")
        await amazon.send(url, *[f'{{"order": "{number:03}"}}' for number in range(1000)])
        async with example(tmp_path, "event-sources/sqs.yaml", replaced) as instance:
            while sum(await amazon.counts(url)) == 1000:
                await asyncio.sleep(0.01)
            await instance.kill()
            assert sum(await amazon.counts(url)) > 0, "killed too late to mean anything"
            await instance.start()
            async with asyncio.timeout(60):
                while await amazon.counts(url) != (0, 0):
                    await asyncio.sleep(0.1)
            assert await parameters(instance, 1000) == [f"{number:03}" for number in range(1000)]
