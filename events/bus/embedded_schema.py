"""embedded_schema: the tables of an embedded bus, how its file is made, what is checked when it is opened.

Promise   a file appears whole or not at all (made beside, synced, renamed); a file that is not ours, of a
          newer version, of other settings or visibly damaged is refused with the next step
Rows      `seq` is the offset in partition 0. From `ordered_from` on, `stored_ns` never falls. `payloads` says
          where the data of an event is that is not in its row. A decision goes with the event at `goes_with`:
          its own, or the newest at that time if its own was discarded already
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from events.bus.embedded_segments import Segments, segments_of
from events.clients.sqlite import NEXT_STEP, PAGE_BYTES, sync_folder, wal_of
from events.errors import Damaged, Permanent, shorten

APPLICATION = 0x45564253
SCHEMA = 1
CHECKED_WHOLE = 32 << 20
"""Bytes: smaller files are checked page by page when they are opened (about 1 s per GB)."""

TABLES = f"""\
PRAGMA page_size = {PAGE_BYTES};
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {SCHEMA};
BEGIN;
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE log(only INTEGER PRIMARY KEY CHECK (only = 0),
                 floor INTEGER NOT NULL, ordered_from INTEGER NOT NULL,
                 counted INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
INSERT INTO log VALUES (0, 0, 0, 0, 0);

CREATE TABLE topics(no INTEGER PRIMARY KEY, source TEXT NOT NULL, subject TEXT NOT NULL,
                    UNIQUE (source, subject)) STRICT;
CREATE TABLE events(seq INTEGER PRIMARY KEY, stored_ns INTEGER NOT NULL, topic INTEGER NOT NULL,
                    id TEXT NOT NULL, time_ns ANY, type TEXT NOT NULL, datacontenttype TEXT, namespace TEXT,
                    data BLOB) STRICT;
CREATE UNIQUE INDEX events_key ON events(id, topic);
CREATE INDEX events_topic ON events(topic);
CREATE TABLE payloads(seq INTEGER PRIMARY KEY, segment INTEGER NOT NULL, at INTEGER NOT NULL,
                      size INTEGER NOT NULL) STRICT;
CREATE TABLE cursors(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE epochs(name TEXT PRIMARY KEY, epoch INTEGER NOT NULL, held INTEGER NOT NULL)
                    STRICT, WITHOUT ROWID;
CREATE TABLE marks(shard INTEGER PRIMARY KEY, incarnation TEXT NOT NULL, reached INTEGER NOT NULL) STRICT;
CREATE TABLE records(shard INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
                     PRIMARY KEY (shard, key)) STRICT;
CREATE TABLE blobs(shard INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
                   PRIMARY KEY (shard, key)) STRICT;

CREATE TABLE decisions(no INTEGER PRIMARY KEY, goes_with INTEGER NOT NULL, seq INTEGER NOT NULL,
                       shard INTEGER NOT NULL, time_ns INTEGER NOT NULL, sensor TEXT NOT NULL,
                       trigger TEXT NOT NULL, result TEXT NOT NULL, firing TEXT, body BLOB NOT NULL) STRICT;
CREATE INDEX decisions_goes_with ON decisions(goes_with);
CREATE INDEX decisions_time ON decisions(time_ns);
CREATE INDEX decisions_trigger ON decisions(sensor, trigger, time_ns);
CREATE INDEX decisions_firing ON decisions(firing) WHERE firing IS NOT NULL;
CREATE TABLE decision_events(id TEXT NOT NULL, no INTEGER NOT NULL, PRIMARY KEY (id, no))
                             STRICT, WITHOUT ROWID;
CREATE INDEX decision_events_no ON decision_events(no);
COMMIT;
PRAGMA journal_mode = WAL;
"""  # noqa: S608 - own numbers


class Identity(NamedTuple):
    """Which log a file is. Another file at the same path is another incarnation."""

    incarnation: str
    name: str
    shards: int


def create(path: Path, name: str, shards: int) -> None:
    """Make the file, durably. Raises sqlite3.Error, OSError."""
    new = path.with_name(path.name + ".new")
    for left in (new, wal_of(new), wal_of(path)):
        left.unlink(missing_ok=True)
    Segments(segments_of(path)).drop_all()
    with closing(sqlite3.connect(new, isolation_level=None)) as db:
        db.executescript(TABLES)
        identity = {"incarnation": secrets.token_hex(8), "name": name, "shards": str(shards)}
        db.executemany("INSERT INTO meta VALUES (?, ?)", identity.items())
    new.chmod(0o600)
    new.rename(path)
    sync_folder(path.parent)


def check_present(path: Path) -> None:
    """Refuse what is no file with something in it. Raises Damaged, Permanent."""
    if not path.is_file():
        raise Permanent(f"{path}: there is no such event bus")
    if path.stat().st_size == 0:  # SQLite would take it for a new file and drop what lies beside it
        raise Damaged(f"{path} is empty, which an event bus never is: {NEXT_STEP}")


def check(db: sqlite3.Connection, path: Path) -> Identity:
    """Refuse what is not a bus that this version can read. Raises Damaged, sqlite3.Error."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION:
        raise Damaged(f"{path} is not an event bus: choose another path")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA:
        raise Damaged(
            f"{path} has format {version}, this version reads format {SCHEMA}: use the other version"
        )
    _check_pages(db, path)
    meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
    try:
        return Identity(meta["incarnation"], meta["name"], int(meta["shards"]))
    except (KeyError, ValueError) as exc:
        raise Damaged(f"{path} does not say which bus it is ({exc!r}): {NEXT_STEP}") from exc


def check_settings(identity: Identity, path: Path, name: str, shards: int) -> None:
    """Refuse another bus, and another division into shards: state is kept by shard. Raises Permanent."""
    if identity.name != name:
        raise Permanent(f"{path} belongs to the bus {identity.name}, not to {name}: choose another path")
    if identity.shards != shards:
        raise Permanent(
            f"{path} is divided into {identity.shards} shards, not {shards}: set shards to {identity.shards}"
        )


def _check_pages(db: sqlite3.Connection, path: Path) -> None:
    """Small files as a whole; of large ones only both ends of the log, the rest when it is read."""
    if path.stat().st_size <= CHECKED_WHOLE:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise Damaged(f"{path} is damaged ({shorten(found)}): {NEXT_STEP}")
        return
    for order in ("ASC", "DESC"):
        db.execute(f"SELECT * FROM events ORDER BY seq {order} LIMIT 1").fetchall()  # noqa: S608 - own words
