"""Control packets of MQTT 3.1.1. The bytes are those of the specification."""

from __future__ import annotations

import pytest

from events.clients import mqtt_packets as packets
from events.clients.mqtt_packets import Malformed, Message


def test_a_connect_packet():
    made = packets.connect("ab", 15, clean=True, login=("u", "pw"))
    assert made == b"\x10\x15\x00\x04MQTT\x04\xc2\x00\x0f\x00\x02ab\x00\x01u\x00\x02pw"
    assert (
        packets.connect("a", 15, clean=False, login=None) == b"\x10\x0d\x00\x04MQTT\x04\x00\x00\x0f\x00\x01a"
    )


def test_a_subscription():
    assert packets.subscribe(1, "a/b", 2) == b"\x82\x08\x00\x01\x00\x03a/b\x02"


@pytest.mark.parametrize(
    ("length", "field"),
    [
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (16_383, b"\xff\x7f"),
        (268_435_455, b"\xff\xff\xff\x7f"),
    ],
)
def test_lengths_have_seven_bits_per_byte(length: int, field: bytes):
    assert packets.length_field(length) == field


def test_a_message_of_each_quality():
    assert packets.message(0, b"\x00\x03a/bhi") == Message("a/b", b"hi", 0, 0)
    assert packets.message(0b0010, b"\x00\x01a\x00\x07hi") == Message("a", b"hi", 1, 7)
    assert packets.message(0b1100, b"\x00\x01a\x01\x00") == Message("a", b"", 2, 256)


@pytest.mark.parametrize(
    ("flags", "body"), [(0, b""), (0, b"\x00\x05a"), (2, b"\x00\x01a\x00"), (6, b"\x00\x01a\x00\x01")]
)
def test_what_ends_early_or_has_quality_3_is_refused(flags: int, body: bytes):
    with pytest.raises(Malformed):
        packets.message(flags, body)


def test_acknowledgements():
    assert packets.received(Message("a", b"", 0, 0)) == b""
    assert packets.received(Message("a", b"", 1, 7)) == b"\x40\x02\x00\x07"
    assert packets.received(Message("a", b"", 2, 7)) == b"\x50\x02\x00\x07"
    assert packets.completed(7) == b"\x70\x02\x00\x07"


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(Malformed, match="70000 bytes"):
        packets.text_field("x" * 70_000)
