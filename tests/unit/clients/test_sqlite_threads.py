"""The writing thread's group commit, the reading threads, the checkpoints."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from events.clients import sqlite_threads
from events.clients.sqlite import Faults, connect, wal_of
from events.clients.sqlite_threads import Checkpointer, Readers, Then, Writer
from events.errors import BusUnavailable, Damaged, Permanent

Item = Callable[[sqlite3.Connection], Any]


class Calls:
    """Runs functions; notes the groups."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.undone = self.rested = 0
        self.then: Callable[[], None] | None = None

    def apply(self, db: sqlite3.Connection, items: list[Item], then: Then) -> list[Any]:
        self.groups.append(len(items))
        db.execute("BEGIN IMMEDIATE")
        if self.then is not None:
            then.append(self.then)
        results = [item(db) for item in items]
        db.execute("COMMIT")
        return results

    def undo(self, db: sqlite3.Connection) -> None:
        self.undone += 1

    def rest(self, db: sqlite3.Connection) -> bool:
        self.rested += 1
        return False


def add(number: int) -> Item:
    def run(db: sqlite3.Connection) -> int:
        db.execute("INSERT INTO t VALUES (?)", (number,))
        return number * 2

    return run


def fail(error: Exception) -> Item:
    def run(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO t VALUES (-1)")
        raise error

    return run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file)) as db:
        db.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t(n)")
    return file


@pytest.fixture
def faults(path: Path) -> Faults:
    return Faults(path, BusUnavailable)


@pytest.fixture
def calls() -> Calls:
    return Calls()


def make(path: Path, calls: Calls, faults: Faults, limit: int = 1 << 20) -> Writer:
    @contextmanager
    def session() -> Iterator[sqlite3.Connection]:
        with closing(connect(path)) as db:
            yield db

    return Writer("test", session, calls, faults, limit)


@pytest.fixture
async def writer(path: Path, calls: Calls, faults: Faults) -> AsyncIterator[Writer]:
    made = make(path, calls, faults)
    await made.open()
    yield made
    await made.aclose()


def stored(path: Path) -> list[int]:
    with closing(connect(path, readonly=True)) as db:
        return [number for (number,) in db.execute("SELECT n FROM t ORDER BY rowid").fetchall()]


@contextmanager
def held(writer: Writer) -> Iterator[None]:
    """The writer is busy until the end, so that what is submitted inside waits and becomes one group."""
    started, go = threading.Event(), threading.Event()

    def wait(db: sqlite3.Connection) -> None:
        started.set()
        go.wait(10)

    writer.submit(wait)
    assert started.wait(10)
    try:
        yield
    finally:
        go.set()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


class TestWriter:
    async def test_results_come_when_it_is_stored(self, writer: Writer, path: Path) -> None:
        assert await writer.submit(add(7)) == 14
        assert stored(path) == [7]

    async def test_what_waits_is_one_group(self, writer: Writer, calls: Calls, path: Path) -> None:
        with held(writer):
            futures = [writer.submit(add(n)) for n in range(100)]
        assert await asyncio.gather(*futures) == [n * 2 for n in range(100)]
        assert calls.groups == [1, 100]
        assert stored(path) == list(range(100))

    async def test_a_group_has_a_limit(
        self, writer: Writer, calls: Calls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_threads, "GROUP", 10)
        with held(writer):
            futures = [writer.submit(add(n)) for n in range(25)]
        await asyncio.gather(*futures)
        assert calls.groups == [1, 10, 10, 5]

    async def test_an_item_that_fails_fails_alone(self, writer: Writer, calls: Calls, path: Path) -> None:
        with held(writer):
            futures = [writer.submit(item) for item in (add(1), fail(ValueError("bad")), add(2))]
        done = await asyncio.gather(*futures, return_exceptions=True)
        assert done[::2] == [2, 4]
        assert repr(done[1]) == repr(ValueError("bad"))
        assert stored(path) == [1, 2]
        assert writer.trouble is None
        assert calls.undone == 2

    async def test_an_error_as_result_refuses_one_item(self, writer: Writer, path: Path) -> None:
        refused = Permanent("no")
        with held(writer):
            futures = [writer.submit(item) for item in (add(1), lambda db: refused, add(2))]
        assert await asyncio.gather(*futures, return_exceptions=True) == [2, refused, 4]
        assert stored(path) == [1, 2]

    async def test_a_store_that_cannot_be_written_fails_the_group(
        self, writer: Writer, path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_threads, "PROBE_SECONDS", 0.01)
        with held(writer):
            full = sqlite3.OperationalError("database or disk is full")
            full.sqlite_errorcode = sqlite3.SQLITE_FULL
            futures = [writer.submit(item) for item in (add(1), fail(full), add(2))]
        done = await asyncio.gather(*futures, return_exceptions=True)
        assert [type(one) for one in done] == [BusUnavailable] * 3
        assert len({id(one) for one in done}) == 3
        assert stored(path) == []
        assert await writer.submit(add(3)) == 6
        assert writer.trouble is None

    async def test_trouble_ends_by_itself_when_it_can_be_written_again(
        self, path: Path, calls: Calls, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_threads, "PROBE_SECONDS", 0.01)
        writer = make(path, calls, faults)
        await writer.open()
        with pytest.raises(BusUnavailable):
            await writer.submit(fail(OSError(5, "Input/output error")))
        await until(lambda: writer.trouble is None)
        await writer.aclose()

    async def test_damage_is_for_good(self, writer: Writer, path: Path) -> None:
        with pytest.raises(Damaged):
            await writer.submit(lambda db: db.execute("SELECT * FROM missing"))
        with pytest.raises(Damaged, match="missing"):
            await writer.submit(add(1))
        assert stored(path) == []

    async def test_a_cancelled_wait_does_not_disturb_the_others(self, writer: Writer, path: Path) -> None:
        with held(writer):
            futures = [writer.submit(add(n)) for n in range(3)]
            futures[1].cancel()
        assert await asyncio.gather(*futures, return_exceptions=True) != []
        assert await writer.submit(add(9)) == 18
        assert stored(path) == [0, 1, 2, 9]

    async def test_calls_for_the_loop_come_before_the_futures_end(self, writer: Writer, calls: Calls) -> None:
        seen: list[str] = []
        future = writer.submit(add(1))
        calls.then = lambda: seen.append("then")
        await future
        future = writer.submit(add(1))
        future.add_done_callback(lambda _: seen.append("done"))
        await future
        assert seen[-2:] == ["then", "done"]

    async def test_too_much_waiting_is_refused(self, path: Path, calls: Calls, faults: Faults) -> None:
        writer = make(path, calls, faults, limit=100)
        await writer.open()
        with held(writer):
            accepted = [writer.submit(add(n), 40) for n in range(2)]
            with pytest.raises(BusUnavailable, match="wait"):
                writer.submit(add(2), 40)
        await asyncio.gather(*accepted)
        assert await writer.submit(add(3), 1000) == 6
        await writer.aclose()

    async def test_closing_finishes_what_was_submitted(
        self, path: Path, calls: Calls, faults: Faults
    ) -> None:
        writer = make(path, calls, faults)
        await writer.open()
        futures = [writer.submit(add(n)) for n in range(50)]
        await writer.aclose()
        await writer.aclose()
        assert [future.result() for future in futures] == [n * 2 for n in range(50)]
        with pytest.raises(BusUnavailable):
            writer.submit(add(1))
        assert not wal_of(path).exists()

    async def test_a_session_that_cannot_be_opened_is_told(
        self, tmp_path: Path, calls: Calls, faults: Faults
    ) -> None:
        with pytest.raises(BusUnavailable):
            await make(tmp_path / "none.db", calls, faults).open()

    async def test_it_looks_after_the_store_at_rest(
        self, path: Path, calls: Calls, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_threads, "REST_SECONDS", 0.01)
        writer = make(path, calls, faults)
        await writer.open()
        await until(lambda: calls.rested >= 3)
        await writer.aclose()


class TestReaders:
    @pytest.fixture
    async def readers(self, path: Path, faults: Faults) -> AsyncIterator[Readers]:
        made = Readers("test", lambda: connect(path, readonly=True), faults, threads=3)
        yield made
        await made.aclose()

    async def test_jobs_run_in_few_threads(self, readers: Readers) -> None:
        names: set[str] = set()
        barrier = threading.Barrier(3)

        def job(db: sqlite3.Connection) -> int:
            names.add(threading.current_thread().name + str(threading.get_ident()))
            barrier.wait(10)
            return int(db.execute("SELECT 42").fetchone()[0])

        assert await asyncio.gather(*(readers.run(job) for _ in range(9))) == [42] * 9
        assert len(names) == 3

    async def test_one_thread_is_enough_for_one_at_a_time(self, readers: Readers) -> None:
        threads = {await readers.run(lambda db: threading.get_ident()) for _ in range(5)}
        assert len(threads) == 1

    async def test_an_error_goes_to_its_caller_and_leaves_no_transaction(self, readers: Readers) -> None:
        def job(db: sqlite3.Connection) -> None:
            db.execute("BEGIN")
            raise ValueError("mine")

        with pytest.raises(ValueError, match="mine"):
            await readers.run(job)
        assert await readers.run(lambda db: db.in_transaction) is False

    async def test_a_file_that_cannot_be_opened_fails_the_job_and_is_tried_again(
        self, tmp_path: Path, path: Path, faults: Faults
    ) -> None:
        readers = Readers("test", lambda: connect(tmp_path / "late.db", readonly=True), faults)
        with pytest.raises(BusUnavailable):
            await readers.run(lambda db: None)
        path.rename(tmp_path / "late.db")
        assert await readers.run(lambda db: db.execute("SELECT count(*) FROM t").fetchone()) == (0,)
        await readers.aclose()

    async def test_closing_interrupts_a_long_query(self, readers: Readers) -> None:
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        started = threading.Event()

        def job(db: sqlite3.Connection) -> None:
            started.set()
            db.execute(endless).fetchall()

        running = [readers.run(job) for _ in range(5)]
        assert await asyncio.to_thread(started.wait, 10)
        await asyncio.sleep(0.05)
        await asyncio.wait_for(readers.aclose(), 10)
        done = await asyncio.gather(*running, return_exceptions=True)
        assert [type(one) for one in done] == [BusUnavailable] * 5
        with pytest.raises(BusUnavailable):
            readers.run(job)

    async def test_a_cancelled_job_is_no_trouble(self, readers: Readers) -> None:
        readers.run(lambda db: 1).cancel()
        assert await readers.run(lambda db: 2) == 2


class TestCheckpointer:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_threads, "CHECKPOINT_SECONDS", 0.02)
        monkeypatch.setattr(sqlite_threads, "CHECKPOINT_BYTES", 100_000)

    async def test_the_log_is_moved_into_the_file(self, path: Path, writer: Writer, faults: Faults) -> None:
        checkpointer = Checkpointer(path, "FULL", writer, faults)
        checkpointer.start()
        before = path.stat().st_size
        for _ in range(5):
            await writer.submit(lambda db: db.execute("INSERT INTO t VALUES (zeroblob(50000))"))
        await until(lambda: path.stat().st_size >= before + 150_000)
        await checkpointer.aclose()

    async def test_the_log_stays_bounded_under_continuous_load(
        self, path: Path, writer: Writer, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_threads, "WAL_LIMIT", 200_000)
        checkpointer = Checkpointer(path, "FULL", writer, faults)
        checkpointer.start()
        for _ in range(60):
            await writer.submit(lambda db: db.execute("INSERT INTO t VALUES (zeroblob(50000))"))
            await asyncio.sleep(0.005)
        await checkpointer.aclose()
        assert wal_of(path).stat().st_size < 2_500_000

    async def test_a_failing_checkpoint_is_told_and_tried_again(
        self, path: Path, writer: Writer, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*args: object, **kwargs: object) -> sqlite3.Connection:
            raise OSError(5, "Input/output error")

        checkpointer = Checkpointer(path, "FULL", writer, faults)
        with monkeypatch.context() as patch:
            patch.setattr(sqlite_threads, "connect", refuse)
            checkpointer.start()
            await writer.submit(lambda db: db.execute("INSERT INTO t VALUES (zeroblob(200000))"))
            await until(lambda: checkpointer.trouble is not None)
        await writer.submit(add(1))
        await until(lambda: checkpointer.trouble is None)
        await checkpointer.aclose()
