"""Times of events as the languages see them: aware UTC datetimes and RFC 3339 text."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from events.event import Event

ZERO = datetime(1, 1, 1, tzinfo=UTC)
"""Go's zero time: what an event without a time is compared as."""


def moment(time_ns: int) -> datetime:
    """Nanoseconds since 1970 as a datetime, to the microsecond."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def event_moment(event: Event) -> datetime:
    return ZERO if event.time_ns is None else moment(event.time_ns)


def clock(event: Event) -> float:
    """What scripts take for now, in seconds since 1970: the event's time, so that the past can be explained;
    the real one for an event without."""
    return time.time() if event.time_ns is None else event.time_ns / 1e9


def rfc3339_seconds(time_ns: int) -> str:
    """`2024-01-02T03:04:05Z`: as event contexts show times, without a fraction."""
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
