"""kafka trigger: what a record looks like, and what happens to it, on a real broker."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import Any

import pytest

from events.clients import kafka_producers
from events.clients.secrets import Ref
from events.errors import ExpressionError, Permanent, Retryable
from events.testing.certificates import Authority
from events.testing.kafka import create, headers, put, records
from events.testing.registry import RegistryAPI
from events.testing.servers.fixtures import Own
from events.testing.servers.kafka import Kafka
from events.testing.sources import rigged as source_rigged
from events.testing.triggers import (
    compiled,
    firing_of,
    parameter,
    rigged,
    serving,
    silent_port,
)

pytestmark = [pytest.mark.servers("kafka"), pytest.mark.timeout(90)]  # some start a broker or two
NUMBERS = count(1)
PAYLOAD = [parameter("n", "n", useRawData=True)]
DATA = {"n": 7}


@pytest.fixture
def topic() -> str:
    return f"out-{next(NUMBERS)}"


def config(server: Kafka, topic: str, **more: Any) -> dict[str, Any]:
    return {"url": server.brokers, "topic": topic, "payload": PAYLOAD, **more}


async def test_what_a_record_carries(kafka_server: Kafka, topic: str):
    token = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "kafka", "key": "token"}}}
    raw = config(
        kafka_server, topic, partitioningKey="k1", headers={"team": "a"}, secureHeaders=[token],
        compress=True, requiredAcks=1, flushFrequency=5,
    )  # fmt: skip
    async with rigged({"kafka/token": "t0p"}) as rig:
        outcome = await rig.run("kafka", raw, DATA)
    [record] = await records(kafka_server.brokers, topic)
    assert (record.key, record.value) == (b"k1", b'{"n":7}')
    assert headers(record) == {"Idempotency-Key": firing_of(DATA).id, "team": "a", "token": "t0p"}
    assert abs(record.timestamp / 1000 - time.time()) < 60
    assert (outcome.detail, outcome.link) == (f"record {topic}/0/0", f"kafka:{topic}/0/0")


async def test_a_secret_that_is_no_text_is_sent_as_it_is(kafka_server: Kafka, topic: str):
    token = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "kafka", "key": "token"}}}
    async with rigged() as rig:
        rig.secrets[Ref("kafka", "token")] = b"\xff\x00t"
        await rig.run("kafka", config(kafka_server, topic, secureHeaders=[token]), DATA)
    [record] = await records(kafka_server.brokers, topic)
    assert dict(record.headers)["token"] == b"\xff\x00t"


async def test_a_header_of_the_manifest_wins_over_the_firing_id(kafka_server: Kafka, topic: str):
    async with rigged() as rig:
        await rig.run("kafka", config(kafka_server, topic, headers={"Idempotency-Key": "mine"}), DATA)
    [record] = await records(kafka_server.brokers, topic)
    assert headers(record) == {"Idempotency-Key": "mine"}


async def test_the_same_key_goes_to_the_same_partition(kafka_server: Kafka, topic: str):
    await create(kafka_server.brokers, topic, 8)
    async with rigged() as rig:
        for key in "abcdefgh" * 2:
            await rig.run("kafka", config(kafka_server, topic, partitioningKey=key), DATA)
    found = await records(kafka_server.brokers, topic)
    places = {record.key: record.partition for record in found}
    assert all(record.partition == places[record.key] for record in found)
    assert len(set(places.values())) > 1


async def test_a_producer_that_has_ended_is_replaced(
    kafka_server: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch
):
    """aiokafka's sender ends with any error that it did not expect."""
    async with rigged() as rig:
        raw = config(kafka_server, topic)
        await rig.run("kafka", raw, DATA, event="e1")
        [(producer, _)] = rig.trigger("kafka")._producers._made.values()

        async def broken(*_: Any) -> None:
            raise RuntimeError("an error in the library")

        monkeypatch.setattr(producer._sender, "_send_produce_req", broken)
        with pytest.raises(Retryable):
            await rig.run("kafka", raw, DATA, event="e2")
        await rig.run("kafka", raw, DATA, event="e2")
        assert len(rig.trigger("kafka")._producers) == 1
    assert len(await records(kafka_server.brokers, topic)) == 2


async def test_producers_are_not_kept_without_end(
    kafka_server: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kafka_producers, "PRODUCERS_KEPT", 2)
    async with rigged() as rig:
        for linger in (1, 2, 1, 3, 1):
            await rig.run("kafka", config(kafka_server, topic, flushFrequency=linger), DATA)
        kept = rig.trigger("kafka")._producers._made
        assert [sending.linger for _, sending, _ in kept] == [3, 1]
    assert len(await records(kafka_server.brokers, topic)) == 5


async def test_one_producer_for_all_triggers_with_the_same_settings(kafka_server: Kafka, topic: str):
    async with rigged() as rig:
        firing = [
            rig.run("kafka", config(kafka_server, f"{topic}-{n}"), DATA, event=f"e{n}") for n in range(8)
        ]
        await asyncio.gather(*firing)
        assert len(rig.trigger("kafka")._producers) == 1
        await rig.run("kafka", config(kafka_server, topic, requiredAcks=1), DATA)
        assert len(rig.trigger("kafka")._producers) == 2


async def test_renewed_secrets_make_a_new_producer(own: Own[Kafka], topic: str):
    server = own(Kafka(users={"ada": "secret-1", "bob": "secret-2"}))
    sasl = {"userSecret": {"name": "k", "key": "u"}, "passwordSecret": {"name": "k", "key": "p"}}
    raw = config(server, topic, url=server.secured, sasl=sasl)
    async with rigged({"k/u": "ada", "k/p": "secret-1"}) as rig:
        await rig.run("kafka", raw, DATA)
        rig.secrets.update(zip(rig.secrets, (b"bob", b"secret-2"), strict=True))
        await rig.run("kafka", raw, DATA)
        assert len(rig.trigger("kafka")._producers) == 2
        rig.secrets.update(dict.fromkeys(rig.secrets, b"wrong"))
        with pytest.raises(Permanent, match="the login was refused: check the secrets of sasl"):
            await rig.run("kafka", raw, DATA)


async def test_a_silent_broker_delays_only_its_own_trigger(kafka_server: Kafka, topic: str):
    async with rigged() as rig:
        await rig.run("kafka", config(kafka_server, topic), DATA)
        with silent_port() as port:
            stuck = asyncio.gather(
                *(
                    rig.run("kafka", config(kafka_server, topic, url=f"127.0.0.1:{port}"), DATA)
                    for _ in range(3)
                ),
                return_exceptions=True,
            )
            await asyncio.sleep(0.1)
            async with asyncio.timeout(5):
                await rig.run("kafka", config(kafka_server, topic), DATA, event="e2")
            assert not stuck.done()
            stuck.cancel()
            await asyncio.wait([stuck])
    assert len(await records(kafka_server.brokers, topic)) == 2


async def test_a_broker_that_comes_back_is_used_again(
    own: Own[Kafka], topic: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("events.triggers.kafka.SEND_TIMEOUT", 2.0)
    server = own(Kafka())
    async with rigged() as rig:
        await rig.run("kafka", config(server, topic), DATA)
        server.kill()
        with pytest.raises(Retryable, match=f"Kafka at {server.brokers}, topic '{topic}': "):
            await rig.run("kafka", config(server, topic), DATA, event="e2")
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(20):
            while True:
                try:
                    await rig.run("kafka", config(server, topic), DATA, event="e3")
                    break
                except Retryable:
                    await asyncio.sleep(0.2)
    ids = {headers(record)["Idempotency-Key"] for record in await records(server.brokers, topic)}
    assert {firing_of(DATA).id, firing_of(DATA, "e3").id} <= ids


async def test_over_tls_with_a_login_and_without_permission(own: Own[Kafka], topic: str):
    authority = Authority()
    users = {"ada": "secret-1", "admin": "secret-2"}
    server = own(Kafka(users=users, mechanism="SCRAM-SHA-256", tls=authority.pair(), acls=True))
    raw = config(
        server, topic, url=server.secured, tls={"caCertSecret": {"name": "tls", "key": "ca"}},
        sasl={
            "mechanism": "SCRAM-SHA-256", "userSecret": {"name": "k", "key": "u"},
            "passwordSecret": {"name": "k", "key": "p"},
        },
    )  # fmt: skip
    async with rigged({"tls/ca": authority.cert, "k/u": "admin", "k/p": "secret-2"}) as rig:
        await rig.run("kafka", raw, DATA)
    async with rigged({"tls/ca": authority.cert, "k/u": "ada", "k/p": "secret-1"}) as rig:
        with pytest.raises(Permanent, match=f"topic '{topic}': the topic is not allowed: grant Read, Write"):
            await rig.run("kafka", raw, DATA)
    assert len(await records(server.brokers, topic)) == 1


async def test_no_such_topic(own: Own[Kafka], topic: str):
    server = own(Kafka(auto_create=False))
    async with rigged() as rig:
        with pytest.raises(Permanent, match="there is no such topic: create it, or correct its name"):
            await rig.run("kafka", config(server, topic), DATA)


async def test_a_record_that_is_too_large(kafka_server: Kafka, topic: str):
    async with rigged() as rig:
        with pytest.raises(Permanent, match=r"too large: raise max\.message\.bytes of the topic"):
            await rig.run("kafka", config(kafka_server, topic), {"n": "x" * 2_000_000})


def test_what_can_never_work_is_told_at_once():
    raw = {"url": "kafka:9092", "topic": "t", "payload": PAYLOAD}
    with pytest.raises(ExpressionError, match=r"requiredAcks has to be -1 \(all replicas\) or 1"):
        compiled("kafka", {**raw, "requiredAcks": 7})
    with pytest.raises(ExpressionError, match="url names no broker"):
        compiled("kafka", {**raw, "url": " , "})
    registry = {"url": "ftp://registry", "schemaId": 1}
    with pytest.raises(ExpressionError, match="ftp://registry"):
        compiled("kafka", {**raw, "schemaRegistry": registry})


ORDER = {
    "type": "record", "name": "Order",
    "fields": [{"name": "n", "type": "long"}, {"name": "note", "type": ["null", "string"], "default": None}],
}  # fmt: skip


async def test_avro_by_a_registry_out_and_in(kafka_server: Kafka, topic: str):
    """What the trigger writes the source reads; what is no Avro is counted and stops no other."""
    api = RegistryAPI({7: ORDER})
    payload = [*PAYLOAD, parameter("note", "note")]
    async with serving(api.handle) as url, rigged() as rig, source_rigged() as source:
        registry = {"url": url, "schemaId": 7}
        raw = config(kafka_server, topic, payload=payload, schemaRegistry=registry)
        await rig.run("kafka", raw, {"n": 7, "note": "hi"})
        [record] = await records(kafka_server.brokers, topic)
        assert record.value == b"\0\0\0\0\x07" + b"\x0e" + b"\x02\x04hi"
        with pytest.raises(Permanent, match="schema 7: the document does not fit the schema"):
            await rig.run("kafka", raw, {"n": "seven", "note": "hi"}, event="e2")
        with pytest.raises(Permanent, match="there is no schema 8"):
            await rig.run(
                "kafka",
                {**raw, "schemaRegistry": {"url": url, "schemaId": 8}},
                {"n": 8, "note": ""},
                event="e3",
            )
        await put(kafka_server.brokers, topic, [b"\0", b"\0\0\0\0\x09x"])
        await rig.run("kafka", raw, {"n": 8, "note": "ho"}, event="e4")
        group = {"groupName": topic, "oldest": True}
        reading = {"url": kafka_server.brokers, "topic": topic, "consumerGroup": group, "jsonBody": True}
        await source.start("kafka", {**reading, "schemaRegistry": {"url": url}}, wait=False)
        await source.until(2, 20)
        assert [data["body"] for data in source.data] == [
            {"n": 7, "note": {"string": "hi"}}, {"n": 8, "note": {"string": "ho"}}
        ]  # fmt: skip
        assert source.malformed == 2
        assert api.asked == 4, (
            "each schema of a number is fetched once by each side; those that are not there too"
        )
        await source.stop()
