"""What goes wrong around JetStream: servers that restart, connections that fall silent, disks that fill."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nats.aio.client import Client

from events.bus._base import Changes, Mark, Reader
from events.bus.jetstream import JetStreamBus
from events.bus.jetstream_api import Ack
from events.bus.jetstream_read import LogReader
from events.bus.jetstream_settings import StreamSettings
from events.bus.jetstream_wire import Message
from events.clients.nats import Servers
from events.errors import BusFull, BusUnavailable, Fenced, Permanent
from events.testing.bus_harness import TOPIC, Seen, beginning, event, events, read_all, read_until
from events.testing.proxy import Proxy
from events.testing.servers.fixtures import Disks, Own
from events.testing.servers.nats import Nats, NatsCluster

pytestmark = [pytest.mark.servers("nats"), pytest.mark.timeout(90)]

PATIENCE = 40.0


@pytest.fixture
def name() -> str:
    return f"default/b{secrets.token_hex(6)}"


@asynccontextmanager
async def opened(url: str, name: str, **given: Any) -> AsyncIterator[JetStreamBus]:
    bus = JetStreamBus(Servers.of(url), name, shards=2, **given)
    await again(bus.open)  # a stream of a cluster takes nothing until it has a leader
    try:
        yield bus
    finally:
        await bus.aclose()


async def api(url: str, call: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    client = Client()
    await client.connect(url.split(","))
    answer = await client.request(f"$JS.API.{call}", json.dumps(body).encode() if body else b"", timeout=5)
    await client.close()
    found: dict[str, Any] = json.loads(answer.data)
    return found


async def until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


async def again(work: Callable[[], Awaitable[Any]], seconds: float = PATIENCE) -> Any:
    """As senders do: repeat what the bus did not take."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await work()
            except BusUnavailable:
                await asyncio.sleep(0.1)


class Follower:
    """Reads on as an owner does: after an error it opens a reader at its place."""

    def __init__(self, bus: JetStreamBus, start: Mark) -> None:
        self.bus, self.mark, self.seen = bus, start, Seen(start)

    async def run(self) -> None:
        while True:
            reader: Reader | None = None
            try:
                reader = await self.bus.read([TOPIC], Mark(self.mark.incarnation, {0: self.seen.reached[0]}))
                while True:
                    self.seen.take(await reader.next())
            except BusUnavailable:
                await asyncio.sleep(0.1)
            finally:
                if reader is not None:
                    await reader.aclose()


@asynccontextmanager
async def following(bus: JetStreamBus) -> AsyncIterator[Follower]:
    follower = Follower(bus, await bus.head())
    task = asyncio.get_running_loop().create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.wait([task])


async def publish_on(bus: JetStreamBus, count: int, prefix: str = "e") -> list[str]:
    """One after the other, each until it is taken."""
    for number in range(count):
        await again(lambda number=number: bus.publish([event(f"{prefix}{number}")]))
        await asyncio.sleep(0.002)
    return [f"{prefix}{number}" for number in range(count)]


# the server


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_restarted_server_loses_nothing_and_all_goes_on(
    own: Own[Nats], name: str, how: str, caplog: pytest.LogCaptureFixture
):
    server = own(Nats())
    caplog.set_level(logging.INFO, "events")
    async with opened(server.url, name) as bus, following(bus) as follower:
        lease = await bus.lease("shard/0", ttl=15.0)
        publishing = asyncio.get_running_loop().create_task(publish_on(bus, 300))
        await until(lambda: len(follower.seen.ids) > 50)
        await asyncio.to_thread(getattr(server, how))
        await until(lambda: not bus.health().ready)
        assert "not connected" in bus.health().detail
        with pytest.raises(BusUnavailable):
            await bus.publish([event("refused")])
        await asyncio.sleep(1)
        await asyncio.to_thread(server.start)
        accepted = await publishing
        await until(lambda: follower.seen.ids[-1:] == accepted[-1:])
        assert follower.seen.ids == accepted
        assert bus.health().ready
        await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))
        assert (await bus.load(0)).records == {"a": b"1"}
    lines = [record for record in caplog.records if "lost" in record.message or "is back" in record.message]
    assert lines == [], "who uses the bus tells, by its health"


async def test_a_server_that_is_not_there_at_start(own: Own[Nats], name: str):
    server = own(Nats())
    await asyncio.to_thread(server.stop)
    bus = JetStreamBus(Servers.of(server.url), name)
    with pytest.raises(BusUnavailable, match=r"cannot connect.*is the server running"):
        await bus.open()
    assert not bus.health().ready
    await asyncio.to_thread(server.start)
    await bus.open()
    await bus.publish([event("a")])
    await bus.aclose()


async def test_a_store_with_no_room_left(own: Own[Nats], name: str):
    server = own(Nats(max_file=8 << 20))
    async with opened(server.url, name) as bus:
        accepted = list[str]()

        async def fill() -> None:
            for number in range(100):
                await bus.publish([event(f"{number}", data=bytes(200_000))])
                accepted.append(f"{number}")

        with pytest.raises(BusFull, match="takes nothing more"):
            await fill()
        assert len(accepted) > 20
        assert not bus.health().ready
        assert (await read_all(bus, [TOPIC])).ids == accepted
        await api(server.url, f"STREAM.PURGE.{bus._names.events}", {"keep": 5})
        await until(lambda: bus.health().ready)
        await bus.publish([event("after")])
        assert (await read_all(bus, [TOPIC])).ids == [*accepted[-5:], "after"]


async def test_a_disk_that_is_really_full(
    small_disk: Disks, own: Own[Nats], name: str, monkeypatch: pytest.MonkeyPatch
):
    """The server says nothing to who publishes then, and takes nothing more until it is started again."""
    monkeypatch.setattr("events.bus.jetstream_sender.TIMEOUT", 2.0)
    disk = small_disk(16 << 20)
    server = own(Nats(max_file=1 << 30, data=disk.place / "jetstream"))
    async with opened(server.url, name) as bus, following(bus) as follower:
        lease = await bus.lease("shard/0", ttl=30.0)
        await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))
        accepted = list[str]()

        async def fill() -> None:
            for number in range(200):
                await bus.publish([event(f"{number}", data=bytes(200_000))])
                accepted.append(f"{number}")

        with pytest.raises(BusUnavailable, match="is its disk full"):
            await fill()
        assert len(accepted) > 20
        assert "no space left on device" in server.new_log
        assert "is its disk full" in bus.health().detail
        with pytest.raises(BusUnavailable, match="is its disk full"):
            await bus.publish([event("refused")])
        disk.grow(256 << 20)
        await asyncio.to_thread(server.restart)
        await again(lambda: bus.publish([event("after", data=bytes(200_000))]))
        await until(lambda: bus.health().ready)
        await until(lambda: follower.seen.ids == [*accepted, "after"])
        await again(lambda: bus.commit(0, lease.epoch, Changes(records={"b": b"2"})))
        assert (await bus.load(0)).records == {"a": b"1", "b": b"2"}


async def test_a_stream_at_its_limit_with_discard_new(nats_server: Nats, name: str):
    settings = StreamSettings(discard="new", max_messages=10)
    async with opened(nats_server.url, name, settings=settings) as bus:
        await bus.publish(events(10))
        with pytest.raises(BusFull, match="maximum messages exceeded"):
            await bus.publish([event("more")])
        assert not bus.health().ready
        await api(nats_server.url, f"STREAM.PURGE.{bus._names.events}")
        await until(lambda: bus.health().ready)
        await bus.publish([event("more")])


async def test_a_stream_at_its_limit_with_discard_old_reports_the_gap(nats_server: Nats, name: str):
    async with opened(nats_server.url, name, settings=StreamSettings(max_messages=10)) as bus:
        start = beginning(await bus.head())
        for number in range(25):
            await bus.publish([event(f"{number}")])
        seen = await read_all(bus, [TOPIC], start)
        assert seen.ids == [f"{n}" for n in range(15, 25)]
        assert [(gap.first, gap.last) for gap in seen.gaps] == [(1, 15)]


async def test_a_login_that_is_revoked_and_given_again(own: Own[Nats], name: str):
    both = 'authorization { users: [ { user: ann, password: "pw" }, { user: bob, password: "pw" } ] }'
    server = own(Nats(both))
    async with opened(server.url.replace("//", "//ann:pw@"), name) as bus, following(bus) as follower:
        before = await publish_on(bus, 10)
        await until(lambda: follower.seen.ids == before)
        reload(server, both.replace("ann", "eve"))
        await until(lambda: not bus.health().ready)
        with pytest.raises(BusUnavailable):
            await bus.publish([event("refused")])
        await asyncio.sleep(2.5)
        assert "Authorization Violation" in bus.health().detail
        reload(server, both)
        after = await publish_on(bus, 10, "f")
        await until(lambda: follower.seen.ids == before + after)
        lease = await bus.lease("shard/0", ttl=2.0)
        await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))


async def test_a_connection_that_the_server_ended_for_good_is_made_anew(nats_server: Nats, name: str):
    """As it does when it does not understand something: the client library gives up then."""
    async with opened(nats_server.url, name) as bus, following(bus) as follower:
        lease = await bus.lease("shard/0", ttl=10.0)
        before = await publish_on(bus, 10)
        await until(lambda: follower.seen.ids == before)
        bus._link.write(b"NONSENSE\r\n")
        await until(bus._link.ended.is_set)
        assert not bus.health().ready
        after = await publish_on(bus, 10, "f")
        await until(lambda: follower.seen.ids == before + after)
        await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))
        assert bus.health().ready


def reload(server: Nats, extra: str) -> None:
    server.extra = extra
    server.configure()
    os.kill(server.pid, signal.SIGHUP)


# connections


@asynccontextmanager
async def behind_proxy(server: Nats, name: str) -> AsyncIterator[tuple[Proxy, JetStreamBus]]:
    async with Proxy(server.port) as proxy, opened(f"nats://127.0.0.1:{proxy.port}", name) as bus:
        yield proxy, bus
        await proxy.heal()


async def test_a_connection_that_is_cut_again_and_again(nats_server: Nats, name: str):
    async with behind_proxy(nats_server, name) as (proxy, bus), following(bus) as follower:
        publishing = asyncio.get_running_loop().create_task(publish_on(bus, 400))
        for _ in range(4):
            await asyncio.sleep(0.3)
            proxy.cut()
        accepted = await publishing
        await until(lambda: follower.seen.ids[-1:] == accepted[-1:])
        assert follower.seen.ids == accepted


async def test_a_black_hole_is_noticed_and_left(
    nats_server: Nats, name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("events.clients.nats.PING_INTERVAL", 1.0)
    async with behind_proxy(nats_server, name) as (proxy, bus), following(bus) as follower:
        before = await publish_on(bus, 20)
        await until(lambda: follower.seen.ids == before)
        proxy.black_hole()
        with pytest.raises(BusUnavailable):
            await bus.publish([event("stuck")])
        await until(lambda: not bus.health().ready)
        await proxy.heal()
        after = await publish_on(bus, 20, "f")
        await until(lambda: follower.seen.ids[-1:] == after[-1:])
        assert [one for one in follower.seen.ids if one != "stuck"] == before + after


async def test_a_subscription_whose_consumer_is_deleted_starts_anew_at_its_place(
    nats_server: Nats, name: str
):
    async with opened(nats_server.url, name) as bus, following(bus) as follower:
        before = await publish_on(bus, 20)
        await until(lambda: follower.seen.ids == before)
        assert bus.health().restarts == 0
        found = await api(nats_server.url, f"CONSUMER.NAMES.{bus._names.events}")
        for consumer in found["consumers"]:
            await api(nats_server.url, f"CONSUMER.DELETE.{bus._names.events}.{consumer}")
        after = await publish_on(bus, 20, "f")
        await until(lambda: follower.seen.ids == before + after, 10)
        assert bus.health().restarts == 1
        assert bus.health().ready


async def test_a_subscription_that_silently_lost_its_requests_starts_anew(nats_server: Nats, name: str):
    """As a server does that forgot them: nothing arrives though there is something."""
    async with opened(nats_server.url, name) as bus:
        head = await bus.head()
        reader = await bus.read([TOPIC], head)
        puller = reader._puller
        assert puller is not None
        await bus._link.client._send_unsubscribe(puller._subscription._id)
        await bus.publish(events(5))
        assert await reader.lag() == 5
        seen = await read_until(reader, Seen(head), await bus.head(), 15)
        assert seen.ids == [f"e{n}" for n in range(5)]
        assert bus.health().restarts == 1
        await reader.aclose()


async def test_a_stream_made_anew_ends_the_readers(nats_server: Nats, name: str):
    async with opened(nats_server.url, name) as bus:
        reader = await bus.read([TOPIC], await bus.head())
        task = asyncio.get_running_loop().create_task(reader.next())
        config = (await api(nats_server.url, f"STREAM.INFO.{bus._names.events}"))["config"]
        await api(nats_server.url, f"STREAM.DELETE.{bus._names.events}")
        await api(nats_server.url, f"STREAM.CREATE.{bus._names.events}", config)
        with pytest.raises(BusUnavailable):
            await asyncio.wait_for(task, 15)
        await reader.aclose()


async def test_a_stream_that_was_removed_is_made_again_and_is_another_log(nats_server: Nats, name: str):
    async with opened(nats_server.url, name) as bus:
        old = await bus.head()
        await api(nats_server.url, f"STREAM.DELETE.{bus._names.events}")
        with pytest.raises(BusUnavailable):
            await bus.publish([event("a")])
        assert not bus.health().ready
        await again(lambda: bus.publish([event("a")]))
        await until(lambda: bus.health().ready)
        assert (await bus.head()).incarnation != old.incarnation
        with pytest.raises(ValueError, match="incarnation"):
            await bus.read([TOPIC], old)


# a cluster


@pytest.mark.timeout(150)
async def test_a_cluster_that_loses_its_leader_loses_nothing(name: str):
    with NatsCluster() as cluster:
        await loses_its_leader(cluster, name)


async def loses_its_leader(cluster: NatsCluster, name: str) -> None:
    settings = StreamSettings(replicas=3)
    async with opened(cluster.url, name, settings=settings) as bus, following(bus) as follower:
        lease = await again(lambda: bus.lease("shard/0", ttl=30.0))
        await again(lambda: bus.commit(0, lease.epoch, Changes(records={"a": b"1"})))
        publishing = asyncio.get_running_loop().create_task(publish_on(bus, 600))
        await until(lambda: len(follower.seen.ids) > 50)
        info = await again(lambda: bus._api.info(bus._names.events))
        node = cluster.named(info["cluster"]["leader"])
        await asyncio.to_thread(node.kill)
        accepted = await publishing
        await until(lambda: follower.seen.ids[-1:] == accepted[-1:])
        assert follower.seen.ids == accepted
        await again(lambda: bus.commit(0, lease.epoch, Changes(records={"b": b"2"})))
        assert (await again(lambda: bus.load(0))).records == {"a": b"1", "b": b"2"}
        await asyncio.to_thread(node.start)


@pytest.mark.timeout(150)
async def test_a_replica_that_lags_behind_does_not_let_the_place_run_ahead(name: str):
    """A mark above an event that was not handed out would lose it in a crash."""
    settings = StreamSettings(replicas=3)
    with NatsCluster() as cluster:
        async with opened(cluster.url, name, settings=settings) as bus:
            leader = (await bus._api.info(bus._names.events))["cluster"]["leader"]
        async with opened(cluster.named(leader).url, name, settings=settings) as bus:
            for number in range(3):
                await reads_from_a_replica_that_slept(bus, cluster, leader, f"{number}-")


async def reads_from_a_replica_that_slept(
    bus: JetStreamBus, cluster: NatsCluster, leader: str, prefix: str
) -> None:
    reader, server = await served_elsewhere(bus, leader)
    waiting = asyncio.get_running_loop().create_task(reader.next())
    await asyncio.sleep(0.1)
    cluster.named(server).pause()
    try:
        for number in range(20):
            await bus.publish([event(f"{prefix}{number}-{n}", data=bytes(1000)) for n in range(100)])
        await asyncio.sleep(0.1)
    finally:
        cluster.named(server).resume()
    found, reached = 0, -1
    while found < 2000:
        batch = await asyncio.wait_for(waiting, PATIENCE)
        assert all(one.position.offset > reached for one in batch.deliveries), "it was said to be looked at"
        found, reached = found + len(batch.deliveries), batch.reached[0]
        waiting = asyncio.get_running_loop().create_task(reader.next())
    waiting.cancel()
    await reader.aclose()


async def served_elsewhere(bus: JetStreamBus, leader: str) -> tuple[LogReader, str]:
    """A reader whose consumer is not on the leader of the stream, and where that is."""
    while True:
        reader = await bus.read([TOPIC], await bus.head())
        assert reader._puller is not None
        there = await reader._puller.info()
        if there is not None and there["cluster"]["leader"] != leader:
            return reader, there["cluster"]["leader"]
        await reader.aclose()


async def test_a_cluster_goes_on_storing_without_a_node_whose_disk_is_full(
    small_disk: Disks, name: str, monkeypatch: pytest.MonkeyPatch
):
    """Reading may wait until it is back: when it leads the cluster, it tells everybody of its old copy."""
    monkeypatch.setattr("events.bus.jetstream_sender.TIMEOUT", 2.0)
    disk, settings = small_disk(16 << 20), StreamSettings(replicas=3)
    with NatsCluster(max_file=1 << 30, data=disk.place / "jetstream") as cluster:
        small = cluster.nodes[0]
        async with opened(cluster.url, name, settings=settings) as bus, following(bus) as follower:
            await lead(cluster, small, bus._names.events)
            for number in range(120):
                await again(lambda number=number: bus.publish([event(f"{number}", data=bytes(200_000))]))
            assert "critical write error" in small.new_log
            disk.grow(256 << 20)
            await asyncio.to_thread(small.restart)
            await until(lambda: bus.health().ready)
            await until(lambda: follower.seen.ids == [f"{number}" for number in range(120)])


async def lead(cluster: NatsCluster, node: Nats, stream: str) -> None:
    """Until that node leads the stream."""
    async with asyncio.timeout(PATIENCE):
        while True:
            info = await api(cluster.url, f"STREAM.INFO.{stream}")
            if info["cluster"].get("leader") == node.label:
                return
            placement = {"placement": {"preferred": node.label}}
            await api(cluster.url, f"STREAM.LEADER.STEPDOWN.{stream}", placement)
            await asyncio.sleep(0.5)


# leases


async def test_two_handles_contest_a_lease_and_it_is_handed_over_at_once(nats_server: Nats, name: str):
    async with opened(nats_server.url, name) as one, opened(nats_server.url, name) as two:
        first = await one.lease("shard/0", ttl=2.0)
        waiting = asyncio.get_running_loop().create_task(two.lease("shard/0", ttl=2.0))
        await asyncio.sleep(5.0)  # renewed meanwhile
        assert not waiting.done()
        assert not first.lost.is_set()
        started = asyncio.get_running_loop().time()
        await first.release()
        second = await asyncio.wait_for(waiting, 5)
        assert asyncio.get_running_loop().time() - started < 1.0
        assert second.epoch > first.epoch


async def test_who_stops_waiting_for_a_lease_when_it_has_just_come_keeps_it_from_nobody(
    nats_server: Nats, name: str, monkeypatch: pytest.MonkeyPatch
):
    async with opened(nats_server.url, name) as one, opened(nats_server.url, name) as two:
        real, stored = one._sender.batch, asyncio.Event()

        async def unanswered(messages: Sequence[Message]) -> Ack:
            await real(messages)
            stored.set()
            return await asyncio.Future()

        monkeypatch.setattr(one._sender, "batch", unanswered)
        taking = asyncio.get_running_loop().create_task(one.lease("shard/0", ttl=30.0))
        await asyncio.wait_for(stored.wait(), 5)
        monkeypatch.undo()
        taking.cancel()
        await asyncio.wait([taking])
        await asyncio.wait_for(two.lease("shard/0", ttl=30.0), 5)


async def test_a_dead_holder_is_followed_within_its_time(nats_server: Nats, name: str):
    """And what it had written is there."""
    async with opened(nats_server.url, name) as two:
        one = JetStreamBus(Servers.of(nats_server.url), name, shards=2)
        await one.open()
        lease = await one.lease("shard/0", ttl=2.0)
        await one.commit(0, lease.epoch, Changes(records={"a": b"1"}))
        waiting = asyncio.get_running_loop().create_task(two.lease("shard/0", ttl=2.0))
        await one._tasks.aclose()  # nobody renews any more: as after kill -9
        newer = await asyncio.wait_for(waiting, 4.0)
        assert (await two.load(0)).records == {"a": b"1"}
        await asyncio.wait_for(lease.lost.wait(), 2)
        with pytest.raises(Fenced):
            await one.commit(0, lease.epoch, Changes(records={"a": b"2"}))
        await two.commit(0, newer.epoch, Changes(records={"b": b"1"}))
        assert (await two.load(0)).records == {"a": b"1", "b": b"1"}
        await one.aclose()


async def test_a_holder_that_slept_cannot_write(nats_server: Nats, name: str):
    """Its own clock is taken from it, so that only the server's fence is left."""
    async with opened(nats_server.url, name) as one, opened(nats_server.url, name) as two:
        old = await one.lease("shard/0", ttl=2.0)
        await one._tasks.aclose()
        old._timer.cancel()
        newer = await asyncio.wait_for(two.lease("shard/0", ttl=2.0), 6.0)
        await two.commit(0, newer.epoch, Changes(records={"a": b"new"}))
        assert not old.lost.is_set()
        one._tasks.start("answers", one._sender.run())
        for changes in (
            Changes(records={"a": b"late"}),
            Changes({"x": b"late"}, {"a": b"late", "b": b"late"}, [], await one.head()),
        ):
            with pytest.raises(Fenced):
                await one.commit(0, old.epoch, changes)
        assert (await two.load(0)).records == {"a": b"new"}
        assert await two.blob(0, "x") is None


async def test_a_holder_that_cannot_renew_stops_before_another_may_take_it(nats_server: Nats, name: str):
    async with behind_proxy(nats_server, name) as (proxy, one), opened(nats_server.url, name) as two:
        old = await one.lease("shard/0", ttl=2.0)
        lost_first = list[bool]()

        async def take() -> None:
            await two.lease("shard/0", ttl=2.0)
            lost_first.append(old.lost.is_set())

        waiting = asyncio.get_running_loop().create_task(take())
        await asyncio.sleep(0.5)
        proxy.black_hole()
        await asyncio.wait_for(waiting, 6)
        assert lost_first == [True]


async def test_an_old_server_is_refused(nats_server: Nats, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("events.bus.jetstream.NEEDED", (99, 1))
    with pytest.raises(Permanent, match=r"is nats-server 2\.\d+: the bus needs 99\.1 or newer"):
        await JetStreamBus(Servers.of(nats_server.url), name).open()


async def test_another_number_of_shards_is_refused(nats_server: Nats, name: str):
    async with opened(nats_server.url, name):
        pass
    bus = JetStreamBus(Servers.of(nats_server.url), name, shards=3)
    with pytest.raises(Permanent, match="made with 2 shards, not 3"):
        await bus.open()
