"""CPU per event of the bus, against handing the same events to a thread and back (futures alone).

    python benchmarks/bus.py [--events N] [--rounds N] [--folder DIR]

Prints microseconds of CPU per event (user and system, all threads, checkpoints included) and the ratio to
futures alone of the same run: only the ratios mean anything on another machine. 64 publishes are in flight.
Aim: at most 6 for events of 1 kB.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import queue
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from events.bus._base import Bus, Changes, Mark
from events.bus.embedded import EmbeddedBus
from events.bus.memory import MemoryBus
from events.event import FIRED, Decision, Event, Position

IN_FLIGHT = 64
TOPIC = ("source", "name")
Publish = Callable[[list[Event]], Awaitable[Any]]


class FuturesAlone(threading.Thread):
    """Takes what waits and answers it in one call: what a group commit costs without any storing."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[tuple[list[Event], asyncio.Future[None]] | None] = queue.SimpleQueue()

    async def publish(self, events: list[Event]) -> None:
        future = self._loop.create_future()
        self._queue.put((events, future))
        await future

    def run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while not self._queue.empty():
                if (entry := self._queue.get()) is None:
                    return
                batch.append(entry)
            self._loop.call_soon_threadsafe(self._settle, batch)

    def _settle(self, batch: list[tuple[list[Event], asyncio.Future[None]]]) -> None:
        for _, future in batch:
            future.set_result(None)

    def stop(self) -> None:
        self._queue.put(None)
        self.join()


def events_of(size: int, count: int, *, random_ids: bool = False) -> list[Event]:
    """Distinct events, with ids in the order of time, or random ones."""
    data, moment = os.urandom(size), time.time_ns()
    ids = [f"{random.getrandbits(128) if random_ids else moment + n:032x}" for n in range(count)]
    return [Event(name, *TOPIC, "webhook", moment, data) for name in ids]


async def closed_loop(publish: Publish, events: list[Event]) -> None:
    """Publish all, one at a time each, with IN_FLIGHT of them under way."""
    left = iter(events)

    async def worker() -> None:
        for event in left:
            await publish([event])

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


async def cpu_of(work: Awaitable[Any], count: int) -> float:
    """Microseconds of CPU per event that the work takes in this process."""
    start = time.process_time()
    await work
    return (time.process_time() - start) / count * 1e6


@asynccontextmanager
async def opened(bus: Bus) -> AsyncIterator[Bus]:
    await bus.open()
    try:
        yield bus
    finally:
        await bus.aclose()


async def futures_alone(events: list[Event], folder: Path) -> float:
    thread = FuturesAlone()
    thread.start()
    try:
        return await cpu_of(closed_loop(thread.publish, events), len(events))
    finally:
        thread.stop()


def publishing(make: Callable[[Path], Bus]) -> Callable[[list[Event], Path], Awaitable[float]]:
    async def run(events: list[Event], folder: Path) -> float:
        async with opened(make(folder)) as bus:
            return await cpu_of(closed_loop(bus.publish, events), len(events))

    return run


async def publishing_random_ids(events: list[Event], folder: Path) -> float:
    """Every event goes to another page of the index of keys."""
    return await publishing(embedded)(
        events_of(len(events[0].data or b""), len(events), random_ids=True), folder
    )


async def read_all(bus: Bus, count: int, after: Mark) -> None:
    reader = await bus.read([TOPIC], after)
    while count > 0:
        count -= len((await reader.next()).deliveries)
    await reader.aclose()


async def publish_and_read(events: list[Event], folder: Path) -> float:
    async with opened(embedded(folder)) as bus:
        head = await bus.head()
        both = asyncio.gather(closed_loop(bus.publish, events), read_all(bus, len(events), head))
        return await cpu_of(both, len(events))


async def catching_up(events: list[Event], folder: Path) -> float:
    async with opened(embedded(folder)) as bus:
        head = await bus.head()
        await closed_loop(bus.publish, events)
        return await cpu_of(read_all(bus, len(events), head), len(events))


async def deciding(events: list[Event], folder: Path) -> float:
    """One decision per event, 250 in each commit."""
    async with opened(embedded(folder)) as bus:
        lease = await bus.lease("shard/0")
        decisions = [
            Decision(
                sensor="sensor",
                trigger="trigger",
                result=FIRED,
                events=[event.key],
                position=Position(0, number),
                time_ns=time.time_ns(),
                firing=event.id[:26],
            )
            for number, event in enumerate(events, 1)
        ]

        async def commit_all() -> None:
            for at in range(0, len(decisions), 250):
                await bus.commit(0, lease.epoch, Changes(decisions=decisions[at : at + 250]))

        return await cpu_of(commit_all(), len(events))


def embedded(folder: Path) -> EmbeddedBus:
    return EmbeddedBus(folder / "bus.db", "default/default")


def embedded_process(folder: Path) -> EmbeddedBus:
    return EmbeddedBus(folder / "bus.db", "default/default", durability="process")


CASES: dict[str, Callable[[list[Event], Path], Awaitable[float]]] = {
    "futures alone": futures_alone,
    "memory": publishing(lambda folder: MemoryBus()),
    "embedded, power": publishing(embedded),
    "embedded, process": publishing(embedded_process),
    "embedded, power, random ids": publishing_random_ids,
    "embedded, power, and read": publish_and_read,
    "catching up from the file": catching_up,
    "committing decisions": deciding,
}


def measure(size: int, count: int, rounds: int, folder: Path) -> dict[str, list[float]]:
    """All cases in turn, round by round, so that a noisy neighbour hits all alike."""
    found: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(rounds):
        for name, case in CASES.items():
            place = Path(tempfile.mkdtemp(dir=folder))
            found[name].append(asyncio.run(_timed(case, events_of(size, count), place)))
            shutil.rmtree(place)
    return found


async def _timed(
    case: Callable[[list[Event], Path], Awaitable[float]], events: list[Event], place: Path
) -> float:
    return await case(events, place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--events", type=int, default=40_000, help="events of 1 kB per round (10 kB: a quarter)"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where the files are made")
    args = parser.parse_args()
    for size, count in ((1_000, args.events), (10_000, args.events // 4)):
        found = measure(size, count, args.rounds, args.folder)
        alone = statistics.median(found["futures alone"])
        print(f"{size} bytes, {count} events, median of {args.rounds}")
        for name, values in found.items():
            middle = statistics.median(values)
            spread = f"{min(values):.1f}..{max(values):.1f}"
            print(f"  {name:28} {middle:7.2f} us/event ({spread:>13})   ratio {middle / alone:5.2f}")


if __name__ == "__main__":
    main()
