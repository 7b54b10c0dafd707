"""What only the embedded bus promises about its file: its owner, settings, damage, a really full disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from events.bus import embedded_schema
from events.bus._base import Changes, DecisionQuery, EventQuery
from events.bus.embedded import EmbeddedBus
from events.clients import sqlite_threads
from events.clients.sqlite import wal_of
from events.errors import BusUnavailable, Damaged, Permanent
from events.event import FIRED, Decision, EventKey, Position
from events.testing.bus_harness import TOPIC, beginning, event, events, read_all
from events.testing.servers.fixtures import Disks
from tests.contract.bus.embedded import filled, opened

DAY = 86_400


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[None]:
    with blockbuster_ctx(["events.bus", "events.clients"]):
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "bus.db"


def edit(path: Path, change: Callable[[bytearray], object]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


class TestOwner:
    async def test_a_second_owner_in_this_process_is_refused(self, path: Path) -> None:
        async with opened(path):
            with pytest.raises(Permanent, match=f"in use by process {os.getpid()}"):
                await EmbeddedBus(path, "default/default").open()

    async def test_a_second_process_is_refused_and_told_who_owns_it(self, path: Path) -> None:
        script = (
            "import asyncio, sys\n"
            "from events.bus.embedded import EmbeddedBus\n"
            "try:\n"
            "    asyncio.run(EmbeddedBus(sys.argv[1], 'default/default').open())\n"
            "except Exception as exc:\n"
            "    print(type(exc).__name__, exc)\n"
        )
        async with opened(path):
            done = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", script, str(path)], capture_output=True, text=True
            )
        assert done.stdout.startswith(f"Permanent {path} is in use by process {os.getpid()}"), done.stderr

    async def test_the_next_owner_may_come_right_after(self, path: Path) -> None:
        for _ in range(5):
            async with opened(path) as bus:
                await bus.publish(events(1, data=b""))

    async def test_a_cancelled_opening_leaves_nothing_behind(self, path: Path) -> None:
        for _ in range(5):
            task = asyncio.get_running_loop().create_task(EmbeddedBus(path, "default/default").open())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        async with opened(path) as bus:
            await bus.publish(events(1))

    async def test_a_bus_that_could_not_open_can_try_again(self, path: Path) -> None:
        bus = EmbeddedBus(path, "default/default")
        async with opened(path):
            with pytest.raises(Permanent):
                await bus.open()
        await bus.open()
        assert bus.health().ready
        await bus.aclose()


class TestSettings:
    async def test_another_number_of_shards_is_refused(self, path: Path) -> None:
        async with opened(path, shards=3):
            pass
        with pytest.raises(Permanent, match="3 shards, not 2"):
            await EmbeddedBus(path, "default/default", shards=2).open()

    async def test_another_bus_is_refused(self, path: Path) -> None:
        await filled(path)
        with pytest.raises(Permanent, match="belongs to the bus default/default, not to other/default"):
            await EmbeddedBus(path, "other/default").open()

    async def test_durability_may_change(self, path: Path) -> None:
        await filled(path)
        async with opened(path, durability="process") as bus:
            await bus.publish([event("a")])
        async with opened(path) as bus:
            assert len((await read_all(bus, [TOPIC])).ids) == 201

    async def test_shards_that_are_not_there_are_refused(self, path: Path) -> None:
        async with opened(path, shards=2) as bus:
            for call in (bus.load(2), bus.commit(-1, 1, Changes()), bus.blob(2, "x")):
                with pytest.raises(ValueError, match="2 shards"):
                    await call


class TestDamage:
    @pytest.mark.parametrize(
        "change",
        [
            lambda content: content.clear(),
            lambda content: content.__delitem__(slice(50, None)),
            lambda content: content.__delitem__(slice(1000, None)),
            lambda content: content.__delitem__(slice(len(content) // 2, None)),
            lambda content: content.__delitem__(slice(-4096, None)),
            lambda content: content.__setitem__(slice(0, 16), b"not a database.."),
            lambda content: content.__setitem__(slice(0, 100), bytes(100)),
            lambda content: content.__setitem__(slice(0, 4096), b"\xa5" * 4096),
            lambda content: content.__setitem__(slice(40 * 4096, 41 * 4096), b"\xa5" * 4096),
            lambda content: content.__setitem__(slice(4096, None), bytes(len(content) - 4096)),
        ],
        ids=[
            "emptied", "50 bytes left", "1000 bytes left", "half is left", "last page missing",
            "other header", "header zeroed", "first page", "page 41", "all pages zeroed",
        ],
    )  # fmt: skip
    async def test_a_damaged_file_is_refused_with_the_next_step(
        self, path: Path, change: Callable[[bytearray], object]
    ) -> None:
        await filled(path)
        edit(path, change)
        with pytest.raises(Damaged, match=r"bus\.db.*(backup|another path)"):
            await EmbeddedBus(path, "default/default").open()

    async def test_a_text_file_is_refused_and_left_alone(self, path: Path) -> None:
        path.parent.mkdir()
        path.write_text("dear diary\n" * 1000)
        with pytest.raises(Damaged, match=r"bus\.db"):
            await EmbeddedBus(path, "default/default").open()
        assert path.read_text() == "dear diary\n" * 1000

    async def test_a_database_of_something_else_is_refused_and_left_alone(self, path: Path) -> None:
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE contacts(name)")
        before = path.read_bytes()
        with pytest.raises(Damaged, match="not an event bus"):
            await EmbeddedBus(path, "default/default").open()
        assert path.read_bytes() == before

    async def test_a_newer_format_is_refused(self, path: Path) -> None:
        await filled(path)
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA user_version = {embedded_schema.SCHEMA + 1}")
        with pytest.raises(Damaged, match="format 2, this version reads format 1"):
            await EmbeddedBus(path, "default/default").open()

    async def test_a_missing_table_is_damage(self, path: Path) -> None:
        await filled(path)
        with closing(sqlite3.connect(path)) as db:
            db.execute("DROP TABLE records")
        async with opened(path) as bus:
            with pytest.raises(Damaged):
                await bus.load(0)

    async def test_damage_that_is_met_while_running_stops_the_bus(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In a large file only both ends are looked at when it is opened."""
        monkeypatch.setattr(embedded_schema, "CHECKED_WHOLE", 0)
        await filled(path, 2000, 1000)
        edit(path, lambda content: content.__setitem__(slice(300 * 4096, 320 * 4096), b"\xa5" * 20 * 4096))
        async with opened(path) as bus:
            assert bus.health().ready
            with pytest.raises(Damaged, match=r"bus\.db is damaged"):
                await read_all(bus, [TOPIC])
            assert not bus.health().ready
            assert "backup" in bus.health().detail
            with pytest.raises(Damaged):
                await bus.publish([event("new")])

    async def test_records_that_cannot_be_decoded_are_damage(self, path: Path) -> None:
        async with opened(path) as bus:
            lease = await bus.lease("shard/0")
            made = Decision(
                sensor="s", trigger="t", result=FIRED, events=[EventKey("a", "b", "c")],
                position=Position(0, 1), time_ns=1,
            )  # fmt: skip
            await bus.commit(0, lease.epoch, Changes(decisions=[made]))
        with closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE decisions SET body = x'c1'")
            db.commit()
        async with opened(path) as bus:
            with pytest.raises(Damaged):
                await bus.find_decisions(DecisionQuery())
            await bus.publish([event("still accepted")])

    async def test_a_half_made_file_is_made_anew(self, path: Path) -> None:
        path.parent.mkdir()
        for left in (path.with_name("bus.db.new"), wal_of(path), path.with_name("bus.db.new-journal")):
            left.write_bytes(b"left by a crash" * 100)
        async with opened(path) as bus:
            assert (await bus.head()).offsets == {0: 0}


class TestReadonly:
    async def test_it_reads_beside_the_owner_and_follows(self, path: Path) -> None:
        async with opened(path, shards=4) as owner, opened(path, readonly=True) as tool:
            assert tool.shards == 4
            start = beginning(await tool.head())
            assert start == beginning(await owner.head())
            lease = await owner.lease("shard/1")
            await owner.publish(events(30))
            await owner.commit(1, lease.epoch, Changes({"x": b"1"}, {"a": b"2"}, mark=await owner.head()))
            assert (await read_all(tool, [TOPIC])).ids == [f"e{n}" for n in range(30)]
            assert await tool.load(1) == await owner.load(1)
            assert await tool.blob(1, "x") == b"1"
            assert await tool.head() == await owner.head()
            assert len(await tool.find_events(EventQuery(limit=5))) == 5
            reader = await tool.read([TOPIC], await tool.head())
            waiting = asyncio.get_running_loop().create_task(reader.next())
            await asyncio.sleep(0.3)
            await owner.publish([event("later")])
            batch = await asyncio.wait_for(waiting, 5)
            assert [one.event.id for one in batch.deliveries] == ["later"]
            assert tool.health().ready

    async def test_it_refuses_to_write(self, path: Path) -> None:
        await filled(path)
        async with opened(path, readonly=True) as tool:
            for call in (tool.publish(events(1)), tool.lease("x"), tool.commit(0, 1, Changes())):
                with pytest.raises(Permanent, match="reading only"):
                    await call

    async def test_it_reads_what_a_killed_owner_left(self, path: Path, tmp_path: Path) -> None:
        async with opened(path) as owner:
            await owner.publish(events(50, data=bytes(20_000)))
            shutil.copytree(path.parent, tmp_path / "killed")
        killed = tmp_path / "killed" / path.name
        killed.with_name(f"{path.name}-shm").unlink()
        assert wal_of(killed).stat().st_size > 0
        async with opened(killed, readonly=True) as tool:
            assert (await read_all(tool, [TOPIC])).ids == [f"e{n}" for n in range(50)]
        async with opened(killed) as owner:
            assert (await read_all(owner, [TOPIC])).ids == [f"e{n}" for n in range(50)]

    async def test_what_is_not_there_is_not_made(self, path: Path) -> None:
        with pytest.raises(Permanent, match="no such event bus"):
            await EmbeddedBus(path, "default/default", readonly=True).open()
        assert not path.parent.exists()

    async def test_another_bus_is_refused(self, path: Path) -> None:
        await filled(path)
        with pytest.raises(Permanent, match="belongs to"):
            await EmbeddedBus(path, "x/y", readonly=True).open()


@pytest.mark.parametrize("durability", ["power", "process"])
async def test_a_disk_that_is_really_full_is_an_error_and_recovers(
    small_disk: Disks, durability: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_threads, "PROBE_SECONDS", 0.05)
    place = small_disk(2 << 20).place
    ballast = place / "ballast"
    ballast.write_bytes(bytes(1_200_000))
    accepted = list[str]()
    async with opened(place / "bus.db", durability=durability) as bus:
        refused = list[str]()
        for number in range(60):
            batch = [event(f"{number}/{part}", data=os.urandom(20_000)) for part in range(number % 8 + 1)]
            try:
                await bus.publish(batch)
                accepted += [one.id for one in batch]
            except BusUnavailable as exc:
                refused.append(str(exc))
        assert accepted
        assert len(refused) > 20
        assert all("disk is full" in reason or "No space left" in reason for reason in refused)
        assert not bus.health().ready
        assert (await read_all(bus, [TOPIC])).ids == accepted
        ballast.unlink()
        async with asyncio.timeout(10):
            while not bus.health().ready:
                await asyncio.sleep(0.02)
        await bus.publish([event("after")])
    async with opened(place / "bus.db", durability=durability) as bus:
        assert (await read_all(bus, [TOPIC])).ids == [*accepted, "after"]
        assert all(one.event.data for one in (await read_all(bus, [TOPIC])).deliveries)
