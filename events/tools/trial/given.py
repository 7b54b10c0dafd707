"""Events for a trial: CloudEvents in files, bare payloads, and what a store has recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from events import cloudevents
from events.event import JSON, Event
from events.runtime.history import PREVIEW

SECOND = 1_000_000_000


class Recorded(NamedTuple):
    """An event and when a bus stored it; None: it comes from a file."""

    event: Event
    stored_ns: int | None
    offset: int = 0
    """Its place in the log, among events that were stored at the same time."""


def read_events(data: bytes, namespace: str) -> list[Recorded]:
    """CloudEvents, or events as `events get events -o json` shows them: one, a JSON list, or one per line.

    Those that all say when they were stored are put in that order. Raises ValueError saying which is wrong.
    """
    found = [one_event(one, namespace, f"event {number}") for number, one in enumerate(_documents(data), 1)]
    return in_order(found) if all(one.stored_ns is not None for one in found) else found


def one_event(value: Any, namespace: str, label: str) -> Recorded:
    """Raises ValueError."""
    if is_row(value):
        try:
            return recorded(value)
        except (ValueError, TypeError, AttributeError) as exc:
            raise ValueError(f"{label}: {exc}") from exc
    return Recorded(cloud_event(value, namespace, label), None)


def _documents(data: bytes) -> list[Any]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        return _lines(data, str(exc))
    return found if isinstance(found, list) else [found]


def _lines(data: bytes, problem: str) -> list[Any]:
    """JSON lines; `problem` is told when even the first line is no JSON."""
    found = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(orjson.loads(line))
        except orjson.JSONDecodeError as exc:
            said = f"line {number} is not JSON: {exc}" if found else f"not JSON: {problem}"
            raise ValueError(said) from exc
    return found


def cloud_event(value: Any, namespace: str, label: str) -> Event:
    """A CloudEvent in decoded JSON. Raises ValueError."""
    if not is_cloud_event(value):
        raise ValueError(f"{label} is not a CloudEvent: it needs specversion, id, source and type")
    try:
        return cloudevents.decode(orjson.dumps(value), namespace)
    except (ValueError, TypeError) as exc:
        raise ValueError(f"{label}: {exc}") from exc


def is_cloud_event(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() >= {"specversion", "id", "source", "type"}


def is_row(value: Any) -> bool:
    """An event as the history shows it."""
    return isinstance(value, dict) and value.keys() >= ROW


ROW = frozenset(
    {
        "bus",
        "id",
        "source",
        "subject",
        "type",
        "time",
        "stored",
        "position",
        "size",
        "datacontenttype",
        "data",
    }
)


def payload_of(data: bytes) -> bytes:
    """The payload in a file: the data of an event, anything else as it is. Raises ValueError."""
    event = sole_event(data)
    return data if event is None else event.data or b""


def sole_event(data: bytes) -> Event | None:
    """The event in a file, None when the file is a bare payload. Raises ValueError."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if isinstance(found, list) and found and all(map(is_event, found)):
        if len(found) > 1:
            raise ValueError(f"holds {len(found)} events where one is needed")
        found = found[0]
    return one_event(found, "default", "the file").event if is_event(found) else None


def is_event(value: Any) -> bool:
    return is_row(value) or is_cloud_event(value)


def recorded(row: Mapping[str, Any]) -> Recorded:
    """An event as the history shows it. Raises ValueError for one whose payload it does not show."""
    namespace = str(row["bus"]).partition("/")[0]
    event = Event(
        row["id"], row["source"], row["subject"], row["type"], cloudevents.parse_time(row["time"]),
        shown_data(row), row["datacontenttype"], namespace,
    )  # fmt: skip
    offset = int(str(row["position"]).rpartition("-")[2])
    return Recorded(event, nanoseconds(datetime.fromisoformat(row["stored"])), offset)


def shown_data(row: Mapping[str, Any]) -> bytes | None:
    """The payload of a row. JSON is written anew, so spaces and spellings of numbers may differ."""
    data, size = row["data"], row["size"]
    if size > PREVIEW:
        raise ValueError(
            f"event {row['id']} has {size} bytes, and the history shows payloads up to {PREVIEW} bytes; "
            "save it as a CloudEvent and give it as a file"
        )
    if data is None and not size:
        return None
    is_json = row["datacontenttype"].partition(";")[0].strip().lower() == JSON
    if isinstance(data, str) and (not is_json or len(orjson.dumps(data)) != size):
        return data.encode()
    return orjson.dumps(data)


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970 of an aware datetime, to the microsecond."""
    seconds = int(moment.replace(microsecond=0).timestamp())
    return seconds * SECOND + moment.microsecond * 1000


def in_order(events: Sequence[Recorded]) -> list[Recorded]:
    """By the time at which they were stored."""
    return sorted(events, key=lambda one: (one.stored_ns or 0, one.offset))
