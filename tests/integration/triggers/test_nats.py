"""The nats trigger against a real server: permissions, streams, shared connections, servers that are away."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats
import pytest

from events.errors import ExpressionError, Permanent, Retryable
from events.testing.nats import Listener
from events.testing.proxy import Proxy
from events.testing.servers._process import page
from events.testing.servers.nats import Nats
from events.testing.triggers import compiled, dead_port, parameter, rigged

pytestmark = pytest.mark.servers("nats")


def config(server: Nats, **more: Any) -> dict[str, Any]:
    return {"url": server.url, "subject": "orders", "payload": [parameter("n", "n", useRawData=True)], **more}


@asynccontextmanager
async def stream(server: Nats, **settings: Any) -> AsyncIterator[Any]:
    """A stream of its own for the subject, gone afterwards."""
    client = await nats.connect(server.url)
    try:
        await client.jetstream().add_stream(**settings)
        yield client.jetstream()
        await client.jetstream().delete_stream(settings["name"])
    finally:
        await client.close()


async def test_the_document_arrives_with_the_firing_id(nats_server: Nats):
    with Listener(nats_server, "plain.here") as listener:
        async with rigged() as rig:
            outcome = await rig.run("nats", config(nats_server, subject="plain.here"), {"n": 7})
        [message] = listener.all()
    assert message.data == b'{"n":7}'
    assert len(message.headers["Nats-Msg-Id"]) == 26
    assert outcome.detail == f"nats://127.0.0.1:{nats_server.port} took the message for plain.here"


async def test_a_stream_stores_a_repeated_firing_once(nats_server: Nats):
    async with stream(nats_server, name="once", subjects=["once.>"]) as js, rigged() as rig:
        raw = config(nats_server, subject="once.a", jetstream=True)
        first = await rig.run("nats", raw, {"n": 1}, event="e1")
        again = await rig.run("nats", raw, {"n": 1}, event="e1")
        other = await rig.run("nats", raw, {"n": 1}, event="e2")
        assert (first.repeated, again.repeated, other.repeated) == (False, True, False)
        assert first.detail.endswith("stream once has once.a as 1")
        assert (await js.stream_info("once")).state.messages == 2


async def test_a_subject_that_no_stream_stores_is_told(nats_server: Nats):
    async with rigged() as rig:
        with pytest.raises(Retryable, match="nowhere: no stream stores this subject: make one"):
            await rig.run("nats", config(nats_server, subject="nowhere", jetstream=True), {"n": 0})


async def test_what_a_stream_refuses_is_told(nats_server: Nats):
    from nats.js.api import DiscardPolicy

    full = {"name": "full", "subjects": ["full"], "max_msgs": 1, "discard": DiscardPolicy.NEW}
    async with stream(nats_server, **full), rigged() as rig:
        raw = config(nats_server, subject="full", jetstream=True)
        await rig.run("nats", raw, {"n": 0}, event="e1")
        with pytest.raises(Retryable, match="full: maximum messages exceeded"):
            await rig.run("nats", raw, {"n": 0}, event="e2")


async def test_what_a_stream_will_never_take_is_permanent(nats_server: Nats):
    async with stream(nats_server, name="small", subjects=["small"], max_msg_size=100), rigged() as rig:
        with pytest.raises(Permanent, match="small: message size exceeds maximum allowed"):
            await rig.run("nats", config(nats_server, subject="small", jetstream=True), {"n": "x" * 500})


async def test_a_message_that_is_too_large_is_refused_and_the_connection_lasts(own: Any):
    server = own(Nats("max_payload: 1024"))
    async with rigged() as rig:
        for size in (2000, 1024 - 53 - 8 + 1):
            with pytest.raises(Permanent, match=r"larger than the server takes \(max_payload\)"):
                await rig.run("nats", config(server), {"n": "x" * size})
        await rig.run("nats", config(server), {"n": "x" * (1024 - 53 - 8)})
        connections = json.loads(page(f"{server.monitoring}/varz") or b"")["total_connections"]
        assert connections == 1


@pytest.mark.parametrize("jetstream", [False, True])
async def test_a_subject_that_is_not_allowed_fails_its_own_firings_only(own: Any, jetstream: bool):
    rule = '{ user: shop, password: shop, permissions: { publish: { deny: ["Secret.>"] } } }'
    server = own(Nats(f"authorization {{ users: [{rule}] }}"))
    login = {"username": {"name": "n", "key": "u"}, "password": {"name": "n", "key": "u"}}
    common: dict[str, Any] = {"auth": {"basic": login}, "jetstream": jetstream}
    async with rigged({"n/u": "shop"}) as rig:
        denied = [
            rig.run("nats", config(server, subject=f"Secret.{n % 2}", **common), {"n": 0}) for n in range(6)
        ]
        allowed = [
            rig.run("nats", config(server, subject="open", **{**common, "jetstream": False}), {"n": 0})
        ]
        found = await asyncio.gather(*denied, *allowed, return_exceptions=True)
        assert all(isinstance(one, Permanent) and "permissions violation" in str(one) for one in found[:6])
        assert str(found[0]).endswith("give this user the permission")
        assert found[6].detail.endswith("took the message for open")


async def test_a_hundred_firings_of_several_triggers_use_one_connection(own: Any):
    server = own(Nats())
    async with rigged() as rig:
        await asyncio.gather(
            *(
                rig.run("nats", config(server, subject=f"s{n % 5}"), {"n": n}, event=f"e{n}")
                for n in range(100)
            )
        )
        told = json.loads(page(f"{server.monitoring}/varz") or b"")
        assert (told["connections"], told["total_connections"], told["in_msgs"]) == (1, 1, 100)
    assert json.loads(page(f"{server.monitoring}/varz") or b"")["connections"] == 0


async def test_connections_are_not_kept_without_end(own: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("events.clients.nats_links.LINKS_KEPT", 2)
    names = "abcd"
    users = ", ".join(f"{{user: {name}, password: {name}}}" for name in names)
    server = own(Nats(f"authorization {{ users: [{users}] }}"))
    async with rigged({f"n/{name}": name for name in names}) as rig:
        for name in names:
            one = {"name": "n", "key": name}
            login = {"basic": {"username": one, "password": one}}
            await rig.run("nats", config(server, auth=login), {"n": 0})
        async with asyncio.timeout(5):
            while json.loads(page(f"{server.monitoring}/varz") or b"")["connections"] > 2:
                await asyncio.sleep(0.05)


async def test_a_login_of_its_own_is_a_connection_of_its_own(own: Any):
    server = own(Nats("authorization { users: [{user: a, password: a}, {user: b, password: b}] }"))
    async with rigged({"n/a": "a", "n/b": "b"}) as rig:
        for name in "abab":
            one = {"name": "n", "key": name}
            await rig.run(
                "nats", config(server, auth={"basic": {"username": one, "password": one}}), {"n": 0}
            )
        assert json.loads(page(f"{server.monitoring}/varz") or b"")["total_connections"] == 2


async def test_it_goes_on_when_the_server_was_started_anew(own: Any):
    server = own(Nats())
    async with rigged() as rig:
        await rig.run("nats", config(server), {"n": 0})
        await asyncio.to_thread(server.stop)
        with pytest.raises(Retryable):
            await rig.run("nats", config(server), {"n": 0})
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(10):
            while not await taken(rig, config(server)):
                await asyncio.sleep(0.1)


async def taken(rig: Any, raw: Any) -> bool:
    try:
        await rig.run("nats", raw, {"n": 0})
    except Retryable:
        return False
    return True


async def test_a_server_that_is_away_delays_nobody_else(nats_server: Nats):
    async with rigged() as rig, Proxy(nats_server.port) as proxy:
        proxy.black_hole()
        silent = {**config(nats_server), "url": f"nats://127.0.0.1:{proxy.port}"}
        began = time.monotonic()

        async def after(raw: Any) -> float:
            assert await taken(rig, raw) == (raw is not silent)
            return time.monotonic() - began

        quick, *slow = await asyncio.gather(after(config(nats_server)), *(after(silent) for _ in range(3)))
        assert quick < 2
        assert max(slow) < 12, "they share one attempt"


async def test_a_lost_connection_does_not_send_what_was_told_to_have_failed(nats_server: Nats):
    async with rigged() as rig, Proxy(nats_server.port) as proxy:
        through = {**config(nats_server, subject="kept.back"), "url": f"nats://127.0.0.1:{proxy.port}"}
        with Listener(nats_server, "kept.back") as listener:
            await rig.run("nats", through, {"n": 1})
            proxy.refuse()
            proxy.cut()
            await asyncio.sleep(0.2)
            with pytest.raises(Retryable):
                await rig.run("nats", through, {"n": 2})
            await proxy.heal()
            async with asyncio.timeout(10):
                while not await taken(rig, through):
                    await asyncio.sleep(0.1)
            assert [json.loads(one.data).get("n") for one in listener.all()] == [1, 0]


@pytest.mark.parametrize("subject", ["a.*", "a.>", "a b", "a..b", ".a", "a" * 4000])
def test_a_subject_that_cannot_be_published_to_is_told_at_load(subject: str):
    raw = {"url": "nats://n:4222", "subject": subject, "payload": [parameter("n", "n")]}
    with pytest.raises(ExpressionError, match="cannot be published to: "):
        compiled("nats", raw)


def test_a_url_that_is_none_is_told_at_load():
    with pytest.raises(ExpressionError, match="write nats://host:4222"):
        compiled("nats", {"url": "http://n", "subject": "a", "payload": [parameter("n", "n")]})


async def test_the_guard_counts_for_servers_too(nats_server: Nats):
    from events.clients.http import Sessions

    async with rigged() as rig:
        await rig.sessions.aclose()
        rig.sessions = Sessions("strict")
        with pytest.raises(Permanent, match="not a public address"):
            await rig.run("nats", config(nats_server), {"n": 0})


async def test_nobody_there_is_told(nats_server: Nats):
    async with rigged() as rig:
        with dead_port() as port, pytest.raises(Retryable, match=f"127.0.0.1:{port}: cannot connect"):
            await rig.run("nats", {**config(nats_server), "url": f"nats://127.0.0.1:{port}"}, {"n": 0})
