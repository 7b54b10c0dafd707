"""What the contract of the bus needs from an engine: a log in the outside world, and what can happen to it.

Promise   no clause assumes one partition, dense offsets, or anything else that a log does not have by nature;
          where a promise cannot be kept by an engine itself, `WAIVERS` says so, with the reason and what
          replaces it
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from events.bus._base import Batch, Bus, Gap, Lease, Mark, Reader, Topic
from events.event import Delivery, Event

PROMISES = {
    "dedupe": "a key that is stored already is not stored again, and the publisher learns of it",
    "atomic publish": "several events of one publish are stored all or none, whatever happens",
    "atomic commit": "a commit is seen as a whole or not at all, whatever happens",
    "topic order": "events of one topic come in the order in which they were published one after the other",
    "restart": "what was acknowledged outlives the process",
    "recreate": "the log can be deleted and made anew",
    "discard": "old events can be discarded on demand",
    "marks protect": "nothing above a mark is discarded",
    "decisions go": "decisions are discarded with their events",
    "byte limit": "a limit in bytes refuses publishes instead of discarding what is not handled yet",
    "full": "a store that takes nothing can be brought about",
}
"""What an engine may not be able to keep or to bring about by itself."""

WAIVERS: dict[str, Mapping[str, str]] = {
    "memory": {},
    "embedded": {},
    "kafka": {
        "dedupe": "brokers know no keys; readers drop the second one within the window, and count it",
        "marks protect": "retention is the topic's; what was discarded is reported as a gap",
        "decisions go": "they have a topic of their own, with the same retention by time",
        "byte limit": "retention.bytes of a topic discards the oldest",
        "full": (
            "a broker whose disk is full ends itself: nothing can be read either until somebody makes "
            "room and starts it: tests/integration/bus/test_kafka_disk.py fills a real one"
        ),
    },
    "jetstream": {
        "atomic publish": (
            "an atomic batch costs the server 2 to 50 ms and ten times the CPU of single messages "
            "(nats-server 2.15), so events go one by one, in order; a sender that got no answer repeats, and "
            "what is there is not stored again"
        ),
        "marks protect": (
            "the server discards by its own limits, whoever has read or not; readers report the gap, and "
            "`discard: new` refuses publishes instead"
        ),
        "decisions go": (
            "decisions lie in the stream of states, with the age limit of the events as time to live; a "
            "limit by count or bytes does not reach them"
        ),
        "byte limit": (
            "a limit in bytes does not know marks: with `discard: new` publishes are refused until old "
            "events are removed or the limit is raised, with `discard: old` the oldest go and the gap is told"
        ),
    },
}
"""By engine: promises it does not keep, with the reason and what replaces it."""


class Harness(ABC):
    """One log, and handles to it. The suite calls `start` first and `stop` last."""

    engine: str
    """Its name in WAIVERS."""

    patience: float = 10.0
    """Seconds after which something that has to happen is taken to have failed."""

    shards = 2

    async def start(self) -> None:  # noqa: B027 - most have nothing to do
        """Make what the log needs."""

    async def stop(self) -> None:  # noqa: B027 - most have nothing to do
        """Remove it."""

    @abstractmethod
    def bus(self, max_bytes: int | None = None) -> Bus:
        """A handle to the log, not open yet, of `shards` shards. max_bytes: limit of the log."""

    async def crash(self, bus: Bus) -> None:
        """End a handle as the end of its process would. Default: an orderly end."""
        await bus.aclose()

    async def rival(self, bus: Bus, lease: Lease) -> Bus:
        """An open handle that can take the lease, whose holder seems dead to it. Default: the same handle."""
        return bus

    async def recreate(self) -> None:
        """Delete the log; the next handle makes a new one. No handle is open."""
        raise NotImplementedError

    async def discard(self, bus: Bus) -> None:
        """Have the engine discard all events so far that it may discard."""
        raise NotImplementedError

    def full(self) -> AbstractAsyncContextManager[None]:
        """While inside, the store has no room for anything."""
        raise NotImplementedError


class Handles:
    """Open handles of one test, closed at its end."""

    def __init__(self, harness: Harness, waived: Mapping[str, str]) -> None:
        self.harness, self.waived = harness, waived
        self._open: list[Bus] = []

    async def open(self, max_bytes: int | None = None) -> Bus:
        bus = self.harness.bus(max_bytes)
        await bus.open()
        self._open.append(bus)
        return bus

    async def again(self, bus: Bus, *, crash: bool = True) -> Bus:
        """End this handle, by a crash or in order, and open another one."""
        await (self.harness.crash(bus) if crash else bus.aclose())
        if bus in self._open:
            self._open.remove(bus)
        return await self.open()

    async def close(self) -> None:
        """Close all, in order."""
        while self._open:
            await self._open.pop().aclose()


@asynccontextmanager
async def handles(harness: Harness, waived: Mapping[str, str]) -> AsyncIterator[Handles]:
    """The harness at work."""
    await harness.start()
    opened = Handles(harness, waived)
    try:
        yield opened
    finally:
        await opened.close()
        await harness.stop()


def beginning(head: Mark) -> Mark:
    """Before everything."""
    return Mark(head.incarnation, dict.fromkeys(head.offsets, 0))


def reaches(reached: Mapping[int, int], goal: Mark) -> bool:
    return all(reached.get(partition, 0) >= offset for partition, offset in goal.offsets.items())


class Seen:
    """What a reader has handed out so far."""

    def __init__(self, after: Mark) -> None:
        self.deliveries: list[Delivery] = []
        self.gaps: list[Gap] = []
        self.reached = dict(after.offsets)

    def take(self, batch: Batch) -> None:
        """Check that it follows in order what came before, and keep it."""
        passed = {gap.partition: gap.last for gap in batch.gaps}
        for gap in batch.gaps:
            assert self.reached.get(gap.partition, 0) < gap.first <= gap.last
        for delivery in batch.deliveries:
            partition, offset = delivery.position
            before = passed.get(partition, self.reached.get(partition, 0))
            assert before < offset <= batch.reached[partition], "not in order, or twice"
            passed[partition] = offset
        for partition, offset in batch.reached.items():
            assert offset >= self.reached.get(partition, 0), "`reached` went back"
        self.deliveries += batch.deliveries
        self.gaps += batch.gaps
        self.reached |= batch.reached

    @property
    def ids(self) -> list[str]:
        return [delivery.event.id for delivery in self.deliveries]


async def read_until(reader: Reader, seen: Seen, goal: Mark, patience: float) -> Seen:
    """Read until the goal is reached."""
    async with asyncio.timeout(patience):
        while not reaches(seen.reached, goal):
            seen.take(await reader.next())
    return seen


async def read_all(
    bus: Bus, topics: Iterable[Topic], after: Mark | None = None, patience: float = 10.0
) -> Seen:
    """Everything of these topics between the mark (or the beginning) and now."""
    goal = await bus.head()
    after = after or beginning(goal)
    reader = await bus.read(topics, after)
    try:
        return await read_until(reader, Seen(after), goal, patience)
    finally:
        await reader.aclose()


TOPIC: Topic = ("orders", "incoming")
OTHER: Topic = ("orders", "outgoing")
FOREIGN: Topic = ("weather", "rain")


def event(name: str, topic: Topic = TOPIC, data: bytes | None = b"{}", **given: Any) -> Event:
    """An event with this id."""
    fields: dict[str, Any] = {"type": "webhook", "time_ns": 1_760_000_000_000_000_000, **given}
    return Event(name, *topic, data=data, **fields)


def events(count: int, prefix: str = "e", topic: Topic = TOPIC, data: bytes | None = b"{}") -> list[Event]:
    """Events with the ids `<prefix>0`, `<prefix>1`, ..."""
    return [event(f"{prefix}{number}", topic, data) for number in range(count)]
