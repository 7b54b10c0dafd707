"""State records: round trip, and a clear error for what cannot be read."""

from __future__ import annotations

import msgspec
import pytest

from events.bus._base import Mark
from events.errors import Damaged
from events.event import EventKey, Position
from events.runtime.records import (
    LONGEST_TEXT,
    ConditionRecord,
    HeldRef,
    Parked,
    Revision,
    SensorRecord,
    Start,
    decode,
    encode,
    storable,
)

KEY = EventKey("src", "a", "a1")
RECORDS = [
    SensorRecord(
        [Revision(Mark("i", {0: 3}), "s/1")], {"a": Start(("src", "a"), Mark("i", {0: 1}))}, {"a": "x"},
        {"t": "a"},
    ),
    ConditionRecord({0: 4}, {"a": HeldRef(Position(0, 4), 7, KEY, "held/s/t/a/0-4")}),
    Parked(
        sensor="s", trigger="t", role="trigger", replay=0, position=Position(0, 4), events={"a": KEY},
        attempt=1, first_ns=1, due_ns=None, revision="r",
    ),
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS)
def test_what_is_written_is_read_back(record: msgspec.Struct):
    assert decode(encode(record), type(record), "key") == record


@pytest.mark.parametrize("record", RECORDS)
def test_a_newer_format_is_an_error_that_names_it(record: msgspec.Struct):
    newer = encode(msgspec.structs.replace(record, format=2))
    with pytest.raises(Damaged, match="'key' has format 2"):
        decode(newer, type(record), "key")


def test_a_newer_format_of_another_shape_is_named_too():
    with pytest.raises(Damaged, match="has format 3"):
        decode(msgspec.msgpack.encode({"format": 3, "applied": "otherwise"}), ConditionRecord, "key")


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", b"\xa1\xff", msgspec.msgpack.encode([1])])
def test_what_is_no_record_is_damaged(data: bytes):
    with pytest.raises(Damaged, match="cannot be read"):
        decode(data, ConditionRecord, "key")


def test_text_is_made_fit_for_a_record():
    assert storable("plain") == "plain"
    assert storable("ü €") == "ü €"
    assert storable("bad \udcff byte") == "bad ? byte"
    assert len(storable("x" * 10_000)) == LONGEST_TEXT
