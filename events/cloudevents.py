"""CloudEvents 1.0 in the JSON form: what comes from a file or another program, and what goes out.

Spec      CloudEvents JSON format 1.0.2; `data` and `data_base64` are both read
Upstream  pkg/eventsources/eventing.go writes `data_base64`
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
import orjson

from events.event import JSON, Event


class Wire(msgspec.Struct, omit_defaults=True):
    """The JSON form. Extension attributes are dropped, as upstream does."""

    id: str
    source: str
    type: str
    specversion: str = "1.0"
    subject: str = ""
    time: str | None = None
    datacontenttype: str = JSON
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str | None = None


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FINER = re.compile(r"\.\d{6}(\d{1,3})")
"""What is beyond the microseconds that datetime has."""

_decoder = msgspec.json.Decoder(Wire)


def decode(text: bytes, namespace: str = "default") -> Event:
    """One event. Raises ValueError saying what is wrong."""
    try:
        wire = _decoder.decode(text)
    except msgspec.DecodeError as exc:
        raise ValueError(f"not a CloudEvent: {exc}") from exc
    return Event(
        wire.id, wire.source, wire.subject, wire.type, parse_time(wire.time), wire_data(wire),
        wire.datacontenttype, namespace,
    )  # fmt: skip


def wire_data(wire: Wire) -> bytes | None:
    if wire.data_base64 is not None:
        try:
            return b64decode(wire.data_base64, validate=True)
        except (Base64Error, ValueError) as exc:
            raise ValueError(f"data_base64 is not base64: {exc}") from exc
    raw = bytes(wire.data)
    if not raw:
        return None
    if wire.datacontenttype.partition(";")[0].strip().lower() != JSON and raw[:1] == b'"':
        text: str = orjson.loads(raw)
        return text.encode()
    return raw


def parse_time(text: str | None) -> int | None:
    """RFC 3339 as nanoseconds since 1970. Raises ValueError."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(f"time {text!r} is not RFC 3339") from exc
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no time zone")
    since = moment - EPOCH
    found = ((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds) * 1000
    finer = FINER.search(text)
    return found + int(finer[1].ljust(3, "0")) if finer else found


@lru_cache(64)
def second(since: int) -> str:
    """A whole second since 1970 as RFC 3339 without zone. Raises ValueError, OverflowError: no such year."""
    return datetime.fromtimestamp(since, UTC).isoformat()[:19]


def encode(event: Event) -> bytes:
    """The event in the JSON form, its payload in base64 as upstream has it.

    Raises TypeError for text with lone surrogates, ValueError or OverflowError for a time beyond year 9999.
    """
    wire: dict[str, Any] = {
        "specversion": "1.0", "id": event.id, "source": event.source, "type": event.type,
        "subject": event.subject, "datacontenttype": event.datacontenttype,
    }  # fmt: skip
    if event.time_ns is not None:
        seconds, rest = divmod(event.time_ns, 1_000_000_000)
        wire["time"] = f"{second(seconds)}.{rest:09d}Z"
    if event.data is not None:
        wire["data_base64"] = b64encode(event.data).decode()
    return orjson.dumps(wire)
