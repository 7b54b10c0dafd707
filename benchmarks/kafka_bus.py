"""The Kafka bus against bare aiokafka: events per second and CPU per event, in one run on one broker.

    python benchmarks/kafka_bus.py [--brokers HOST:PORT] [--events N] [--rounds N] [--size BYTES]

Starts a broker of its own unless one is named. Prints microseconds of CPU per event of this process, events
per second, and the ratio to the bare client: only the ratios mean anything on another machine.


publish   64 under way, one event each; bare: `send_and_wait` of an idempotent producer
batches   64 under way, 50 events each; bare: `send` of all, then their futures
consume   bare: `getmany` of committed records; the bus also decodes, matches the topic and looks for doubles
Aim: at most 1.5 for each.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from events.bus.kafka import KafkaBus
from events.bus.kafka_link import FETCH_BYTES
from events.bus.kafka_topics import Creation
from events.clients.kafka import Brokers
from events.clients.secrets import LocalSecrets
from events.event import Event
from events.testing.servers.kafka import Kafka

IN_FLIGHT, TOGETHER = 64, 50
TOPIC = ("source", "name")


class Cost(NamedTuple):
    cpu_us: float
    per_second: float


async def cost_of(work: Awaitable[Any], count: int) -> Cost:
    cpu, begun = time.process_time(), time.perf_counter()
    await work
    return Cost((time.process_time() - cpu) / count * 1e6, count / (time.perf_counter() - begun))


async def closed_loop(publish: Callable[[Any], Awaitable[Any]], work: list[Any]) -> None:
    left = iter(work)

    async def worker() -> None:
        for one in left:
            await publish(one)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


def events_of(size: int, count: int) -> list[Event]:
    data, moment = os.urandom(size), time.time_ns()
    return [Event(f"{moment + n:032x}", *TOPIC, "webhook", moment, data) for n in range(count)]


def batches(work: list[Any]) -> list[list[Any]]:
    return [work[at : at + TOGETHER] for at in range(0, len(work), TOGETHER)]


async def bare(brokers: str, topic: str, payloads: list[bytes]) -> dict[str, Cost]:
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers, enable_idempotence=True, acks="all", max_batch_size=1 << 20
    )
    await producer.start()

    async def one(value: bytes) -> None:
        await producer.send_and_wait(topic, value, b"source.name")

    async def many(values: list[bytes]) -> None:
        await asyncio.gather(*[await producer.send(topic, value, b"source.name") for value in values])

    found = {
        "publish": await cost_of(closed_loop(one, payloads), len(payloads)),
        "batches": await cost_of(closed_loop(many, batches(payloads)), len(payloads)),
    }
    await producer.stop()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, isolation_level="read_committed", enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
    )  # fmt: skip
    await consumer.start()
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    consumer.seek(place, 0)

    async def consume(count: int) -> None:
        while count > 0:
            count -= sum(map(len, (await consumer.getmany(timeout_ms=1000, max_records=512)).values()))

    found["consume"] = await cost_of(consume(2 * len(payloads)), 2 * len(payloads))
    await consumer.stop()
    return found


async def through_the_bus(bus: KafkaBus, size: int, count: int) -> dict[str, Cost]:
    start = await bus.head()
    single, together = events_of(size, count), batches(events_of(size, count))

    async def one(event: Event) -> None:
        await bus.publish([event])

    found = {
        "publish": await cost_of(closed_loop(one, single), count),
        "batches": await cost_of(closed_loop(bus.publish, together), count),
    }
    reader = await bus.read([TOPIC], start)

    async def consume(left: int) -> None:
        while left > 0:
            left -= len((await reader.next()).deliveries)

    found["consume"] = await cost_of(consume(2 * count), 2 * count)
    await reader.aclose()
    return found


async def run(brokers: str, given: argparse.Namespace) -> None:
    rounds: list[tuple[dict[str, Cost], dict[str, Cost]]] = []
    for _ in range(given.rounds + 1):
        topic = f"bench{secrets.token_hex(4)}"
        known = LocalSecrets(dict, environ={})
        bus = KafkaBus(Brokers.of(brokers), topic, secrets=known, shards=1, creation=Creation(1))
        await bus.open()
        mine = await through_the_bus(bus, given.size, given.events)
        await bus.aclose()
        other = KafkaBus(Brokers.of(brokers), f"{topic}x", secrets=known, shards=1, creation=Creation(1))
        await other.open()
        await other.aclose()
        plain = await bare(brokers, f"{topic}x", [os.urandom(given.size)] * given.events)
        rounds.append((mine, plain))
    print(f"{given.events} events of {given.size} bytes, median of {given.rounds} rounds")
    for name in ("publish", "batches", "consume"):
        mine_us, plain_us, rate, plain_rate = (
            statistics.median(values)
            for values in zip(
                *(
                    (m[name].cpu_us, p[name].cpu_us, m[name].per_second, p[name].per_second)
                    for m, p in rounds[1:]
                ),
                strict=True,
            )
        )
        print(f"{name:8} bus {mine_us:6.1f} us {rate:8.0f}/s   bare {plain_us:6.1f} us {plain_rate:8.0f}/s"
              f"   CPU ratio {mine_us / plain_us:.2f}")  # fmt: skip


@contextmanager
def broker(named: str) -> Iterator[str]:
    if named:
        yield named
        return
    with Kafka() as server:
        yield server.brokers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--brokers", default="", help="host:port of a broker that runs")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=1000)
    given = parser.parse_args()
    with broker(given.brokers) as brokers:
        asyncio.run(run(brokers, given))


if __name__ == "__main__":
    main()
