"""Connections, error classes, many rows in one step, ownership of a file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.clients.sqlite import Faults, Insert, bundle, connect, owned, plain, restored, wal_of
from events.errors import BusUnavailable, Damaged, Permanent, Retryable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a table, in WAL mode."""
    file = tmp_path / "a file?#.db"
    with closing(sqlite3.connect(file)) as db:
        db.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t(k INTEGER PRIMARY KEY, a, b)")
    return file


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path)) as connection:
        yield connection


def pragma(db: sqlite3.Connection, name: str) -> object:
    return db.execute(f"PRAGMA {name}").fetchone()[0]


class TestConnect:
    def test_full_survives_a_power_cut_and_normal_does_not(self, path: Path) -> None:
        for synchronous, number in (("FULL", 2), ("NORMAL", 1)):
            with closing(connect(path, synchronous="FULL" if number == 2 else "NORMAL")) as db:
                assert pragma(db, "synchronous") == number, synchronous
                assert pragma(db, "journal_mode") == "wal"

    def test_the_writer_never_checkpoints_by_itself(self, db: sqlite3.Connection) -> None:
        assert pragma(db, "wal_autocheckpoint") == 0

    def test_there_are_no_implicit_transactions(self, db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO t VALUES (1, 2, 3)")
        assert not db.in_transaction

    def test_a_missing_file_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(sqlite3.OperationalError):
            connect(tmp_path / "none.db")
        assert not (tmp_path / "none.db").exists()

    def test_a_reading_connection_cannot_write(self, path: Path) -> None:
        with closing(connect(path, readonly=True)) as db, pytest.raises(sqlite3.OperationalError):
            db.execute("INSERT INTO t VALUES (1, 2, 3)")

    def test_an_old_sqlite_is_refused(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
        with pytest.raises(Permanent, match=r"3\.37"):
            connect(path)

    def test_the_log_lies_beside_the_file(self, path: Path, db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO t VALUES (1, 2, 3)")
        assert wal_of(path).stat().st_size > 0


class TestFaults:
    def raised(self, db: sqlite3.Connection, sql: str, *values: object) -> sqlite3.Error:
        with pytest.raises(sqlite3.Error) as caught:
            db.execute(sql, values).fetchall()
        return caught.value

    def test_a_file_that_is_no_database_is_damaged(self, tmp_path: Path) -> None:
        file = tmp_path / "text.db"
        file.write_bytes(b"this is a text, not a database" * 1000)
        faults = Faults(file, BusUnavailable)
        with closing(sqlite3.connect(file)) as db:
            error = faults.of(self.raised(db, "SELECT * FROM sqlite_master"))
        assert isinstance(error, Damaged)
        assert str(file) in str(error)
        assert "backup" in str(error)
        assert faults.damage is not None

    def test_a_missing_table_is_damage(self, path: Path, db: sqlite3.Connection) -> None:
        assert isinstance(Faults(path).of(self.raised(db, "SELECT * FROM nothing")), Damaged)

    def test_a_full_disk_is_unavailable(self, path: Path, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA max_page_count = 3")
        faults = Faults(path, BusUnavailable)
        error = faults.of(self.raised(db, "INSERT INTO t VALUES (1, zeroblob(100000), 1)"))
        assert isinstance(error, BusUnavailable)
        assert "disk is full" in str(error)
        assert faults.damage is None

    def test_a_locked_file_is_unavailable(self, path: Path, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA busy_timeout = 0")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            error = Faults(path).of(self.raised(db, "INSERT INTO t VALUES (1, 2, 3)"))
        assert type(error) is Retryable

    def test_errors_of_the_system_are_unavailable(self, path: Path) -> None:
        error = Faults(path, BusUnavailable).of(OSError(28, "No space left on device"))
        assert isinstance(error, BusUnavailable)
        assert str(error) == f"{path}: No space left on device"

    def test_what_cannot_be_decoded_is_damaged_but_nothing_else_is(self, path: Path) -> None:
        faults = Faults(path)
        with pytest.raises(msgspec.MsgspecError) as caught:
            msgspec.json.decode(b"{")
        assert isinstance(faults.of(caught.value), Damaged)
        assert faults.damage is None

    def test_a_wrong_value_is_the_callers_fault(self, path: Path, db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE strict(k INTEGER NOT NULL) STRICT")
        errors = [
            self.raised(db, "INSERT INTO strict VALUES (?)", "text"),
            self.raised(db, "INSERT INTO strict VALUES (?)", None),
            self.raised(db, "INSERT INTO t VALUES (?, ?, ?)", 1),
        ]
        assert [Faults(path).of(error) for error in errors] == errors
        with pytest.raises(sqlite3.Error) as caught:
            db.execute("SELECT ?", ({},))
        assert Faults(path).of(caught.value) is caught.value

    def test_other_errors_stay_as_they_are(self, path: Path) -> None:
        for error in (ValueError("x"), Damaged("y"), Permanent("z")):
            assert Faults(path).of(error) is error


class TestOwned:
    def test_a_second_owner_is_refused_and_told_who_has_it(self, tmp_path: Path) -> None:
        file = tmp_path / "bus.db"
        with owned(file), pytest.raises(Permanent, match=f"process {os.getpid()}"), owned(file):
            raise AssertionError("owned twice")

    def test_it_can_be_owned_again_afterwards(self, tmp_path: Path) -> None:
        for _ in range(2):
            with owned(tmp_path / "bus.db"):
                assert (tmp_path / "bus.db.lock").read_text() == f"{os.getpid()}\n"

    def test_it_is_let_go_when_something_fails(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="inside"), owned(tmp_path / "bus.db"):
            raise ValueError("inside")
        with owned(tmp_path / "bus.db"):
            pass

    def test_a_longer_number_of_a_former_owner_leaves_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "bus.db.lock").write_text("123456789012\n")
        with owned(tmp_path / "bus.db"):
            assert (tmp_path / "bus.db.lock").read_text() == f"{os.getpid()}\n"


class TestInsert:
    @given(count=st.integers(0, 700), exact=st.sampled_from([32, 64]))
    def test_all_rows_are_written_in_order(self, count: int, exact: int) -> None:
        with closing(sqlite3.connect(":memory:")) as db:
            db.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, a, b)")
            rows = [(number, f"{number}", bytes([number % 256])) for number in range(count)]
            assert Insert("t", 3, exact=exact)(db, rows) == count
            assert db.execute("SELECT * FROM t ORDER BY k").fetchall() == rows

    def test_rows_that_are_there_are_dropped_by_the_conflict_clause(self, db: sqlite3.Connection) -> None:
        insert = Insert("t", 3, "ON CONFLICT DO NOTHING")
        assert insert(db, [(1, "a", None), (2, "b", None)]) == 2
        assert insert(db, [(2, "c", None), (3, "d", None), (3, "e", None)]) == 1
        assert db.execute("SELECT a FROM t ORDER BY k").fetchall() == [("a",), ("b",), ("d",)]

    def test_it_says_what_is_a_single_statement(self) -> None:
        insert = Insert("t", 3, exact=32)
        assert [n for n in (0, 1, 31, 32, 33, 63, 64, 65, 128, 129) if insert.single_step(n)] == [
            0, 1, 31, 32, 64, 128,
        ]  # fmt: skip

    def test_few_statements_are_prepared(self, db: sqlite3.Connection) -> None:
        seen: set[str] = set()
        db.set_trace_callback(lambda sql: seen.add(str(sql.count("("))))
        insert = Insert("t", 3)
        for count in range(300):
            insert(db, [(None, 1, 2)] * count)
        assert len(seen) == 34


class TestBundle:
    @given(
        st.lists(st.tuples(st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(), st.none() | st.binary()))
    )
    def test_rows_are_the_same_as_row_by_row(self, rows: list[tuple[object, bytes | None]]) -> None:
        rows = [(plain(a) if isinstance(a, str) else a, b) for a, b in rows]
        with closing(sqlite3.connect(":memory:")) as db:
            db.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, a, b BLOB)")
            Insert("t(a, b)", 2)(db, rows)
            found = bundle(db, "k, a", "b", "SELECT * FROM t WHERE k > ? ORDER BY k DESC", (0,))
            assert [tuple(row) for row in found] == db.execute("SELECT * FROM t ORDER BY k DESC").fetchall()

    def test_it_is_one_step(self, db: sqlite3.Connection) -> None:
        Insert("t", 3)(db, [(n, n, b"x" * n) for n in range(100)])
        rows = bundle(db, "k", "b", "SELECT * FROM t ORDER BY k", ())
        assert rows == [[n, b"x" * n] for n in range(100)]


@given(st.text(st.characters(codec=None)) | st.text(st.sampled_from("\x00\x01\ud800\udfffaü")))
def test_any_text_is_kept_and_told_apart(text: str) -> None:
    kept = plain(text)
    kept.encode()
    assert restored(kept) == text
    assert "\0" not in kept
    assert not text.isascii() or "\x01" in text or "\0" in text or kept == text


@given(st.text(st.sampled_from("\x01\ud80061")), st.text(st.sampled_from("\x01\ud80061")))
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (plain(one) == plain(other)) == (one == other)
