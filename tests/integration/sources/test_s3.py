"""s3: listings of MinIO and moto, notifications through moto's and ElasticMQ's queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.auth
import orjson
import pytest
from aiohttp import web

from events.clients import s3_listing
from events.errors import Permanent, Retryable
from events.sources import s3
from events.sources.s3 import S3Config
from events.testing.aws import KEYS, SECRETS, Cloud, cloud, unique
from events.testing.servers.elasticmq import ElasticMQ
from events.testing.servers.minio import Minio
from events.testing.servers.moto import Moto
from events.testing.sources import Rig, rigged
from events.testing.triggers import Target, serving

LOGIN = {"aws/id": Minio.user, "aws/key": Minio.password}


@pytest.fixture
async def minio(minio_server: Minio) -> AsyncIterator[Cloud]:
    async with cloud(minio_server.url, LOGIN) as found:
        yield found


@pytest.fixture
async def moto(moto_server: Moto) -> AsyncIterator[Cloud]:
    async with cloud(moto_server.url) as found:
        yield found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(S3Config, "interval", 0.1)


def raw_of(cloud: Cloud, bucket: str, **config: Any) -> dict[str, Any]:
    how = {} if "queue" in config else {"poll": {}}
    return {"bucket": bucket, "region": "us-east-1", "endpoint": cloud.url, **KEYS, **how, **config}


def things(rig: Rig) -> list[dict[str, Any]]:
    """The object of each event."""
    return [data["notification"][0]["s3"]["object"] for data in rig.data]


def keys(rig: Rig) -> list[str]:
    return [thing["key"] for thing in things(rig)]


# poll


@pytest.mark.servers("minio")
async def test_a_new_object_as_a_record_in_the_shape_of_minio(minio: Cloud):
    bucket = await minio.bucket()
    async with rigged({**SECRETS, **LOGIN}) as rig:
        await rig.start("s3", raw_of(minio, bucket, metadata={"k": "v"}))
        await minio.put(bucket, ["in/a b+ö.txt"], b"hello")
        await rig.until(1)
        (data,) = rig.data
    record = data["notification"][0]
    age = datetime.now(UTC) - datetime.fromisoformat(record["eventTime"])
    assert 0 <= age.total_seconds() < 60
    assert data == {
        "notification": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "", "eventTime": record["eventTime"],
            "eventName": "s3:ObjectCreated:Put",
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                "object": {
                    "key": "in/a b+ö.txt", "rawKey": "in/a+b%2B%C3%B6.txt", "size": 5,
                    "eTag": "5d41402abc4b2a76b9719d911017c592",
                },
            },
        }],
        "metadata": {"k": "v"},
    }  # fmt: skip
    assert len(rig.emitted[0].id or "") == 32


@pytest.mark.servers("minio")
async def test_what_is_there_at_the_first_start_does_not_count_and_what_comes_while_away_does(minio: Cloud):
    bucket = await minio.bucket()
    await minio.put(bucket, ["old"])
    async with rigged({**SECRETS, **LOGIN}) as rig:
        await rig.start("s3", raw_of(minio, bucket))
        await minio.put(bucket, ["a", "b"])
        await rig.until(2)
        await rig.stop()
        await minio.put(bucket, ["while-away"])
        await minio.put(bucket, ["a"], b"written again")
        await rig.start("s3", raw_of(minio, bucket))
        await rig.until(4)
        await minio.put(bucket, ["c"])
        await rig.until(5)
        assert sorted(keys(rig)) == ["a", "a", "b", "c", "while-away"]
        assert len({payload.id for payload in rig.emitted}) == 5


@pytest.mark.servers("minio")
async def test_start_at_oldest_tells_all_in_the_order_in_which_they_changed(
    minio: Cloud, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(s3, "BATCH", 4)
    bucket = await minio.bucket()
    names = [f"{n * 7 % 10}" for n in range(10)]
    await minio.put(bucket, names)
    async with rigged({**SECRETS, **LOGIN}) as rig:
        await rig.start("s3", raw_of(minio, bucket, poll={"startAt": "oldest"}))
        await rig.until(10)
        assert keys(rig) == names


@pytest.mark.servers("minio")
async def test_an_upload_in_parts(minio: Cloud):
    bucket = await minio.bucket()
    api = await minio.api("s3")
    async with rigged({**SECRETS, **LOGIN}) as rig:
        upload = await api.create_multipart_upload(Bucket=bucket, Key="large")
        place = {"Bucket": bucket, "Key": "large", "UploadId": upload["UploadId"]}
        await rig.start("s3", raw_of(minio, bucket))
        await minio.put(bucket, ["small"])
        await rig.until(1)
        part = await api.upload_part(**place, PartNumber=1, Body=b"x")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        await api.complete_multipart_upload(**place, MultipartUpload=parts)
        await rig.until(2)
        assert [data["notification"][0]["eventName"] for data in rig.data] == [
            "s3:ObjectCreated:Put", "s3:ObjectCreated:CompleteMultipartUpload",
        ]  # fmt: skip
        assert things(rig)[1]["eTag"].endswith("-1")


@pytest.mark.servers("minio")
async def test_prefix_and_suffix(minio: Cloud):
    bucket = await minio.bucket()
    async with rigged({**SECRETS, **LOGIN}) as rig:
        await rig.start("s3", raw_of(minio, bucket, prefix="in/", suffix=".csv"))
        await minio.put(bucket, ["out/a.csv", "in/a.txt", "in/a.csv", "in/deep/b.csv"])
        await rig.until(2)
        await asyncio.sleep(0.3)
        assert sorted(keys(rig)) == ["in/a.csv", "in/deep/b.csv"]


@pytest.mark.servers("minio")
async def test_a_batch_that_the_bus_did_not_take_is_told_by_the_next_run(minio: Cloud):
    bucket = await minio.bucket()
    async with rigged({**SECRETS, **LOGIN}) as rig:
        await rig.start("s3", raw_of(minio, bucket), supervised=True)
        rig.refuse = Retryable("the bus is away")
        await minio.put(bucket, ["a"])
        await rig.asked.wait()
        await asyncio.sleep(0.2)
        rig.refuse = None
        await rig.until(1)
        assert keys(rig) == ["a"]


@pytest.mark.servers("moto")
async def test_objects_of_the_same_second(moto: Cloud):
    """A listing has whole seconds here: what comes after a listing is of the second that was listed."""
    bucket = await moto.bucket()
    async with rigged(SECRETS) as rig:
        await rig.start("s3", raw_of(moto, bucket))
        wanted = []
        for number in range(30):
            await moto.put(bucket, [f"{number:02}"])
            wanted.append(f"{number:02}")
            await asyncio.sleep(0.05)
        await rig.until(30)
        assert sorted(keys(rig)) == wanted
        moments = {data["notification"][0]["eventTime"] for data in rig.data}
        assert len(moments) < 30


@pytest.mark.servers("moto")
async def test_more_objects_than_one_page_and_one_round_hold(moto: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(s3_listing, "PAGE", 50)
    monkeypatch.setattr(s3_listing.look, "__defaults__", (40,))
    bucket = await moto.bucket()
    names = [f"{number:04}" for number in range(130)]
    await moto.put(bucket, names)
    async with rigged(SECRETS) as rig:
        await rig.start("s3", raw_of(moto, bucket, poll={"startAt": "oldest"}), wait=False)
        await rig.until(130, 20)
        await asyncio.sleep(0.5)
        assert sorted(keys(rig)) == names
        assert len(rig.cursors) >= 4, "one round after the other"


@pytest.mark.servers("minio")
async def test_another_prefix_starts_anew(minio: Cloud):
    bucket = await minio.bucket()
    await minio.put(bucket, ["in/old", "out/old"])
    async with rigged({**SECRETS, **LOGIN}) as rig:
        await rig.start("s3", raw_of(minio, bucket, prefix="in/"))
        await rig.stop()
        await rig.start("s3", raw_of(minio, bucket, prefix="out/"))
        await minio.put(bucket, ["out/new"])
        await rig.until(1)
        assert keys(rig) == ["out/new"]


# queue


def record(bucket: str, key: str = "in/a+b.csv", event: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": event, "eventTime": "2026-07-18T12:00Z",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "eTag": "9a", "sequencer": f"1{key}"}},
    }  # fmt: skip


@pytest.mark.servers("moto")
@pytest.mark.parametrize("through_sns", [False, True])
async def test_notifications_of_moto(moto: Cloud, through_sns: bool):
    bucket, url = await moto.bucket(), await moto.queue()
    arn = await moto.arn(url)
    store, sns = await moto.api("s3"), await moto.api("sns")
    target = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    if through_sns:
        topic = (await sns.create_topic(Name=unique("topic")))["TopicArn"]
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        target = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    await store.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=target)
    async with rigged(SECRETS) as rig:
        queue = {"name": url.rpartition("/")[2], "waitTimeSeconds": 1}
        await rig.start("s3", raw_of(moto, bucket, queue=queue, suffix=".csv"))
        await moto.put(bucket, ["in/a b.csv", "in/a.txt", "in/b.csv"])
        await rig.until(2)
        assert sorted(keys(rig)) == ["in/a b.csv", "in/b.csv"]
        async with asyncio.timeout(10):
            while await moto.counts(url) != (0, 0):
                await asyncio.sleep(0.05)


@pytest.mark.servers("elasticmq")
@pytest.mark.parametrize("by_url", [False, True])
async def test_every_envelope_and_several_records(elasticmq_server: ElasticMQ, by_url: bool):
    async with cloud(elasticmq_server.url, region="elasticmq") as amazon, rigged(SECRETS) as rig:
        url = await amazon.queue()
        raw = raw_of(amazon, "b", queue={"url": url} if by_url else {"name": url.rpartition("/")[2]})
        if by_url:
            del raw["endpoint"]
        await rig.start("s3", {**raw, "region": "elasticmq", "events": ["s3:ObjectCreated:Put"]})
        direct = orjson.dumps({"Records": [record("b", "1+a"), record("b", "2"), record("other")]}).decode()
        inside = orjson.dumps(
            {"Records": [record("b", "3"), record("b", "x", "ObjectRemoved:Delete")]}
        ).decode()
        envelope = orjson.dumps({"Type": "Notification", "MessageId": "m", "Message": inside}).decode()
        bridge = {
            "detail-type": "Object Created", "source": "aws.s3", "time": "2026-07-18T12:00:00Z",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "4 b"}, "reason": "PutObject"},
        }  # fmt: skip
        test = '{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}'
        await amazon.send(url, direct, envelope, orjson.dumps(bridge).decode(), test)
        await rig.until(4)
        async with asyncio.timeout(10):
            while await amazon.counts(url) != (0, 0):
                await asyncio.sleep(0.05)
        assert sorted((thing["key"], thing["rawKey"]) for thing in things(rig)) == [
            ("1 a", "1+a"), ("2", "2"), ("3", "3"), ("4 b", "4+b"),
        ]  # fmt: skip
        assert {data["notification"][0]["eventName"] for data in rig.data} == {"s3:ObjectCreated:Put"}


@pytest.mark.servers("elasticmq")
async def test_a_message_that_is_no_notification_stays(
    elasticmq_server: ElasticMQ, caplog: pytest.LogCaptureFixture
):
    async with cloud(elasticmq_server.url, region="elasticmq") as amazon, rigged(SECRETS) as rig:
        url = await amazon.queue()
        raw = raw_of(amazon, "b", queue={"name": url.rpartition("/")[2]})
        await rig.start("s3", {**raw, "region": "elasticmq"})
        await amazon.send(url, "hello", orjson.dumps({"Records": [record("b")]}).decode())
        await rig.until(1)
        async with asyncio.timeout(10):
            while await amazon.counts(url) != (0, 1):
                await asyncio.sleep(0.05)
        assert rig.malformed == 1
    assert "is not JSON; it stays in the queue" in caplog.text


# errors


async def failure(rig: Rig, raw: dict[str, Any]) -> Exception:
    with pytest.raises((Retryable, Permanent)) as caught:
        await rig.start("s3", raw)
    return caught.value


@pytest.mark.servers("minio")
async def test_a_bucket_that_is_missing_and_a_wrong_login(minio: Cloud):
    async with rigged({**SECRETS, **LOGIN}) as rig:
        error = await failure(rig, raw_of(minio, "missing-bucket"))
        assert isinstance(error, Retryable), "it may be created"
        assert str(error).startswith(f"S3 bucket 'missing-bucket' ({minio.url}): NoSuchBucket")
        assert str(error).endswith("; create the bucket, or correct bucket, region and endpoint")
    async with rigged({**SECRETS, "aws/id": Minio.user}) as rig:
        error = await failure(rig, raw_of(minio, "missing-bucket"))
        assert isinstance(error, Permanent)
        assert "SignatureDoesNotMatch" in str(error)
        assert str(error).endswith("; check accessKey, secretKey and sessionToken")


@pytest.mark.servers("minio")
@pytest.mark.parametrize("kind", ["s3", "minio"])
async def test_a_clock_that_is_wrong_for_a_while(
    minio: Cloud, minio_server: Minio, kind: str, monkeypatch: pytest.MonkeyPatch
):
    """As of a machine that wakes up: the store refuses what it has signed."""
    bucket, clock = await minio.bucket(), botocore.auth.get_current_datetime
    raw = raw_of(minio, bucket)
    if kind == "minio":
        place = {"endpoint": minio_server.address, "bucket": {"name": bucket}, "insecure": True}
        raw = {**KEYS, **place, "events": ["s3:ObjectCreated:*"]}
    async with rigged({**SECRETS, **LOGIN}) as rig:
        with monkeypatch.context() as patched:
            late = timedelta(hours=1)
            patched.setattr(botocore.auth, "get_current_datetime", lambda **given: clock(**given) - late)
            await rig.start(kind, raw, wait=False, supervised=True)
            async with asyncio.timeout(10):
                while not rig.failures:
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            await rig.ready.wait()
    assert isinstance(rig.failures[0], Retryable)
    assert "RequestTimeTooSkewed" in str(rig.failures[0])
    assert str(rig.failures[0]).endswith("; set the clock of this machine")


@pytest.mark.servers("minio")
async def test_what_comes_with_a_bucket_that_was_missing_is_told(minio: Cloud):
    name = unique("later")
    async with rigged({**SECRETS, **LOGIN}) as rig:
        await rig.start("s3", raw_of(minio, name), wait=False, supervised=True)
        async with asyncio.timeout(10):
            while not rig.failures:
                await asyncio.sleep(0.01)
        await minio.bucket(name)
        await minio.put(name, ["a"])
        await rig.until(1)
        assert keys(rig) == ["a"]


async def test_a_login_that_may_not_and_a_server_that_is_down():
    target = Target()
    async with rigged(SECRETS) as rig, serving(target.handle) as url:
        body = "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"
        target.answers = [web.Response(status=403, text=body)]
        raw = {"bucket": "b", "region": "us-east-1", "endpoint": url, "poll": {}, **KEYS}
        error = await failure(rig, raw)
        assert isinstance(error, Permanent)
        assert str(error) == (
            f"S3 bucket 'b' ({url}): AccessDenied: Access Denied.; allow it in the policy of this login"
        )
        down = await failure(rig, {**raw, "endpoint": "http://127.0.0.1:9"})
        assert isinstance(down, Retryable)
        assert "S3 bucket 'b' (http://127.0.0.1:9): Could not connect" in str(down)


def test_an_endpoint_without_scheme_is_https():
    raw = {"bucket": "b", "region": "r", "poll": {}}
    urls = {
        text: S3Config.model_validate({**raw, "endpoint": text}).url for text in ("", "h:9000", "http://h")
    }
    assert urls == {"": "", "h:9000": "https://h:9000", "http://h": "http://h"}
