"""The JetStream bus and a user who may not do everything: what is needed, what is told, what passes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from events.bus._base import Changes
from events.bus.jetstream import JetStreamBus, from_url
from events.errors import BusUnavailable, Permanent
from events.testing.bus_harness import TOPIC, Seen, event, events, read_all, read_until
from events.testing.servers.fixtures import Own
from events.testing.servers.nats import Nats

pytestmark = [pytest.mark.servers("nats"), pytest.mark.timeout(60)]

NAME = "shop/main"
STREAM = "EVENTS_shop_main"
PUBLISH = [
    "events.shop.main.>",
    "events-state.shop.main.>",
    *(
        f"$JS.API.{call}"
        for stream in (STREAM, f"{STREAM}_STATE")
        for call in (
            f"STREAM.INFO.{stream}", f"STREAM.CREATE.{stream}", f"STREAM.MSG.GET.{stream}",
            f"CONSUMER.*.{stream}.>", f"CONSUMER.MSG.NEXT.{stream}.>",
        )
    ),
]  # fmt: skip
SUBSCRIBE = ["_INBOX.>", "events-state.shop.main.lease.*"]
"""As docs/buses.md has them."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is refused gets no answer."""
    monkeypatch.setattr("events.bus.jetstream_api.TIMEOUT", 1.0)


def users(without: str = "") -> str:
    """A user with all permissions but this one."""
    allowed = {
        side: {"allow": [subject for subject in subjects if subject != without]}
        for side, subjects in (("publish", PUBLISH), ("subscribe", SUBSCRIBE))
    }
    user = {"user": "ann", "password": "pw", "permissions": allowed}
    return f"authorization {{ users: [ {json.dumps(user)} ] }}"


def reload(server: Nats, without: str = "") -> None:
    server.extra = users(without)
    server.configure()
    os.kill(server.pid, signal.SIGHUP)


@pytest.fixture
def server(own: Own[Nats]) -> Nats:
    return own(Nats(users()))


def make(server: Nats) -> JetStreamBus:
    return from_url(server.url.replace("//", "//ann:pw@"), NAME, shards=2)


@asynccontextmanager
async def opened(server: Nats) -> AsyncIterator[JetStreamBus]:
    bus = make(server)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.aclose()


async def until_health(bus: JetStreamBus, wanted: bool) -> None:
    async with asyncio.timeout(15):
        while bus.health().ready != wanted:
            await asyncio.sleep(0.05)


async def test_what_the_documentation_says_is_enough(server: Nats):
    async with opened(server) as bus:
        await bus.publish(events(3))
        assert (await read_all(bus, [TOPIC])).ids == ["e0", "e1", "e2"]
        lease = await bus.lease("shard/0")
        await bus.commit(0, lease.epoch, Changes({"x": b"1"}, {"a": b"1"}, mark=await bus.head()))
        assert (await bus.load(0)).records == {"a": b"1"}
        assert await bus.blob(0, "x") == b"1"
        assert bus.health().ready
        assert "ermissions Violation" not in server.new_log


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ("events-state.shop.main.>", 'publish to "events-state.shop.main.meta"'),
        ("_INBOX.>", 'subscription to "_inbox.'),
    ],
)
async def test_what_is_missing_at_the_start_is_named(own: Own[Nats], without: str, told: str):
    server = own(Nats(users(without)))
    with pytest.raises(Permanent) as raised:
        await make(server).open()
    said = str(raised.value)
    assert said.startswith(f"{NAME}: {server.url}: permissions violation for ")
    assert told.lower() in said
    assert said.endswith(": give this user the permission")


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ("events.shop.main.>", 'publish to "events.shop.main.orders.incoming"'),
        ("events-state.shop.main.>", 'publish to "events-state.shop.main.'),
        (f"$JS.API.STREAM.INFO.{STREAM}", f'publish to "$js.api.stream.info.{STREAM}"'),
        (f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.>", f'publish to "$js.api.consumer.msg.next.{STREAM}.'),
    ],
)
async def test_what_is_taken_away_is_named_and_waited_for(server: Nats, without: str, told: str):
    async with opened(server) as bus:
        await bus.publish(events(3, "before"))
        start = await bus.head()
        lease = await bus.lease("shard/0", ttl=30.0)
        reload(server, without)

        async def use() -> None:
            while True:
                await bus.publish([event("now")])
                await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))
                reader = await bus.read([TOPIC], start)
                try:
                    await read_until(reader, Seen(start), await bus.head(), 10)
                finally:
                    await reader.aclose()

        with pytest.raises(BusUnavailable) as raised:
            await asyncio.wait_for(use(), 20)
        assert str(raised.value).startswith(f"{NAME}: {server.url}: permissions violation for ")
        assert told.lower() in str(raised.value)
        assert bus.health().detail == str(raised.value)
        reload(server)
        await until_health(bus, True)
        async with asyncio.timeout(15):
            while True:
                try:
                    await bus.publish([event("after")])
                    await bus.commit(0, lease.epoch, Changes(records={"b": b"1"}))
                    seen = await read_all(bus, [TOPIC])
                    break
                except BusUnavailable:
                    await asyncio.sleep(0.1)
        assert seen.ids[-1] == "after"
        assert (await bus.load(0)).records["b"] == b"1"
