"""CloudEvents in JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.cloudevents import decode, encode
from events.event import Event

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


def test_upstream_s_wire_form():
    text = (
        b'{"specversion":"1.0","id":"5f0c","source":"orders","type":"webhook","subject":"created",'
        b'"datacontenttype":"application/json","time":"2026-07-18T12:57:49.123456Z","data_base64":"eyJoIjp7fX0="}'
    )
    event = decode(text, "ci")
    assert (event.namespace, event.source, event.subject, event.id) == ("ci", "orders", "created", "5f0c")
    assert event.data == b'{"h":{}}'
    assert event.time_ns == 1_784_379_469_123_456_000


def test_data_is_kept_as_it_is_spelled():
    event = decode(b'{"id":"1","source":"s","type":"t","data": {"n": 1.50} }')
    assert event.data == b'{"n": 1.50}'


def test_text_data_of_another_media_type_is_its_text():
    event = decode(b'{"id":"1","source":"s","type":"t","datacontenttype":"text/plain","data":"a\\nb"}')
    assert event.data == b"a\nb"


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b'{"id":"1"}',
        b'{"id":1,"source":"s","type":"t"}',
        b'{"id":"1","source":"s","type":"t","time":"yesterday"}',
        b'{"id":"1","source":"s","type":"t","time":"2026-01-01T00:00:00"}',
        b'{"id":"1","source":"s","type":"t","data_base64":"?"}',
    ],
)
def test_what_is_no_event_is_a_value_error(text: bytes):
    with pytest.raises(ValueError, match=r"\w"):
        decode(text)


@given(
    TEXTS,
    TEXTS,
    TEXTS,
    st.none() | st.integers(0, 4_000_000_000_000_000).map(lambda n: n * 1000),
    st.none() | st.binary(),
)
def test_round_trip(name: str, source: str, subject: str, time_ns: int | None, data: bytes | None):
    event = Event(name, source, subject, "webhook", time_ns, data)
    assert decode(encode(event)) == event
    assert json.loads(encode(event))["specversion"] == "1.0"


@pytest.mark.parametrize(
    "time_ns", [1, 1_784_379_469_123_456_789, -62_135_596_800_000_000_000, 253_402_300_799_999_999_999]
)
def test_times_keep_their_nanoseconds_from_year_1_to_9999(time_ns: int):
    event = Event("1", "s", "n", "webhook", time_ns, b"")
    assert decode(encode(event)).time_ns == time_ns


@pytest.mark.parametrize(
    ("text", "rest"), [("0.1", 100_000_000), ("0.1234567", 123_456_700), ("0.123456789", 123_456_789)]
)
def test_fractions_of_any_length_are_read(text: str, rest: int):
    wire = b'{"id":"1","source":"s","type":"t","time":"1970-01-01T00:00:0%b+00:00"}' % text.encode()
    assert decode(wire).time_ns == rest
