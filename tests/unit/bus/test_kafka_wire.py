"""Events as Kafka records, the window of keys, and claims of leases, without a broker."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from events.bus.kafka_leases import Beat, Claim
from events.bus.kafka_reader import Window
from events.bus.kafka_wire import Record, delivery_of, event_of, record_of
from events.event import Event, EventKey, Position

SECOND = 1_000_000_000


def as_read(record: Record, offset: int = 0) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(
        "t", 3, offset, 1_700_000_000_123, 1, record.key, record.value, None, 0, 0, tuple(record.headers)
    )


def test_an_event_goes_in_the_form_of_argo_events():
    event = Event("1", "hooks", "push", "webhook", 1_784_379_469_000_000_000, b'{"a":1}')
    record = record_of(event, "default")
    assert record.key == b"hooks.push"
    assert not record.headers
    assert json.loads(record.value or b"") == {
        "specversion": "1.0", "id": "1", "source": "hooks", "subject": "push", "type": "webhook",
        "time": "2026-07-18T12:57:49.000000000Z", "datacontenttype": "application/json",
        "data_base64": b64encode(b'{"a":1}').decode(),
    }  # fmt: skip
    assert event_of(as_read(record), "default") == event


def test_an_event_of_argo_events_is_read():
    value = (
        b'{"specversion":"1.0","id":"64663638","source":"webhook","type":"webhook","subject":"example",'
        b'"datacontenttype":"application/json","time":"2026-07-18T12:57:49.123456Z","data_base64":"eyJoIjp7fX0="}'
    )
    event = event_of(as_read(Record(b"webhook.example", value)), "argo")
    assert event.key == EventKey("webhook", "example", "64663638")
    assert (event.namespace, event.data) == ("argo", b'{"h":{}}')


@pytest.mark.parametrize(
    "event",
    [
        Event("\ud800", "s", "n", "t", None, None),
        Event("1", "s", "\udcff", "t", 5, b"\xff"),
        Event("1", "s", "n", "t", 10**21, b"{}", "text/plain", "elsewhere"),
        Event("1", "s", "n", "t", 5, b"", "text/plain", "elsewhere"),
    ],
)
def test_what_json_cannot_hold_is_the_same_again(event: Event):
    assert event_of(as_read(record_of(event, "default")), "default") == event


@pytest.mark.parametrize(
    "record",
    [
        Record(b"k", None), Record(b"k", b"no json"), Record(b"k", b"\xc1", [("odd", b"1")]),
        Record(b"k", b"\x93\x90\xc0\xc0", [("odd", b"1")]),
    ],
)  # fmt: skip
def test_records_of_others_are_told_apart(record: Record):
    with pytest.raises(ValueError, match=r"record|CloudEvent|odd|unpack"):
        event_of(as_read(record), "default")


def test_positions_begin_at_one_and_times_are_those_of_the_broker():
    event = Event("1", "s", "n", "t", None, None)
    delivery = delivery_of(as_read(record_of(event, "default")), event)
    assert (delivery.position, delivery.stored_ns) == (Position(3, 1), 1_700_000_000_123_000_000)


def test_a_key_is_known_for_the_window_and_no_longer():
    window, key = Window(), EventKey("s", "n", "1")
    assert not window.knows(key, 0)
    assert not window.knows(EventKey("s", "n", "2"), 0)
    assert window.knows(key, 100 * SECOND)
    assert window.knows(key, 219 * SECOND), "each time begins the window anew"
    assert not window.knows(key, 340 * SECOND)


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
