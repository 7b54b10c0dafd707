"""log: the lines of a firing."""

from __future__ import annotations

import logging
from base64 import b64encode

import pytest

from events.event import Event, Firing
from events.testing.triggers import NOW, compiled, rigged


def firing(**events: Event) -> Firing:
    return Firing("f" * 26, "default", "sens", "trig", events, NOW)


def event(data: bytes | None, media: str) -> Event:
    return Event("e1", "src", "ev", "webhook", NOW, data, media)


@pytest.mark.parametrize(
    ("media", "data", "text"),
    [
        ("application/json", b'{"a":1}', '{"a":1}'),
        ("application/json; charset=utf-8", b"{}", "{}"),
        ("Text/Plain", "gr\u00fcn".encode(), "gr\u00fcn"),
        ("text/plain", b"\xff", "\ufffd"),
        ("application/yaml", b"a: 1", b64encode(b"a: 1").decode()),
        ("", b"x", b64encode(b"x").decode()),
        ("application/json", None, ""),
    ],
)
async def test_json_and_plain_text_are_text_the_rest_is_base64(
    media: str, data: bytes | None, text: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "events.triggers.test")
    async with rigged() as rig:
        outcome = await rig.fire("log", compiled("log", {})(firing(dep=event(data, media))))
    assert [record.getMessage() for record in caplog.records] == [text]
    assert outcome.detail == "1 line logged"


async def test_a_line_for_each_event_with_its_context(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "events.triggers.test")
    one, two = event(b"1", "application/json"), event(b"2", "application/json")
    async with rigged() as rig:
        await rig.fire("log", compiled("log", {})(firing(a=one, b=two)))
    found = [(vars(record)["dependencyName"], record.getMessage()) for record in caplog.records]
    assert found == [("a", "1"), ("b", "2")]
    shown = vars(caplog.records[0])
    assert (shown["triggerName"], shown["triggerType"]) == ("default/sens.trig", "Log")
    assert shown["eventContext"]["source"] == "src"


async def test_the_interval_holds_lines_back(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "events.triggers.test")
    now = NOW
    async with rigged() as rig:
        rig.now_ns = lambda: now
        request = compiled("log", {"intervalSeconds": 10})(firing(dep=event(b"1", "application/json")))
        counts = []
        for seconds in (0, 5, 9, 10, 15, 20):
            now = NOW + seconds * 1_000_000_000
            await rig.fire("log", request)
            counts.append(len(caplog.records))
    assert counts == [1, 1, 1, 2, 2, 3]
