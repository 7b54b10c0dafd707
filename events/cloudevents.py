"""CloudEvents 1.0 in the JSON form: what comes from a file or another program, and what goes out.

Spec      CloudEvents JSON format 1.0.2; `data` and `data_base64` are both read
Upstream  pkg/eventsources/eventing.go writes `data_base64`
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

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
    data_base64: bytes | None = None


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FINER = re.compile(r"[.,]([0-9]+)")
"""The fraction of a second, of any length."""


class Sent(msgspec.Struct, gc=False):
    """The JSON form as we write it: `subject` and `datacontenttype` are always there."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    datacontenttype: str
    time: str | msgspec.UnsetType
    data_base64: bytes | msgspec.UnsetType


_decoder, _encoder = msgspec.json.Decoder(Wire), msgspec.json.Encoder()


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
        return wire.data_base64
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
    whole, fraction = text[:19], text[20:-1]
    if text[-1] == "Z" and text[19] == "." and len(text) > 21 and fraction.isdecimal():
        return moment_of(whole + "Z") * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))
    finer = FINER.search(text)
    rest = int(finer[1][:9].ljust(9, "0")) if finer else 0
    return moment_of(FINER.sub("", text)) * 1_000_000_000 + rest


@lru_cache(64)
def moment_of(text: str) -> int:
    """RFC 3339 without fraction as seconds since 1970. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(f"time {text!r} is not RFC 3339") from exc
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no time zone")
    since = moment - EPOCH
    return since.days * 86400 + since.seconds


@lru_cache(64)
def second(since: int) -> str:
    """A whole second since 1970 as RFC 3339 without zone. Raises ValueError, OverflowError: no such year."""
    try:
        return datetime.fromtimestamp(since, UTC).isoformat()[:19]
    except OSError as exc:  # of the C library, for years beyond 2 ** 31
        raise ValueError(f"no such year: {since} s") from exc


def encode(event: Event) -> bytes:
    """The event in the JSON form, its payload in base64 as upstream has it.

    Raises ValueError for text with lone surrogates, and for a time beyond year 9999 (or OverflowError).
    """
    time = None
    if event.time_ns is not None:
        seconds, rest = divmod(event.time_ns, 1_000_000_000)
        time = f"{second(seconds)}.{rest:09d}Z"
    return _encoder.encode(
        Sent(
            "1.0", event.id, event.source, event.type, event.subject, event.datacontenttype,
            msgspec.UNSET if time is None else time, msgspec.UNSET if event.data is None else event.data,
        )
    )  # fmt: skip
