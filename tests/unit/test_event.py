"""Values: keys and firing ids."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b32encode

from hypothesis import given
from hypothesis import strategies as st

from events.event import DLQ_ROLE, TRIGGER_ROLE, Event, EventKey, firing_id

KEY = EventKey("github", "push", "1")


def test_firing_id_is_26_characters_of_base32():
    name = firing_id("default", "ci", "build", TRIGGER_ROLE, {"push": KEY})
    assert re.fullmatch("[a-z2-7]{26}", name)


def test_firing_id_is_the_base32_of_the_sha256():
    parts = ["default", "ci", "build", "trigger", [["push", *KEY]], 0]
    digest = hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).digest()
    name = firing_id("default", "ci", "build", TRIGGER_ROLE, {"push": KEY})
    assert name == b32encode(digest)[:26].decode().lower()


def test_firing_id_does_not_depend_on_the_order_of_dependencies():
    other = EventKey("calendar", "tick", "2")
    one = firing_id("default", "ci", "build", TRIGGER_ROLE, {"a": KEY, "b": other})
    assert one == firing_id("default", "ci", "build", TRIGGER_ROLE, {"b": other, "a": KEY})


def test_firing_id_tells_everything_apart_that_makes_another_firing():
    base = ("default", "ci", "build", TRIGGER_ROLE, {"push": KEY}, 0)
    others = [
        ("prod", *base[1:]),
        ("default", "cd", *base[2:]),
        ("default", "ci", "test", *base[3:]),
        (*base[:3], DLQ_ROLE, *base[4:]),
        (*base[:4], {"pull": KEY}, 0),
        (*base[:4], {"push": KEY._replace(id="2")}, 0),
        (*base[:5], 1),
    ]
    ids = {firing_id(*parts) for parts in [base, *others]}
    assert len(ids) == len(others) + 1


@given(st.text(), st.text(), st.text(), st.text())
def test_neighbouring_parts_never_run_together(a: str, b: str, c: str, d: str):
    if (a, b) != (c, d):
        assert firing_id(a, b, "t", TRIGGER_ROLE, {}) != firing_id(c, d, "t", TRIGGER_ROLE, {})


def test_repr_of_an_event_shows_no_payload():
    event = Event("1", "s", "e", "webhook", None, b'{"password":"hunter2"}')
    assert "hunter2" not in repr(event)
    assert "22 bytes" in repr(event)
