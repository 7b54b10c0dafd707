"""CPU per Kafka record that is stored durably, against a loop of the same client that reads and commits."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from benchmarks.load import cpu_seconds, micro, process, push_body, ratio, tell
from benchmarks.product import product, source
from events.testing.kafka import committed, create, put
from events.testing.servers import free_port
from events.testing.servers.kafka import Kafka

SIZE = 1000
OURS, THEIRS = "ours", "theirs"


def manifests(brokers: str, port: int) -> str:
    """The github source beside it has the port that tells when the process is up."""
    return f"""{source(port)}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: kafka}}
spec:
  kafka:
    record:
      url: {brokers}
      topic: {OURS}
      jsonBody: true
      consumerGroup: {{groupName: {OURS}, oldest: true}}
"""


@contextmanager
def loop(brokers: str) -> Iterator[int]:
    """The bare loop; gives its process id."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.servers", "kafka", str(port), brokers, THEIRS]
    with process(*command, port=port) as pid:
        yield pid


async def through(brokers: str, name: str, count: int, total: int) -> None:
    """So many new records, until all of the topic are committed."""
    body = push_body(SIZE)
    assert orjson.loads(body)
    await put(brokers, name, [body] * count)
    async with asyncio.timeout(120):
        while (await committed(brokers, name, name)).get(0) != total:
            await asyncio.sleep(0.05)


def cost(pid: int, brokers: str, name: str, count: int, total: int) -> float:
    """Seconds of CPU per record."""
    before = cpu_seconds(pid)
    asyncio.run(through(brokers, name, count, total))
    return (cpu_seconds(pid) - before) / count


def run(quick: bool) -> None:
    rounds, records = (1, 200) if quick else (7, 10_000)
    port = free_port()
    with Kafka() as server:
        brokers = server.brokers
        for name in (OURS, THEIRS):
            asyncio.run(create(brokers, name))
        with product(manifests(brokers, port), port) as ours, loop(brokers) as theirs:
            pairs = [
                (
                    cost(theirs, brokers, THEIRS, records, number * records),
                    cost(ours.pid, brokers, OURS, records, number * records),
                )
                for number in range(1, rounds + 2)
            ][1:]
    least, most = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    tell("kafka: CPU per record, to bare loop", ratio(most, least), 2.0, f"{micro(most)} / {micro(least)}")
