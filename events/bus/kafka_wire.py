"""kafka_wire: events and decisions as Kafka records.

Event     value: CloudEvents JSON as Argo Events writes it; key: `<source>.<subject>`, so that the events of
          one name stay in order. A namespace other than the bus's is in a header; an event that JSON cannot
          hold (lone surrogates, years beyond 9999) has a MessagePack value and the header `odd`
Position  one more than Kafka's offset, so that a mark is the offset of the next record, as committed offsets
          are
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from events import cloudevents
from events.event import Delivery, Event, Position

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

Headers = list[tuple[str, bytes]]

ODD = "odd"
"""Header of an event that CloudEvents JSON cannot hold; the value is MessagePack then."""

NAMESPACE = "namespace"


class Record(NamedTuple):
    """What goes into a topic."""

    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@lru_cache(4096)
def topic_key(source: str, subject: str) -> bytes:
    return f"{source}.{subject}".encode("utf-8", "surrogatepass")


def record_of(event: Event, namespace: str) -> Record:
    """`namespace` is that of the bus."""
    key = topic_key(event.source, event.subject)
    elsewhere = event.namespace != namespace
    try:
        value = cloudevents.encode(event)
    except (ValueError, OverflowError):
        return Record(key, odd_encode(event), [(ODD, b"1")])
    return Record(key, value, [(NAMESPACE, event.namespace.encode())] if elsewhere else ())


def event_of(record: ConsumerRecord[Any, Any], namespace: str) -> Event:
    """Raises ValueError saying what is wrong with a record of somebody else."""
    for name, value in record.headers:
        if name == ODD:
            return odd_decode(record.value)
        if name == NAMESPACE:
            namespace = value.decode()
    if record.value is None:
        raise ValueError("a record without value")
    return cloudevents.decode(record.value, namespace)


def delivery_of(record: ConsumerRecord[Any, Any], event: Event) -> Delivery:
    place = tuple.__new__(Position, (record.partition, record.offset + 1))  # a quarter of the constructor
    return Delivery(event, place, record.timestamp * 1_000_000)


def position_of(partition: int, offset: int) -> Position:
    """Of the record with this offset of Kafka."""
    return Position(partition, offset + 1)


def odd_encode(event: Event) -> bytes:
    texts = (event.id, event.source, event.subject, event.type, event.datacontenttype, event.namespace)
    kept = [text.encode("utf-8", "surrogatepass") for text in texts]
    return msgspec.msgpack.encode([kept, None if event.time_ns is None else str(event.time_ns), event.data])


def odd_decode(value: bytes | None) -> Event:
    """Raises ValueError."""
    try:
        texts, time_ns, data = msgspec.msgpack.decode(
            value or b"", type=tuple[list[bytes], str | None, bytes | None]
        )
        name, source, subject, kind, content, namespace = (
            text.decode("utf-8", "surrogatepass") for text in texts
        )
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise ValueError(f"not an event in the odd form: {exc}") from exc
    return Event(
        name, source, subject, kind, None if time_ns is None else int(time_ns), data, content, namespace
    )
