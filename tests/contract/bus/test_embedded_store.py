"""What only the embedded bus promises: about groups, retention, segments and the tail in memory."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from events.bus import embedded_segments
from events.bus._base import Changes, EventQuery, Mark
from events.bus.embedded import EmbeddedBus
from events.bus.embedded_tail import Chunk, Tail
from events.bus.retention import Retention, event_bytes
from events.clients import sqlite_threads
from events.errors import BusFull, BusUnavailable, Damaged
from events.event import Delivery, Position
from events.testing.bus_harness import TOPIC, event, events, read_all
from tests.contract.bus.embedded import filled, opened

DAY = 86_400


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[None]:
    with blockbuster_ctx(["events.bus", "events.clients"]):
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "bus.db"


class TestGroups:
    async def test_a_wrong_value_fails_its_own_publish_only(self, path: Path) -> None:
        async with opened(path) as bus:
            wrong: Any = "a text instead of bytes"
            calls = [
                bus.publish([event("a")]),
                bus.publish([event("b"), event("c", data=wrong)]),
                bus.publish([event("d")]),
            ]
            done = await asyncio.gather(*calls, return_exceptions=True)
            assert [isinstance(one, Exception) for one in done] == [False, True, False]
            assert (await read_all(bus, [TOPIC])).ids == ["a", "d"]

    async def test_what_waits_is_limited(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("events.bus.embedded.MAX_WAITING_BYTES", 100_000)
        async with opened(path) as bus:
            calls = [bus.publish([event(f"{n}", data=bytes(30_000))]) for n in range(20)]
            done = await asyncio.gather(*calls, return_exceptions=True)
            accepted = [f"{n}" for n, one in enumerate(done) if isinstance(one, list)]
            assert 3 <= len(accepted) < 20
            assert all(isinstance(one, list | BusUnavailable) for one in done)
            assert (await read_all(bus, [TOPIC])).ids == accepted
            await bus.publish([event("later")])

    async def test_the_time_of_storing_is_the_clock_s(self, path: Path) -> None:
        times = iter(range(1_000, 100_000))
        async with opened(path, clock=lambda: next(times)) as bus:
            await bus.publish(events(3))
            found = (await read_all(bus, [TOPIC])).deliveries
            assert len({one.stored_ns for one in found}) == 1
            assert 1_000 <= found[0].stored_ns < 2_000

    async def test_a_clock_that_is_set_back_confuses_no_query(self, path: Path) -> None:
        times = [500, 600, 600, 100, 100, 200, 650, 300, 700, 800]
        now = [0]
        async with opened(path, clock=lambda: now[0] * 10**9) as bus:
            for number, moment in enumerate(times):
                now[0] = moment
                await bus.publish([event(f"{number}")])
            for since, until in itertools.product(range(50, 900, 50), repeat=2):
                expected = [f"{n}" for n, moment in enumerate(times) if since <= moment < until]
                query = EventQuery(since_ns=since * 10**9, until_ns=until * 10**9, newest_first=False)
                assert [one.event.id for one in await bus.find_events(query)] == expected

    async def test_a_clock_that_is_set_back_a_little_stands_still(self, path: Path) -> None:
        times = iter([5_000_000_000, 4_900_000_000, 5_100_000_000, 1_000_000_000])
        now = [0]
        async with opened(path, clock=lambda: now[0]) as bus:
            for now[0] in times:
                await bus.publish([event(f"{now[0]}")])
            seen = (await read_all(bus, [TOPIC])).deliveries
            assert [one.stored_ns for one in seen] == [
                5_000_000_000, 5_000_000_000, 5_100_000_000, 1_000_000_000,
            ]  # fmt: skip


class TestRetention:
    async def test_old_events_go_by_themselves_when_nothing_happens(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_threads, "REST_SECONDS", 0.02)
        late = [0]

        def clock() -> int:
            return time.time_ns() + late[0]

        async with opened(path, retention=Retention(max_age=DAY), clock=clock) as bus:
            await bus.publish(events(1000))
            late[0] = 2 * DAY * 10**9
            async with asyncio.timeout(10):
                while len(await bus.find_events(EventQuery(limit=10))) > 1:
                    await asyncio.sleep(0.02)
            [last] = await bus.find_events(EventQuery())
            assert last.event.id == "e999"

    async def test_the_size_of_the_log_is_known_after_a_crash(self, path: Path, tmp_path: Path) -> None:
        limit = 100 * event_bytes(event("x", data=bytes(900)))
        async with opened(path, retention=Retention(max_bytes=limit)) as bus:
            await bus.lease("shard/0")
            await bus.publish(events(60, data=bytes(900)))
            shutil.copytree(path.parent, tmp_path / "killed")
        async with opened(tmp_path / "killed" / path.name, retention=Retention(max_bytes=limit)) as bus:
            await bus.publish(events(40, "more", data=bytes(900)))
            with pytest.raises(BusFull):
                await bus.publish([event("one too many")])

    async def test_one_publish_that_does_not_fit_leaves_the_others(self, path: Path) -> None:
        async with opened(path, retention=Retention(max_bytes=10_000)) as bus:
            await bus.lease("shard/0")
            sizes = [3000, 20_000, 3000, 3000, 3000]
            calls = [bus.publish([event(f"{n}", data=bytes(size))]) for n, size in enumerate(sizes)]
            done = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(one) for one in done] == [list, BusFull, list, list, BusFull]
            assert (await read_all(bus, [TOPIC])).ids == ["0", "2", "3"]

    async def test_a_lowered_limit_is_reached_step_by_step_and_refuses_nothing(self, path: Path) -> None:
        await filled(path, 8000, 100)
        async with opened(path, retention=Retention(max_bytes=100_000)) as bus:
            for number in range(5):
                await bus.publish([event(f"{number}")])
            while len(await bus.find_events(EventQuery(limit=10_000))) > 500:
                await bus.publish([event(f"{time.time_ns()}")])

    async def test_retention_does_not_outrun_a_slow_shard(self, path: Path) -> None:
        async with opened(path, shards=2, retention=Retention(max_bytes=50_000)) as bus:
            leases = [await bus.lease(f"shard/{n}") for n in range(2)]
            start = await bus.head()

            async def publish_on() -> None:
                for number in range(100):
                    await bus.publish([event(f"{number}", data=bytes(1000))])
                    await bus.commit(0, leases[0].epoch, Changes(mark=await bus.head()))

            with pytest.raises(BusFull):
                await publish_on()
            seen = await read_all(bus, [TOPIC], start)
            assert seen.ids == [f"{n}" for n in range(len(seen.ids))]
            await bus.commit(1, leases[1].epoch, Changes(mark=Mark(start.incarnation, {0: 10})))
            await bus.publish([event("fits", data=bytes(1000))])


class TestSegments:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embedded_segments, "SEGMENT_BYTES", 1 << 20)

    def segments(self, path: Path) -> list[Path]:
        folder = embedded_segments.segments_of(path)
        return sorted(folder.iterdir(), key=lambda file: int(file.name)) if folder.is_dir() else []

    def batch(self, name: str, count: int = 20) -> list[Any]:
        return [event(f"{name}/{n}", data=os.urandom(20_000)) for n in range(count)]

    async def test_large_groups_go_into_segments_and_come_back(self, path: Path) -> None:
        published = [*self.batch("a"), event("small"), *self.batch("b"), event("none", data=None)]
        async with opened(path) as bus:
            await bus.publish(published)
            assert len(self.segments(path)) == 1
            assert [d.event for d in (await read_all(bus, [TOPIC])).deliveries] == published
        async with opened(path) as bus:
            assert [d.event for d in (await read_all(bus, [TOPIC])).deliveries] == published
            found = await bus.find_events(EventQuery(limit=1000, newest_first=False))
            assert [d.event for d in found] == published

    async def test_small_groups_and_process_durability_stay_in_rows(self, path: Path) -> None:
        async with opened(path) as bus:
            await bus.publish(self.batch("a", 2))
        async with opened(path, durability="process") as bus:
            await bus.publish(self.batch("b"))
            assert len((await read_all(bus, [TOPIC])).ids) == 22
        assert self.segments(path) == []

    async def test_duplicates_within_a_large_group_are_dropped(self, path: Path) -> None:
        batch = self.batch("a")
        async with opened(path) as bus:
            await bus.publish(batch[:3])
            stored = await bus.publish([*batch, event("a/4", data=os.urandom(30_000))])
            assert [one.duplicate for one in stored] == [True] * 3 + [False] * 17 + [True]
            assert [d.event for d in (await read_all(bus, [TOPIC])).deliveries] == batch

    async def test_a_new_segment_is_begun_when_one_is_full(self, path: Path) -> None:
        async with opened(path) as bus:
            for number in range(12):
                await bus.publish(self.batch(f"{number}"))
            names = [int(file.name) for file in self.segments(path)]
            assert len(names) == 4
            assert names[0] == 1
            assert len((await read_all(bus, [TOPIC])).ids) == 240

    async def test_writing_goes_on_behind_the_last_payload_after_a_crash(
        self, path: Path, tmp_path: Path
    ) -> None:
        async with opened(path) as bus:
            await bus.publish(self.batch("a"))
            shutil.copytree(path.parent, tmp_path / "killed")
        killed = tmp_path / "killed" / path.name
        with self.segments(killed)[0].open("ab") as file:
            file.write(b"written but never committed" * 1000)
        async with opened(killed) as bus:
            await bus.publish(self.batch("b"))
            seen = await read_all(bus, [TOPIC])
            assert len(seen.ids) == 40
            assert len({one.event.data for one in seen.deliveries}) == 40
            assert {len(one.event.data or b"") for one in seen.deliveries} == {20_000}

    async def test_segments_go_with_their_events(self, path: Path) -> None:
        limit = Retention(max_bytes=3 << 20)
        async with opened(path, retention=limit) as bus:
            for number in range(40):
                await bus.publish(self.batch(f"{number}"))
            assert 3 <= len(self.segments(path)) <= 5
            seen = await read_all(bus, [TOPIC])
            assert seen.ids[-20:] == [f"39/{n}" for n in range(20)]
        async with opened(path, retention=limit) as bus:
            assert (await read_all(bus, [TOPIC])).ids == seen.ids

    async def test_what_a_crash_left_of_removed_segments_goes_later(self, path: Path) -> None:
        async with opened(path) as bus:
            for number in range(12):
                await bus.publish(self.batch(f"{number}"))
        left = self.segments(path)
        with closing(sqlite3.connect(path)) as db:
            db.execute("DELETE FROM events WHERE seq <= 120")
            db.execute("DELETE FROM payloads WHERE seq <= 120")
            db.execute("UPDATE log SET floor = 120")
            db.commit()
        async with opened(path) as bus:
            await bus.publish(self.batch("new"))
            assert left[0] not in self.segments(path)
            assert len((await read_all(bus, [TOPIC])).ids) == 140

    async def test_a_segment_that_goes_while_it_is_read_is_a_gap(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rows were looked up, then everything of them was discarded before the payloads were read."""
        late, real, once = [0], embedded_segments.read_spots, [True]
        loop = asyncio.get_running_loop()

        def clock() -> int:
            return time.time_ns() + late[0]

        async with opened(path, retention=Retention(max_age=DAY), clock=clock) as bus:
            for number in range(6):
                await bus.publish(self.batch(f"{number}"))

            async def discard() -> None:
                late[0] = 2 * DAY * 10**9
                await bus.publish(self.batch("new"))

            def reading(folder: Path, spots: list[Any]) -> list[bytes]:
                if once.pop():
                    once.append(False)
                    asyncio.run_coroutine_threadsafe(discard(), loop).result(10)
                else:
                    once.append(False)
                return real(folder, spots)

            monkeypatch.setattr("events.bus.embedded_rows.read_spots", reading)
            seen = await read_all(bus, [TOPIC])
            assert seen.gaps
            assert seen.ids[-20:] == [f"new/{n}" for n in range(20)]

    @pytest.mark.parametrize("cut", [0, 100_000, None])
    async def test_a_missing_or_cut_segment_is_damage(self, path: Path, cut: int | None) -> None:
        async with opened(path) as bus:
            for number in range(6):
                await bus.publish(self.batch(f"{number}"))
        first, last = self.segments(path)[0], self.segments(path)[-1]
        for file in (first, last):
            whole = file.read_bytes()
            if cut is None:
                file.unlink()
            else:
                file.write_bytes(whole[:cut])
            if file is last:
                with pytest.raises(Damaged, match="missing or cut off"):
                    await EmbeddedBus(path, "default/default").open()
            else:
                async with opened(path) as bus:
                    with pytest.raises(Damaged, match=r"missing|cut off"):
                        await read_all(bus, [TOPIC])
            file.write_bytes(whole)

    async def test_a_log_made_anew_has_no_old_segments(self, path: Path) -> None:
        async with opened(path) as bus:
            await bus.publish(self.batch("a"))
        path.unlink()
        async with opened(path) as bus:
            await bus.publish(self.batch("b"))
            assert [d.event.id for d in (await read_all(bus, [TOPIC])).deliveries] == [
                f"b/{n}" for n in range(20)
            ]


class TestTail:
    def chunk(self, before: int, count: int, size: int = 300) -> Chunk:
        places = range(before + 1, before + count + 1)
        deliveries = [Delivery(event(f"{n}"), Position(0, n), 1) for n in places]
        return Chunk(deliveries, before, before + count, size)

    def test_it_keeps_nothing_that_everybody_has_read(self) -> None:
        tail = Tail(10)
        tail.extend(self.chunk(10, 3), passed=[])
        assert (tail.floor, tail.head) == (13, 13)
        assert not list(tail.chunks_after(10))

    def test_it_keeps_what_somebody_has_not_read(self) -> None:
        tail = Tail(10)
        tail.extend(self.chunk(10, 3), passed=[10, 12])
        tail.extend(self.chunk(13, 2), passed=[10, 13])
        assert tail.floor == 10
        assert [chunk.last for chunk in tail.chunks_after(10)] == [13, 15]
        assert [chunk.last for chunk in tail.chunks_after(12)] == [13, 15]
        assert [chunk.last for chunk in tail.chunks_after(13)] == [15]
        tail.extend(self.chunk(15, 1), passed=[15, 13])
        assert tail.floor == 13

    def test_it_is_limited_in_bytes_and_events(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("events.bus.embedded_tail.MOST_BYTES", 1000)
        monkeypatch.setattr("events.bus.embedded_tail.MOST_EVENTS", 5)
        tail = Tail(0)
        for before in range(19):
            tail.extend(self.chunk(before, 1), passed=[0])
        assert (tail.floor, tail.head) == (16, 19)
        for before in range(19, 39):
            tail.extend(self.chunk(before, 1, size=1), passed=[0])
        assert (tail.floor, tail.head) == (34, 39)

    def test_what_it_was_not_told_of_has_to_be_read_from_the_file(self) -> None:
        tail = Tail(0)
        tail.extend(self.chunk(0, 2), passed=[0])
        tail.extend(self.chunk(5, 2), passed=[0])
        assert (tail.floor, tail.head) == (5, 7)
        assert [chunk.last for chunk in tail.chunks_after(5)] == [7]


async def test_readers_see_what_was_stored_though_its_publisher_was_told_otherwise(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction is on disk, then something fails: the tail hears nothing of it."""
    async with opened(path) as bus:
        await bus.publish([event("first")])
        reader = await bus.read([TOPIC], await bus.head())
        with monkeypatch.context() as patch:

            def fail(*args: object) -> None:
                raise OSError(5, "Input/output error")

            patch.setattr("events.bus.embedded_writer._divided", fail)
            with pytest.raises(BusUnavailable):
                await bus.publish([event("stored")])
        await bus.publish([event("next")])
        found = list[str]()
        while len(found) < 2:
            found += [one.event.id for one in (await asyncio.wait_for(reader.next(), 5)).deliveries]
        assert found == ["stored", "next"]
