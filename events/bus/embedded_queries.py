"""embedded_queries: what an embedded bus reads from its file. Every function runs in a reading thread.

Rows come as one per select (`bundle`), payloads in portions of a few MB.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import msgspec

from events.bus._base import DecisionQuery, EventQuery, Gap, Mark, ShardState, Topic
from events.bus.decisions import decoded
from events.bus.embedded_rows import MOST, Place, deliveries, listed
from events.clients.sqlite import NEXT_STEP, bundle, plain, restored
from events.errors import Damaged
from events.event import FINAL, Decision, Delivery

P = ParamSpec("P")
T = TypeVar("T")

PORTION_BYTES = 4 << 20
BATCH = 512
SCANNED = 20_000
"""Offsets that one catch-up batch looks at, so that rare topics do not scan for long in one go."""

RECORDS_AT_ONCE = 10_000


class Portion(NamedTuple):
    """A catch-up batch: what was found up to `reached`, and the gap before it."""

    deliveries: list[Delivery]
    reached: int
    gaps: list[Gap]


@contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """All reads inside see the same state."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


EVENTS = "events LEFT JOIN payloads USING (seq)"
DATA_BYTES = "coalesce(size, length(data), 0)"


def with_segments(query: Callable[P, T]) -> Callable[P, T]:
    """Ask again when a segment went while it was read: the rows that named it are gone then."""

    @wraps(query)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return query(*args, **kwargs)
        except FileNotFoundError:
            pass
        try:
            return query(*args, **kwargs)
        except FileNotFoundError as exc:
            raise Damaged(f"{exc.filename} is missing: {NEXT_STEP}") from exc

    return asked


def portions(sizes: Iterable[tuple[int, int]], most: int = PORTION_BYTES) -> Iterator[list[int]]:
    """Numbers grouped so that the sizes beside them add up to `most` at the most (or one is larger)."""
    group: list[int] = []
    held = 0
    for number, size in sizes:
        if group and held + size > most:
            yield group
            group, held = [], 0
        group.append(number)
        held += size
    if group:
        yield group


def _pairs(db: sqlite3.Connection, source: str, values: dict[str, Any]) -> list[tuple[int, int]]:
    """All rows of a select of two integers, in one step."""
    sql = f"SELECT json_group_array(json_array(number, size)) FROM ({source})"  # noqa: S608 - own texts
    (pairs,) = db.execute(sql, values).fetchone()
    return msgspec.json.decode(pairs, type=list[tuple[int, int]])


# catching up

OF_TOPICS = """topic IN (SELECT t.no FROM json_each(:topics) j JOIN topics t
 ON t.source = json_extract(j.value, '$[0]') AND t.subject = json_extract(j.value, '$[1]'))"""


def topics_value(topics: Iterable[Topic]) -> str:
    """Topics as the queries take them."""
    return listed([[plain(part) for part in topic] for topic in topics])


@with_segments
def catch_up(db: sqlite3.Connection, topics: str, after: int, place: Place) -> Portion:
    """The next events of the topics behind `after`, and how far the log was looked at."""
    with snapshot(db):
        (floor,) = db.execute("SELECT floor FROM log").fetchone()
        head = head_of(db)
        start = max(after, floor)
        last = min(start + SCANNED, head)
        found = _pairs(
            db,
            f"SELECT seq AS number, {DATA_BYTES} AS size FROM {EVENTS}"  # noqa: S608 - own texts
            f" WHERE seq > :start AND seq <= :last AND +{OF_TOPICS} ORDER BY seq LIMIT {BATCH}",
            {"start": start, "last": last, "topics": topics},
        )
        seqs = next(portions(found), [])
        found_events = deliveries(db, seqs, place) if seqs else []
    cut = len(found) == BATCH or len(seqs) < len(found)
    reached = seqs[-1] if cut else max(last, start)
    return Portion(found_events, reached, [Gap(0, after + 1, floor)] if after < floor else [])


def head_of(db: sqlite3.Connection) -> int:
    """The newest offset; retention leaves the newest event, so that no offset is given twice."""
    return int(db.execute("SELECT ifnull(max(seq), 0) FROM events").fetchone()[0])


def lag(db: sqlite3.Connection, topics: str, after: int) -> int:
    """How many events of the topics lie behind `after`."""
    sql = f"SELECT count(*) FROM events WHERE seq > :after AND {OF_TOPICS}"  # noqa: S608 - own texts
    return int(db.execute(sql, {"after": after, "topics": topics}).fetchone()[0])


# finding


@with_segments
def find_events(db: sqlite3.Connection, query: EventQuery, place: Place) -> list[Delivery]:
    """See EventQuery."""
    where, values = _event_conditions(query)
    order = "DESC" if query.newest_first else "ASC"
    with snapshot(db):
        between, bounds = _stored_between(db, query)
        values |= bounds
        sql = (
            f"SELECT seq AS number, {DATA_BYTES} AS size FROM {EVENTS}"  # noqa: S608 - own texts
            f"{_where(where + between)} ORDER BY seq {order} LIMIT :limit"
        )
        found: list[tuple[int, int]] = []
        for topic in _topics_like(db, query):
            found += _pairs(db, sql, values | {"topic": topic})
        found = sorted(found, reverse=query.newest_first)[: query.limit]
        rows = [row for seqs in portions(found) for row in deliveries(db, seqs, place)]
    return sorted(rows, key=lambda row: row.position.offset, reverse=query.newest_first)


def _topics_like(db: sqlite3.Connection, query: EventQuery) -> list[int | None]:
    """The topics that the query means; only None if it means all. Each is asked for on its own, by index."""
    if query.source is None and query.subject is None:
        return [None]
    sql = (
        "SELECT json_group_array(no) FROM topics"
        " WHERE source = ifnull(?, source) AND subject = ifnull(?, subject)"
    )
    names = [None if name is None else plain(name) for name in (query.source, query.subject)]
    (numbers,) = db.execute(sql, names).fetchone()
    return msgspec.json.decode(numbers, type=list[int | None])


def _event_conditions(query: EventQuery) -> tuple[list[str], dict[str, Any]]:
    where: list[str] = []
    values: dict[str, Any] = {"limit": query.limit}
    if query.source is not None or query.subject is not None:
        where.append("topic = :topic")
    if query.id is not None:
        where.append("id = :id")
        values["id"] = plain(query.id)
    if query.after is not None:
        where.append("seq < :after" if query.newest_first else "seq > :after")
        values["after"] = query.after.offset
    return where, values


def _stored_between(db: sqlite3.Connection, query: EventQuery) -> tuple[list[str], dict[str, int]]:
    """Conditions for the time of storing. It grows with the offset, but for a clock that was set back."""
    if query.since_ns is None and query.until_ns is None:
        return [], {}
    since = max(-MOST, min(-MOST if query.since_ns is None else query.since_ns, MOST))
    until = max(-MOST, min(MOST if query.until_ns is None else query.until_ns, MOST))
    floor, ordered_from = db.execute("SELECT floor, ordered_from FROM log").fetchone()
    high = head_of(db) + 1
    first = _first_since(db, since, ordered_from, high) if ordered_from <= floor + 1 else 0
    bounds = {
        "first": first,
        "end": _first_since(db, until, ordered_from, high),
        "since": since,
        "until": until,
    }
    return ["seq >= :first AND seq < :end AND stored_ns >= :since AND stored_ns < :until"], bounds


def _first_since(db: sqlite3.Connection, time_ns: int, low: int, high: int) -> int:
    """The first offset from `low` on with an event stored at or after the time, at most `high`."""
    sql = "SELECT seq, stored_ns FROM events WHERE seq >= ? ORDER BY seq LIMIT 1"
    while low < high:
        middle = (low + high) // 2
        row = db.execute(sql, (middle,)).fetchone()
        if row is None or row[1] >= time_ns:
            high = middle
        else:
            low = row[0] + 1
    return low


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


DECISION_CONDITIONS = {
    "event_id": "d.no IN (SELECT no FROM decision_events WHERE id = :event_id)",
    "firing": "d.firing = :firing",
    "sensor": "d.sensor = :sensor",
    "trigger": "d.trigger = :trigger",
    "results": "d.result IN (SELECT value FROM json_each(:results))",
    "since_ns": "d.time_ns >= :since_ns",
    "until_ns": "d.time_ns < :until_ns",
}


def find_decisions(db: sqlite3.Connection, query: DecisionQuery) -> list[Decision]:
    """See DecisionQuery."""
    given = {name: getattr(query, name) for name in DECISION_CONDITIONS if getattr(query, name) is not None}
    values = {name: _bound(value) for name, value in given.items()}
    with snapshot(db):
        found = _pairs(
            db,
            "SELECT d.no AS number, length(d.body) AS size FROM decisions d"  # noqa: S608 - own texts
            f"{_where([DECISION_CONDITIONS[name] for name in given])}"
            " ORDER BY d.time_ns DESC, d.no DESC LIMIT :limit",
            values | {"limit": query.limit},
        )
        bodies = {no: body for group in portions(found) for no, body in _fetch_decisions(db, group)}
    return [decoded(bodies[no]) for no, _ in found]


def _bound(value: str | int | frozenset[str]) -> str | int:
    if isinstance(value, frozenset):
        return listed(sorted(value))
    return plain(value) if isinstance(value, str) else value


def _fetch_decisions(db: sqlite3.Connection, numbers: list[int]) -> list[list[Any]]:
    return bundle(
        db,
        "no",
        "body",
        "SELECT no, body FROM decisions WHERE no IN (SELECT value FROM json_each(?)) ORDER BY no",
        (listed(numbers),),
    )


# state


def load(db: sqlite3.Connection, shard: int) -> ShardState:
    """Everything a shard has committed, at one moment."""
    with snapshot(db):
        mark = mark_of(db, shard)
        records = {restored(key): value for rows in _record_pages(db, shard) for key, value in rows}
        done = _done(db, shard, 0 if mark is None else mark.offsets[0])
    return ShardState(mark, records, done)


def mark_of(db: sqlite3.Connection, shard: int) -> Mark | None:
    row = db.execute("SELECT incarnation, reached FROM marks WHERE shard = ?", (shard,)).fetchone()
    return None if row is None else Mark(row[0], {0: row[1]})


def _record_pages(db: sqlite3.Connection, shard: int) -> Iterator[list[list[Any]]]:
    source = "SELECT key, value FROM records WHERE shard = ? ORDER BY key LIMIT ? OFFSET ?"
    at = 0
    while rows := bundle(db, "key", "value", source, (shard, RECORDS_AT_ONCE, at)):
        yield rows
        at += RECORDS_AT_ONCE


def _done(db: sqlite3.Connection, shard: int, above: int) -> set[str]:
    sql = (
        "SELECT json_group_array(firing) FROM decisions"
        " WHERE goes_with > :above AND seq > :above AND shard = :shard AND firing IS NOT NULL"
        " AND result IN (SELECT value FROM json_each(:final))"
    )
    values = {"above": above, "shard": shard, "final": listed(sorted(FINAL))}
    (firings,) = db.execute(sql, values).fetchone()
    return set(map(restored, msgspec.json.decode(firings, type=list[str])))


def blob(db: sqlite3.Connection, shard: int, key: str) -> bytes | None:
    return _one(db, "SELECT value FROM blobs WHERE shard = ? AND key = ?", shard, plain(key))


def cursor(db: sqlite3.Connection, name: str) -> bytes | None:
    return _one(db, "SELECT value FROM cursors WHERE name = ?", plain(name))


def _one(db: sqlite3.Connection, sql: str, *values: str | int) -> bytes | None:
    row = db.execute(sql, values).fetchone()
    return None if row is None else row[0]
