"""kafka source: its own promises, on a real broker."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from events.errors import Permanent, Retryable
from events.testing.certificates import Authority
from events.testing.kafka import add_partitions, committed, create, put, remove
from events.testing.proxy import Proxy
from events.testing.servers.fixtures import Own
from events.testing.servers.kafka import Kafka
from events.testing.sources import Rig, rigged
from events.testing.triggers import dead_port

pytestmark = [pytest.mark.servers("kafka"), pytest.mark.timeout(90)]  # some start a broker or two
NUMBERS = count(1)
Config = dict[str, Any]


@pytest.fixture
def topic() -> str:
    return f"topic-{next(NUMBERS)}"


@asynccontextmanager
async def producing(brokers: str) -> AsyncIterator[Any]:
    from aiokafka import AIOKafkaProducer

    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        yield producer


@asynccontextmanager
async def reading(config: Config, **secrets: str) -> AsyncIterator[Rig]:
    async with rigged(secrets) as rig:
        await rig.start("kafka", config, wait=False)
        waiting = asyncio.ensure_future(rig.ready.wait())  # noqa: TID251 - ended below
        await asyncio.wait([waiting, rig.task], timeout=25, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if rig.task.done():
            rig.task.result()
        yield rig
        await rig.stop()


def group(server: Kafka, topic: str, **more: Any) -> Config:
    return {"url": server.brokers, "topic": topic, "consumerGroup": {"groupName": f"g-{topic}"}, **more}


async def test_the_payload_is_that_of_upstream(kafka_server: Kafka, topic: str):
    config = group(kafka_server, topic, jsonBody=True, metadata={"team": "a"})
    async with reading(config) as rig:
        headers = [("trace", b"old"), ("trace", b"abc")]
        await put(
            kafka_server.brokers,
            topic,
            [b'{"id": 4}'],
            key=b"k1",
            headers=headers,
            timestamp_ms=1784376000123,
        )
        await rig.until(1)
        assert (
            rig.emitted[0].data
            == (
                b'{"topic":"%b","key":"k1","partition":0,"body":{"id": 4},'
                b'"timestamp":"2026-07-18 12:00:00.123 +0000 UTC",'
                b'"headers":{"trace":"abc"},"metadata":{"team":"a"}}'
            )
            % topic.encode()
        )
        assert rig.emitted[0].id == f"es:ev:{kafka_server.brokers}:{topic}:0:0:1784376000123"


async def test_oldest_reads_what_was_there_and_newest_what_comes(kafka_server: Kafka, topic: str):
    await put(kafka_server.brokers, topic, [b"1"])
    old = group(kafka_server, topic, jsonBody=True)
    old["consumerGroup"] = {"groupName": "old-" + topic, "oldest": True}
    async with reading(old) as rig, reading(group(kafka_server, topic, jsonBody=True)) as new:
        await rig.until(1)
        await put(kafka_server.brokers, topic, [b"2"])
        await rig.until(2)
        await new.until(1)
        assert [data["body"] for data in rig.data] == [1, 2]
        assert [data["body"] for data in new.data] == [2]


async def test_the_offset_is_committed_when_emit_has_returned_and_not_before(kafka_server: Kafka, topic: str):
    config = group(kafka_server, topic)
    name = config["consumerGroup"]["groupName"]
    async with reading(config) as rig:
        rig.hold.clear()
        await put(kafka_server.brokers, topic, [b"1", b"2"])
        async with asyncio.timeout(10):
            await rig.asked.wait()
        assert await committed(kafka_server.brokers, name, topic) == {0: 0}
        rig.hold.set()
        await rig.until(2)
        async with asyncio.timeout(10):
            while await committed(kafka_server.brokers, name, topic) != {0: 2}:
                await asyncio.sleep(0.05)


async def test_a_value_that_is_no_json_is_counted_and_stops_no_other(
    kafka_server: Kafka, topic: str, caplog: pytest.LogCaptureFixture
):
    async with reading(group(kafka_server, topic, jsonBody=True)) as rig:
        await put(kafka_server.brokers, topic, [b"{broken", b"", None, b"1"], key=b"k")
        await rig.until(2)
        assert [data["body"] for data in rig.data] == [None, 1]
        assert rig.malformed == 2
    assert f"dropped record 0 of {topic}, partition 0: not valid JSON" in caplog.text


SENDER = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class Raw(str):
    def encode(self, *_): return b"\\xff"

async def main(brokers, topic):
    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        await producer.send_and_wait(topic, b"1", headers=[(Raw("h"), b"x")])

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("mode", [{}, {"consumerGroup": None, "partition": "0"}], ids=["group", "partition"])
async def test_a_record_that_the_library_cannot_read_stops_no_other(
    kafka_server: Kafka, topic: str, mode: Config
):
    """Clients in C send any bytes as the name of a header; Java's and ours in C refuse to."""
    await create(kafka_server.brokers, topic, 1)
    async with rigged() as rig:
        config = {**group(kafka_server, topic, jsonBody=True), **mode}
        await rig.start("kafka", config, supervised=True)
        rig.hold.clear()
        await put(kafka_server.brokers, topic, [b"0"])
        await rig.asked.wait()
        await put(kafka_server.brokers, topic, [b"1"])
        command = [sys.executable, "-c", SENDER, kafka_server.brokers, topic]
        sender = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
        )
        assert await sender.wait() == 0
        await put(kafka_server.brokers, topic, [b"3", b"4"])
        rig.hold.set()
        await rig.until(4, 30)
        assert [data["body"] for data in rig.data] == [0, 1, 3, 4]
        assert rig.malformed == 1
        assert isinstance(rig.failures[0], Retryable)
        await rig.stop()


async def test_not_more_than_the_limit_in_a_second(kafka_server: Kafka, topic: str):
    async with reading(group(kafka_server, topic, limitEventsPerSecond=20)) as rig:
        await put(kafka_server.brokers, topic, [b"x"] * 60)
        clock = asyncio.get_running_loop().time
        await rig.until(1)
        began = clock()
        await rig.until(60, 20)
        assert clock() - began >= 60 / 20 - 20 / 20 - 0.1, "all but the first batch had to wait"


async def test_members_of_a_group_share_and_nothing_is_lost_when_one_leaves(kafka_server: Kafka, topic: str):
    await create(kafka_server.brokers, topic, 4)
    config = group(kafka_server, topic, jsonBody=True)
    async with reading(config) as first, reading(config) as second:
        async with producing(kafka_server.brokers) as producer:
            for number in range(200):
                await producer.send_and_wait(topic, b"%d" % number, partition=number % 4)
                if number == 100:
                    await second.stop()
        async with asyncio.timeout(20):
            while len(bodies(first) | bodies(second)) < 200:
                await asyncio.sleep(0.05)
        assert bodies(first)
    assert bodies(first) | bodies(second) == set(range(200))


def bodies(rig: Rig) -> set[int]:
    return {data["body"] for data in rig.data}


async def test_a_partition_that_went_to_another_member_is_not_committed(
    kafka_server: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch
):
    """The first is stuck with a batch of both partitions while the second takes one, and stores nothing."""
    monkeypatch.setattr("events.sources._kafka_group.HAND_OVER", 0.1)
    await create(kafka_server.brokers, topic, 2)
    config = group(kafka_server, topic, jsonBody=True)
    config["consumerGroup"]["oldest"] = True
    name = config["consumerGroup"]["groupName"]
    async with producing(kafka_server.brokers) as producer:
        for number in (0, 1):
            await producer.send_and_wait(topic, b"%d" % number, partition=number)
    async with rigged() as first, rigged() as second:
        for rig in (first, second):
            rig.hold.clear()
            await rig.start("kafka", config, wait=False)
            async with asyncio.timeout(20):
                await rig.asked.wait()
        first.hold.set()
        await first.until(2)
        await asyncio.sleep(0.5)
        assert sum((await committed(kafka_server.brokers, name, topic)).values()) <= 1
        second.hold.set()
        async with asyncio.timeout(10):
            while await committed(kafka_server.brokers, name, topic) != {0: 1, 1: 1}:
                await asyncio.sleep(0.05)
        assert bodies(second)
        await first.stop()
        await second.stop()


async def test_a_cursor_of_another_topic_says_nothing(kafka_server: Kafka, topic: str):
    await put(kafka_server.brokers, topic, [b"1", b"2"])
    async with rigged() as rig:
        rig.cursors = [b'{"topic":"other","partition":0,"offset":1}']
        await rig.start("kafka", {"url": kafka_server.brokers, "topic": topic, "partition": "0"})
        await put(kafka_server.brokers, topic, [b"3"])
        await rig.until(1)
        assert rig.cursors[-1].startswith(b'{"topic":"%b","partition":0,"offset":3,' % topic.encode())
        assert (rig.emitted[0].id or "").startswith(f"es:ev:{kafka_server.brokers}:{topic}:0:2:")


# topics that change


async def test_a_partition_that_is_added_is_read_from_its_first_record(kafka_server: Kafka, topic: str):
    """The source sees it some time after senders do."""
    await create(kafka_server.brokers, topic, 1)
    config = group(kafka_server, topic, jsonBody=True, config="metadata: {refreshFrequency: 1s}")
    async with reading(config) as rig:
        await put(kafka_server.brokers, topic, [b"1"])
        await rig.until(1)
        await add_partitions(kafka_server.brokers, topic, 2)
        await put(kafka_server.brokers, topic, [b"2"], partition=1)
        await rig.until(2, 20)
        await rig.stop()
        await add_partitions(kafka_server.brokers, topic, 3)
        await put(kafka_server.brokers, topic, [b"3"], partition=2)
        await rig.start("kafka", config)
        await rig.until(3, 20)
        assert [data["body"] for data in rig.data] == [1, 2, 3]


async def test_a_group_that_begins_has_a_place_in_every_partition(kafka_server: Kafka, topic: str):
    """Also in those of the other members: what has no place came later."""
    await create(kafka_server.brokers, topic, 4)
    for number in range(4):
        await put(kafka_server.brokers, topic, [b"old"], partition=number)
    config = group(kafka_server, topic)
    async with reading(config) as first, reading(config) as second:
        name = config["consumerGroup"]["groupName"]
        assert await committed(kafka_server.brokers, name, topic) == dict.fromkeys(range(4), 1)
        await put(kafka_server.brokers, topic, [b"new"] * 20)
        async with asyncio.timeout(20):
            while len(first.emitted) + len(second.emitted) < 20:
                await asyncio.sleep(0.05)
        assert {data["body"] for data in first.data + second.data} == {"bmV3"}


@pytest.mark.parametrize("pause", [0.0, 3.0], ids=["at-once", "after-a-while"])
async def test_a_topic_that_is_made_anew_while_the_source_runs(
    secured: Kafka, topic: str, pause: float, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("events.sources._kafka.QUIET", 1.0)
    await create(secured.brokers, topic, 1)
    config = group(secured, topic, jsonBody=True, url=secured.brokers)
    async with rigged() as rig:
        await rig.start("kafka", config, supervised=True)
        await put(secured.brokers, topic, [b"1", b"2"])
        await rig.until(2)
        await remove(secured.brokers, topic)
        await asyncio.sleep(pause)
        await create(secured.brokers, topic, 1)
        await put(secured.brokers, topic, [b"3", b"4", b"5"])
        await rig.until(5, 40)
        assert [data["body"] for data in rig.data] == [1, 2, 3, 4, 5]
        assert len({payload.id for payload in rig.emitted}) == 5, "the offsets are the same"
        await rig.stop()


@pytest.mark.parametrize("mode", [{"consumerGroup": {"groupName": "later"}}, {"partition": "0"}])
async def test_a_topic_that_is_made_after_the_source_began(secured: Kafka, topic: str, mode: Config):
    config = {"url": secured.brokers, "topic": topic, "jsonBody": True, **mode}
    async with rigged() as rig:
        await rig.start("kafka", config, wait=False, supervised=True)
        async with asyncio.timeout(40):
            while not rig.failures:
                await asyncio.sleep(0.05)
        await create(secured.brokers, topic, 1)
        await put(secured.brokers, topic, [b"1"])
        await rig.until(1, 40)
        assert isinstance(rig.failures[0], Retryable)
        await rig.stop()


async def test_a_topic_that_is_made_anew_while_a_partition_s_source_is_away(kafka_server: Kafka, topic: str):
    await create(kafka_server.brokers, topic, 1)
    config = {"url": kafka_server.brokers, "topic": topic, "partition": "0", "jsonBody": True}
    async with reading(config) as rig:
        await put(kafka_server.brokers, topic, [b"1", b"2"])
        await rig.until(2)
        await rig.stop()
        await remove(kafka_server.brokers, topic)
        await asyncio.sleep(1)
        await put(kafka_server.brokers, topic, [b"3", b"4", b"5"])
        await rig.start("kafka", config)
        await rig.until(5)
        await rig.stop()
        await put(kafka_server.brokers, topic, [b"6"])
        await rig.start("kafka", config)
        await rig.until(6)
        assert [data["body"] for data in rig.data] == [1, 2, 3, 4, 5, 6]


async def failure(config: Config, **secrets: str) -> BaseException:
    """How the source ends."""
    async with rigged(secrets) as rig:
        await rig.start("kafka", config, wait=False)
        await asyncio.wait([rig.task], timeout=28)
        assert rig.task.done(), "it still runs"
        found = rig.task.exception()
        assert found is not None
        return found


async def test_a_broker_that_is_away():
    with dead_port() as port:
        found = await failure({"url": f"127.0.0.1:{port}", "topic": "t", "partition": "0"})
    assert isinstance(found, Retryable)
    assert f"Kafka at 127.0.0.1:{port}: " in str(found)
    assert "is it up, and is the address right?" in str(found)


@pytest.fixture(scope="module")
def secured(authority: Authority) -> Any:
    users = {"ada": "secret-1", "admin": "secret-2"}
    with Kafka(
        users=users, mechanism="SCRAM-SHA-512", tls=authority.pair(), acls=True, auto_create=False
    ) as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def login(secured: Kafka, authority: Authority) -> Callable[..., tuple[Config, dict[str, str]]]:
    """Config and secrets of a user."""

    def made(user: str, password: str, topic: str) -> tuple[Config, dict[str, str]]:
        config = {
            "url": secured.secured, "topic": topic, "consumerGroup": {"groupName": "g"},
            "tls": {"caCertSecret": {"name": "tls", "key": "ca"}},
            "sasl": {
                "mechanism": "SCRAM-SHA-512", "userSecret": {"name": "kafka", "key": "user"},
                "passwordSecret": {"name": "kafka", "key": "password"},
            },
        }  # fmt: skip
        return config, {"tls/ca": authority.cert, "kafka/user": user, "kafka/password": password}

    return made


async def test_over_tls_with_a_login(secured: Kafka, login: Any, topic: str):
    await create(secured.brokers, topic, 1)
    config, secrets = login("admin", "secret-2", topic)
    async with reading(config, **secrets) as rig:
        await put(secured.brokers, topic, [b"hello"])
        await rig.until(1)
        assert rig.data[0]["body"] == "aGVsbG8="


async def test_wrong_password(login: Any):
    config, secrets = login("ada", "secret-9", "t")
    found = await failure(config, **secrets)
    assert isinstance(found, Permanent)
    assert "the login was refused: check the secrets of sasl" in str(found)
    assert "secret-9" not in str(found)


async def test_a_certificate_of_an_unknown_authority(login: Any):
    config, secrets = login("ada", "secret-1", "t")
    found = await failure(config, **{**secrets, "tls/ca": Authority("another").cert})
    assert isinstance(found, Permanent)
    assert "is tls.caCertSecret the authority?" in str(found)


async def test_permission_denied(secured: Kafka, login: Any, topic: str):
    await create(secured.brokers, topic, 1)
    config, secrets = login("ada", "secret-1", topic)
    found = await failure(config, **secrets)
    assert isinstance(found, Permanent)
    assert "not allowed: grant" in str(found)


async def test_no_such_topic(secured: Kafka, topic: str):
    found = await failure({"url": secured.brokers, "topic": topic, "consumerGroup": {"groupName": "g"}})
    assert isinstance(found, Retryable), "it may be created"
    assert "there is no such topic: create it, or correct its name" in str(found)


async def test_no_such_partition(kafka_server: Kafka, topic: str):
    await create(kafka_server.brokers, topic, 1)
    found = await failure({"url": kafka_server.brokers, "topic": topic, "partition": "7"})
    assert isinstance(found, Retryable), "it may be added"
    assert f"topic '{topic}': it has no partition 7: add it, or correct its number" in str(found)


async def test_a_network_that_carries_nothing_on_is_noticed(own: Own[Kafka], monkeypatch: pytest.MonkeyPatch):
    """The library itself would wait for ever."""
    monkeypatch.setattr("events.sources._kafka.QUIET", 1.0)
    monkeypatch.setattr("events.sources._kafka.ASK", 1.0)
    server = own(Kafka())
    async with Proxy(server.port) as proxy, rigged() as rig:
        await rig.start("kafka", group(server, "t", url=f"127.0.0.1:{proxy.port}"), supervised=True)
        await put(server.brokers, "t", [b"1"])
        await rig.until(1)
        await asyncio.to_thread(server.pause)
        async with asyncio.timeout(20):
            while not rig.failures:
                await asyncio.sleep(0.05)
        await asyncio.to_thread(server.resume)
        assert "no answer in time" in str(rig.failures[0])
        await put(server.brokers, "t", [b"2"])
        await rig.until(2, 20)
