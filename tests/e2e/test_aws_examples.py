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
from tests.e2e.instance import Instance

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

EXAMPLES = Path(__file__).parents[2] / "examples" / "event-sources"


def example(name: str, **changes: str) -> str:
    """The text of an example with other addresses and times: CHANGED says what each name stands for."""
    text = (EXAMPLES / name).read_text()
    for what, new in changes.items():
        old = CHANGED[what]
        assert old in text
        text = text.replace(old, new)
    return text


CHANGED = {
    "moto": "http://127.0.0.1:5000",
    "port": "12000",
    "sqs": "http://127.0.0.1:9324",
    "store": "127.0.0.1:9000",
    "interval": "interval: 5s",
}


async def started(instance: Instance) -> None:
    code, out, err = await instance.command("lint", str(instance.manifests))
    assert code == 0, out + err
    await instance.start()


async def parameters(instance: Instance, count: int, seconds: float = 30) -> list[str]:
    """The first parameter of each Workflow, once there are so many."""
    async with asyncio.timeout(seconds):
        while len(found := await instance.get("workflows")) < count:
            await asyncio.sleep(0.2)
    return sorted(one["spec"]["arguments"]["parameters"][0]["value"] for one in found)


@pytest.mark.servers("elasticmq")
async def test_sqs(tmp_path: Path, elasticmq_server: ElasticMQ):
    instance = Instance(tmp_path, example("sqs.yaml", sqs=elasticmq_server.url))
    async with cloud(elasticmq_server.url, region=REGION) as amazon:
        url = await amazon.queue("orders")
        try:
            await started(instance)
            await amazon.send(url, '{"order": 7}', "not JSON", '{"order": 8}')
            assert await parameters(instance, 2) == ["7", "8"]
        finally:
            await instance.close()


@pytest.mark.servers("minio")
async def test_s3(tmp_path: Path, minio_server: Minio):
    text = example("s3.yaml", store=minio_server.address, interval="interval: 1s")
    instance = Instance(tmp_path, text)
    login = {"aws/id": Minio.user, "aws/key": Minio.password}
    async with cloud(minio_server.url, login) as store:
        bucket = await store.bucket("uploads")
        try:
            await started(instance)
            await store.put(bucket, ["in/a b.csv", "in/notes.txt", "out/b.csv"])
            assert await parameters(instance, 1) == ["in/a b.csv"]
            assert await instance.terminate() == 0
            await store.put(bucket, ["in/while-away.csv"])
            await instance.start()
            assert await parameters(instance, 2) == ["in/a b.csv", "in/while-away.csv"]
        finally:
            await instance.close()


async def test_minio(tmp_path: Path):
    server = Listening(bucket="uploads")
    await server.start()
    instance = Instance(tmp_path, example("minio.yaml", store=f"127.0.0.1:{server.port}"))
    try:
        await started(instance)
        await server.send("out/a.csv")
        await server.send("in/a.csv")
        assert await parameters(instance, 1) == ["in/a.csv"]
    finally:
        await instance.close()
        await server.stop()


@pytest.mark.servers("moto")
async def test_sns(tmp_path: Path, moto_server: Moto):
    port = str(free_port())
    instance = Instance(tmp_path, example("sns.yaml", moto=moto_server.url, port=port))
    async with cloud(moto_server.url) as amazon:
        sns = await amazon.api("sns")
        topic = (await sns.create_topic(Name="orders"))["TopicArn"]
        try:
            await started(instance)
            async with asyncio.timeout(10):
                while not (await sns.list_subscriptions_by_topic(TopicArn=topic))["Subscriptions"]:
                    await asyncio.sleep(0.1)
            await sns.publish(TopicArn=topic, Message="order 7")
            assert await parameters(instance, 1) == ["order 7"]
        finally:
            await instance.close()


@pytest.mark.servers("elasticmq")
async def test_sqs_after_a_kill(tmp_path: Path, elasticmq_server: ElasticMQ):
    """What was in hand comes again when its time is over (30 s); each order is shipped once."""
    text = example("sqs.yaml", sqs=elasticmq_server.url).replace("queue: orders", "queue: killed")
    instance = Instance(tmp_path, text)
    async with cloud(elasticmq_server.url, region=REGION) as amazon:
        url = await amazon.queue("killed")
        await amazon.send(url, *[f'{{"order": "{number:03}"}}' for number in range(1000)])
        try:
            await started(instance)
            while sum(await amazon.counts(url)) == 1000:
                await asyncio.sleep(0.01)
            await instance.kill()
            assert sum(await amazon.counts(url)) > 0, "killed too late to mean anything"
            await instance.start()
            async with asyncio.timeout(60):
                while await amazon.counts(url) != (0, 0):
                    await asyncio.sleep(0.1)
            assert await parameters(instance, 1000) == [f"{number:03}" for number in range(1000)]
        finally:
            await instance.close()
