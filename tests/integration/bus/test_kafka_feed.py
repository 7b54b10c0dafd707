"""Readers of one process on a real broker: one consumer for all, and none of them misses anything."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from events.bus import kafka_feed
from events.bus._base import Mark, Topic
from events.bus.kafka import KafkaBus
from events.bus.kafka_reader import KafkaReader
from events.bus.kafka_topics import Creation
from events.clients.kafka import Brokers
from events.clients.secrets import LocalSecrets
from events.testing.bus_harness import Seen, event, read_until
from events.testing.proxy import Proxy
from events.testing.servers.fixtures import Own
from events.testing.servers.kafka import Kafka

pytestmark = [pytest.mark.servers("kafka"), pytest.mark.timeout(90)]

PATIENCE = 40.0
TOPICS: list[Topic] = [("s", f"n{number}") for number in range(8)]


@asynccontextmanager
async def opened(address: str, partitions: int = 4) -> AsyncIterator[KafkaBus]:
    known = LocalSecrets(dict, environ={})
    topic = f"t{secrets.token_hex(6)}"
    bus = KafkaBus(Brokers.of(address), topic, secrets=known, shards=2, creation=Creation(partitions))
    await bus.open()
    try:
        yield bus
    finally:
        await bus.aclose()


async def publish(bus: KafkaBus, *names: str) -> None:
    """One event of each topic per name."""
    for name in names:
        await asyncio.gather(*(bus.publish([event(f"{name}/{topic[1]}", topic)]) for topic in TOPICS))


async def at_the_feed(reader: KafkaReader, seen: Seen) -> None:
    async with asyncio.timeout(PATIENCE):
        while reader._own is not None:
            try:
                async with asyncio.timeout(1.0):
                    seen.take(await reader.next())
            except TimeoutError:
                continue


async def test_all_readers_at_the_end_of_the_log_share_one_consumer(kafka_server: Kafka):
    async with opened(kafka_server.brokers) as bus:
        start = await bus.head()
        await publish(bus, "early")
        readers = {topic: await bus.read([topic], start) for topic in TOPICS}
        seen = {topic: Seen(start) for topic in TOPICS}
        await asyncio.gather(*(at_the_feed(reader, seen[topic]) for topic, reader in readers.items()))
        assert len(bus._feed._seats) == len(TOPICS)
        await publish(bus, "late", "later")
        goal = await bus.head()
        await asyncio.gather(
            *(read_until(reader, seen[topic], goal, PATIENCE) for topic, reader in readers.items())
        )
        for topic, one in seen.items():
            assert one.ids == [f"{name}/{topic[1]}" for name in ("early", "late", "later")]


class Churn:
    """Readers that come at old places, stop for a while and go, while events are published."""

    def __init__(self, bus: KafkaBus, start: Mark, seed: int) -> None:
        self.bus, self.marks, self.dice = bus, [start], random.Random(seed)
        self.names: list[str] = []
        self.joined = 0

    async def feed(self, rounds: int) -> None:
        for number in range(rounds):
            if number:
                self.marks.append(await self.bus.head())
            self.names.append(f"{number}")
            await publish(self.bus, f"{number}")
            await asyncio.sleep(self.dice.random() / 50)

    async def visit(self, feeding: asyncio.Task[None]) -> None:
        """Every event behind the mark and of the topic, once, in order."""
        while not feeding.done():
            topic = self.dice.choice(TOPICS)
            first = self.dice.randrange(len(self.marks))
            reader = await self.bus.read([topic], self.marks[first])
            await self._stay(reader, topic, Seen(self.marks[first]), first)
            await reader.aclose()

    async def _stay(self, reader: KafkaReader, topic: Topic, seen: Seen, first: int) -> None:
        for _ in range(self.dice.randrange(1, 6)):
            goal, count = await self.bus.head(), len(self.names)
            await asyncio.sleep(self.dice.random() / 5)
            await read_until(reader, seen, goal, PATIENCE)
            expected = [f"{name}/{topic[1]}" for name in self.names[first:]]
            assert seen.ids == expected[: len(seen.ids)], f"reader from {first}"
            assert len(seen.ids) >= count - first - 1
        self.joined += reader._own is None


@pytest.mark.parametrize("waiting", [kafka_feed.SEAT_BYTES, 20], ids=["usual-seats", "tiny-seats"])
async def test_readers_come_and_go_and_miss_nothing(
    kafka_server: Kafka, monkeypatch: pytest.MonkeyPatch, waiting: int
):
    monkeypatch.setattr(kafka_feed, "SEAT_BYTES", waiting)
    async with opened(kafka_server.brokers) as bus:
        churn = Churn(bus, await bus.head(), seed=waiting)
        feeding = bus._tasks.start("feeding", churn.feed(150))
        await asyncio.gather(feeding, *(churn.visit(feeding) for _ in range(5)))
        assert churn.joined > 5
        assert bus.health().ready


async def test_a_feed_that_is_cut_off_goes_on_for_all(own: Own[Kafka]):
    broker = Kafka()
    async with Proxy(0) as proxy:
        broker.via = proxy.port
        proxy.target = (await asyncio.to_thread(own, broker)).ports[2]
        async with opened(f"127.0.0.1:{proxy.port}") as bus:
            start = await bus.head()
            readers = [(await bus.read([topic], start), Seen(start)) for topic in TOPICS[:3]]
            await asyncio.gather(*(at_the_feed(*one) for one in readers))
            proxy.cut()
            await publish(bus, "1")
            goal = await bus.head()
            await asyncio.gather(*(read_until(*one, goal, PATIENCE) for one in readers))
            assert [seen.ids for _, seen in readers] == [[f"1/n{number}"] for number in range(3)]
            assert len(bus._feed._seats) == 3
