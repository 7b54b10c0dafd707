"""Names, settings and message forms of the JetStream bus, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.bus.jetstream_settings import Names, StreamSettings, token, unlike, untoken
from events.bus.jetstream_wire import Wire, stamp, unstamp
from events.errors import Permanent
from events.event import Event

texts = st.text(st.characters(), max_size=20)
EARLIEST, LATEST = -62_135_596_800 * 10**9, 253_402_300_800 * 10**9 - 1


@given(texts)
def test_any_text_is_one_token_of_a_subject(text: str):
    made = token(text)
    assert made
    assert not set(made) & set(".*> \t\r\n$/\\")
    assert untoken(made) == text


@given(st.integers(EARLIEST, LATEST))
def test_times_are_kept_to_the_nanosecond(time_ns: int):
    assert unstamp(stamp(time_ns)) == time_ns


@given(
    st.builds(
        Event, texts, texts, texts, texts, st.none() | st.integers(EARLIEST, LATEST),
        st.none() | st.binary(max_size=20), texts, texts,
    )
)  # fmt: skip
def test_any_event_is_read_back_as_it_was(event: Event):
    wire = Wire(Names.of("default/default"), "default")
    message = wire.encode(event)
    lines = message.head.split(b"\r\n")
    assert lines[0] == b"NATS/1.0"
    assert all(line.isascii() and b": " in line for line in lines[1:-1])
    read = wire.decode(message.subject.encode(), message.head + b"\r\n", message.data)
    event.namespace = event.namespace or "default"
    assert read == event


def test_two_events_have_one_message_id_only_if_they_are_the_same():
    wire = Wire(Names.of("default/default"), "default")

    def key(event: Event) -> bytes:
        return wire.encode(event).head.rpartition(b"Nats-Msg-Id: ")[2]

    names = [
        ("a", "b", "c.d"),
        ("a", "b.c", "d"),
        ("a.b", "c", "d"),
        ("a", "b", "c%2Ed"),
        ("", "", "a.b.c.d"),
    ]
    made = [Event(name, source, subject, "webhook", 1, b"") for source, subject, name in names]
    assert len({key(one) for one in made}) == len(names)
    assert key(made[0]) == key(Event("c.d", "a", "b", "other", 2, b"other"))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("retention: 1", "retention"), ("retention: workqueue", "retention"), ("discard: some", "discard"),
        ("maxMsgs: many", "maxmsgs"), ("maxAge: 3 days", "maxage"), ("duplicates: [1]", "duplicates"),
        ("- a", "streamConfig"), ("{", "streamConfig"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_used_name_the_field(text: str, field: str):
    with pytest.raises(Permanent, match=field):
        StreamSettings.of(text)


def test_settings_have_the_defaults_of_upstream():
    assert StreamSettings.of("") == StreamSettings()
    assert StreamSettings.of("MAXMSGS: 50000\nmaxAge: 72h\nReplicas: 3\nmaxBytes: -1\nretention: 0") == (
        StreamSettings(replicas=3, max_messages=50_000, max_age=259_200.0)
    )
    assert StreamSettings.of("duplicates: 300000000000").duplicates == 300.0


def test_a_setting_that_is_absent_is_like_no_limit():
    assert not unlike({"max_msgs": -1, "max_age": 0}, {"max_age": 0})
    assert unlike({"max_msgs": 5}, {"max_msgs": -1}) == ["max_msgs is -1, not 5"]


def test_names_of_buses_are_kept_apart():
    names = ["a/b", "a-b/c", "a/b-c", "a/b.c", "a.b/c"]
    assert len({Names.of(one).events for one in names}) == len(names)
    assert Names.of("ns/bus", shared=True).topic("webhook", "example") == "default.webhook.example"
