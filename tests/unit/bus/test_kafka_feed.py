"""One consumer for all readers of a process: who gets what, who waits for whom, what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest

from events.aio import Group
from events.bus import kafka_feed, kafka_reader
from events.bus._base import Batch, Gap, Mark, Topic
from events.bus.kafka_feed import Feed
from events.bus.kafka_follower import Chunk, Follower, Log, Tally
from events.bus.kafka_reader import KafkaReader
from events.bus.kafka_wire import topic_key
from events.errors import Damaged
from events.event import Delivery, Event, Position

A: Topic = ("s", "a")
B: Topic = ("s", "b")

Records = list[tuple[Topic, str]]


class Store:
    """A log of two partitions, and everybody who follows it."""

    def __init__(self) -> None:
        self.records: dict[int, Records] = {0: [], 1: []}
        self.grown = asyncio.Event()
        self.live: list[Scripted] = []
        self.damaged = False
        self.most = 100

    def add(self, partition: int, topic: Topic, *names: str) -> None:
        self.records[partition].extend((topic, name) for name in names)
        self.grown.set()


class Scripted(Follower):
    """A follower of the store; at most `store.most` records at once, so that two are at different places."""

    store: Store

    def __init__(self, log: Log, at: Mapping[int, int], keys: frozenset[bytes]) -> None:
        super().__init__(log, at, keys)
        self.store = cast(Any, log).store
        self.store.live.append(self)

    async def next(self) -> Chunk:
        await asyncio.sleep(0)
        if not self.rest() and not self.store.damaged:
            self.store.grown.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await self.store.grown.wait()
        if self.store.damaged:
            raise Damaged("the log lost events")
        chunk = Chunk()
        for partition, records in self.store.records.items():
            first = self.at.get(partition, 0)
            some = records[first : first + self.store.most]
            chunk.found[partition] = [
                delivery(partition, first + number, topic, name)
                for number, (topic, name) in enumerate(some)
                if topic_key(*topic) in self.keys
            ]
            if some:
                self.at[partition] = chunk.reached[partition] = first + len(some)
        return chunk

    def rest(self) -> int:
        return sum(len(records) - self.at.get(p, 0) for p, records in self.store.records.items())

    def near(self, records: int) -> bool:
        return self.rest() <= records

    async def aclose(self) -> None:
        if self in self.store.live:
            self.store.live.remove(self)


def delivery(partition: int, number: int, topic: Topic, name: str) -> Delivery:
    event = Event(name, *topic, "t", None, b"0123456789")
    return Delivery(event, Position(partition, number + 1), number)


class Bench:
    """Readers of one process on the store."""

    def __init__(self, tasks: Group) -> None:
        self.store = Store()
        self.tally, self.feed, self.tasks = Tally(), Feed(tasks), tasks

    def reader(self, *topics: Topic, after: Mapping[int, int] | None = None) -> Client:
        at = dict(after or {0: 0, 1: 0})
        return Client(KafkaReader(cast(Log, self), self.feed, topics, Mark("i", at), at))


class Client:
    """One reader, and what it has been told."""

    def __init__(self, reader: KafkaReader) -> None:
        self.reader, self.names, self.reached = reader, list[str](), dict[int, int]()

    def take(self, batch: Batch) -> None:
        for one in batch.deliveries:
            assert one.position.offset > self.reached.get(one.position.partition, 0), "not in order, or twice"
        self.names += [one.event.id for one in batch.deliveries]
        assert all(place >= self.reached.get(partition, 0) for partition, place in batch.reached.items())
        self.reached = batch.reached

    async def until(self, *names: str) -> None:
        async with asyncio.timeout(5):
            while len(self.names) < len(names):
                self.take(await self.reader.next())
        assert self.names == list(names)

    async def reach(self, partition: int, place: int) -> None:
        async with asyncio.timeout(5):
            while self.reached.get(partition, 0) < place:
                self.take(await self.reader.next())


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(kafka_reader, "Follower", Scripted)
    failed: list[BaseException] = []
    tasks = Group(lambda name, error: failed.append(error) if name != "waiting" else None)
    made = Bench(tasks)
    yield made
    await made.feed.aclose()
    await tasks.aclose()
    assert not failed
    assert not made.store.live, "a consumer was left open"


@asynccontextmanager
async def joined(bench: Bench, *topics: Topic) -> AsyncIterator[Client]:
    """A reader that has got to the feed."""
    client = bench.reader(*topics)
    async with asyncio.timeout(5):
        while client.reader._own is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    client.take(await client.reader.next())
    yield client
    await client.reader.aclose()


async def test_readers_at_the_end_share_one_consumer(bench: Bench):
    async with joined(bench, A) as first, joined(bench, B) as second, joined(bench, A, B) as both:
        assert len(bench.store.live) == 1
        bench.store.add(0, A, "a1", "a2")
        bench.store.add(1, B, "b1")
        await first.until("a1", "a2")
        await second.until("b1")
        await both.until("a1", "a2", "b1")
        assert len(bench.store.live) == 1


async def test_a_reader_is_told_how_far_the_log_has_moved_without_it(bench: Bench):
    async with joined(bench, A) as client:
        bench.store.add(1, B, "b1", "b2")
        await client.reach(1, 2)
        assert client.names == []


async def test_one_that_comes_later_misses_nothing_and_gets_nothing_twice(bench: Bench):
    bench.store.most = 1
    names = [f"a{number}" for number in range(20)]
    async with joined(bench, A) as early:
        bench.store.add(0, A, *names[:10])
        await early.until(*names[:10])
        late = bench.reader(A)
        await late.until(*names[:1])
        assert late.reader._own is not None, "not yet where the feed was"
        assert late.reader._seat is not None
        bench.store.add(0, A, *names[10:])
        await early.until(*names)
        await late.until(*names)
        assert late.reader._own is None
        await late.reader.aclose()


async def test_far_from_the_end_a_reader_goes_alone_and_holds_nobody_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kafka_reader, "BATCH", 3)
    bench.store.most = 1
    bench.store.add(0, A, *(f"{number}" for number in range(10)))
    behind = bench.reader(A)
    await behind.reach(0, 2)
    async with joined(bench, B) as there:
        bench.store.add(1, B, "b")
        await there.until("b")
        assert len(bench.store.live) == 2
        await behind.reach(0, 10)
        assert behind.names == [f"{number}" for number in range(10)]
        await behind.reach(1, 1)
        assert behind.reader._own is None
        await behind.reader.aclose()


async def test_one_that_takes_nothing_loses_its_seat_and_no_event(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kafka_feed, "SEAT_BYTES", 100)
    async with joined(bench, A) as slow, joined(bench, A) as quick:
        names = [f"{number}" for number in range(30)]
        for name in names:
            bench.store.add(0, A, name)
            await quick.reach(0, int(name) + 1)
        assert quick.names == names
        assert slow.reader._seat is not None
        assert slow.reader._seat.lost
        await slow.until(*names)
        bench.store.add(0, A, "new")
        await quick.until(*names, "new")
        await slow.until(*names, "new")


async def test_the_last_one_closes_the_consumer_and_the_next_begins_anew(bench: Bench):
    async with joined(bench, A) as client:
        bench.store.add(0, A, "1")
        await client.until("1")
    await asyncio.sleep(0.02)
    assert not bench.store.live
    async with joined(bench, A) as client:
        bench.store.add(0, A, "2")
        await client.until("1", "2")


async def test_a_waiting_reader_is_told_the_end(bench: Bench):
    async with joined(bench, A) as client:
        waiting = bench.tasks.start("waiting", client.reader.next())
        await asyncio.sleep(0.02)
        await client.reader.aclose()
        with pytest.raises(StopAsyncIteration):
            await waiting


async def test_what_ends_the_feed_is_met_by_each_reader(bench: Bench):
    async with joined(bench, A) as first, joined(bench, B) as second:
        bench.store.damaged = True
        for client in (first, second):
            with pytest.raises(Damaged, match="lost events"):
                await client.reader.next()
        bench.store.damaged = False
        bench.store.add(0, A, "1")
        bench.store.add(0, B, "2")
        await first.until("1")
        await second.until("2")


async def test_a_gap_stands_between_what_came_before_it_and_after(bench: Bench):
    async with joined(bench, A) as client:
        seat = client.reader._seat
        assert seat is not None
        seat.give(0, [delivery(0, 0, A, "before")])
        seat.tell({0: 1}, 0.0)
        seat.skip([(0, 1, 5)])
        seat.give(0, [delivery(0, 5, A, "behind")])
        seat.tell({0: 6}, 0.0)
        first, second = await client.reader.next(), await client.reader.next()
        assert [one.event.id for one in first.deliveries] == ["before"]
        assert (first.gaps, first.reached[0]) == ([], 1)
        assert [one.event.id for one in second.deliveries] == ["behind"]
        assert (second.gaps, second.reached[0]) == ([Gap(0, 2, 5)], 6)
