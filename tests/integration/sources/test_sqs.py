"""sqs: against ElasticMQ and moto, and a stand-in for answers that neither gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from events.clients import sqs
from events.errors import Permanent, Retryable
from events.sources.sqs import SQSSource
from events.testing.aws import KEYS, SECRETS, Cloud, cloud, unique
from events.testing.servers.elasticmq import REGION, ElasticMQ
from events.testing.servers.fixtures import Own
from events.testing.servers.moto import Moto
from events.testing.sources import Rig, rigged
from events.testing.triggers import Target, serving

TOKEN = {"sessionToken": {"name": "aws", "key": "token"}}


@pytest.fixture
async def amazon(elasticmq_server: ElasticMQ) -> AsyncIterator[Cloud]:
    async with cloud(elasticmq_server.url, region=REGION) as found:
        yield found


def raw_of(cloud: Cloud, url: str, **config: Any) -> dict[str, Any]:
    name = url.rpartition("/")[2]
    return {"region": cloud.account.region, "queue": name, "endpoint": cloud.url, **KEYS, **config}


async def until_counts(cloud: Cloud, url: str, wanted: tuple[int, int], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while await cloud.counts(url) != wanted:
            await asyncio.sleep(0.05)


@pytest.mark.servers("elasticmq")
async def test_a_message_in_upstream_s_shape_with_its_id(amazon: Cloud):
    attributes = {
        "k": {"DataType": "String", "StringValue": "v"},
        "b": {"DataType": "Binary", "BinaryValue": b"\xff\x00"},
    }
    url = await amazon.queue()
    async with rigged(SECRETS) as rig:
        await rig.start("sqs", raw_of(amazon, url, jsonBody=True, metadata={"a": "b"}))
        body = '{"big":12345678901234567890, "b":1.50}'
        (message,) = await amazon.send(url, body, MessageAttributes=attributes)
        await rig.until(1)
        assert orjson.loads(rig.emitted[0].data) == {
            "messageId": message,
            "messageAttributes": {
                "k": {
                    "BinaryListValues": None, "BinaryValue": None, "DataType": "String",
                    "StringListValues": None, "StringValue": "v",
                },
                "b": {
                    "BinaryListValues": None, "BinaryValue": "/wA=", "DataType": "Binary",
                    "StringListValues": None, "StringValue": None,
                },
            },
            "body": {"big": 12345678901234567890, "b": 1.5},
            "metadata": {"a": "b"},
        }  # fmt: skip
        assert b'"body":' + body.encode() in rig.emitted[0].data, "byte for byte"
        assert rig.emitted[0].id == message
        await until_counts(amazon, url, (0, 0))


@pytest.mark.servers("elasticmq")
async def test_without_json_body_the_body_is_base64(amazon: Cloud):
    url = await amazon.queue()
    async with rigged(SECRETS) as rig:
        await rig.start("sqs", raw_of(amazon, url))
        (message,) = await amazon.send(url, "hällo")
        await rig.until(1)
        assert rig.data == [{"messageId": message, "messageAttributes": None, "body": "aMOkbGxv"}]


@pytest.mark.servers("elasticmq")
async def test_a_body_that_is_not_json_is_deleted_counted_and_told(
    amazon: Cloud, caplog: pytest.LogCaptureFixture
):
    url = await amazon.queue()
    async with rigged(SECRETS) as rig:
        await rig.start("sqs", raw_of(amazon, url, jsonBody=True))
        (message, _) = await amazon.send(url, "{no", '{"a":1}')
        await rig.until(1)
        await until_counts(amazon, url, (0, 0))
        assert rig.malformed == 1
    assert f"default/es.ev: message {message} has a body that is not JSON; it is deleted" in caplog.text


@pytest.mark.servers("elasticmq")
async def test_with_dlq_it_goes_where_the_redrive_policy_says(
    amazon: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(SQSSource, "visibility", 1)
    dead = await amazon.queue()
    policy = orjson.dumps({"deadLetterTargetArn": await amazon.arn(dead), "maxReceiveCount": "2"}).decode()
    url = await amazon.queue(RedrivePolicy=policy)
    async with rigged(SECRETS) as rig:
        await rig.start("sqs", raw_of(amazon, url, jsonBody=True, dlq=True))
        await amazon.send(url, "{no")
        await until_counts(amazon, dead, (1, 0), seconds=20)
        assert rig.emitted == []
        assert rig.malformed == 2
    assert "it stays in the queue" in caplog.text


@pytest.mark.servers("elasticmq")
async def test_a_slow_bus_keeps_messages_hidden_and_stops_the_reading(
    amazon: Cloud, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(SQSSource, "visibility", 2)
    url = await amazon.queue()
    async with rigged(SECRETS) as rig:
        rig.hold.clear()
        await amazon.send(url, *[str(number) for number in range(200)])
        await rig.start("sqs", raw_of(amazon, url, jsonBody=True))
        await until_counts(amazon, url, (120, 80))
        await asyncio.sleep(3)
        assert await amazon.counts(url) == (120, 80), "what is in hand stays hidden, and no more is read"
        rig.hold.set()
        await rig.until(200)
        await until_counts(amazon, url, (0, 0))
        assert sorted(data["body"] for data in rig.data) == [*range(200)], "none twice"


@pytest.mark.servers("elasticmq")
async def test_messages_in_hand_are_given_back_when_the_source_stops(amazon: Cloud):
    url = await amazon.queue()
    async with rigged(SECRETS) as rig:
        rig.hold.clear()
        await amazon.send(url, *"abc")
        await rig.start("sqs", raw_of(amazon, url))
        await until_counts(amazon, url, (0, 3))
        await rig.stop()
        assert await amazon.counts(url) == (3, 0)


@pytest.mark.servers("elasticmq")
async def test_a_bus_that_is_away_is_told_and_waited_for_with_the_message_in_hand(amazon: Cloud):
    url = await amazon.queue()
    async with rigged(SECRETS) as rig:
        rig.refuse = Retryable("the bus is away")
        await rig.start("sqs", raw_of(amazon, url))
        await amazon.send(url, "a")
        await rig.asked.wait()
        await asyncio.sleep(0.1)
        assert rig.troubles == ["the bus is away"]
        rig.ready.clear()
        rig.refuse = None
        await rig.until(1)
        await rig.ready.wait()
        await until_counts(amazon, url, (0, 0))


@pytest.mark.servers("elasticmq")
async def test_a_fifo_queue_keeps_its_order_also_when_the_bus_was_away(amazon: Cloud):
    url = await amazon.queue(unique("orders") + ".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    async with rigged(SECRETS) as rig:
        rig.refuse = Retryable("the bus is away")
        await rig.start("sqs", raw_of(amazon, url, jsonBody=True), supervised=True)
        for group in "abc":
            bodies = [f'{{"group":"{group}","number":{number}}}' for number in range(30)]
            await amazon.send(url, *bodies, MessageGroupId=group)
        await rig.asked.wait()
        rig.refuse = None
        await rig.until(90, 20)
        await until_counts(amazon, url, (0, 0))
        for group in "abc":
            numbers = [data["body"]["number"] for data in rig.data if data["body"]["group"] == group]
            assert numbers == [*range(30)]


@pytest.mark.timeout(60)
@pytest.mark.servers("elasticmq")
async def test_a_server_that_says_nothing_is_asked_again(
    own: Own[ElasticMQ], monkeypatch: pytest.MonkeyPatch
):
    """It gives the message to the poll that was given up, where it is hidden for a while."""
    monkeypatch.setattr(sqs, "DEADLINE", 1.0)
    monkeypatch.setattr(SQSSource, "visibility", 2)
    server = await asyncio.to_thread(own, ElasticMQ())
    async with cloud(server.url, region=REGION) as amazon, rigged(SECRETS) as rig:
        url = await amazon.queue()
        await rig.start("sqs", raw_of(amazon, url, waitTimeSeconds=1), supervised=True)
        server.pause()
        async with asyncio.timeout(20):
            while not rig.failures:
                await asyncio.sleep(0.05)
        server.resume()
        await amazon.send(url, "a")
        await rig.until(1, 25)
    assert {type(error) for error in rig.failures} == {Retryable}
    assert f"({amazon.url})" in str(rig.failures[0])


@pytest.mark.servers("moto")
async def test_messages_of_moto(moto_server: Moto):
    async with cloud(moto_server.url) as amazon, rigged(SECRETS) as rig:
        url = await amazon.queue(unique("moto"))
        await rig.start("sqs", raw_of(amazon, url, jsonBody=True, waitTimeSeconds=1))
        await amazon.send(url, *[str(number) for number in range(25)])
        await rig.until(25)
        await until_counts(amazon, url, (0, 0))
        assert sorted(data["body"] for data in rig.data) == [*range(25)]


# errors


async def failure(rig: Rig, raw: dict[str, Any]) -> Exception:
    with pytest.raises((Retryable, Permanent)) as caught:
        await rig.start("sqs", raw)
    return caught.value


@pytest.mark.servers("elasticmq")
async def test_a_queue_that_is_missing(amazon: Cloud):
    async with rigged(SECRETS) as rig:
        error = await failure(rig, raw_of(amazon, "/missing"))
    assert isinstance(error, Retryable), "it may be created"
    assert str(error).startswith(f"SQS queue 'missing' ({amazon.url}): QueueDoesNotExist")
    assert str(error).endswith("; create the queue, or correct its name, region and account")


async def test_a_server_that_is_down():
    raw = {"region": "us-east-1", "queue": "orders", "endpoint": "http://127.0.0.1:9", **KEYS}
    async with rigged(SECRETS) as rig:
        error = await failure(rig, raw)
    assert isinstance(error, Retryable)
    assert "SQS queue 'orders' (http://127.0.0.1:9): Could not connect" in str(error)


@pytest.mark.parametrize(
    ("status", "code", "error", "step"),
    [
        (403, "InvalidClientTokenId", Permanent, "check accessKey, secretKey and sessionToken"),
        (403, "AccessDenied", Permanent, "allow it in the policy of this login"),
        (403, "ExpiredToken", Retryable, "renew sessionToken"),
        (400, "ThrottlingException", Retryable, "so it is"),
        (403, "OverLimit", Retryable, "so it is"),
    ],
)
async def test_refusals(status: int, code: str, error: type[Exception], step: str):
    target = Target()
    async with rigged(SECRETS) as rig, serving(target.handle) as url:
        body = {"__type": f"com.amazonaws.sqs#{code}", "message": "so it is"}
        target.answers = [web.json_response(body, status=status)]
        found = await failure(rig, {"region": "us-east-1", "queue": "orders", "endpoint": url, **KEYS})
    assert type(found) is error
    assert f"SQS queue 'orders' ({url}): {code}: so it is" in str(found)
    assert str(found).endswith(step)


async def test_a_clock_that_is_wrong():
    target = Target()
    async with rigged(SECRETS) as rig, serving(target.handle) as url:
        told = "Signature expired: 20261121T160000Z is now earlier than 20261121T164500Z"
        body = {"__type": "com.amazon.coral.service#InvalidSignatureException", "message": told}
        target.answers = [web.json_response(body, status=403)]
        found = await failure(rig, {"region": "us-east-1", "queue": "orders", "endpoint": url, **KEYS})
    assert isinstance(found, Retryable)
    assert str(found).endswith("; set the clock of this machine")


async def test_credentials_that_come_up_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """As those of an instance or a pod that has just started."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    target = Target()
    async with rigged() as rig, serving(target.handle) as url:
        found = await failure(rig, raw := {"region": "us-east-1", "queue": "orders", "endpoint": url})
        assert isinstance(found, Retryable)
        assert "there are no AWS credentials here" in str(found)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAAMBIENT")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ambient")
        target.answers = [web.json_response({}, status=403)]
        await failure(rig, raw)
    (seen,) = target.seen
    assert "AKIAAMBIENT" in seen.header("Authorization")[0]


async def test_whose_queue_and_with_which_session():
    target = Target()
    async with rigged({**SECRETS, "aws/token": "t0ken"}) as rig, serving(target.handle) as url:
        target.answers = [web.json_response({}, status=403)]
        raw = {
            "region": "us-east-1",
            "queue": "orders",
            "endpoint": url,
            "queueAccountId": "42",
            **KEYS,
            **TOKEN,
        }
        await failure(rig, raw)
    (seen,) = target.seen
    assert orjson.loads(seen.body) == {"QueueName": "orders", "QueueOwnerAWSAccountId": "42"}
    assert seen.header("X-Amz-Security-Token") == ["t0ken"]
