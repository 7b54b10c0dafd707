"""redis and redisStream against a real server: payloads, groups, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis as Client

import events.clients.streams
import events.sources.redis
import events.sources.redis_stream
from events.clients.http import Sessions
from events.errors import Permanent, Retryable
from events.testing.certificates import Authority
from events.testing.proxy import Proxy
from events.testing.servers.redis import Redis
from events.testing.sources import Rig, rigged
from events.testing.triggers import dead_port

pytestmark = pytest.mark.servers("redis")


@pytest.fixture
async def client(redis_server: Redis) -> AsyncIterator[Client]:
    async with Client(port=redis_server.port) as made:
        yield made
        await made.flushall()


async def begin(rig: Rig, server: Redis, kind: str = "redis", **more: Any) -> None:
    where = {"channels": ["news", "more"]} if kind == "redis" else {"streams": ["orders"]}
    await rig.start(kind, {"hostAddress": server.address, **where, **more})


# channels


async def test_a_message_is_text(redis_server: Redis, client: Client):
    async with rigged() as rig:
        await begin(rig, redis_server, metadata={"team": "a"})
        await client.publish("more", "h\u00e9llo")
        await client.publish("other", "not for us")
        await client.publish("news", b"\xff{")
        await rig.until(2)
        assert rig.data == [
            {"channel": "more", "pattern": "", "body": "h\u00e9llo", "metadata": {"team": "a"}},
            {"channel": "news", "pattern": "", "body": "\ufffd{", "metadata": {"team": "a"}},
        ]
        assert [payload.id for payload in rig.emitted] == [None, None]


async def test_a_json_body_is_embedded_and_what_is_none_is_told(
    redis_server: Redis, client: Client, caplog: pytest.LogCaptureFixture
):
    async with rigged() as rig:
        await begin(rig, redis_server, jsonBody=True)
        for text in ("{", '{"n": 1.50}'):
            await client.publish("news", text)
        await rig.until(1)
        assert rig.emitted[0].data == b'{"channel":"news","pattern":"","body":{"n": 1.50}}'
        assert rig.malformed == 1
        assert "default/es.ev: dropped a message of channel 'news': not valid JSON" in caplog.text


async def test_what_waits_outlives_a_lost_connection(redis_server: Redis, client: Client):
    async with rigged() as rig, Proxy(redis_server.port) as proxy:
        await rig.start(
            "redis", {"hostAddress": f"127.0.0.1:{proxy.port}", "channels": ["news"]}, supervised=True
        )
        rig.hold.clear()
        for text in "abc":
            await client.publish("news", text)
        await rig.asked.wait()
        await asyncio.sleep(0.1)
        rig.ready.clear()
        proxy.cut()
        async with asyncio.timeout(10):
            await rig.ready.wait()
        rig.hold.set()
        await rig.until(3)
        assert [one["body"] for one in rig.data] == ["a", "b", "c"]
        assert isinstance(rig.failures[0], Retryable)


async def test_a_server_that_says_nothing_more_is_noticed(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(events.sources.redis, "PING", 0.2)
    async with rigged() as rig, Proxy(redis_server.port) as proxy:
        await rig.start("redis", {"hostAddress": f"127.0.0.1:{proxy.port}", "channels": ["news"]})
        await asyncio.sleep(0.7)
        assert not rig.task.done(), "pings are answered"
        proxy.black_hole()
        with pytest.raises(Retryable, match="no answer to a ping"):
            async with asyncio.timeout(5):
                await rig.task


# streams


async def test_an_entry_has_its_id_and_is_acknowledged(redis_server: Redis, client: Client):
    async with rigged() as rig:
        await begin(rig, redis_server, "redisStream", metadata={"team": "a"})
        await client.xadd("orders", {"key-1": "val-1", "key-2": b"\xff"}, id="1647495121754-0")
        await rig.until(1)
        assert rig.data == [
            {
                "stream": "orders",
                "message_id": "1647495121754-0",
                "values": {"key-1": "val-1", "key-2": "\ufffd"},
                "metadata": {"team": "a"},
            }
        ]
        assert (rig.emitted[0].id or "").startswith("orders:1647495121754-0:")
        await asyncio.sleep(0.1)
        assert (await client.xpending("orders", "argo-events-cg"))["pending"] == 0
        [group] = await client.xinfo_groups("orders")
        assert group["name"] == b"argo-events-cg"
        [consumer] = await client.xinfo_consumers("orders", "argo-events-cg")
        assert consumer["name"] == b"events-trigger.default/es.ev"


async def test_equal_ids_of_two_streams_are_two_events(redis_server: Redis, client: Client):
    async with rigged() as rig:
        await begin(rig, redis_server, "redisStream", streams=["a", "b"], consumerGroup="g")
        for stream in "ab":
            await client.xadd(stream, {"k": "v"}, id="5-0")
        await rig.until(2)
        assert sorted(str(payload.id)[:6] for payload in rig.emitted) == ["a:5-0:", "b:5-0:"]


async def test_a_group_that_is_there_goes_on_where_it_is(redis_server: Redis, client: Client):
    await client.xadd("orders", {"n": "1"})
    await client.xgroup_create("orders", "argo-events-cg", id="0")
    async with rigged() as rig:
        await begin(rig, redis_server, "redisStream")
        await rig.until(1)
        assert rig.data[0]["values"] == {"n": "1"}


async def test_a_new_group_begins_with_what_is_new(redis_server: Redis, client: Client):
    await client.xadd("orders", {"n": "old"})
    async with rigged() as rig:
        await begin(rig, redis_server, "redisStream")
        await client.xadd("orders", {"n": "new"})
        await rig.until(1)
        assert [one["values"]["n"] for one in rig.data] == ["new"]


async def test_what_was_taken_before_a_restart_comes_first(redis_server: Redis, client: Client):
    """More than one read of it, and one entry that was deleted meanwhile."""
    await client.xgroup_create("orders", "argo-events-cg", mkstream=True)
    for number in range(8):
        await client.xadd("orders", {"n": str(number)}, id=f"{number + 1}-0")
    ours = "events-trigger.default/es.ev"
    await client.xreadgroup("argo-events-cg", ours, {"orders": ">"}, count=7)
    await client.xdel("orders", "3-0")
    async with rigged() as rig:
        await begin(rig, redis_server, "redisStream", maxMsgCountPerRead=2)
        await rig.until(7)
        assert [one["values"]["n"] for one in rig.data] == ["0", "1", "3", "4", "5", "6", "7"]
        await asyncio.sleep(0.1)
        assert (await client.xpending("orders", "argo-events-cg"))["pending"] == 0


async def test_what_another_consumer_left_is_taken_over(
    redis_server: Redis, client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(events.sources.redis_stream, "IDLE_MS", 1)
    monkeypatch.setattr(events.sources.redis_stream, "RECLAIM", 0.1)
    monkeypatch.setattr(events.sources.redis_stream, "BLOCK_MS", 50)
    await client.xgroup_create("orders", "argo-events-cg", mkstream=True)
    for number in range(250):
        await client.xadd("orders", {"n": str(number)})
    await client.xreadgroup("argo-events-cg", "argo-events-worker", {"orders": ">"}, count=250)
    async with rigged() as rig:
        await begin(rig, redis_server, "redisStream")
        await rig.until(250)
        assert [one["values"]["n"] for one in rig.data] == [str(number) for number in range(250)]
        await asyncio.sleep(0.1)
        assert (await client.xpending("orders", "argo-events-cg"))["pending"] == 0


async def test_a_server_without_the_command_to_take_over(own: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events.sources.redis_stream, "RECLAIM", 0.0)
    monkeypatch.setattr(events.sources.redis_stream, "BLOCK_MS", 20)
    server = own(Redis('rename-command XAUTOCLAIM ""'))
    async with rigged() as rig, Client(port=server.port) as client:
        await begin(rig, server, "redisStream")
        for number in range(3):
            await client.xadd("orders", {"n": str(number)})
            await rig.until(number + 1)


async def test_a_user_who_may_not_take_over(
    redis_server: Redis, client: Client, monkeypatch: pytest.MonkeyPatch
):
    """The commands that upstream's source needs are enough."""
    monkeypatch.setattr(events.sources.redis_stream, "RECLAIM", 0.0)
    monkeypatch.setattr(events.sources.redis_stream, "BLOCK_MS", 20)
    commands = [f"+{name}" for name in ("ping", "xgroup", "xreadgroup", "xack")]
    await client.acl_setuser("modest", enabled=True, passwords=["+right"], commands=commands, keys=["*"])
    login = {"username": "modest", "password": {"name": "redis", "key": "p"}}
    async with rigged({"redis/p": "right"}) as rig:
        await begin(rig, redis_server, "redisStream", **login)
        for number in range(3):
            await client.xadd("orders", {"n": str(number)})
            await rig.until(number + 1)


@pytest.mark.parametrize("later", ["7-0", "5-0", "3-0"], ids=["higher-ids", "the-same", "lower-ids"])
async def test_a_stream_that_was_deleted_is_made_anew_and_nothing_is_missed(
    redis_server: Redis, client: Client, later: str
):
    async with rigged() as rig:
        await rig.start(
            "redisStream", {"hostAddress": redis_server.address, "streams": ["orders"]}, supervised=True
        )
        await client.xadd("orders", {"n": "1"}, "5-0")
        await rig.until(1)
        while not (await client.info("clients"))["blocked_clients"]:  # it waits for entries again
            await asyncio.sleep(0.01)
        await client.delete("orders")
        await client.xadd("orders", {"n": "2"}, later)
        await rig.until(2)
        assert [one["values"]["n"] for one in rig.data] == ["1", "2"]
        assert len({payload.id for payload in rig.emitted}) == 2
        assert all(isinstance(one, Retryable) for one in rig.failures)


async def test_a_group_that_was_deleted_goes_on_where_it_was(redis_server: Redis, client: Client):
    async with rigged() as rig:
        await rig.start(
            "redisStream", {"hostAddress": redis_server.address, "streams": ["orders"]}, supervised=True
        )
        for number in range(3):
            await client.xadd("orders", {"n": str(number)})
        await rig.until(3)
        while (await client.xpending("orders", "argo-events-cg"))["pending"]:
            await asyncio.sleep(0.01)
        await client.xgroup_destroy("orders", "argo-events-cg")
        await client.xadd("orders", {"n": "3"})
        await rig.until(4)
        assert [one["values"]["n"] for one in rig.data] == ["0", "1", "2", "3"]


async def test_a_server_that_takes_no_writes_for_a_while_is_asked_again(own: Any):
    """Its replicas are away: reading as a group is writing."""
    server = own(Redis())
    async with rigged() as rig, Client(port=server.port) as client:
        await rig.start(
            "redisStream", {"hostAddress": server.address, "streams": ["orders"]}, supervised=True
        )
        await client.config_set("min-replicas-to-write", 1)
        async with asyncio.timeout(10):
            while not rig.failures:
                await asyncio.sleep(0.05)
        await client.config_set("min-replicas-to-write", 0)
        await client.xadd("orders", {"n": "1"})
        await rig.until(1)
    assert isinstance(rig.failures[0], Retryable)
    assert "NOREPLICAS" in str(rig.failures[0])


async def test_a_slow_bus_stops_the_reading(redis_server: Redis, client: Client):
    async with rigged() as rig:
        await begin(rig, redis_server, "redisStream", maxMsgCountPerRead=5)
        rig.hold.clear()
        for number in range(20):
            await client.xadd("orders", {"n": str(number)})
        await rig.asked.wait()
        await asyncio.sleep(0.2)
        assert (await client.xpending("orders", "argo-events-cg"))["pending"] <= 5
        rig.hold.set()
        await rig.until(20)
        assert [one["values"]["n"] for one in rig.data] == [str(number) for number in range(20)]


# what goes wrong

KINDS = pytest.mark.parametrize("kind", ["redis", "redisStream"])


@KINDS
async def test_nobody_there(redis_server: Redis, kind: str):
    async with rigged() as rig:
        with dead_port() as port, pytest.raises(Retryable) as caught:
            await begin(rig, redis_server, kind, hostAddress=f"127.0.0.1:{port}")
        text = f"Redis 127.0.0.1:{port}: Connection refused; is the server running there?"
        assert str(caught.value) == text


@KINDS
async def test_a_login_that_is_refused(redis_server: Redis, client: Client, kind: str):
    await client.acl_setuser("shop", enabled=True, passwords=["+right"], commands=["+@all"], keys=["*"])
    password = {"password": {"name": "redis", "key": "password"}, "namespace": "default"}
    async with rigged({"redis/password": "wr0ng-one"}) as rig:
        with pytest.raises(Permanent) as caught:
            await begin(rig, redis_server, kind, username="shop", **password)
        assert str(caught.value).startswith(f"Redis {redis_server.address}: login refused (WRONGPASS ")
        assert str(caught.value).endswith("check username and password")
        assert "wr0ng-one" not in str(caught.value)


async def test_no_login_where_one_is_wanted(own: Any):
    server = own(Redis("requirepass secret"))
    async with rigged() as rig:
        with pytest.raises(Permanent, match=r"login refused \(NOAUTH"):
            await begin(rig, server)


@KINDS
async def test_a_user_and_a_database_of_its_own(redis_server: Redis, client: Client, kind: str):
    await client.acl_setuser(
        "reader", enabled=True, passwords=["+right"], commands=["+@all"], keys=["*"], channels=["*"]
    )
    login = {"username": "reader", "password": {"name": "redis", "key": "p"}, "namespace": "default"}
    async with rigged({"redis/p": "right\n"}) as rig, Client(port=redis_server.port, db=3) as third:
        await begin(rig, redis_server, kind, db=3, **login)
        if kind == "redis":
            await third.publish("news", "x")
        else:
            await third.xadd("orders", {"k": "x"})
        await rig.until(1)


async def test_a_database_that_is_not_there(redis_server: Redis):
    async with rigged() as rig:
        with pytest.raises(Permanent, match="DB index is out of range"):
            await begin(rig, redis_server, db=99)


async def test_a_channel_that_is_not_allowed(redis_server: Redis, client: Client):
    await client.acl_setuser("poor", enabled=True, nopass=True, commands=["+@all"], channels=["other"])
    login = {"username": "poor", "password": {"name": "redis", "key": "p"}, "namespace": "default"}
    async with rigged({"redis/p": "any"}) as rig:
        with pytest.raises(Permanent, match=r"NOPERM .*channel.*; give the user this permission"):
            await begin(rig, redis_server, **login)


async def test_a_stream_that_is_not_allowed(redis_server: Redis, client: Client):
    await client.acl_setuser("poor", enabled=True, nopass=True, commands=["+@all"], keys=["other"])
    login = {"username": "poor", "password": {"name": "redis", "key": "p"}}
    async with rigged({"redis/p": "any"}) as rig:
        with pytest.raises(Permanent, match=r"NOPERM .*; give the user this permission"):
            await begin(rig, redis_server, "redisStream", **login)


async def test_a_key_that_is_no_stream(redis_server: Redis, client: Client):
    await client.set("orders", "text")
    async with rigged() as rig:
        with pytest.raises(Permanent, match="WRONGTYPE"):
            await begin(rig, redis_server, "redisStream")


@KINDS
async def test_nothing_to_listen_to(redis_server: Redis, kind: str):
    async with rigged() as rig:
        with pytest.raises(Permanent, match="is empty"):
            await begin(rig, redis_server, kind, channels=[], streams=[])


async def test_an_address_that_is_none(redis_server: Redis):
    async with rigged() as rig:
        with pytest.raises(Permanent, match="'host:port' is no address: write host:6379"):
            await begin(rig, redis_server, hostAddress="host:port")


async def test_the_guard_counts(redis_server: Redis):
    async with rigged() as rig:
        rig.sessions = Sessions("strict")
        with pytest.raises(Permanent, match="not a public address"):
            await begin(rig, redis_server)


# TLS


async def test_tls_with_the_authority_of_the_server(own: Any):
    authority = Authority()
    server = own(Redis(tls=authority.pair()))
    tls = {"caCertSecret": {"name": "tls", "key": "ca"}}
    async with rigged({"tls/ca": authority.cert}) as rig, Client(port=server.port) as client:
        await begin(rig, server, hostAddress=f"localhost:{server.tls_port}", tls=tls)
        await client.publish("news", "encrypted")
        await rig.until(1)


async def test_tls_with_another_authority(own: Any):
    server = own(Redis(tls=Authority().pair()))
    tls = {"caCertSecret": {"name": "tls", "key": "ca"}}
    async with rigged({"tls/ca": Authority("other").cert}) as rig:
        with pytest.raises(Permanent, match=r"TLS: .*; check caCertSecret"):
            await begin(rig, server, hostAddress=f"localhost:{server.tls_port}", tls=tls)


async def test_tls_where_the_server_speaks_none(redis_server: Redis, monkeypatch: pytest.MonkeyPatch):
    """Redis waits for the rest of what it takes for a command."""
    monkeypatch.setattr(events.clients.streams, "CONNECT_TIMEOUT", 0.3)
    async with rigged() as rig:
        with pytest.raises(Retryable, match="no answer in time; is the address right"):
            await begin(rig, redis_server, tls={"enabled": True})
