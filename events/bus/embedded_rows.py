"""embedded_rows: how events become rows of an embedded bus, and rows become them again.

Text with lone surrogates and times beyond 64 bits are kept exactly, in an escaped form; what is usual (JSON,
the namespace of the bus) is left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from events.bus._base import Stored, Topic
from events.bus.embedded_segments import read_spots
from events.clients.sqlite import bundle, plain, restored
from events.event import JSON, Delivery, Event, Position

MOST = (1 << 63) - 1
"""The largest integer of SQLite."""

Row = tuple[Any, ...]


def event_rows(
    events: list[Event], first: int, stored_ns: int, topics: dict[Topic, int], namespace: str
) -> list[Row]:
    """The columns of `events`, numbered from `first`; `namespace` is the one of the bus."""
    return [
        (
            seq,
            stored_ns,
            topics[event.source, event.subject],
            plain(event.id),
            time_ns if (time_ns := event.time_ns) is None or -MOST < time_ns < MOST else str(time_ns),
            _often(event.type),
            None if event.datacontenttype == JSON else _often(event.datacontenttype),
            None if event.namespace == namespace else _often(event.namespace),
            event.data,
        )
        for seq, event in enumerate(events, first)
    ]


_often = lru_cache(1024)(plain)


def places(seqs: Iterable[int]) -> list[Position]:
    """Positions in the only partition; the named tuple's own constructor would take 4 times as long."""
    return list(map(tuple.__new__, repeat(Position), zip(repeat(0), seqs)))


def stored(positions: Iterable[Position], duplicate: Iterable[bool]) -> list[Stored]:
    """Answers to a publish; see `places`."""
    return list(map(tuple.__new__, repeat(Stored), zip(positions, duplicate, strict=False)))


class Place(NamedTuple):
    """What rows leave out: the namespace of the bus, and where its segments are."""

    namespace: str
    segments: Path


def deliveries(db: sqlite3.Connection, seqs: list[int], place: Place) -> list[Delivery]:
    """The events at these offsets that still exist, in the order of offsets. Raises FileNotFoundError."""
    rows = bundle(
        db,
        "seq, stored_ns, source, subject, id, time_ns, type, datacontenttype, namespace, segment, at, size",
        "data",
        "SELECT * FROM events JOIN topics ON no = topic LEFT JOIN payloads USING (seq)"
        " WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq",
        (listed(seqs),),
    )
    elsewhere = [row for row in rows if row[9] is not None]
    payloads = read_spots(place.segments, [(row[9], row[10], row[11]) for row in elsewhere])
    for row, payload in zip(elsewhere, payloads, strict=True):
        row[-1] = payload
    return [_delivery(row, place.namespace) for row in rows]


def _delivery(row: list[Any], namespace: str) -> Delivery:
    seq, stored_ns, source, subject, name, time_ns, kind, content, other, _, _, _, data = row
    event = Event(
        restored(name),
        restored(source),
        restored(subject),
        restored(kind),
        None if time_ns is None else int(time_ns),
        data,
        JSON if content is None else restored(content),
        namespace if other is None else restored(other),
    )
    return Delivery(event, Position(0, seq), stored_ns)


def listed(values: list[Any]) -> str:
    """Values as `json_each` takes them."""
    return msgspec.json.encode(values).decode()
