"""Topics that somebody deletes under a running bus."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from events.bus._base import Changes, Cursor, Mark, ShardState
from events.bus.kafka import KafkaBus
from events.errors import BusUnavailable, Permanent
from events.testing.bus_harness import TOPIC, event, read_all
from events.testing.kafka import administration, create
from events.testing.servers.fixtures import Own
from events.testing.servers.kafka import Kafka
from tests.integration.bus.kafka_rig import PATIENCE, healthy, make, opened

pytestmark = [pytest.mark.servers("kafka"), pytest.mark.timeout(90)]


@pytest.fixture
async def place(own: Own[Kafka]) -> AsyncIterator[tuple[KafkaBus, str, str]]:
    """A bus, its brokers, the name of its topic; brokers make no topic by themselves."""
    broker, topic = own(Kafka(auto_create=False)), f"t{secrets.token_hex(6)}"
    async with opened(broker.brokers, topic) as bus:
        yield bus, broker.brokers, topic


async def delete(brokers: str, topic: str) -> None:
    async with administration(brokers) as admin:
        await admin.delete_topics([topic])


async def test_events_that_were_deleted_begin_anew_and_so_do_their_readers(place: tuple[KafkaBus, str, str]):
    bus, brokers, topic = place
    await bus.publish([event(f"old{number}") for number in range(5)])
    before = await bus.head()
    reader = await bus.read([TOPIC], before)
    waiting = asyncio.get_running_loop().create_task(reader.next())
    await delete(brokers, topic)
    with pytest.raises(BusUnavailable, match="made anew"):
        await asyncio.wait_for(waiting, PATIENCE)
    await reader.aclose()
    await healthy(bus)
    after = await bus.head()
    assert after.incarnation != before.incarnation
    with pytest.raises(ValueError, match="incarnation"):
        await bus.read([TOPIC], before)
    await bus.publish([event("new")])
    start = Mark(after.incarnation, dict.fromkeys(after.offsets, 0))
    assert [one.event.id for one in (await read_all(bus, [TOPIC], start)).deliveries] == ["new"]


async def test_a_state_that_was_deleted_is_told_and_begins_anew(place: tuple[KafkaBus, str, str]):
    bus, brokers, topic = place
    old = await bus.lease("shard/0", ttl=2.0)
    for number in range(20):
        await bus.commit(0, old.epoch, Changes(records={f"{number}": b"old"}))
    await delete(brokers, f"{topic}-state")
    await asyncio.wait_for(old.lost.wait(), PATIENCE)
    await healthy(bus)
    new = await bus.lease("shard/0", ttl=2.0)
    await bus.commit(0, new.epoch, Changes(records={"a": b"new"}))
    state = ShardState(None, {"a": b"new"}, set())
    assert await bus.load(0) == state
    async with opened(brokers, topic) as other:
        assert await other.load(0) == state, "what was stored, not what is remembered"


async def test_a_board_of_leases_that_falls_silent_is_told_and_followed_anew(
    kafka_server: Kafka, monkeypatch: pytest.MonkeyPatch
):
    async with opened(kafka_server.brokers) as bus:
        monkeypatch.setattr("events.bus.kafka_leases.LOOK", 0.2)
        monkeypatch.setattr("events.bus.kafka_leases.PATIENCE", 1.0)
        consumer = bus._board._consumer
        assert consumer is not None
        consumer.pause(*consumer.assignment())
        await bus.publish([], Cursor("place", b"1"))
        await healthy(bus, wanted=False)
        assert f"{bus._topics.state}" in bus.health().detail
        await healthy(bus)
        assert await bus.cursor("place") == b"1"


async def test_a_state_that_the_broker_made_by_itself_is_refused(kafka_server: Kafka):
    topic = f"t{secrets.token_hex(6)}"
    await create(kafka_server.brokers, f"{topic}-state")
    with pytest.raises(Permanent, match="one partition"):
        await make(kafka_server.brokers, topic).open()
