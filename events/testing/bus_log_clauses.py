"""Clauses of the log: what is published is stored once, in order; readers follow without gap or double."""

from __future__ import annotations

import asyncio
import random

import pytest

from events.bus._base import Bus, Cursor, Mark, Reader
from events.errors import BusUnavailable, TooLarge
from events.testing.bus_fixture import BusClauses, needs
from events.testing.bus_harness import (
    FOREIGN,
    OTHER,
    TOPIC,
    Handles,
    Seen,
    beginning,
    event,
    events,
    reaches,
    read_all,
    read_until,
)

ODD = [
    event("no data", data=None),
    event("empty", data=b""),
    event("binary", data=bytes(range(256)), datacontenttype="application/octet-stream"),
    event("", data=b"an empty id"),
    event("nul \x00 and \x01 and \x7f", data=b"\x00"),
    event("\x01escaped?", data=b"1"),
    event("ünïcödé ✓ 🚀", data="ü".encode()),
    event("lone \ud800 surrogate \udcff", data=b"2"),
    event("quotes \" ' \\ and {}", data=b"3"),
    event("no time", time_ns=None),
    event("far time", time_ns=253_402_300_799_999_999_999),
    event("long ago", time_ns=-62_135_596_800_000_000_000),
    event("other namespace", namespace="elsewhere"),
    event("type", type="ünusual \udc80"),
    event("x" * 1000),
]
"""Events whose fields are allowed, though nobody would expect them."""


class LogClauses(BusClauses):
    # publishing

    async def test_an_event_is_read_back_as_it_was(self, bus: Bus) -> None:
        await bus.publish(ODD)
        seen = await read_all(bus, [TOPIC])
        assert [d.event for d in seen.deliveries] == ODD

    @needs("restart")
    async def test_odd_events_are_the_same_after_a_restart(self, opened: Handles, bus: Bus) -> None:
        await bus.publish(ODD)
        bus = await opened.again(bus)
        seen = await read_all(bus, [TOPIC])
        assert [d.event for d in seen.deliveries] == ODD

    async def test_odd_topics_are_kept_apart(self, bus: Bus) -> None:
        topics = [("a", "b.c"), ("a.b", "c"), ("", ""), ("ü \ud800", "\x01"), ("a b", "*"), (">", "a/b")]
        await bus.publish([event(f"{n}", topic) for n, topic in enumerate(topics)])
        for number, topic in enumerate(topics):
            assert (await read_all(bus, [topic])).ids == [f"{number}"]

    @needs("restart")
    async def test_what_was_acknowledged_is_there_after_a_crash(self, opened: Handles, bus: Bus) -> None:
        for number in range(20):
            await bus.publish([event(f"{number}")])
        bus = await opened.again(bus)
        assert (await read_all(bus, [TOPIC])).ids == [f"{n}" for n in range(20)]

    @needs("dedupe")
    async def test_the_same_key_is_stored_once(self, bus: Bus) -> None:
        first = await bus.publish([event("a", data=b"1"), event("b")])
        again = await bus.publish([event("c"), event("a", data=b"2"), event("d")])
        assert [stored.duplicate for stored in first + again] == [False, False, False, True, False]
        assert again[1].position in (None, first[0].position)
        seen = await read_all(bus, [TOPIC])
        assert sorted(seen.ids) == ["a", "b", "c", "d"]
        assert {d.event.data for d in seen.deliveries if d.event.id == "a"} == {b"1"}

    @needs("dedupe")
    async def test_the_same_key_within_one_publish_is_stored_once(self, bus: Bus) -> None:
        stored = await bus.publish([event("a"), event("a"), event("b"), event("a")])
        assert [answer.duplicate for answer in stored] == [False, True, False, True]
        assert sorted((await read_all(bus, [TOPIC])).ids) == ["a", "b"]

    @needs("dedupe")
    async def test_the_same_key_published_at_the_same_time_is_stored_once(self, bus: Bus) -> None:
        answers = await asyncio.gather(*(bus.publish([event(f"{n % 10}")]) for n in range(200)))
        assert sum(not answer.duplicate for [answer] in answers) == 10
        assert sorted((await read_all(bus, [TOPIC])).ids) == [f"{n}" for n in range(10)]

    @needs("dedupe", "restart")
    async def test_the_same_key_is_known_after_a_restart(self, opened: Handles, bus: Bus) -> None:
        await bus.publish(events(3))
        bus = await opened.again(bus)
        assert [answer.duplicate for answer in await bus.publish(events(4))] == [True, True, True, False]

    async def test_the_same_id_in_another_topic_is_another_event(self, bus: Bus) -> None:
        topics = [TOPIC, OTHER, FOREIGN]
        stored = [await bus.publish([event("a", topic)]) for topic in topics]
        assert not any(answer.duplicate for [answer] in stored)
        for topic in topics:
            assert (await read_all(bus, [topic])).ids == ["a"]

    async def test_positions_are_those_that_readers_see(self, bus: Bus) -> None:
        stored = [await bus.publish([event(f"{n}", TOPIC if n % 2 else OTHER)]) for n in range(10)]
        seen = await read_all(bus, [TOPIC, OTHER])
        places = {delivery.event.id: delivery.position for delivery in seen.deliveries}
        assert all(answer.position in (None, places[f"{n}"]) for n, [answer] in enumerate(stored))

    async def test_publishing_nothing_stores_nothing(self, bus: Bus) -> None:
        before = await bus.head()
        assert await bus.publish([]) == []
        assert await bus.head() == before

    async def test_too_large_is_refused_with_all_that_came_with_it(self, bus: Bus) -> None:
        large = event("large", data=bytes(bus.max_event_bytes + 1))
        with pytest.raises(TooLarge):
            await bus.publish([event("a"), large, event("b")], Cursor("place", b"1"))
        await bus.publish([event("after")])
        assert (await read_all(bus, [TOPIC])).ids == ["after"]
        assert await bus.cursor("place") is None
        assert bus.health().ready

    async def test_a_cancelled_publish_stores_all_or_nothing(self, opened: Handles, bus: Bus) -> None:
        chance = random.Random(3)  # noqa: S311 - a repeatable test
        whole = 3 if "atomic publish" not in opened.waived else 1
        loop, tasks = asyncio.get_running_loop(), []
        for number in range(300):
            batch = [event(f"{number}/{part}") for part in range(whole)]
            tasks.append(loop.create_task(bus.publish(batch)))
            await asyncio.sleep(0 if chance.random() < 0.7 else 0.001)
            if number % 2:
                tasks[-chance.choice((1, 1, 2, 3)) :][0].cancel()
        loop.create_task(bus.publish(events(1, "unborn"))).cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        await bus.publish([event("last")])
        found = set((await read_all(bus, [TOPIC])).ids)
        for number, result in enumerate(done):
            parts = {f"{number}/{part}" for part in range(whole)}
            assert parts <= found or (isinstance(result, asyncio.CancelledError) and not parts & found)
        assert not any(name.startswith("unborn") for name in found)

    async def test_many_publishers_at_once_lose_and_double_nothing(self, bus: Bus) -> None:
        async def publisher(name: int) -> None:
            for number in range(20):
                await bus.publish([event(f"{name}/{number}", (f"source{name % 3}", "in"))])

        await asyncio.gather(*(publisher(name) for name in range(50)))
        seen = await read_all(bus, [(f"source{n}", "in") for n in range(3)])
        assert sorted(seen.ids) == sorted(f"{name}/{n}" for name in range(50) for n in range(20))

    @needs("topic order")
    async def test_ten_thousand_events_come_in_the_order_of_publishing(self, bus: Bus) -> None:
        await asyncio.gather(
            *(bus.publish([event(f"{at + n}") for n in range(10)]) for at in range(0, 10_000, 10))
        )
        seen = await read_all(bus, [TOPIC], patience=20)
        assert seen.ids == [f"{n}" for n in range(10_000)]

    # cursors

    async def test_a_cursor_is_stored_with_events_and_without(self, bus: Bus) -> None:
        assert await bus.cursor("place") is None
        await bus.publish([event("a")], Cursor("place", b"1"))
        assert await bus.cursor("place") == b"1"
        await bus.publish([], Cursor("place", b"\x00\xff"))
        assert await bus.cursor("place") == b"\x00\xff"
        assert await bus.cursor("other") is None
        assert (await read_all(bus, [TOPIC])).ids == ["a"]

    async def test_the_newest_cursor_is_kept(self, bus: Bus) -> None:
        await asyncio.gather(*(bus.publish([event(f"{n}")], Cursor("place", b"%d" % n)) for n in range(50)))
        assert await bus.cursor("place") == b"49"

    @needs("restart")
    async def test_a_cursor_outlives_the_process(self, opened: Handles, bus: Bus) -> None:
        await bus.publish([event("a")], Cursor("place", b"1"))
        await bus.publish([], Cursor("place \ud800", b""))
        bus = await opened.again(bus)
        assert await bus.cursor("place") == b"1"
        assert await bus.cursor("place \ud800") == b""

    # reading

    async def test_a_reader_starts_just_after_the_mark(self, bus: Bus) -> None:
        marks = [beginning(await bus.head())]
        for number in range(8):
            await bus.publish([event(f"{number}", TOPIC if number % 2 else OTHER)])
            marks.append(await bus.head())
        for number, mark in enumerate(marks):
            seen = await read_all(bus, [TOPIC, OTHER], mark)
            assert sorted(seen.ids) == [f"{n}" for n in range(number, 8)]

    async def test_what_was_reached_is_a_place_to_go_on_from(self, bus: Bus) -> None:
        await bus.publish(events(30))
        goal = await bus.head()
        mark, found = beginning(goal), list[str]()
        while not reaches(mark.offsets, goal):
            reader = await bus.read([TOPIC], mark)
            batch = await reader.next()
            found += [delivery.event.id for delivery in batch.deliveries]
            mark = Mark(mark.incarnation, mark.offsets | batch.reached)
            await reader.aclose()
            await bus.publish([event("foreign", FOREIGN)])
        assert sorted(found) == sorted(f"e{n}" for n in range(30))

    async def test_a_reader_follows(self, opened: Handles, bus: Bus) -> None:
        head = await bus.head()
        reader, seen = await bus.read([TOPIC], head), Seen(head)
        for number in range(10):
            task = asyncio.get_running_loop().create_task(reader.next())
            await asyncio.sleep(0.001 * (number % 3))
            await bus.publish([event(f"{number}")])
            seen.take(await asyncio.wait_for(task, opened.harness.patience))
            await read_until(reader, seen, await bus.head(), opened.harness.patience)
        assert seen.ids == [f"{n}" for n in range(10)]

    async def test_reached_advances_over_foreign_topics(self, bus: Bus) -> None:
        await bus.publish(events(20, topic=FOREIGN))
        seen = await read_all(bus, [TOPIC])
        assert seen.ids == []
        head = await bus.head()
        await bus.publish(events(20, "f", topic=FOREIGN))
        assert (await read_all(bus, [TOPIC], head)).ids == []

    async def test_a_reader_without_topics_still_moves_on(self, bus: Bus) -> None:
        await bus.publish(events(5))
        assert (await read_all(bus, [])).ids == []

    async def test_only_the_topics_asked_for_are_handed_out(self, bus: Bus) -> None:
        await bus.publish([event(f"{n}", [TOPIC, OTHER, FOREIGN][n % 3]) for n in range(30)])
        seen = await read_all(bus, [TOPIC, FOREIGN])
        assert sorted(seen.ids, key=int) == [f"{n}" for n in range(30) if n % 3 != 1]

    async def test_a_slow_reader_blocks_nobody(self, opened: Handles, bus: Bus) -> None:
        head, patience = await bus.head(), 2 * opened.harness.patience
        slow, fast = await bus.read([TOPIC], head), await bus.read([TOPIC], head)
        seen_slow, seen_fast = Seen(head), Seen(head)
        for at in range(30):
            await bus.publish(events(100, f"{at}/", data=bytes(10_000)))
            await read_until(fast, seen_fast, await bus.head(), patience)
        assert len(seen_fast.ids) == 3000
        await read_until(slow, seen_slow, await bus.head(), patience)
        assert seen_slow.ids == seen_fast.ids

    async def test_catching_up_while_the_log_grows_leaves_no_gap_and_no_double(
        self, opened: Handles, bus: Bus
    ) -> None:
        await bus.publish(events(1500, "old"))
        bus = await opened.again(bus, crash=False) if "restart" not in opened.waived else bus
        start = beginning(await bus.head())
        reader, seen = await bus.read([TOPIC], start), Seen(start)

        async def publish_on() -> None:
            for number in range(1500):
                await bus.publish([event(f"new{number}")])

        publishing = asyncio.get_running_loop().create_task(publish_on())
        chance = random.Random(5)  # noqa: S311 - a repeatable test
        while not publishing.done():
            seen.take(await asyncio.wait_for(reader.next(), opened.harness.patience))
            await asyncio.sleep(chance.choice((0, 0, 0.001, 0.02)))
        await publishing
        await read_until(reader, seen, await bus.head(), opened.harness.patience)
        assert len(seen.ids) == 3000
        assert len(set(seen.ids)) == 3000

    async def test_a_cancelled_wait_loses_nothing(self, opened: Handles, bus: Bus) -> None:
        start = beginning(await bus.head())
        reader, seen = await bus.read([TOPIC], start), Seen(start)
        for number in range(60):
            task = asyncio.get_running_loop().create_task(reader.next())
            await asyncio.sleep(0)
            if number % 3 == 0:
                await bus.publish([event(f"{number}")])
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                seen.take(task.result())
        await read_until(reader, seen, await bus.head(), opened.harness.patience)
        assert seen.ids == [f"{n}" for n in range(0, 60, 3)]

    async def test_lag_counts_what_was_not_handed_out(self, opened: Handles, bus: Bus) -> None:
        start = beginning(await bus.head())
        reader = await bus.read([TOPIC], start)
        assert await reader.lag() == 0
        await bus.publish(events(7))
        assert await reader.lag() >= 7
        await read_until(reader, Seen(start), await bus.head(), opened.harness.patience)
        assert await reader.lag() == 0

    async def test_times_of_storing_are_now(self, bus: Bus) -> None:
        await bus.publish(events(1))
        [found] = (await read_all(bus, [TOPIC])).deliveries
        assert isinstance(found.stored_ns, int)
        assert found.stored_ns > 1_500_000_000_000_000_000

    # the end

    async def test_closing_a_reader_ends_its_wait(self, bus: Bus) -> None:
        reader = await bus.read([TOPIC], await bus.head())
        task = asyncio.get_running_loop().create_task(anext_of(reader))
        await asyncio.sleep(0.01)
        await reader.aclose()
        assert await asyncio.wait_for(task, 5) == "ended"
        assert await anext_of(reader) == "ended"
        await reader.aclose()

    async def test_closing_the_bus_ends_waiting_calls(self, bus: Bus) -> None:
        reader = await bus.read([TOPIC], await bus.head())
        task = asyncio.get_running_loop().create_task(reader.next())
        await asyncio.sleep(0.01)
        await bus.aclose()
        with pytest.raises(BusUnavailable):
            await asyncio.wait_for(task, 5)
        await reader.aclose()

    async def test_closing_the_bus_finishes_what_was_accepted(self, opened: Handles, bus: Bus) -> None:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(bus.publish([event(f"{n}")])) for n in range(100)]
        await asyncio.sleep(0)
        await bus.aclose()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, list | BusUnavailable) for result in done)
        if "restart" not in opened.waived:
            accepted = [f"{n}" for n, result in enumerate(done) if isinstance(result, list)]
            again = await opened.open()
            assert (await read_all(again, [TOPIC])).ids[: len(accepted)] == accepted

    async def test_a_closed_bus_refuses_everything(self, bus: Bus) -> None:
        head = await bus.head()
        await bus.aclose()
        await bus.aclose()
        for call in (
            bus.publish(events(1)), bus.head(), bus.read([TOPIC], head), bus.cursor("x"),
            bus.lease("shard/0"), bus.load(0),
        ):  # fmt: skip
            with pytest.raises(BusUnavailable):
                await call
        assert not bus.health().ready


async def anext_of(reader: Reader) -> str:
    """`ended` when the reader says so by StopAsyncIteration."""
    try:
        await reader.next()
    except StopAsyncIteration:
        return "ended"
    return "read"
