"""Events as Kafka records, the window of keys, and claims of leases, without a broker."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from events.bus import kafka_reader
from events.bus._base import Topic
from events.bus.kafka_leases import Beat, Claim
from events.bus.kafka_reader import Window, knows
from events.bus.kafka_wire import Record, Wire, delivery_of
from events.event import Event, EventKey, Position


def as_read(record: Record, offset: int = 0) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(
        "t", 3, offset, 1_700_000_000_123, 1, record.key, record.value, None, 0, 0, tuple(record.headers)
    )


OWN, SHARED = Wire("default"), Wire("default", shared=True)
texts = st.text(st.characters(), max_size=20)


def test_the_payload_goes_as_it_is_with_all_attributes_in_one_header():
    event = Event("1", "hooks", "push", "webhook", 1_784_379_469_000_000_000, b'{"a":1}')
    record = OWN.record(event)
    assert (record.key, record.value) == (b"hooks.push", b'{"a":1}')
    [(name, header)] = record.headers
    identity, time_ns, common = msgspec.msgpack.decode(header)
    assert (name, identity, time_ns) == ("events-trigger", "1", event.time_ns)
    assert msgspec.msgpack.decode(common) == ["hooks", "push", "webhook", "application/json", None]
    assert len(header) < 70
    assert OWN.event(as_read(record)) == event


def test_a_shared_event_goes_in_the_form_of_argo_events():
    event = Event("1", "hooks", "push", "webhook", 1_784_379_469_000_000_000, b'{"a":1}')
    record = SHARED.record(event)
    assert record.key == b"hooks.push"
    assert not record.headers
    assert json.loads(record.value or b"") == {
        "specversion": "1.0", "id": "1", "source": "hooks", "subject": "push", "type": "webhook",
        "time": "2026-07-18T12:57:49.000000000Z", "datacontenttype": "application/json",
        "data_base64": b64encode(b'{"a":1}').decode(),
    }  # fmt: skip


def test_an_event_of_argo_events_is_read():
    value = (
        b'{"specversion":"1.0","id":"64663638","source":"webhook","type":"webhook","subject":"example",'
        b'"datacontenttype":"application/json","time":"2026-07-18T12:57:49.123456Z","data_base64":"eyJoIjp7fX0="}'
    )
    event = Wire("argo").event(as_read(Record(b"webhook.example", value)))
    assert event.key == EventKey("webhook", "example", "64663638")
    assert (event.namespace, event.data) == ("argo", b'{"h":{}}')


@given(
    st.builds(
        Event, texts, texts, texts, texts, st.none() | st.integers(),
        st.none() | st.binary(max_size=20), texts, texts,
    ),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_any_event_is_read_back_as_it_was_by_a_bus_of_either_form(event: Event, wrote: bool, reads: bool):
    record = Wire("default", shared=wrote).record(event)
    assert Wire("default", shared=reads).event(as_read(record)) == event


def test_headers_that_others_have_put_in_front_do_not_matter():
    event = Event("1", "s", "n", "t", 5, b"{}", "text/plain", "elsewhere")
    for record in (OWN.record(event), SHARED.record(event)):
        more = record._replace(headers=[("traceparent", b"00-1-2-00"), *record.headers])
        assert OWN.event(as_read(more)) == event


@pytest.mark.parametrize(
    "record",
    [
        Record(b"k", None), Record(b"k", b"no json"), Record(b"k", b"\xc1", [("odd", b"1")]),
        Record(b"k", b"\x93\x90\xc0\xc0", [("odd", b"1")]),
        Record(b"k", b"{}", [("events-trigger", b"\xc1")]),
        Record(b"k", b"{}", [("events-trigger", b"\x93\xa11\x01\xc4\x01\xc1")]),
        Record(b"k", b"{}", [("a", b""), ("events-trigger", b"")]),
    ],
)  # fmt: skip
def test_records_of_others_are_told_apart(record: Record):
    with pytest.raises(ValueError, match=r"record|CloudEvent|odd|unpack|not of an event"):
        OWN.event(as_read(record))


def test_positions_begin_at_one_and_times_are_those_of_the_broker():
    event = Event("1", "s", "n", "t", None, None)
    delivery = delivery_of(as_read(OWN.record(event)), event)
    assert (delivery.position, delivery.stored_ns) == (Position(3, 1), 1_700_000_000_123_000_000)


class Keys:
    """A window that is asked for one key after the other."""

    def __init__(self) -> None:
        self.window = Window()

    def knows(self, name: str, second: int, topic: Topic = ("s", "n")) -> bool:
        seen = self.window.turn(second * 10**9, 1)
        return knows(seen.setdefault(topic, ({}, {})), name, second * 10**9)


def test_a_key_is_known_for_the_window_and_no_longer():
    keys = Keys()
    assert not keys.knows("a", 0)
    assert not keys.knows("b", 0)
    assert keys.knows("a", 100)
    assert keys.knows("a", 219), "each time begins the window anew"
    assert not keys.knows("a", 219, ("s", "other"))
    assert not keys.knows("a", 340)
    assert not keys.knows("b", 341)
    assert keys.knows("a", 460), "from one half to the other"


def test_keys_that_are_older_than_the_window_are_forgotten():
    keys = Keys()
    for second in range(0, 1200, 10):
        assert not keys.knows(f"{second}", second)
        assert not keys.knows("", 0, ("s", f"{second}"))
    held = keys.window.turn(1200 * 10**9, 0)
    assert sum(len(young) + len(old) for young, old in held.values()) <= 4 * 13


def test_a_flood_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kafka_reader, "MOST_KEYS", 100)
    keys = Keys()
    for number in range(1000):
        keys.knows(f"{number}", 1)
    assert keys.knows("999", 1)
    [(young, old)] = keys.window.turn(10**9, 0).values()
    assert len(young) + len(old) <= 100


def test_claims_are_ruled_by_the_newest_epoch():
    claim = Claim()
    claim.apply_term(Beat(2, 10.0, "b"), now=100.0)
    claim.apply_term(Beat(1, 10.0, "a"), now=101.0)
    assert (claim.epoch, claim.owner, claim.until) == (2, "b", 110.0)
    claim.apply_beat(Beat(1, 10.0, "a"), now=105.0)
    assert claim.until == 110.0, "a former holder that wakes up changes nothing"
    claim.apply_beat(Beat(2, 10.0, "b"), now=105.0)
    assert claim.until == 115.0
    claim.apply_beat(Beat(1, 10.0, "a", released=True), now=106.0)
    assert not claim.released.is_set()
    claim.apply_beat(Beat(2, 10.0, "b", released=True), now=106.0)
    assert claim.released.is_set()
    claim.apply_term(Beat(3, 10.0, "c"), now=107.0)
    assert not claim.released.is_set()
