"""Events as messages of NATS.

Own     the payload as it is; the attributes of CloudEvents in headers (CloudEvents NATS binding, binary mode:
        values percent-encoded). What is the same for a topic comes first and is kept, encoded and decoded
Shared  what Argo Events writes and reads: CloudEvents JSON with `data_base64`, and the id as message id
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from events import cloudevents
from events.bus.jetstream_settings import Names, token, untoken
from events.errors import Permanent
from events.event import JSON, Event

PLAIN = re.compile(r"[!#$&-~]+")
"""Text that a header carries as it is: printable ASCII without space, quote and percent sign."""

SAFE = "!#$&'()*+,-./:;<=>?@[]^_`{|}~"
LINE = b"NATS/1.0\r\n"
ID = b"\r\nce-id: "
NS = 10**9
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CACHED = 4096
"""Topics whose text is kept."""


class Message(NamedTuple):
    """A message ready to be sent but for its reply subject."""

    subject: str
    head: bytes
    """The header block without its last line."""
    data: bytes


def escaped(text: str) -> str:
    if PLAIN.fullmatch(text):
        return text
    return quote_from_bytes(text.encode(errors="surrogatepass"), SAFE)


def restored(raw: bytes) -> str:
    return (unquote_to_bytes(raw) if b"%" in raw else raw).decode(errors="surrogatepass")


class Wire:
    """Encodes and decodes the events of one bus."""

    def __init__(self, names: Names, namespace: str) -> None:
        self._names, self._namespace = names, namespace

    def encode(self, event: Event) -> Message:
        """Raises Permanent for what the shared form cannot carry."""
        return self._shared(event) if self._names.shared else self._own(event)

    def _own(self, event: Event) -> Message:
        topic = _topic_head(
            self._names, event.source, event.subject, event.type, event.datacontenttype,
            event.namespace if event.namespace != self._namespace else None,
        )  # fmt: skip
        name = escaped(event.id)
        time = "" if event.time_ns is None else f"ce-time: {stamp(event.time_ns)}\r\n"
        none = "ce-nodata: 1\r\n" if event.data is None else ""
        own = f"ce-id: {name}\r\n{time}{none}Nats-Msg-Id: {topic.key}{name}\r\n"
        return Message(topic.subject, topic.head + own.encode(), event.data or b"")

    def _shared(self, event: Event) -> Message:
        try:
            data = cloudevents.encode(event)
        except (TypeError, ValueError, OverflowError) as exc:
            raise Permanent(f"event {event.id!r} cannot be written as CloudEvents JSON: {exc}") from exc
        subject = self._names.topic(event.source, event.subject)
        key = f"{token(event.source)}.{token(event.subject)}.{escaped(event.id)}"
        return Message(subject, LINE + f"Nats-Msg-Id: {key}\r\n".encode(), data)

    def decode(self, subject: bytes, headers: bytes | None, data: bytes) -> Event:
        """Raises ValueError for what is no event."""
        if headers is not None and headers.startswith(LINE + b"ce-"):
            return self._decode_own(subject, headers, data)
        return cloudevents.decode(data, self._namespace)

    def _decode_own(self, subject: bytes, headers: bytes, data: bytes) -> Event:
        start, _, rest = headers.partition(ID)
        source, topic, kind, content, namespace = _attributes(
            subject.decode(), start, len(self._names.topics)
        )
        first, *lines = rest.split(b"\r\n")
        time: int | None = None
        payload: bytes | None = data
        for line in lines:
            if line.startswith(b"ce-time: "):
                time = unstamp(line[9:].decode())
            elif line == b"ce-nodata: 1":
                payload = None
        return Event(
            restored(first), source, topic, kind, time, payload, content, namespace or self._namespace
        )


class _Topic(NamedTuple):
    subject: str
    head: bytes
    key: str


@lru_cache(CACHED)
def _topic_head(
    names: Names, source: str, subject: str, kind: str, content: str, namespace: str | None
) -> _Topic:
    lines = [
        "NATS/1.0", "ce-specversion: 1.0", f"ce-type: {escaped(kind)}", f"ce-source: {escaped(source)}",
        f"ce-subject: {escaped(subject)}", f"content-type: {escaped(content)}",
    ]  # fmt: skip
    if namespace is not None:
        lines.append(f"ce-namespace: {escaped(namespace)}")
    key = f"{token(source)}.{token(subject)}."
    return _Topic(names.topic(source, subject), "\r\n".join([*lines, ""]).encode(), key)


@lru_cache(CACHED)
def _attributes(subject: str, start: bytes, prefix: int) -> tuple[str, str, str, str, str]:
    """Source, subject, type, content type, namespace (empty: that of the bus)."""
    source, _, topic = subject[prefix + 1 :].partition(".")
    given = dict(line.split(b": ", 1) for line in start.split(b"\r\n")[1:])
    kind = restored(given.get(b"ce-type", b""))
    content = restored(given.get(b"content-type", JSON.encode()))
    return untoken(source), untoken(topic), kind, content, restored(given.get(b"ce-namespace", b""))


def stamp(time_ns: int) -> str:
    """Nanoseconds since 1970 as RFC 3339. Raises OverflowError beyond the years 1 to 9999."""
    seconds, rest = divmod(time_ns, NS)
    return f"{_second(seconds)}.{rest:09d}Z"


@lru_cache(64)
def _second(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def unstamp(text: str) -> int:
    """Raises ValueError."""
    return _seconds(text[:19]) * NS + int(text[20:29])


@lru_cache(64)
def _seconds(text: str) -> int:
    since = datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH
    return since.days * 86400 + since.seconds
