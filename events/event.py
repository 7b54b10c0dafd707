"""The values that flow: events, firings, requests, outcomes, decisions.

Slotted structs without behaviour of their own: pydantic is for manifests only. The payload of an event stays
bytes from the socket to the trigger.

Spec      CloudEvents 1.0 attributes; `source` is the EventSource's name, `subject` the event name
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

FIRED = "fired"
WAITING = "waiting"
FILTERED = "filtered"
SOURCE_FILTERED = "source_filtered"
TRANSFORM_ERROR = "transform_error"
FILTER_ERROR = "filter_error"
PARAMETER_ERROR = "parameter_error"
DUPLICATE = "duplicate"
RESET = "reset"
RATE_LIMITED = "rate_limited"
RETRYING = "retrying"
FAILED = "failed"
DEAD_LETTERED = "dead_lettered"
EXPIRED = "expired"
RESULTS = (
    FIRED, WAITING, FILTERED, SOURCE_FILTERED, TRANSFORM_ERROR, FILTER_ERROR, PARAMETER_ERROR,
    DUPLICATE, RESET, RATE_LIMITED, RETRYING, FAILED, DEAD_LETTERED, EXPIRED,
)  # fmt: skip
"""The closed list of what can become of an event at a trigger."""

FINAL = frozenset({FIRED, PARAMETER_ERROR, FAILED, DEAD_LETTERED})
"""Results after which a firing is not started again."""

TRIGGER_ROLE = "trigger"
DLQ_ROLE = "dlq"

JSON = "application/json"


class EventKey(NamedTuple):
    """What makes an event the same event within a namespace: redelivery carries the same key."""

    source: str
    subject: str
    id: str


class Event(msgspec.Struct, gc=False):
    """One CloudEvent of one namespace. `time_ns` is nanoseconds since 1970 (None: no time given)."""

    id: str
    source: str
    subject: str
    type: str
    time_ns: int | None
    data: bytes | None
    datacontenttype: str = JSON
    namespace: str = "default"
    document: Any = None
    """The decoded payload (`lang.document.Document`), made at first use and shared by all sensors."""

    @property
    def key(self) -> EventKey:
        return EventKey(self.source, self.subject, self.id)

    def __repr__(self) -> str:
        size = "no data" if self.data is None else f"{len(self.data)} bytes"
        return f"<Event {self.namespace}/{self.source}/{self.subject} {self.id} {size}>"


class Position(NamedTuple):
    """A place in the log: `offset` grows within a partition."""

    partition: int
    offset: int


class Delivery(msgspec.Struct, gc=False):
    """An event as it is read back: where it lies, and when the bus stored it."""

    event: Event
    position: Position
    stored_ns: int


class Firing(msgspec.Struct):
    """One execution of one trigger: the event chosen for each dependency, and the id that names it."""

    id: str
    namespace: str
    sensor: str
    trigger: str
    events: dict[str, Event]
    now_ns: int
    """When the bus stored the newest chosen event: the `now` of everything rendered for this firing."""
    role: str = TRIGGER_ROLE
    replay: int = 0


class Request(msgspec.Struct, kw_only=True):
    """What a trigger will do, rendered: pure data, secrets only as references. Each kind subclasses it."""


class Outcome(msgspec.Struct, kw_only=True):
    """What became of one attempt that got an answer. Errors without an answer are raised instead."""

    status: int | None = None
    detail: str = ""
    link: str | None = None
    """Where to see what was made: `Workflow/ci/build-x7x2q`, a URL."""
    object: dict[str, Any] | None = None
    """The object that a Kubernetes trigger made or changed, for the label policy."""
    after: float | None = None
    """Seconds that the other side asks to wait before the next attempt (Retry-After)."""
    repeated: bool = False
    """The effect was there already, made by an earlier attempt of the same firing."""


class Decision(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was decided for one event and one trigger, and why. Kept as long as the event."""

    sensor: str
    trigger: str
    result: str
    events: list[EventKey]
    """The event that was looked at last, then the others that the firing had chosen."""
    position: Position
    """Of the event that was looked at last."""
    time_ns: int
    firing: str | None = None
    reason: str = ""
    attempt: int = 0
    duration_ms: float = 0.0
    link: str | None = None
    revision: str = ""
    dependency: str | None = None


def firing_id(
    namespace: str, sensor: str, trigger: str, role: str, chosen: Mapping[str, EventKey], replay: int = 0
) -> str:
    """The name of a firing: 26 characters [a-z2-7], the same whenever the same events are chosen again."""
    parts = [namespace, sensor, trigger, role, sorted((dep, *key) for dep, key in chosen.items()), replay]
    number = int.from_bytes(hashlib.sha256(msgspec.json.encode(parts)).digest()[:17], "big") >> 6
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
"""Ten bits as two letters of lower-case base32 (RFC 4648): three times as fast as base64.b32encode."""
