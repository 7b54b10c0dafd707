"""The Kafka bus and what goes wrong around it: brokers, networks, rivals, consumers."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from events.aio import Group
from events.bus._base import Bus, Changes, Double, EventQuery, Health, Lease, Mark
from events.bus.kafka import KafkaBus
from events.bus.kafka_batches import Batch, deliver
from events.bus.kafka_owner import Owner
from events.clients.kafka import Brokers
from events.clients.secrets import LocalSecrets, Ref
from events.errors import BusUnavailable, Fenced
from events.testing.bus_harness import TOPIC, Seen, beginning, event, events, reaches, read_all, read_until
from events.testing.proxy import Proxy
from events.testing.sensors import Rig, sensor, trigger
from events.testing.servers.fixtures import Own
from events.testing.servers.kafka import Kafka
from tests.integration.bus.kafka_rig import CREATION, PATIENCE, Committer, Sender, healthy, make, opened

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

pytestmark = [pytest.mark.servers("kafka"), pytest.mark.timeout(90)]


async def test_a_restarted_broker_loses_nothing_and_everything_goes_on(
    own: Own[Kafka], caplog: pytest.LogCaptureFixture
):
    broker = own(Kafka())
    async with opened(broker.brokers) as bus:
        start = await bus.head()
        lease = await bus.lease("shard/0", ttl=30.0)
        reader, seen = await bus.read([TOPIC], start), Seen(start)
        async with Sender(bus) as sender:
            await sender.reach(20)
            await asyncio.to_thread(broker.kill)
            await healthy(bus, wanted=False)
            with pytest.raises(BusUnavailable):
                await bus.publish([event("refused")])
            await asyncio.to_thread(broker.start)
            await healthy(bus)
            await sender.reach(20)
        await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}, mark=await bus.head()))
        await read_until(reader, seen, await bus.head(), PATIENCE)
        assert set(sender.done) <= set(seen.ids)
        assert len(seen.ids) == len(set(seen.ids)), "a double was handed out"
        assert int(await bus.cursor("place") or b"") >= int(sender.done[-1])
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == [], "who uses the bus tells, by its health"


async def test_a_claim_that_was_cut_off_halfway_holds_nobody_up(
    kafka_server: Kafka, monkeypatch: pytest.MonkeyPatch
):
    """Its transaction stays open at the broker, longer than anybody should wait, and hides what follows."""

    async def halfway(producer: AIOKafkaProducer, topics: Mapping[str, Sequence[Batch]]) -> None:
        await producer.begin_transaction()
        for topic, batches in topics.items():
            await deliver(producer, topic, batches)
        raise BusUnavailable("the process is gone")

    topic = f"t{secrets.token_hex(6)}"
    async with opened(kafka_server.brokers, topic) as holder:
        held = await holder.lease("shard/1", ttl=4.0)
        async with opened(kafka_server.brokers, topic) as gone:
            monkeypatch.setattr("events.bus.kafka_leases.transact", halfway)
            with pytest.raises(BusUnavailable, match="the process is gone"):
                await gone.lease("shard/0")
            monkeypatch.undo()
        async with asyncio.timeout(8.0), opened(kafka_server.brokers, topic) as next_one:
            lease = await next_one.lease("shard/0")
            await next_one.commit(0, lease.epoch, Changes(records={"a": b"1"}))
        assert not held.lost.is_set(), "who lives keeps what it has"
        await holder.commit(1, held.epoch, Changes(records={"a": b"1"}))


async def test_who_stops_waiting_for_a_lease_when_it_has_just_come_keeps_it_from_nobody(
    kafka_server: Kafka, monkeypatch: pytest.MonkeyPatch
):
    topic, reached = f"t{secrets.token_hex(6)}", asyncio.Event()

    async def hang(owner: Owner, shard: int) -> None:
        reached.set()
        await asyncio.Event().wait()

    async with opened(kafka_server.brokers, topic) as one, opened(kafka_server.brokers, topic) as other:
        monkeypatch.setattr(Owner, "_table", hang)
        taking = asyncio.get_running_loop().create_task(one.lease("shard/0", ttl=30.0))
        await asyncio.wait_for(reached.wait(), PATIENCE)
        monkeypatch.undo()
        taking.cancel()
        await asyncio.wait([taking])
        async with asyncio.timeout(10.0):
            await other.lease("shard/0", ttl=30.0)


async def test_who_stops_waiting_for_a_lease_leaves_no_producer_of_the_former_one(
    kafka_server: Kafka, monkeypatch: pytest.MonkeyPatch
):
    """Its last commit has no answer yet; the process ends, or gives the shard away."""

    async def hang(producer: AIOKafkaProducer, topics: Mapping[str, Sequence[Batch]]) -> None:
        await asyncio.Event().wait()

    async with opened(kafka_server.brokers) as bus:
        lease = await bus.lease("shard/0")
        producer = bus._owner._owned[0]._producer
        monkeypatch.setattr("events.bus.kafka_shard.transact", hang)
        monkeypatch.setattr("events.bus.kafka_shard.PATIENCE", 2.0)
        committing = asyncio.get_running_loop().create_task(
            bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))
        )
        await asyncio.sleep(0.1)
        lease.lost.set()
        taking = asyncio.get_running_loop().create_task(bus.lease("shard/0"))
        await asyncio.sleep(0.3)
        taking.cancel()
        await asyncio.wait([taking])
        assert producer._closed
        monkeypatch.undo()
        committing.cancel()
        await asyncio.wait([committing])


@pytest.mark.parametrize("fault", ["cut", "black_hole", "refuse"])
async def test_a_broken_network_heals(own: Own[Kafka], fault: str):
    broker = Kafka()
    async with proxied(broker, own) as proxy, opened(f"127.0.0.1:{proxy.port}") as bus:
        start = await bus.head()
        reader, seen = await bus.read([TOPIC], start), Seen(start)
        async with Sender(bus) as sender:
            await sender.reach(20)
            getattr(proxy, fault)()
            if fault == "refuse":
                proxy.cut()
            if fault != "cut":
                await healthy(bus, wanted=False)
                await proxy.heal()
            await sender.reach(20)
            await healthy(bus)
        await read_until(reader, seen, await bus.head(), PATIENCE)
        assert set(sender.done) <= set(seen.ids)
        assert len(seen.ids) == len(set(seen.ids)), "a double was handed out"


async def test_a_bus_that_is_down_at_start_says_so_and_starts_later(own: Own[Kafka]):
    broker = own(Kafka())
    await asyncio.to_thread(broker.stop)
    bus = make(broker.brokers)
    with pytest.raises(BusUnavailable, match="is it up"):
        await bus.open()
    await asyncio.to_thread(broker.start)
    await bus.open()
    await bus.publish(events(3))
    assert len((await read_all(bus, [TOPIC])).ids) == 3
    await bus.aclose()


async def test_a_password_that_is_changed_is_waited_for(own: Own[Kafka]):
    """First at the broker, then in the secret, which is read again."""
    broker = own(Kafka(users={"ada": "old"}))
    known = {Ref("k", "user"): b"ada", Ref("k", "word"): b"old"}
    brokers = Brokers((broker.secured,), None, "PLAIN", Ref("k", "user"), Ref("k", "word"))
    bus = KafkaBus(brokers, "t", secrets=LocalSecrets(lambda: known, environ={}), shards=2, creation=CREATION)
    await bus.open()
    start = await bus.head()
    reader, seen = await bus.read([TOPIC], start), Seen(start)
    async with Sender(bus) as sender, Committer(bus) as committer:
        await sender.reach(10)
        await committer.reach(5)
        await asyncio.to_thread(broker.stop)
        broker.users["ada"] = "new"
        broker.write_settings()
        await asyncio.to_thread(broker.start)
        async with asyncio.timeout(PATIENCE):
            while "the login was refused: check the secrets of sasl" not in bus.health().detail:
                await asyncio.sleep(0.05)
        known[Ref("k", "word")] = b"new"
        await healthy(bus)
        await sender.reach(10)
        await committer.reach(5)
    await read_until(reader, seen, await bus.head(), PATIENCE)
    assert set(sender.done) <= set(seen.ids)
    assert set(committer.done) <= set((await bus.load(0)).records)
    await bus.aclose()


# --- several handles ---


async def test_a_dead_holder_is_followed_after_its_ttl(kafka_server: Kafka):
    async with opened(kafka_server.brokers) as first, opened(kafka_server.brokers, topic_of(first)) as second:
        lease = await first.lease("shard/0", ttl=2.0)
        await first.commit(0, lease.epoch, Changes(records={"a": b"1"}, blobs={"x": b"2"}))
        waiting = asyncio.get_running_loop().create_task(second.lease("shard/0", ttl=2.0))
        await asyncio.sleep(3.0)
        assert not waiting.done(), "taken from a holder that lives"
        assert not lease.lost.is_set()
        await silence(first)
        clock = asyncio.get_running_loop().time
        begun = clock()
        taken = await asyncio.wait_for(waiting, PATIENCE)
        assert clock() - begun < 4.0
        assert taken.epoch > lease.epoch
        assert lease.lost.is_set()
        assert (await second.load(0)).records == {"a": b"1"}
        assert await second.blob(0, "x") == b"2"


async def test_a_released_lease_is_handed_over_at_once(kafka_server: Kafka):
    async with opened(kafka_server.brokers) as first, opened(kafka_server.brokers, topic_of(first)) as second:
        lease = await first.lease("source/ticks", ttl=15.0)
        waiting = asyncio.get_running_loop().create_task(second.lease("source/ticks"))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await lease.release()
        taken = await asyncio.wait_for(waiting, 5.0)
        assert taken.epoch > lease.epoch


async def test_a_holder_that_was_paused_cannot_write_when_it_wakes(kafka_server: Kafka):
    """Fenced by the broker: the paused one does not know yet that its lease was taken."""
    async with opened(kafka_server.brokers) as first, opened(kafka_server.brokers, topic_of(first)) as second:
        lease = await first.lease("shard/0", ttl=2.0)
        await first.commit(0, lease.epoch, Changes(records={"a": b"old"}))
        blind(first)
        await silence(first)
        taken = await second.lease("shard/0", ttl=2.0)
        lease.lost.clear()
        with pytest.raises(Fenced):
            await first.commit(0, lease.epoch, Changes(records={"a": b"late", "b": b"late"}))
        assert (await second.load(0)).records == {"a": b"old"}
        await second.commit(0, taken.epoch, Changes(records={"a": b"new"}))
        assert (await second.load(0)).records == {"a": b"new"}


async def test_a_holder_that_cannot_reach_the_brokers_gives_up_within_its_ttl(own: Own[Kafka]):
    async with proxied(Kafka(), own) as proxy, opened(f"127.0.0.1:{proxy.port}") as bus:
        lease = await bus.lease("source/ticks", ttl=3.0)
        proxy.black_hole()
        await asyncio.wait_for(lease.lost.wait(), 4.0)
        await proxy.heal()
        await healthy(bus)
        assert (await asyncio.wait_for(bus.lease("source/ticks"), PATIENCE)).epoch > lease.epoch


async def taken(bus: KafkaBus, name: str) -> Lease:
    """As an owner does: a broker under load answers the end of a rival's claim with an unknown error."""
    while True:
        try:
            return await bus.lease(name, ttl=5.0)
        except BusUnavailable:
            await asyncio.sleep(0.1)


async def test_many_contestants_never_hold_one_lease_together(kafka_server: Kafka):
    async with opened(kafka_server.brokers) as first:
        others = [make(kafka_server.brokers, topic_of(first)) for _ in range(3)]
        for other in others:
            await other.open()
        holders, epochs = set[int](), list[int]()

        async def contest(number: int, bus: KafkaBus) -> None:
            for _ in range(4):
                lease = await taken(bus, "source/x")
                assert not holders, "two hold it"
                holders.add(number)
                epochs.append(lease.epoch)
                await asyncio.sleep(0.02)
                holders.discard(number)
                await lease.release()

        await asyncio.gather(*(contest(number, bus) for number, bus in enumerate([first, *others])))
        assert epochs == sorted(set(epochs))
        assert len(epochs) == 16
        for other in others:
            await other.aclose()


async def test_a_double_is_told_with_its_place(kafka_server: Kafka):
    async with opened(kafka_server.brokers) as bus:
        reader = await bus.read([TOPIC], await bus.head())
        await bus.publish([event("a")])
        await bus.publish([event("a")])
        doubles: list[Double] = []
        async with asyncio.timeout(PATIENCE):
            while not doubles:
                doubles += (await reader.next()).doubles
        _, second = await bus.find_events(EventQuery(id="a", newest_first=False))
        assert doubles == [Double(event("a").key, second.position)]
        await reader.aclose()


async def test_a_takeover_knows_the_keys_of_the_window(kafka_server: Kafka):
    async with opened(kafka_server.brokers) as first, opened(kafka_server.brokers, topic_of(first)) as second:
        start = beginning(await first.head())
        await first.publish(events(5))
        mark = await first.head()
        await second.publish([*events(7)])
        reader, seen = await second.read([TOPIC], mark), Seen(mark)
        await read_until(reader, seen, await second.head(), PATIENCE)
        assert seen.ids == ["e5", "e6"]
        await reader.aclose()
        assert second.health().doubles == 5
        assert sorted((await read_all(first, [TOPIC], start)).ids) == [f"e{n}" for n in range(7)]


async def test_partitions_that_appear_later_are_read_from_their_beginning(kafka_server: Kafka):
    from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

    async with opened(kafka_server.brokers) as bus:
        start = await bus.head()
        reader, seen = await bus.read([(f"s{n}", "x") for n in range(40)], start), Seen(start)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.brokers)
        await admin.start()
        await admin.create_partitions({topic_of(bus): NewPartitions(6)})
        await admin.close()
        async with asyncio.timeout(PATIENCE):
            while len((await bus.head()).offsets) < 6 or len({d.position[0] for d in seen.deliveries}) < 3:
                number = len(seen.deliveries)
                await bus.publish([event(f"{number}/{n}", (f"s{n}", "x")) for n in range(40)])
                goal = Mark(start.incarnation, {p: o for p, o in (await bus.head()).offsets.items() if p < 2})
                while not reaches(seen.reached, goal):
                    seen.take(await reader.next())
        await read_until(reader, seen, await bus.head(), PATIENCE)
        assert len(seen.ids) % 40 == 0


async def test_a_consumer_that_goes_deaf_is_made_anew_and_counted(kafka_server: Kafka):
    async with opened(kafka_server.brokers) as bus:
        start = await bus.head()
        reader, seen = await bus.read([TOPIC], start), Seen(start)
        await bus.publish(events(3, "a"))
        await read_until(reader, seen, await bus.head(), PATIENCE)
        assert bus._feed._follower is not None
        consumer = bus._feed._follower._consumer
        assert consumer is not None
        consumer.pause(*consumer.assignment())
        await bus.publish(events(3, "b"))
        await read_until(reader, seen, await bus.head(), PATIENCE)
        assert seen.ids == [f"{prefix}{n}" for prefix in "ab" for n in range(3)]
        assert bus.health() == Health(ready=True, restarts=1)


async def test_a_takeover_moves_work_without_loss(kafka_server: Kafka):
    """The owner of a shard hangs under load; another process goes on where it was."""
    topic, plan = f"t{secrets.token_hex(6)}", sensor(trigger("a", "single"), trigger("a && b", "both"))

    async def engine() -> Bus:
        bus = make(kafka_server.brokers, topic)
        await bus.open()
        return bus

    first, second = Rig(engine), Rig(engine)
    await first.start(plan)
    second.bus, second.tasks = await engine(), Group(lambda name, error: None)
    second.runner = second._runner()
    second.edit(plan)
    second.task = second.tasks.start("shard", second.runner.run())
    await first.publish(*(f"a{n}" for n in range(50)))
    await first.until(lambda: len(first.target.seen("single")) > 20)
    assert isinstance(first.bus, KafkaBus)
    await silence(first.bus)
    first.task.cancel()
    await asyncio.wait([first.task])
    await second.publish(*(f"a{n}" for n in range(50, 100)), "b1")
    await second.until(lambda: bool(second.target.seen("both")), 60.0)
    await second.until(lambda: {"a": "a99"} in second.target.seen("single"), 60.0)
    shots = first.target.shots + second.target.shots
    done = [shot for shot in shots if shot.trigger == "single"]
    assert {shot.events["a"] for shot in done} == {f"a{n}" for n in range(100)}
    assert len({shot.firing for shot in done}) == 100, "a double has another firing id"
    assert second.target.seen("both") == [{"a": "a99", "b": "b1"}]
    await second.stop()
    await first.tasks.aclose()
    await first.bus.aclose()


# --- helpers ---


def topic_of(bus: KafkaBus) -> str:
    return bus._topics.events


async def silence(bus: KafkaBus) -> None:
    """Its leases give no sign of life any more."""

    def refuse(_: object) -> asyncio.Future[None]:
        raise BusUnavailable("silent")

    for lease in bus._owner.leases.values():
        lease._write = refuse


def blind(bus: KafkaBus) -> None:
    """It does not see what others write about leases."""
    bus._board.watch = lambda name, epoch: None


@asynccontextmanager
async def proxied(broker: Kafka, own: Own[Kafka]) -> AsyncIterator[Proxy]:
    """A broker whose clients are sent to the proxy; it reaches itself without."""
    async with Proxy(0) as proxy:
        broker.via = proxy.port
        started = await asyncio.to_thread(own, broker)
        proxy.target = started.ports[2]
        yield proxy
