"""embedded_writer: what the writing thread of an embedded bus does with publishes, commits and leases.

Promise   a group is one transaction: each item of it is stored as a whole or refused as a whole. What is kept
          in memory (head, sizes, marks, topics) is a cache of the tables, read anew after a group was undone
Speed     a group of publishes is one INSERT statement for up to 128 events, and no more than that when
          nothing else is to be done: SQLite then makes the transaction itself
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import compress, repeat
from typing import Any

import msgspec

from events.bus._base import Changes, Cursor, Stored, Topic
from events.bus.decisions import encoded
from events.bus.embedded_queries import DATA_BYTES, EVENTS, head_of
from events.bus.embedded_rows import MOST, Row, event_rows, listed, places, stored
from events.bus.embedded_segments import LARGE_BYTES, WORTH_BYTES, Segments
from events.bus.embedded_tail import Chunk
from events.bus.retention import (
    OVERHEAD_BYTES,
    Retention,
    event_bytes,
    leased_shards,
    protected_from,
)
from events.clients.sqlite import Insert, plain, restored
from events.clients.sqlite_threads import Then
from events.errors import BusFull, Fenced
from events.event import Decision, Delivery, Event

SLICE, SLICES = 256, 4
"""Events that are discarded in one go, and how often in one transaction."""

SPARE = 16
"""One part in so many of the byte limit is freed beyond need, so that not every publish has to discard."""

NOTED = 10_000
"""Events after which the sizes are noted, at the latest."""

STANDS_STILL_NS = 10**9
"""By how much a clock may be set back before times of storing fall."""

SIZE = f"{DATA_BYTES} + {OVERHEAD_BYTES}"
SIZE_ABOVE = f"SELECT ifnull(sum({SIZE}), 0) FROM {EVENTS} WHERE seq > ?"  # noqa: S608 - own texts
OLDEST_EVENTS = (
    f"SELECT json_group_array(json_array(seq, stored_ns, {SIZE})) FROM"  # noqa: S608 - own texts
    f" (SELECT * FROM {EVENTS} WHERE seq <= ? ORDER BY seq LIMIT ?)"
)
WHERE_STORED = """SELECT json_group_array(seq) FROM
 (SELECT e.seq FROM json_each(?) j CROSS JOIN events e
  ON e.id = json_extract(j.value, '$[0]') AND e.topic = json_extract(j.value, '$[1]') ORDER BY j.key)"""
UPSERT = "ON CONFLICT ({}) DO UPDATE SET value = excluded.value"


class Publish(msgspec.Struct, gc=False):
    """Events to be stored in order, with the cursor that belongs to them. `size` as `event_bytes` reckons."""

    events: Sequence[Event]
    cursor: Cursor | None
    size: int


class Commit(msgspec.Struct):
    """One step of a shard's owner."""

    shard: int
    epoch: int
    changes: Changes


class Take(msgspec.Struct):
    """Take a lease; the result is its epoch."""

    name: str


class GiveBack(msgspec.Struct):
    """End a lease, if it is still in force."""

    name: str
    epoch: int


class Log:
    """The tables as the writing thread sees them. `full` may be read from anywhere.

    published: told in the event loop what was stored.
    segments: where large payloads of large groups go if `move_payloads`; else all stay in their rows.
    """

    def __init__(
        self,
        name: str,
        retention: Retention,
        clock: Callable[[], int],
        published: Callable[[Chunk], None],
        segments: Segments,
        *,
        move_payloads: bool,
    ) -> None:
        self._name, self._namespace = name, name.partition("/")[0]
        self._retention, self._clock, self._published = retention, clock, published
        self._segments, self._move_payloads = segments, move_payloads
        self._stale = True
        self._emptied = False
        self._wanted = 0
        self.head = self.floor = self.bytes = 0

    @property
    def full(self) -> bool:
        """Whether the last publish was refused for want of room, and would be still."""
        return self._wanted > 0 and self._retention.excess(self.bytes + self._wanted) > 0

    # what is remembered of the tables

    def start(self, db: sqlite3.Connection) -> None:
        """A new owner of the file: nobody holds a lease. Raises sqlite3.Error."""
        db.execute("UPDATE epochs SET held = 0 WHERE held")
        self._read(db)

    def end(self, db: sqlite3.Connection) -> None:
        """The file will be closed. Sizes that cannot be noted are counted when it is opened again."""
        if not self._stale and self._counted != self.head:
            with suppress(sqlite3.Error):
                self._note_sizes(db)
        self._segments.close()

    def undo(self, db: sqlite3.Connection) -> None:
        self._stale = True
        self._read(db)

    def _read(self, db: sqlite3.Connection) -> None:
        self.head = head_of(db)
        self.floor, self._counted, held = db.execute("SELECT floor, counted, bytes FROM log").fetchone()
        (newer,) = db.execute(SIZE_ABOVE, (self._counted,)).fetchone()
        self.bytes = held + newer
        (self._decided,) = db.execute("SELECT ifnull(max(no), 0) FROM decisions").fetchone()
        topics = db.execute("SELECT source, subject, no FROM topics").fetchall()
        self._topics = {(restored(source), restored(subject)): no for source, subject, no in topics}
        epochs = db.execute("SELECT name, epoch, held FROM epochs").fetchall()
        self._epochs: dict[str, int] = {restored(name): epoch for name, epoch, held in epochs if held}
        self._leased = leased_shards(restored(name) for name, _, _ in epochs)
        self._marks: dict[int, int] = dict(db.execute("SELECT shard, reached FROM marks").fetchall())
        self._read_oldest(db)
        newest = db.execute("SELECT stored_ns FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        self._newest_ns: int = newest[0] if newest else -MOST
        self._emptied = True
        last = "SELECT segment, at, size FROM payloads ORDER BY seq DESC LIMIT 1"
        self._segments.resume(db.execute(last).fetchone())
        self._stale = False

    def _read_oldest(self, db: sqlite3.Connection) -> None:
        """Offset and time of the oldest event; in an empty log the time is MOST."""
        oldest = db.execute("SELECT seq, stored_ns FROM events ORDER BY seq LIMIT 1").fetchone()
        self._oldest: int
        self._oldest_ns: int
        self._oldest, self._oldest_ns = oldest or (self.head, MOST)

    def _time(self) -> int:
        """Now, as the log sees it: a clock that is set back a little stands still instead."""
        now_ns, newest_ns = self._clock(), self._newest_ns
        return newest_ns if newest_ns - STANDS_STILL_NS <= now_ns < newest_ns else now_ns

    # one group

    def apply(self, db: sqlite3.Connection, items: list[Any], then: Then) -> list[Any]:
        if self._stale:
            self._read(db)
        self._now_ns = self._time()
        publishes = [item for item in items if type(item) is Publish]
        size = sum([publish.size for publish in publishes])
        if len(publishes) == len(items) and self._is_simple(publishes, size):
            self._wanted = 0
            return self._store(db, publishes, size, then)
        db.execute("BEGIN IMMEDIATE")
        results = [None if type(item) is Publish else self._do(db, item) for item in items]
        making_room = self._tidy(db, max(size, self._wanted))
        answers = iter(self._admit(db, publishes, then, making_room))
        results = [next(answers) if type(item) is Publish else results[n] for n, item in enumerate(items)]
        self._commit_all(db)
        return results

    def _commit_all(self, db: sqlite3.Connection) -> None:
        """End the transaction. Segments that cannot be removed now go when events are discarded next time."""
        oldest = db.execute("SELECT segment FROM payloads ORDER BY seq LIMIT 1").fetchone()
        db.execute("COMMIT")
        if self._emptied:
            with suppress(OSError):
                self._segments.drop_before(oldest[0] if oldest else self._segments.newest)
                self._emptied = False

    def _is_simple(self, publishes: list[Publish], size: int) -> bool:
        """Whether the group is one INSERT and nothing else."""
        return (
            size < WORTH_BYTES
            and self._insert_events.single_step(sum([len(publish.events) for publish in publishes]))
            and not any(publish.cursor for publish in publishes)
            and self._retention.excess(self.bytes + size) <= 0
            and self._now_ns >= self._newest_ns
            and not self._is_untidy(size)
            and not self._unknown_topics(publishes)
        )

    def _admit(
        self, db: sqlite3.Connection, publishes: list[Publish], then: Then, making_room: bool
    ) -> list[Any]:
        """Store the publishes that fit, refuse the others. While old events are going all of them fit."""
        fits: list[bool] = []
        held = self.bytes
        for publish in publishes:
            fits.append(self._retention.excess(held + publish.size) <= 0 or making_room or not publish.events)
            if publish.events:
                self._wanted = 0 if fits[-1] else publish.size
                held += publish.size if fits[-1] else 0
        admitted = list(compress(publishes, fits))
        self._add_topics(db, self._unknown_topics(admitted))
        answers = iter(self._store(db, admitted, held - self.bytes, then))
        cursors = dict(publish.cursor for publish in admitted if publish.cursor is not None)
        self._put_cursors(db, [(plain(name), value) for name, value in cursors.items()])
        return [next(answers) if fit else self._full() for fit in fits]

    def _full(self) -> BusFull:
        limit = self._retention.max_bytes
        return BusFull(f"{self._name}: the limit of {limit} bytes is reached by events not handled yet")

    def _do(self, db: sqlite3.Connection, item: Any) -> Any:
        if type(item) is Commit:
            return self._commit(db, item)
        if type(item) is Take:
            return self._take(db, item)
        return self._give_back(db, item)

    # publishes

    _insert_events = Insert("events", columns=9, conflict="ON CONFLICT (id, topic) DO NOTHING", exact=64)
    _add_payloads = Insert("payloads", columns=4)
    _put_cursors = Insert("cursors", columns=2, conflict=UPSERT.format("name"))

    def _unknown_topics(self, publishes: list[Publish]) -> set[Topic]:
        return {(e.source, e.subject) for publish in publishes for e in publish.events} - self._topics.keys()

    def _add_topics(self, db: sqlite3.Connection, topics: set[Topic]) -> None:
        for source, subject in topics:
            row = (plain(source), plain(subject))
            cursor = db.execute("INSERT INTO topics (source, subject) VALUES (?, ?)", row)
            self._topics[source, subject] = cursor.lastrowid or 0

    def _store(
        self, db: sqlite3.Connection, publishes: list[Publish], size: int, then: Then
    ) -> list[list[Stored]]:
        """Insert all events of all publishes, `size` bytes; what each publish gets to know."""
        now_ns, first = self._now_ns, self.head + 1
        events = [event for publish in publishes for event in publish.events]
        rows = event_rows(events, first, now_ns, self._topics, self._namespace)
        moved = self._moved(rows) if self._move_payloads and size >= WORTH_BYTES else []
        if self._insert_events(db, rows) == len(rows):
            positions = places(range(first, first + len(rows)))
            answers = stored(positions, repeat(False))
        else:
            answers = self._with_duplicates(db, rows)
            new = [not answer.duplicate for answer in answers]
            events = list(compress(events, new))
            positions = [answer.position for answer in compress(answers, new) if answer.position]
            size = sum(map(event_bytes, events))
            kept = {position.offset for position in positions}
            moved = [spot for spot in moved if spot[0] in kept]
        self._add_payloads(db, moved)
        if positions:
            if self._oldest_ns == MOST:
                self._oldest, self._oldest_ns = positions[0].offset, now_ns
            if now_ns < self._newest_ns:
                db.execute("UPDATE log SET ordered_from = ?", (first,))
            before, self.head, self._newest_ns = self.head, positions[-1].offset, now_ns
            self.bytes += size
            deliveries = list(map(Delivery, events, positions, repeat(now_ns)))
            then.append(partial(self._published, Chunk(deliveries, before, self.head, size)))
        return _divided(answers, publishes)

    def _moved(self, rows: list[Row]) -> list[Row]:
        """Put large payloads into a segment, if that pays; the rows for `payloads`."""
        large = [n for n, row in enumerate(rows) if row[-1] is not None and len(row[-1]) >= LARGE_BYTES]
        payloads = [rows[n][-1] for n in large]
        if sum(map(len, payloads)) < WORTH_BYTES:
            return []
        spots = self._segments.put(payloads, first=rows[0][0])
        for n in large:
            rows[n] = (*rows[n][:-1], None)
        return [(rows[n][0], *spot) for n, spot in zip(large, spots, strict=True)]

    def _with_duplicates(self, db: sqlite3.Connection, rows: list[Row]) -> list[Stored]:
        """What became of each row, when some were dropped because their key is there already."""
        (found,) = db.execute(WHERE_STORED, (listed([(row[3], row[2]) for row in rows]),)).fetchone()
        seqs = msgspec.json.decode(found, type=list[int])
        return stored(places(seqs), [row[0] != seq for row, seq in zip(rows, seqs, strict=True)])

    # commits and leases

    _put_blobs = Insert("blobs", columns=3, conflict=UPSERT.format("shard, key"))
    _put_records = Insert("records", columns=3, conflict=UPSERT.format("shard, key"))
    _add_decisions = Insert("decisions", columns=10)
    _add_decision_events = Insert("decision_events", columns=2, conflict="ON CONFLICT DO NOTHING")

    def _commit(self, db: sqlite3.Connection, commit: Commit) -> Fenced | None:
        shard, changes = commit.shard, commit.changes
        if self._epochs.get(f"shard/{shard}") != commit.epoch:
            return Fenced(f"{self._name}: epoch {commit.epoch} of shard {shard} is no longer in force")
        self._put_blobs(db, [(shard, plain(key), value) for key, value in changes.blobs.items()])
        put = [(shard, plain(key), value) for key, value in changes.records.items() if value is not None]
        self._put_records(db, put)
        drop(db, "records", shard, [key for key, value in changes.records.items() if value is None])
        self._decide(db, shard, changes.decisions)
        if (mark := changes.mark) is not None:
            self._marks[shard] = reached = mark.offsets.get(0, 0)
            db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", (shard, mark.incarnation, reached))
        drop(db, "blobs", shard, changes.drop_blobs)
        return None

    def _decide(self, db: sqlite3.Connection, shard: int, decisions: list[Decision]) -> None:
        numbered = list(enumerate(decisions, self._decided + 1))
        self._decided += len(decisions)
        self._add_decisions(db, [self._decision_row(number, shard, d) for number, d in numbered])
        self._add_decision_events(db, [(plain(key.id), number) for number, d in numbered for key in d.events])

    def _decision_row(self, number: int, shard: int, decision: Decision) -> Row:
        seq = decision.position.offset
        return (
            number,
            seq if seq > self.floor else self.head,
            seq,
            shard,
            decision.time_ns,
            plain(decision.sensor),
            plain(decision.trigger),
            plain(decision.result),
            None if decision.firing is None else plain(decision.firing),
            encoded(decision),
        )

    def _take(self, db: sqlite3.Connection, take: Take) -> int:
        sql = (
            "INSERT INTO epochs VALUES (?, 1, 1)"
            " ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1, held = 1 RETURNING epoch"
        )
        epoch = self._epochs[take.name] = int(db.execute(sql, (plain(take.name),)).fetchall()[0][0])
        self._leased |= leased_shards([take.name])
        return epoch

    def _give_back(self, db: sqlite3.Connection, lease: GiveBack) -> None:
        if self._epochs.get(lease.name) == lease.epoch:
            db.execute("UPDATE epochs SET held = 0 WHERE name = ?", (plain(lease.name),))
            del self._epochs[lease.name]

    # retention

    def rest(self, db: sqlite3.Connection) -> bool:
        if self._stale:
            self._read(db)
        self._now_ns = self._time()
        if not self._is_untidy(self._wanted) and self._counted == self.head:
            return False
        db.execute("BEGIN IMMEDIATE")
        more = self._tidy(db, self._wanted)
        if not more:
            self._note_sizes(db)
        self._commit_all(db)
        return more

    def _is_untidy(self, more_bytes: int) -> bool:
        """Whether something should be discarded, and may; or the sizes should be noted."""
        too_old = self._oldest_ns <= self._retention.oldest_ns(self._now_ns)
        too_much = self._retention.excess(self.bytes + more_bytes) > 0
        may = self._oldest <= self._limit()
        return ((too_old or too_much) and may) or self.head - self._counted > NOTED

    def _limit(self) -> int:
        """The last offset that may go."""
        return min(protected_from(self._leased, self._marks, self.head), self.head - 1)

    def _tidy(self, db: sqlite3.Connection, more_bytes: int) -> bool:
        """Discard one slice, or some more if the bytes to come need it. True: more may go."""
        if not self._is_untidy(more_bytes):
            return False
        for _ in range(SLICES):
            went = self._discard(db, more_bytes)
            if not went or self._retention.excess(self.bytes + more_bytes) <= 0:
                break
        self._note_sizes(db)
        return went

    def _discard(self, db: sqlite3.Connection, more_bytes: int) -> bool:
        """One slice of the oldest events, with their decisions."""
        until, freed = self._slice(db, more_bytes)
        if until == self.floor:
            return False
        db.execute("DELETE FROM events WHERE seq <= ?", (until,))
        db.execute("DELETE FROM payloads WHERE seq <= ?", (until,))
        db.execute(
            "DELETE FROM decision_events WHERE no IN (SELECT no FROM decisions WHERE goes_with <= ?)",
            (until,),
        )
        db.execute("DELETE FROM decisions WHERE goes_with <= ?", (until,))
        self.floor = until
        self.bytes -= freed
        self._emptied = True
        self._read_oldest(db)
        return True

    def _slice(self, db: sqlite3.Connection, more_bytes: int) -> tuple[int, int]:
        """The last offset of the slice, and its bytes. What is too large goes a little below the limit."""
        oldest_ns = self._retention.oldest_ns(self._now_ns)
        excess = self._retention.excess(self.bytes + more_bytes)
        surplus = excess + (self._retention.max_bytes or 0) // SPARE if excess > 0 else 0
        (oldest,) = db.execute(OLDEST_EVENTS, (self._limit(), SLICE)).fetchone()
        until, freed = self.floor, 0
        for seq, stored_ns, size in msgspec.json.decode(oldest, type=list[tuple[int, int, int]]):
            if stored_ns > oldest_ns and freed >= surplus:
                break
            until, freed = seq, freed + size
        return until, freed

    def _note_sizes(self, db: sqlite3.Connection) -> None:
        """So that opening the file does not have to look at every event."""
        self._counted = self.head
        db.execute("UPDATE log SET floor = ?, counted = ?, bytes = ?", (self.floor, self.head, self.bytes))


def _divided(answers: list[Stored], publishes: list[Publish]) -> list[list[Stored]]:
    """The answers to all events, for each publish its own."""
    divided, at = [], 0
    for publish in publishes:
        until = at + len(publish.events)
        divided.append(answers[at:until])
        at = until
    return divided


def drop(db: sqlite3.Connection, table: str, shard: int, keys: list[str]) -> None:
    """Delete these keys of a shard, if there are any."""
    if keys:
        sql = f"DELETE FROM {table} WHERE shard = ? AND key IN (SELECT value FROM json_each(?))"  # noqa: S608 - own names
        db.execute(sql, (shard, listed([plain(key) for key in keys])))
