"""The Kafka bus under an authorizer: what has to be granted, what is told without, what passes again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from events.bus._base import Changes, EventQuery
from events.bus.kafka import KafkaBus
from events.bus.kafka_topics import Creation
from events.clients.kafka import Brokers
from events.clients.secrets import LocalSecrets, Ref
from events.errors import BusUnavailable, Permanent
from events.testing.bus_harness import OTHER, TOPIC, Seen, event, events, read_all, read_until
from events.testing.kafka import Right, committed, grant, revoke
from events.testing.servers.kafka import Kafka
from tests.integration.bus.kafka_rig import PATIENCE, Committer, Sender, healthy

pytestmark = [pytest.mark.servers("kafka"), pytest.mark.timeout(90)]

NAME = "shop/main"


@pytest.fixture(scope="module")
def broker() -> Iterator[Kafka]:
    with Kafka(users={"ada": "word"}, acls=True, auto_create=False) as started:
        yield started


@pytest.fixture
def topic() -> str:
    return f"t{secrets.token_hex(6)}"


def rights(topic: str) -> list[Right]:
    """As docs/buses.md has it."""
    return [
        *(
            Right("topic", f"{topic}{which}", operation)
            for which in ("", "-state", "-decisions")
            for operation in ("Read", "Write", "Describe", "DescribeConfigs")
        ),
        *(Right("transactional id", f"{topic}.", operation, True) for operation in ("Write", "Describe")),
        Right("group", f"{topic}-", "Read", True),
    ]


CREATE = Right("cluster", "kafka-cluster", "Create")


def make(broker: Kafka, topic: str, creation: Creation | None = Creation(2)) -> KafkaBus:  # noqa: B008
    known = {Ref("k", "user"): b"ada", Ref("k", "word"): b"word"}
    brokers = Brokers((broker.secured,), None, "PLAIN", Ref("k", "user"), Ref("k", "word"))
    store = LocalSecrets(lambda: known, environ={})
    return KafkaBus(brokers, topic, NAME, secrets=store, shards=2, creation=creation)


@asynccontextmanager
async def allowed(broker: Kafka, topic: str, *beside: Right) -> AsyncIterator[None]:
    """With all rights, and no longer."""
    given = [*rights(topic), CREATE, *beside]
    await grant(broker.brokers, "ada", *given)
    try:
        yield
    finally:
        await revoke(broker.brokers, "ada", CREATE)


@asynccontextmanager
async def opened(broker: Kafka, topic: str) -> AsyncIterator[KafkaBus]:
    bus = make(broker, topic)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.aclose()


async def test_what_the_documentation_says_is_enough(broker: Kafka, topic: str):
    async with allowed(broker, topic), opened(broker, topic) as bus:
        await bus.publish(events(3))
        await bus.publish([event("split", one) for one in (TOPIC, OTHER, ("a", "b"), ("c", "d"), ("e", "f"))])
        assert (await read_all(bus, [TOPIC])).ids == ["e0", "e1", "e2", "split"]
        lease = await bus.lease("shard/0")
        head = await bus.head()
        await bus.commit(0, lease.epoch, Changes({"x": b"1"}, {"a": b"1"}, mark=head))
        assert (await bus.load(0)).records == {"a": b"1"}
        assert len(await bus.find_events(EventQuery(id="split"))) == 5
        await bus.aclose()
        assert await committed(broker.brokers, f"{topic}-0", topic) == head.offsets
        assert bus.max_event_bytes > 1_000_000


async def refused(bus: KafkaBus) -> str:
    with pytest.raises(Permanent) as raised:
        await bus.open()
    return str(raised.value)


async def test_a_right_that_is_missing_at_the_start_is_named(broker: Kafka, topic: str):
    place = f"{NAME}: Kafka at {broker.secured}"
    told = await refused(make(broker, topic))
    assert told.startswith(f"{place}: topic {topic}")
    assert "grant this user Read, Write and Describe on topic" in told
    given = rights(topic)
    await grant(broker.brokers, "ada", *given)
    told = await refused(make(broker, topic))
    assert told.startswith(f"{place}: not allowed to create: grant this user Create on the cluster, or on: ")
    assert f"topic {topic}-state (3 partitions, cleanup.policy=compact)" in told
    await grant(broker.brokers, "ada", CREATE)
    bus = make(broker, topic)
    await bus.open()
    await bus.aclose()
    await revoke(broker.brokers, "ada", CREATE, Right("topic", f"{topic}-state", "Write"))
    told = await refused(make(broker, topic))
    assert told == f"{place}: topic {topic}-state: not allowed: grant this user Write on it"
    looks = make(broker, topic, None)
    await looks.open()
    await looks.aclose()


async def test_the_right_to_transactions_is_named(broker: Kafka, topic: str):
    lacking = [right for right in rights(topic) if right.resource == "transactional id"]
    async with allowed(broker, topic), opened(broker, topic) as bus:
        await revoke(broker.brokers, "ada", *lacking)
        for doing in (
            bus.lease("shard/0"),
            bus.publish([event("x", one) for one in (TOPIC, ("a", "b"), OTHER)]),
        ):
            with pytest.raises(BusUnavailable) as raised:
                await doing
            told = str(raised.value)
            assert told.startswith(f"{NAME}: Kafka at {broker.secured}")
            assert f"transactional id {topic}." in told
            assert told.endswith("grant this user Write and Describe on those that begin with `TOPIC.`")
        await grant(broker.brokers, "ada", *lacking)
        await bus.lease("shard/0")


async def test_without_the_right_to_groups_only_the_display_of_marks_is_missing(
    broker: Kafka, topic: str, caplog: pytest.LogCaptureFixture
):
    async with allowed(broker, topic), opened(broker, topic) as bus:
        await revoke(broker.brokers, "ada", Right("group", f"{topic}-", "Read", True))
        await bus.publish(events(3))
        lease = await bus.lease("shard/0")
        await bus.commit(0, lease.epoch, Changes(mark=await bus.head()))
        async with asyncio.timeout(PATIENCE):
            while "is not shown as committed offsets" not in caplog.text:
                await asyncio.sleep(0.05)
        await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))
        assert bus.health().ready


@pytest.mark.parametrize(
    ("which", "operation"), [("", "Write"), ("-state", "Write"), ("", "Read"), ("-state", "Read")]
)
async def test_a_right_that_is_taken_away_stops_the_bus_until_it_is_given_again(
    broker: Kafka, topic: str, which: str, operation: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("events.bus.kafka.PROBE_EVERY", 1.0)
    right = Right("topic", f"{topic}{which}", operation)
    async with allowed(broker, topic), opened(broker, topic) as bus:
        start = await bus.head()
        reader, seen = await bus.read([TOPIC], start), Seen(start)
        async with Sender(bus) as sender, Committer(bus) as committer:
            await sender.reach(10)
            await committer.reach(5)
            await revoke(broker.brokers, "ada", right)
            await healthy(bus, wanted=False)
            told = bus.health().detail
            assert told.startswith(f"{NAME}: Kafka at {broker.secured}: ")
            assert "not allowed: grant this user " in told
            assert f"topic {right.name}" in told
            assert operation in told
            with pytest.raises(BusUnavailable, match="grant this user"):
                await bus.publish([event("refused")])
            await grant(broker.brokers, "ada", right)
            await healthy(bus)
            await sender.reach(10)
            await committer.reach(5)
        await read_until(reader, seen, await bus.head(), PATIENCE)
        assert set(sender.done) <= set(seen.ids)
        assert set(committer.done) <= set((await bus.load(0)).records)
