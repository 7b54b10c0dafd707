"""Scripts of sensors, judged in helper processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from events.event import FILTER_ERROR, FILTERED, TRANSFORM_ERROR, Delivery, Event, Position
from events.runtime.remote import Remote
from events.runtime.roster import Entry
from events.sensors.dependencies import compile_dependency
from events.sensors.problems import Problems


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    remote = Remote()
    yield remote
    await remote.aclose()


def entry(**spec: Any) -> Entry:
    from events.api.sensor import EventDependency

    raw = {"name": "dep", "eventSourceName": "src", "eventName": "ev", **spec}
    dependency = compile_dependency(EventDependency.model_validate(raw), "dependency", Problems())
    plan: Any = None
    return Entry(0, plan, dependency, None, None)


def delivery(data: bytes = b'{"body":{"n":2}}') -> Delivery:
    return Delivery(Event("1", "src", "ev", "webhook", 1, data), Position(0, 1), 1)


async def test_jq_changes_the_event_before_filters_look(remote: Remote):
    filters = {"data": [{"path": "n", "type": "number", "value": ["4"]}]}
    judged = await remote.judge(entry(transform={"jq": "{n: (.body.n * 2)}"}, filters=filters), delivery())
    assert judged.event is not None
    assert judged.event.data == b'{"n":4}'


async def test_lua_filters(remote: Remote):
    script = entry(filters={"script": "return event.body.n > 1"})
    assert (await remote.judge(script, delivery())).event is not None
    assert (await remote.judge(script, delivery(b'{"body":{"n":1}}'))).result == FILTERED


async def test_an_endless_script_is_an_error_and_the_next_event_goes_on(remote: Remote):
    endless = entry(filters={"script": "if event.body.n == 2 then while true do end end return true"})
    async with asyncio.timeout(20):
        first, second = await asyncio.gather(
            remote.judge(endless, delivery()), remote.judge(endless, delivery(b'{"body":{"n":1}}'))
        )
    assert first.result == FILTER_ERROR
    assert second.event is not None


async def test_a_transform_that_gives_no_object_is_an_error(remote: Remote):
    judged = await remote.judge(entry(transform={"jq": ".body.n"}), delivery())
    assert judged.result == TRANSFORM_ERROR
    assert judged.reason
