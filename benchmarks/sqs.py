"""CPU per message of the source `sqs` into the durable bus, to the bare client loop; against ElasticMQ.

The bare loop receives ten messages and deletes them, eight times at once: what anybody has to pay who reads a
queue with this client. Ours also makes events of them, stores them (`--durability power`) and waits for that.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from benchmarks.load import tell
from events.aio import Group
from events.bus.embedded import EmbeddedBus
from events.clients.http import Sessions
from events.clients.secrets import LocalSecrets
from events.clients.sqs_consumer import RECEIVERS
from events.kube.local import LocalObjects
from events.observability.metrics import SourceCounts
from events.runtime.source_runner import Lent, SourceRunner
from events.testing.aws import KEYS, SECRETS, Cloud, cloud
from events.testing.servers.elasticmq import REGION, ElasticMQ
from events.testing.sources import ref_of
from events.web.listeners import Listeners

BODY = orjson.dumps({"order": 12345, "items": [{"sku": f"A-{n:05}", "count": n} for n in range(30)]}).decode()
"""About 1 kB."""


async def bare(amazon: Cloud, url: str, count: int) -> None:
    """Receive and delete."""
    sqs, left = await amazon.api("sqs"), count

    async def work() -> None:
        nonlocal left
        while left > 0:
            page = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            if messages := page.get("Messages"):
                entries = [
                    {"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)
                ]
                await sqs.delete_message_batch(QueueUrl=url, Entries=entries)
                left -= len(messages)

    await asyncio.gather(*(work() for _ in range(RECEIVERS)))


@asynccontextmanager
async def at_work(amazon: Cloud, url: str, folder: Path) -> AsyncIterator[SourceRunner]:
    """The source as `events run` has it."""
    bus, sessions, listeners = EmbeddedBus(folder / "bus.db", "default/default"), Sessions("off"), Listeners()
    await bus.open()
    texts = {ref_of(name): text.encode() for name, text in SECRETS.items()}
    secrets, objects = LocalSecrets(lambda: texts, environ={}), LocalObjects(folder / "objects.db")
    lent = Lent(secrets, listeners, sessions, objects)
    raw = {
        "region": REGION,
        "queue": url.rpartition("/")[2],
        "endpoint": amazon.url,
        "jsonBody": True,
        **KEYS,
    }
    runner = SourceRunner("default", "shop", "sqs", "orders", raw, bus, SourceCounts(), lent)
    group = Group(lambda *_: None)
    group.start("source", runner.run())
    try:
        yield runner
    finally:
        await group.aclose()
        await listeners.aclose()
        await sessions.aclose()
        await bus.aclose()


async def ours(runner: SourceRunner, amazon: Cloud, url: str, wanted: int) -> None:
    """Until all are stored and deleted."""
    async with asyncio.timeout(300):
        while runner.counts.sent < wanted or await amazon.counts(url) != (0, 0):
            await asyncio.sleep(0.1)


async def cpu_of(work: Callable[[], Awaitable[None]], count: int) -> float:
    """Microseconds of CPU per message that the work takes in this process."""
    began = time.process_time()
    await work()
    return (time.process_time() - began) / count * 1e6


async def measure(
    count: int, rounds: int, server: ElasticMQ, folder: Path
) -> tuple[list[float], list[float]]:
    """CPU of both, round by round in turn. Two queues: the source reads its own all the time."""
    theirs, own = list[float](), list[float]()
    async with cloud(server.url, region=REGION) as amazon:
        plain, read = await amazon.queue("plain"), await amazon.queue("read")
        for number in range(rounds + 1):  # the first one warms up
            await amazon.send(plain, *[BODY] * count)
            theirs.append(await cpu_of(lambda: bare(amazon, plain, count), count))
            await amazon.send(read, *[BODY] * count)
            place = folder / str(number)
            place.mkdir()
            began = time.process_time()
            async with at_work(amazon, read, place) as runner:
                await ours(runner, amazon, read, count)
                own.append((time.process_time() - began) / count * 1e6)
    return theirs[1:], own[1:]


def run(quick: bool) -> None:
    count, rounds = (100, 1) if quick else (4000, 5)
    with ElasticMQ() as server, tempfile.TemporaryDirectory() as folder:
        theirs, own = asyncio.run(measure(count, rounds, server, Path(folder)))
    ratio = statistics.median(mine / bare for mine, bare in zip(own, theirs, strict=True))
    detail = f"{statistics.median(own):.0f} us / {statistics.median(theirs):.0f} us"
    tell("sqs: CPU per message, to the bare client loop", ratio, 2.0, detail)
