"""The Kafka bus on three brokers, of which some are killed: leaders, coordinators, the majority."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError

from events.bus._base import Cursor
from events.bus.kafka_topics import Topics
from events.errors import BusUnavailable
from events.testing.bus_harness import TOPIC, Seen, event, read_until
from events.testing.kafka import administration
from events.testing.servers.kafka import KafkaCluster, Node
from tests.integration.bus.kafka_rig import PATIENCE, Committer, Sender, healthy, opened

pytestmark = [pytest.mark.servers("kafka"), pytest.mark.timeout(120)]

COMPACT = {"cleanup.policy": "compact"}


@pytest.fixture
def cluster() -> Iterator[KafkaCluster]:
    with KafkaCluster() as started:
        yield started


async def leading_all(cluster: KafkaCluster, topics: Topics) -> Node:
    """Make the topics so that one node leads them all, and what is committed to shard 0: the one returned."""
    async with administration(cluster.brokers) as admin:
        number = await again(lambda: admin._client.coordinator_lookup(1, f"{topics.events}.shard/0.commit"))
        order = sorted((node.number for node in cluster.nodes), key=lambda one: (one != number, one))
        shapes = {topics.events: (2, {}), topics.decisions: (2, {}), topics.state: (3, COMPACT)}
        made = [
            NewTopic(name, -1, -1, dict.fromkeys(range(partitions), order), settings)
            for name, (partitions, settings) in shapes.items()
        ]
        answer = await admin.create_topics(made)
    assert all(code == 0 for _, code, *_ in answer.topic_errors), answer
    return cluster.numbered(number)


async def again(ask: Callable[[], Awaitable[int]]) -> int:
    """The first question makes the topic of transactions."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await ask()
            except KafkaError:
                await asyncio.sleep(0.1)


async def test_one_node_is_not_missed_and_without_two_nothing_is_taken_until_they_are_back(
    cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch
):
    topics = Topics(f"t{secrets.token_hex(6)}")
    first = await leading_all(cluster, topics)
    second = next(node for node in cluster.nodes if node is not first)
    async with opened(cluster.brokers, topics.events) as bus:
        start = await bus.head()
        reader, seen = await bus.read([TOPIC], start), Seen(start)
        async with Sender(bus) as sender, Committer(bus) as committer:
            await sender.reach(20)
            await committer.reach(5)
            await asyncio.to_thread(first.kill)
            await sender.reach(20)
            await committer.reach(10)
            await healthy(bus)
            monkeypatch.setattr("events.bus.kafka_publisher.PATIENCE", 3.0)
            await asyncio.to_thread(second.kill)
            await healthy(bus, wanted=False)
            assert "Kafka at " in bus.health().detail
            with pytest.raises(BusUnavailable):
                await bus.publish([event("refused")], Cursor("refused", b"1"))
            monkeypatch.undo()
            for node in (first, second):
                node.spawn()
            for node in (first, second):
                await asyncio.to_thread(node.wait_ready)
            await healthy(bus)
            await sender.reach(20)
            await committer.reach(5)
        await read_until(reader, seen, await bus.head(), PATIENCE)
        assert set(sender.done) <= set(seen.ids)
        assert len(seen.ids) == len(set(seen.ids)), "a double was handed out"
        assert int(await bus.cursor("place") or b"") >= int(sender.done[-1])
        assert set(committer.done) <= set((await bus.load(0)).records)
