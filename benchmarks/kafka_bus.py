"""The Kafka bus against bare aiokafka: CPU per event of 1 kB, this process alone; one broker beside it.

publish   64 under way, one event each; bare: `send_and_wait` of an idempotent producer
batches   64 under way, 50 events each; bare: `send` of all, then their futures
consume   bare: `getmany` of committed records; the bus also decodes, matches the topic and looks for doubles
follow    events of eight names are published fifty at once and read at the end of the log, each by one of
          eight readers (as many shards) or all by one; publishing is part of both
Garbage   both sides with the thresholds of the cycle collector that `events run` sets
Bare      key, payload and one header with the id, which every consumer needs; `plain` is without the header
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.load import ratio, tell
from events.bus._base import Reader, Topic
from events.bus.kafka import KafkaBus
from events.bus.kafka_link import FETCH_BYTES
from events.bus.kafka_topics import Creation
from events.clients.kafka import Brokers
from events.clients.secrets import LocalSecrets
from events.event import Event
from events.runtime.standalone import COLLECT
from events.testing.servers.kafka import Kafka

IN_FLIGHT, TOGETHER, SIZE, READERS = 64, 50, 1000, 8
TOPIC = ("source", "name")
AIM = 1.5
Costs = dict[str, float]
"""Microseconds of CPU per event, by what was done."""


async def cost_of(work: Awaitable[Any], count: int) -> float:
    cpu = time.process_time()
    await work
    return (time.process_time() - cpu) / count * 1e6


async def closed_loop(publish: Callable[[Any], Awaitable[Any]], work: Sequence[Any]) -> None:
    left = iter(work)

    async def worker() -> None:
        for one in left:
            await publish(one)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


def events_of(count: int, topics: Sequence[Topic] = (TOPIC,)) -> list[Event]:
    """Those of one topic stand together, as many as are published at once."""
    data, moment = os.urandom(SIZE), time.time_ns()
    return [
        Event(f"{moment + n:032x}", *topics[n // TOGETHER % len(topics)], "webhook", moment, data)
        for n in range(count)
    ]


def batches(work: list[Event]) -> list[list[Event]]:
    return [work[at : at + TOGETHER] for at in range(0, len(work), TOGETHER)]


async def opened(brokers: str, topic: str, *, shared: bool = False, partitions: int = 1) -> KafkaBus:
    """With new topics."""
    known, made = LocalSecrets(dict, environ={}), Brokers.of(brokers)
    bus = KafkaBus(made, topic, secrets=known, shards=1, creation=Creation(partitions), shared=shared)
    await bus.open()
    return bus


def new_name() -> str:
    return f"bench{secrets.token_hex(4)}"


async def through_the_bus(brokers: str, count: int, *, shared: bool) -> Costs:
    bus = await opened(brokers, new_name(), shared=shared)
    start, single, together = await bus.head(), events_of(count), batches(events_of(count))

    async def one(event: Event) -> None:
        await bus.publish([event])

    async def consume(left: int) -> None:
        while left > 0:
            left -= len((await reader.next()).deliveries)

    found = {
        "publish": await cost_of(closed_loop(one, single), count),
        "batches": await cost_of(closed_loop(bus.publish, together), count),
    }
    reader = await bus.read([TOPIC], start)
    found["consume"] = await cost_of(consume(2 * count), 2 * count)
    await bus.aclose()
    return found


async def followed(brokers: str, count: int, *, readers: int) -> Costs:
    """The topics are shared out among the readers; they read once before, to be at the end of the log."""
    bus = await opened(brokers, new_name(), partitions=READERS)
    start, topics = await bus.head(), [("source", f"name{number}") for number in range(READERS)]
    each = [await bus.read(topics[number::readers], start) for number in range(readers)]

    async def consume(reader: Reader, left: int) -> None:
        while left > 0:
            left -= len((await reader.next()).deliveries)

    async def follow(events: list[Event]) -> None:
        share = len(events) // readers
        reading = [consume(reader, share) for reader in each]
        await asyncio.gather(closed_loop(bus.publish, batches(events)), *reading)

    for _ in range(5):
        await follow(events_of(READERS * TOGETHER, topics))
    found = {"follow": await cost_of(follow(events_of(count, topics)), count)}
    await bus.aclose()
    return found


async def bare(brokers: str, count: int, *, header: bool) -> Costs:
    topic = new_name()
    await (await opened(brokers, topic)).aclose()
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers, enable_idempotence=True, acks="all", max_batch_size=1 << 20
    )
    await producer.start()

    async def send(event: Event) -> Awaitable[Any]:
        headers = [("id", event.id.encode())] if header else []
        return await producer.send(topic, event.data, b"source.name", headers=headers)

    async def one(event: Event) -> None:
        await (await send(event))

    async def many(events: list[Event]) -> None:
        await asyncio.gather(*[await send(event) for event in events])

    single, together = events_of(count), batches(events_of(count))
    found = {
        "publish": await cost_of(closed_loop(one, single), count),
        "batches": await cost_of(closed_loop(many, together), count),
    }
    await producer.stop()
    found["consume"] = await consumed(brokers, topic, 2 * count)
    return found


async def consumed(brokers: str, topic: str, count: int) -> float:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, isolation_level="read_committed", enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
    )  # fmt: skip
    await consumer.start()
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    consumer.seek(place, 0)

    async def consume(left: int) -> None:
        while left > 0:
            left -= sum(map(len, (await consumer.getmany(timeout_ms=1000, max_records=512)).values()))

    try:
        return await cost_of(consume(count), count)
    finally:
        await consumer.stop()


async def measure(brokers: str, count: int, rounds: int) -> dict[str, list[Costs]]:
    """All cases in turn, round by round, so that a noisy neighbour hits all alike. The first one warms up."""
    cases: dict[str, Callable[[], Awaitable[Costs]]] = {
        "bare": lambda: bare(brokers, count, header=True),
        "own": lambda: through_the_bus(brokers, count, shared=False),
        "plain": lambda: bare(brokers, count, header=False),
        "shared": lambda: through_the_bus(brokers, count, shared=True),
        "eight": lambda: followed(brokers, count, readers=READERS),
        "one": lambda: followed(brokers, count, readers=1),
    }
    gc.freeze()
    gc.set_threshold(*COLLECT)
    found: dict[str, list[Costs]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            costs = await case()
            if number:
                found[name].append(costs)
    return found


LINES = (
    ("publish one by one, to bare aiokafka", "publish", "own", "bare", AIM),
    ("publish fifty at once", "batches", "own", "bare", AIM),
    ("consume", "consume", "own", "bare", AIM),
    ("consume, to records without headers", "consume", "own", "plain", None),
    ("consume in the form of Argo Events", "consume", "shared", "bare", None),
    ("follow with eight readers, to one", "follow", "eight", "one", 1.3),
)


def run(quick: bool) -> None:
    count, rounds = (READERS * TOGETHER, 1) if quick else (10_000, 7)
    with Kafka() as server:
        found = asyncio.run(measure(server.brokers, count, rounds))
    for text, what, ours, theirs, aim in LINES:
        mine, bare_ones = ([costs[what] for costs in found[name]] for name in (ours, theirs))
        detail = f"{statistics.median(mine):.1f} us / {statistics.median(bare_ones):.1f} us"
        tell(f"kafka_bus: {text}", ratio(mine, bare_ones), aim, detail)
