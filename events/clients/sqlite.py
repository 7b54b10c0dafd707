"""sqlite: connections, error classes, many rows in one step, one owner per file.

Promise   no sqlite3 error leaves this layer: what it means for the caller is one of events.errors
Why steps Python's sqlite3 lets go of the interpreter lock for every row it steps over, and gets it back only
          after up to 5 ms while the event loop is busy. So many rows are written by one statement (`Insert`)
          and read as one row (`bundle`): 500 rows behind a busy loop take 5 ms instead of 5 s
Needs     SQLite 3.37 (strict tables) with its JSON functions
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import msgspec

from events.errors import Damaged, Permanent, Retryable

Synchronous = Literal["FULL", "NORMAL"]

OLDEST = (3, 37, 0)
BUSY_SECONDS = 5.0
STATEMENTS = 256
CACHE_KIB = 16_384
PAGE_BYTES = 4096
WAL_LIMIT = 256 << 20
"""Bytes. The log in front of the file may grow to this under load; bounding it tighter costs latency."""

NEXT_STEP = "restore it from a backup, or move it away to start an empty one"


def connect(path: Path, *, synchronous: Synchronous = "FULL", readonly: bool = False) -> sqlite3.Connection:
    """A connection without implicit transactions and without checkpoints of its own. Raises sqlite3.Error."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise Permanent(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 or newer is needed")
    target = f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}"
    db = sqlite3.connect(
        target, uri=True, isolation_level=None, timeout=BUSY_SECONDS, cached_statements=STATEMENTS
    )
    settings = {"cache_size": -CACHE_KIB, "cell_size_check": "ON", "temp_store": "MEMORY"}
    if not readonly:
        settings |= {
            "synchronous": synchronous,
            "fullfsync": "ON" if synchronous == "FULL" else "OFF",
            "wal_autocheckpoint": 0,
            "journal_size_limit": WAL_LIMIT,
        }
    for name, value in settings.items():
        db.execute(f"PRAGMA {name}={value}")
    return db


def wal_of(path: Path) -> Path:
    """The write-ahead log that SQLite keeps beside the file."""
    return path.with_name(path.name + "-wal")


DAMAGE = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA,
     sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_EMPTY}
)  # fmt: skip
"""Result codes that mean: the file is not what we wrote (SQLITE_ERROR: a table or column is missing)."""

OURS = frozenset(
    {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE,
     sqlite3.SQLITE_TOOBIG}
)  # fmt: skip
"""Result codes that mean: the statement or its values are wrong, whatever the file."""


class Faults:
    """Turns what was raised while working on one file into what it means for the caller.

    unavailable: the class for a store that cannot take or give anything now.
    """

    def __init__(self, path: Path, unavailable: type[Retryable] = Retryable) -> None:
        self._path, self._unavailable = path, unavailable
        self.damage: Damaged | None = None
        """Set for good when SQLite has found the file to be damaged."""

    def refusal(self, reason: str) -> Retryable:
        return self._unavailable(f"{self._path}: {reason}")

    def of(self, exc: Exception) -> Exception:
        """Damaged, the class for unavailable, or the error itself where the fault is not the store's."""
        if isinstance(exc, sqlite3.Error):
            return self._of_sqlite(exc)
        if isinstance(exc, msgspec.MsgspecError | UnicodeDecodeError):
            return Damaged(f"{self._path} holds something that cannot be read ({exc}): {NEXT_STEP}")
        if isinstance(exc, OSError):
            return self.refusal(exc.strerror or str(exc))
        return exc

    def _of_sqlite(self, exc: sqlite3.Error) -> Exception:
        code = getattr(exc, "sqlite_errorcode", None)
        if code is None:  # raised by Python's module: misuse, or text in the file that is no text
            damaged = type(exc) is sqlite3.OperationalError
        else:
            code &= 0xFF  # the primary code; higher bits say where
            damaged = code in DAMAGE
        if damaged:
            self.damage = Damaged(f"{self._path} is damaged ({exc}): {NEXT_STEP}")
            return Damaged(str(self.damage))
        if code is None or code in OURS:
            return exc
        return self.refusal("the disk is full" if code == sqlite3.SQLITE_FULL else str(exc))


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Hold the file for this process alone, by a lock beside it that ends with the process.

    Raises Permanent that names the process which holds it.
    """
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
            raise Permanent(f"{path} is in use by process {holder}: stop it, or choose another path") from exc
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


def sync_folder(folder: Path) -> None:
    """Make names that were created or renamed in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and what is missing above it, so that it survives a power cut."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


class Insert:
    """`INSERT ... VALUES` of many rows in few steps: up to `exact` rows in one, then 32, 64 or 128 in each.

    Sizes are few so that the prepared statements stay in the connection's cache (64 of them take 2.4 MB).
    """

    SIZES = (128, 64, 32)

    def __init__(self, into: str, columns: int, conflict: str = "", exact: int = 32) -> None:
        self._head, self._tail = f"INSERT INTO {into} VALUES ", f" {conflict}"  # noqa: S608 - own names
        self._row = f"({','.join('?' * columns)})"
        self._exact = exact
        self._sql: dict[int, str] = {}

    def __call__(self, db: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Write all rows; returns how many were written (fewer where the conflict clause drops some)."""
        done = written = 0
        while done < len(rows):
            size = self._size(len(rows) - done)
            values = list(chain.from_iterable(rows[done : done + size]))
            written += db.execute(self._statement(size), values).rowcount
            done += size
        return written

    def single_step(self, rows: int) -> bool:
        """Whether so many rows are one statement, which then needs no transaction around it."""
        return self._size(rows) == rows

    def _size(self, rows: int) -> int:
        return rows if rows <= self._exact else next(size for size in self.SIZES if size <= rows)

    def _statement(self, size: int) -> str:
        sql = self._sql.get(size)
        if sql is None:
            sql = self._sql[size] = self._head + ",".join([self._row] * size) + self._tail
        return sql


def bundle(
    db: sqlite3.Connection, columns: str, blob: str, source: str, values: Sequence[Any] | dict[str, Any]
) -> list[list[Any]]:
    """All rows of a select in one step: the columns (no blobs) of each, then its blob (bytes or None).

    source: a select whose order is kept. group_concat joins the bytes of blobs as they are in a UTF-8 file.
    """
    sql = (
        f"SELECT CAST(json_group_array(json_array({columns}, length({blob}))) AS BLOB),"  # noqa: S608 - own names
        f" CAST(group_concat({blob}, '') AS BLOB) FROM ({source})"
    )
    listed, joined = db.execute(sql, values).fetchone()
    rows: list[list[Any]] = msgspec.json.decode(listed)
    at = 0
    for row in rows:
        if (size := row[-1]) is not None:
            row[-1] = (joined or b"")[at : at + size]
            at += size
    return rows


ESCAPE = "\x01"


def plain(text: str) -> str:
    """The text as SQLite and its JSON functions can hold it; `restored` undoes what had to be escaped.

    Escaped are texts with lone surrogates or NUL, and those that look escaped.
    """
    if text.isascii() and not text.startswith(ESCAPE) and "\0" not in text:
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return ESCAPE + text.encode("utf-8", "surrogatepass").hex()
    return ESCAPE + text.encode().hex() if text.startswith(ESCAPE) or "\0" in text else text


def restored(text: str) -> str:
    """What `plain` was given."""
    if not text.startswith(ESCAPE):
        return text
    return bytes.fromhex(text[1:]).decode("utf-8", "surrogatepass")
