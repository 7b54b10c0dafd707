"""sqlite_threads: one thread that writes with group commit, a few that read, one that checkpoints.

Promise   the future of `Writer.submit` ends when its transaction is on disk; everything that waits while one
          transaction runs goes into the next, so the cost per item falls as load grows (no timer)
Threads   the event loop never touches a connection; each connection lives in one thread; one
          call_soon_threadsafe per group resolves all futures of the group
Checkpoint in the background, at most once a second and only when there is enough to do: its syncs compete
          with the commits. A passive checkpoint alone never empties a log that is written all the time, so
          above `WAL_LIMIT` the writer adds one right after it, when few pages are left
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from events.clients.sqlite import PAGE_BYTES, WAL_LIMIT, Faults, Synchronous, connect, wal_of
from events.errors import Damaged, EventsError, Retryable

T = TypeVar("T")
Then = list[Callable[[], None]]
"""Calls for the event loop, made after the commit and before the futures of the group end."""

GROUP = 2048
"""Items that one transaction takes at most."""

REST_SECONDS, PROBE_SECONDS = 5.0, 1.0
CHECKPOINT_SECONDS = 1.0
CHECKPOINT_BYTES = 4 << 20
READ_THREADS = 4
LAST_STEPS = 0.0005
"""Seconds that a thread may take to end after it has said that it does."""


class Work(Protocol):
    """What is done with the items of a Writer; every method runs in the writer's thread."""

    def apply(self, db: sqlite3.Connection, items: list[Any], then: Then) -> list[Any]:
        """Do all items and commit. One result for each; an exception as a result refuses that item alone.

        An error that is raised undoes the group; if it may be the fault of one item, each is tried alone.
        """
        ...

    def undo(self, db: sqlite3.Connection) -> None:
        """The group was rolled back: forget what `apply` had noted."""
        ...

    def rest(self, db: sqlite3.Connection) -> bool:
        """Called when nothing waits, every few seconds; True: there is more to do, call again soon."""
        ...


class _Told(threading.Thread):
    """A thread that reports to the event loop in which it was made."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()

    def tell(self, call: Callable[..., object], *args: object) -> None:
        """Run `call` in the event loop; when the loop is gone, so is everyone who could be told."""
        with suppress(RuntimeError):  # it was closed
            self._loop.call_soon_threadsafe(call, *args)

    async def joined(self) -> None:
        """Wait for the thread's end without blocking the loop."""
        await asyncio.shield(self._ended)
        while self.is_alive():
            await asyncio.sleep(LAST_STEPS)


class Writer(_Told):
    """Owns the writing connection; the only thread that touches it. Callers submit and await.

    session: opens the connection, prepares `work`, and closes everything at the end.
    limit_bytes: how much may wait, by the weights given to `submit`.
    """

    def __init__(
        self,
        name: str,
        session: Callable[[], AbstractContextManager[sqlite3.Connection]],
        work: Work,
        faults: Faults,
        limit_bytes: int,
    ) -> None:
        super().__init__(f"{name} writer")
        self.trouble: EventsError | None = None
        """Why the last group could not be stored; None again as soon as something can."""
        self.committed: Callable[[], None] = lambda: None
        """Called in this thread after every group."""
        self.finish_checkpoint = False
        self._session, self._work, self._faults = session, work, faults
        self._limit, self._waiting = limit_bytes, 0
        self._queue: queue.SimpleQueue[tuple[Any, asyncio.Future[Any], int] | None] = queue.SimpleQueue()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed = False

    async def open(self) -> None:
        """Start the thread; returns when its session is open, raises what the session raised."""
        self.start()
        opened = False
        try:
            await asyncio.shield(self._opened)
            opened = True
        finally:
            if not opened:
                await self.aclose()

    def submit(self, item: Any, weight: int = 0) -> asyncio.Future[Any]:
        """Hand over one item; its future ends when the item is durable, or with the reason why not.

        weight: bytes that it keeps in memory. Raises Retryable when too much waits already or this is closed.
        """
        if self._closed:
            raise self._faults.refusal("closed")
        if self._waiting + weight > self._limit and self._waiting:
            raise self._faults.refusal(f"{self._waiting >> 20} MiB wait to be stored already")
        self._waiting += weight
        future: asyncio.Future[Any] = self._loop.create_future()
        self._queue.put((item, future, weight))
        return future

    async def aclose(self) -> None:
        """Finish what was submitted, close the session, end the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await self.joined()

    def run(self) -> None:
        try:
            self._work_on()
        except Exception as exc:  # noqa: BLE001 - the thread's supervisor: the opener or the waiting are told
            self.trouble = Retryable(f"the writer has ended: {exc!r}")
            self.tell(self._failed, self._faults.of(exc))
        finally:
            self.tell(_end, self._ended)

    def _work_on(self) -> None:
        with self._session() as db:
            self.tell(_end, self._opened)
            more: bool | None = True
            while more is not None:
                more = self._round(db, more)

    def _round(self, db: sqlite3.Connection, more: bool) -> bool | None:
        """One group, or a rest; whether there is more to do at rest, None at the end."""
        try:
            first = self._queue.get(timeout=0.0 if more else self._patience())
        except queue.Empty:
            return self._at_rest(db)
        batch = [] if first is None else [first]
        ended = first is None or self._drain(batch)
        if self.finish_checkpoint:
            self._finish(db)
        if batch:
            then: Then = []
            results = self._group(db, [item for item, _, _ in batch], then)
            self.tell(self._settle, batch, results, then)
            self.committed()
        return None if ended else more

    def _finish(self, db: sqlite3.Connection) -> None:
        """The last few pages of a checkpoint, so that the log starts anew with the next write."""
        self.finish_checkpoint = False
        with suppress(sqlite3.Error):  # the background checkpoint meets it too, and reports it
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _patience(self) -> float:
        return REST_SECONDS if self.trouble is None else PROBE_SECONDS

    def _drain(self, batch: list[tuple[Any, asyncio.Future[Any], int]]) -> bool:
        """Take what waits, up to a full group; True at the end of all work."""
        get = self._queue.get_nowait
        try:
            while len(batch) < GROUP:
                entry = get()
                if entry is None:
                    return True
                batch.append(entry)
        except queue.Empty:
            pass
        return False

    def _group(self, db: sqlite3.Connection, items: list[Any], then: Then) -> list[Any]:
        if self._faults.damage is not None:
            return [Damaged(str(self._faults.damage)) for _ in items]
        before = len(then)
        try:
            results = self._work.apply(db, items, then)
        except Exception as exc:  # noqa: BLE001 - a supervisor: whoever submitted the item gets the error
            del then[before:]
            self._undo(db)
            error = self._noted(exc)
            if isinstance(error, EventsError):
                return [self._faults.of(exc) for _ in items]
            return [error] if len(items) == 1 else [self._group(db, [item], then)[0] for item in items]
        self.trouble = None
        return results

    def _noted(self, exc: Exception) -> Exception:
        error = self._faults.of(exc)
        if isinstance(error, EventsError):
            self.trouble = error
        return error

    def _undo(self, db: sqlite3.Connection) -> None:
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._work.undo(db)
        except (sqlite3.Error, OSError, EventsError) as exc:
            self._noted(exc)

    def _at_rest(self, db: sqlite3.Connection) -> bool:
        """Look after the store; with trouble, try whether it can be written again."""
        if self._faults.damage is not None:
            return False
        try:
            if self.trouble is not None:
                probe(db)
                self.trouble = None
            more = self._work.rest(db)
        except (sqlite3.Error, OSError, EventsError) as exc:
            self._undo(db)
            self._noted(exc)
            return False
        if more:
            self.committed()
        return more

    def _settle(
        self, batch: list[tuple[Any, asyncio.Future[Any], int]], results: list[Any], then: Then
    ) -> None:
        for call in then:
            call()
        self._waiting -= sum([weight for _, _, weight in batch])
        for (_, future, _), result in zip(batch, results, strict=True):
            if future.done():
                continue  # its caller was cancelled
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _failed(self, error: Exception) -> None:
        self._closed = True
        if not self._opened.done():
            self._opened.set_exception(error)
        while not self._queue.empty():
            entry = self._queue.get_nowait()
            if entry is not None and not entry[1].done():
                entry[1].set_exception(self._faults.refusal("the writer has ended"))


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def probe(db: sqlite3.Connection) -> None:
    """Write one page without changing anything. Raises sqlite3.Error if the store cannot be written."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.execute(f"PRAGMA user_version={version}")


class Readers:
    """A few threads with a reading connection each. Started when needed, ended by `aclose`."""

    def __init__(
        self,
        name: str,
        open_connection: Callable[[], sqlite3.Connection],
        faults: Faults,
        threads: int = READ_THREADS,
    ) -> None:
        self._name, self._open, self._faults, self._most = name, open_connection, faults, threads
        self._queue: queue.SimpleQueue[tuple[Callable[..., Any], asyncio.Future[Any]] | None]
        self._queue = queue.SimpleQueue()
        self._threads: list[_ReadThread] = []
        self._loop = asyncio.get_running_loop()
        self._jobs = 0
        self._closed = False

    def run(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run the job in a reading thread. Its future raises what its error means."""
        if self._closed:
            raise self._faults.refusal("closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs += 1
        if self._jobs > len(self._threads) < self._most:
            thread = _ReadThread(f"{self._name} reader", self._queue, self._open, self._settle)
            self._threads.append(thread)
            thread.start()
        self._queue.put((job, future))
        return future

    async def aclose(self) -> None:
        """Interrupt what runs and end all threads; what waits ends with an error."""
        if self._closed:
            return
        self._closed = True
        for thread in self._threads:
            thread.interrupt()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            await thread.joined()

    def _settle(self, future: asyncio.Future[Any], result: Any) -> None:
        self._jobs -= 1
        if future.done():
            return
        if isinstance(result, Exception):
            future.set_exception(self._faults.of(result))
        else:
            future.set_result(result)


class _ReadThread(_Told):
    """One reading connection. A job that fails leaves it open; one that cannot be opened fails its job."""

    def __init__(
        self,
        name: str,
        jobs: queue.SimpleQueue[tuple[Callable[..., Any], asyncio.Future[Any]] | None],
        open_connection: Callable[[], sqlite3.Connection],
        settle: Callable[[asyncio.Future[Any], Any], None],
    ) -> None:
        super().__init__(name)
        self._jobs, self._open, self._settle = jobs, open_connection, settle
        self._db: sqlite3.Connection | None = None
        self._stopped = False

    def interrupt(self) -> None:
        """End the running statement with an error."""
        self._stopped = True
        if (db := self._db) is not None:
            db.interrupt()

    def run(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, future = entry
            self.tell(self._settle, future, self._result(job))
        if self._db is not None:
            self._db.close()
        self.tell(_end, self._ended)

    def _result(self, job: Callable[[sqlite3.Connection], Any]) -> Any:
        if self._stopped:
            return OSError("closed")
        try:
            if self._db is None:
                self._db = self._open()
            return job(self._db)
        except Exception as exc:  # noqa: BLE001 - a supervisor: whoever gave the job gets the error
            self._clear()
            return exc

    def _clear(self) -> None:
        """A failed job may leave a read transaction, which would keep the log from being emptied."""
        if self._db is not None and self._db.in_transaction:
            self._db.execute("ROLLBACK")


class Checkpointer(_Told):
    """Moves the write-ahead log into the file in the background, on connections of its own."""

    def __init__(self, path: Path, synchronous: Synchronous, writer: Writer, faults: Faults) -> None:
        super().__init__(f"{path.name} checkpoints")
        self.trouble: Exception | None = None
        """Why the last checkpoint failed. Nothing is lost by it, but the log grows."""
        self._path, self._synchronous, self._writer, self._faults = path, synchronous, writer, faults
        self._due, self._closing = threading.Event(), threading.Event()
        writer.committed = self.touch

    def touch(self) -> None:
        """Something was committed."""
        if not self._due.is_set():
            self._due.set()

    async def aclose(self) -> None:
        self._closing.set()
        self._due.set()
        await self.joined()

    def run(self) -> None:
        while not self._closing.is_set():
            self._due.wait()
            self._due.clear()
            if not self._closing.wait(CHECKPOINT_SECONDS):
                self._checkpoint_if_worth()
        self.tell(_end, self._ended)

    def _checkpoint_if_worth(self) -> None:
        try:
            if wal_of(self._path).stat().st_size >= CHECKPOINT_BYTES:
                self._checkpoint()
            self.trouble = None
        except (sqlite3.Error, OSError) as exc:
            self.trouble = self._faults.of(exc)

    def _checkpoint(self) -> None:
        with closing(connect(self._path, synchronous=self._synchronous)) as db:
            _, pages, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._writer.finish_checkpoint = pages * PAGE_BYTES > WAL_LIMIT
