"""Clauses of the shards' state and the look-ups: commits are whole, fenced, lasting; all is found again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from events.bus._base import Bus, Changes, DecisionQuery, EventQuery, Mark, ShardState
from events.errors import Fenced
from events.event import (
    DEAD_LETTERED,
    FAILED,
    FINAL,
    FIRED,
    RESULTS,
    RETRYING,
    WAITING,
    Decision,
    Delivery,
    EventKey,
    Position,
)
from events.testing.bus_fixture import BusClauses, needs
from events.testing.bus_harness import FOREIGN, OTHER, TOPIC, Handles, beginning, event, events, read_all

NOTHING = ShardState(mark=None, records={}, done=set())


def decision(delivery: Delivery, result: str = FIRED, **given: object) -> Decision:
    """A decision about this event."""
    fields: dict[str, object] = {
        "sensor": "sensor",
        "trigger": "trigger",
        "result": result,
        "events": [delivery.event.key],
        "position": delivery.position,
        "time_ns": 1_760_000_000_000_000_000,
        "firing": f"firing-{delivery.event.id}",
        **given,
    }
    return msgspec.convert(fields, Decision)


async def published(bus: Bus, count: int) -> list[Delivery]:
    """So many new events, as a reader sees them."""
    head = await bus.head()
    await bus.publish(events(count, f"{sum(head.offsets.values())}-"))
    return (await read_all(bus, [TOPIC], head)).deliveries


def upto(start: Mark, handled: list[Delivery]) -> Mark:
    """The mark when these, the first ones that a reader saw, are handled."""
    return Mark(start.incarnation, start.offsets | dict(one.position for one in handled))


class StateClauses(BusClauses):
    # commit and load

    async def test_a_new_shard_has_nothing(self, bus: Bus) -> None:
        assert await bus.load(0) == NOTHING
        await bus.lease("shard/0")
        assert await bus.load(0) == NOTHING
        assert await bus.blob(0, "x") is None

    async def test_everything_committed_is_loaded(self, opened: Handles, bus: Bus) -> None:
        found = await published(bus, 4)
        start = await bus.head()
        lease = await bus.lease("shard/0")
        records = {"a": b"1", "b": b"", "c/d \ud800": b"\x00\xff", "": b"no key"}
        mark = beginning(start)
        await bus.commit(
            0, lease.epoch, Changes({"big": bytes(100_000)}, {**records}, [decision(found[0])], mark)
        )
        state = ShardState(mark, records, {f"firing-{found[0].event.id}"})
        assert await bus.load(0) == state
        assert await bus.blob(0, "big") == bytes(100_000)
        if "restart" not in opened.waived:
            bus = await opened.again(bus)
            await bus.lease("shard/0")
            assert await bus.load(0) == state
            assert await bus.blob(0, "big") == bytes(100_000)

    async def test_records_and_blobs_are_replaced_and_removed(self, bus: Bus) -> None:
        lease = await bus.lease("shard/0")
        await bus.commit(0, lease.epoch, Changes({"x": b"1", "y": b"2"}, {"a": b"1", "b": b"2", "c": b"3"}))
        await bus.commit(0, lease.epoch, Changes({"x": b"3"}, {"a": b"4", "b": None}, drop_blobs=["y"]))
        assert (await bus.load(0)).records == {"a": b"4", "c": b"3"}
        assert await bus.blob(0, "x") == b"3"
        assert await bus.blob(0, "y") is None
        await bus.commit(0, lease.epoch, Changes(records={"a": None, "b": None}, drop_blobs=["x", "none"]))
        assert (await bus.load(0)).records == {"c": b"3"}
        assert await bus.blob(0, "x") is None

    async def test_many_records_are_loaded(self, bus: Bus) -> None:
        lease = await bus.lease("shard/1")
        records = {f"parked/{n}": b"%d" % n * 10 for n in range(3000)}
        for at in range(0, 3000, 500):
            some = dict(list(records.items())[at : at + 500])
            await bus.commit(1, lease.epoch, Changes(records={**some}))
        assert (await bus.load(1)).records == records

    async def test_an_empty_commit_changes_nothing(self, bus: Bus) -> None:
        lease = await bus.lease("shard/0")
        await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))
        await bus.commit(0, lease.epoch, Changes())
        assert (await bus.load(0)).records == {"a": b"1"}

    async def test_shards_do_not_see_each_other(self, bus: Bus) -> None:
        first, second = await bus.lease("shard/0"), await bus.lease("shard/1")
        [found] = await published(bus, 1)
        await bus.commit(0, first.epoch, Changes({"x": b"1"}, {"a": b"1"}, [decision(found)]))
        await bus.commit(1, second.epoch, Changes({"x": b"2"}, {"a": b"2", "b": b"3"}, mark=await bus.head()))
        assert await bus.load(0) == ShardState(None, {"a": b"1"}, {f"firing-{found.event.id}"})
        assert await bus.load(1) == ShardState(await bus.head(), {"a": b"2", "b": b"3"}, set())
        assert (await bus.blob(0, "x"), await bus.blob(1, "x")) == (b"1", b"2")

    async def test_done_are_the_final_firings_above_the_mark(self, bus: Bus) -> None:
        found = await published(bus, len(RESULTS) + 2)
        lease = await bus.lease("shard/0")
        about = [decision(one, result) for one, result in zip(found[2:], RESULTS, strict=True)]
        nameless = decision(found[2], FIRED, firing=None)
        below = [decision(found[0], FIRED), decision(found[1], FIRED)]
        await bus.commit(0, lease.epoch, Changes(decisions=[*below, *about, nameless]))
        final = {one.firing for one in about if one.result in FINAL}
        assert (await bus.load(0)).done == final | {one.firing for one in below}
        await bus.commit(0, lease.epoch, Changes(mark=upto(beginning(await bus.head()), found[:2])))
        assert (await bus.load(0)).done == final
        await bus.commit(0, lease.epoch, Changes(mark=await bus.head()))
        assert (await bus.load(0)).done == set()

    # leases

    async def test_an_older_epoch_is_refused_and_changes_nothing(self, opened: Handles, bus: Bus) -> None:
        old = await bus.lease("shard/0", ttl=2.0)
        await bus.commit(0, old.epoch, Changes(records={"a": b"old"}))
        rival = await opened.harness.rival(bus, old)
        new = await rival.lease("shard/0", ttl=2.0)
        assert new.epoch > old.epoch
        assert (await rival.load(0)).records == {"a": b"old"}
        late = Changes({"x": b"late"}, {"a": b"late", "b": b"late"}, [], await rival.head())
        with pytest.raises(Fenced):
            await bus.commit(0, old.epoch, late)
        await asyncio.wait_for(old.lost.wait(), opened.harness.patience)
        assert not new.lost.is_set()
        await rival.commit(0, new.epoch, Changes(records={"c": b"new"}))
        assert await rival.load(0) == ShardState(None, {"a": b"old", "c": b"new"}, set())
        assert await rival.blob(0, "x") is None

    async def test_a_commit_needs_the_lease_of_its_shard(self, bus: Bus) -> None:
        other = await bus.lease("shard/1")
        with pytest.raises(Fenced):
            await bus.commit(0, other.epoch, Changes(records={"a": b"1"}))
        lease = await bus.lease("shard/0")
        with pytest.raises(Fenced):
            await bus.commit(0, lease.epoch + 1, Changes(records={"a": b"1"}))
        assert (await bus.load(0)).records == {}

    async def test_a_released_lease_is_over(self, opened: Handles, bus: Bus) -> None:
        lease = await bus.lease("shard/0")
        await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))
        await lease.release()
        with pytest.raises(Fenced):
            await bus.commit(0, lease.epoch, Changes(records={"a": b"2"}))
        newer = await asyncio.wait_for(bus.lease("shard/0"), opened.harness.patience)
        assert newer.epoch > lease.epoch
        await lease.release()
        await bus.commit(0, newer.epoch, Changes(records={"b": b"3"}))
        assert (await bus.load(0)).records == {"a": b"1", "b": b"3"}

    async def test_leases_of_other_names_are_other_leases(self, bus: Bus) -> None:
        leases = [await bus.lease(name) for name in ("shard/0", "shard/1", "source/calendar", "shard/x", "")]
        assert not any(lease.lost.is_set() for lease in leases)
        await bus.commit(0, leases[0].epoch, Changes(records={"a": b"1"}))

    @needs("restart")
    async def test_epochs_grow_over_restarts(self, opened: Handles, bus: Bus) -> None:
        lease = await bus.lease("shard/0")
        bus = await opened.again(bus)
        await asyncio.wait_for(lease.lost.wait(), opened.harness.patience)
        newer = await bus.lease("shard/0", ttl=2.0)
        assert newer.epoch > lease.epoch
        with pytest.raises(Fenced):
            await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))

    async def test_a_cancelled_commit_is_seen_whole_or_not_at_all(self, opened: Handles, bus: Bus) -> None:
        lease, [found] = await bus.lease("shard/0"), await published(bus, 1)
        for number in range(40):
            value = b"%d" % number
            changes = Changes({"x": value}, {"a": value, "b": value}, [decision(found, firing=f"{number}")])
            task = asyncio.get_running_loop().create_task(bus.commit(0, lease.epoch, changes))
            await asyncio.sleep(0.001 * (number % 3) if number % 4 else 0)
            task.cancel()
            await asyncio.wait([task])
        await bus.commit(0, lease.epoch, Changes())
        if "atomic commit" in opened.waived:
            return
        state = await bus.load(0)
        assert state.records["a"] == state.records["b"] == await bus.blob(0, "x")
        assert state.records["a"].decode() in state.done

    # look-ups

    async def test_events_are_found_by_every_field(self, bus: Bus) -> None:
        topics = [TOPIC, OTHER, FOREIGN]
        for number in range(12):
            await bus.publish(
                [event(f"{number % 6}", topics[number % 3 if number < 6 else (number + 1) % 3])]
            )
            await asyncio.sleep(0.002)
        every = (await read_all(bus, topics)).deliveries
        every.sort(key=lambda one: one.stored_ns)
        times = [one.stored_ns for one in every]
        queries: list[tuple[EventQuery, Callable[[Delivery], bool]]] = [
            (EventQuery(id="2"), lambda one: one.event.id == "2"),
            (EventQuery(source="orders"), lambda one: one.event.source == "orders"),
            (EventQuery(subject="rain"), lambda one: one.event.subject == "rain"),
            (EventQuery(source="orders", subject="outgoing"), lambda one: one.event.key[:2] == OTHER),
            (EventQuery(source="orders", subject="rain"), lambda one: False),
            (EventQuery(id="4", source="orders"), lambda one: one.event.key[::2] == ("orders", "4")),
            (EventQuery(since_ns=times[4]), lambda one: one.stored_ns >= times[4]),
            (EventQuery(until_ns=times[4]), lambda one: one.stored_ns < times[4]),
            (
                EventQuery(since_ns=times[3], until_ns=times[9]),
                lambda one: times[3] <= one.stored_ns < times[9],
            ),
            (
                EventQuery(since_ns=times[2], source="weather"),
                lambda one: one.stored_ns >= times[2] and one.event.source == "weather",
            ),
            (EventQuery(since_ns=1 << 70), lambda one: False),
            (EventQuery(until_ns=1 << 70), lambda one: True),
            (EventQuery(id="none"), lambda one: False),
            (EventQuery(), lambda one: True),
        ]
        for query, meets in queries:
            expected = [one for one in every if meets(one)]
            assert await bus.find_events(query) == expected[::-1], query
            query.newest_first = False
            assert await bus.find_events(query) == expected, query

    async def test_found_events_can_be_paged(self, bus: Bus) -> None:
        for number in range(11):
            await bus.publish([event(f"{number}", TOPIC if number % 2 else OTHER)])
            await asyncio.sleep(0.001)
        for newest_first in (True, False):
            found, last = list[str](), None
            while page := await bus.find_events(EventQuery(after=last, newest_first=newest_first, limit=3)):
                assert len(page) <= 3
                found += [one.event.id for one in page]
                last = page[-1].position
            expected = [f"{n}" for n in range(11)]
            assert found == (expected[::-1] if newest_first else expected)

    async def test_decisions_are_found_by_every_field(self, bus: Bus) -> None:
        lease, found = await bus.lease("shard/0"), await published(bus, 6)
        results = [FIRED, WAITING, RETRYING, FAILED, DEAD_LETTERED, FIRED]
        made = [
            decision(
                one,
                result,
                sensor=f"s{number % 2}",
                trigger=f"t{number % 3}",
                time_ns=1_000 + number // 2,
                events=[one.event.key, EventKey("other", "\udc80", f"with-{number % 2}")],
                firing=None if number == 1 else f"f{number // 3}",
                reason="why \ud800",
                attempt=number,
                duration_ms=1.5,
                link="http://127.0.0.1/x",
                revision="r",
                dependency="dep",
            )
            for number, (one, result) in enumerate(zip(found, results, strict=True))
        ]
        await bus.commit(0, lease.epoch, Changes(decisions=made[:2]))
        await bus.commit(0, lease.epoch, Changes(decisions=made[2:]))
        fired = frozenset({FIRED, FAILED})
        expected: list[tuple[DecisionQuery, list[int]]] = [
            (DecisionQuery(), [5, 4, 3, 2, 1, 0]),
            (DecisionQuery(event_id=found[2].event.id), [2]),
            (DecisionQuery(event_id="with-1"), [5, 3, 1]),
            (DecisionQuery(firing="f0"), [2, 0]),
            (DecisionQuery(sensor="s1"), [5, 3, 1]),
            (DecisionQuery(trigger="t0"), [3, 0]),
            (DecisionQuery(sensor="s0", trigger="t1"), [4]),
            (DecisionQuery(results=fired), [5, 3, 0]),
            (DecisionQuery(results=frozenset()), []),
            (DecisionQuery(since_ns=1_001), [5, 4, 3, 2]),
            (DecisionQuery(until_ns=1_001), [1, 0]),
            (DecisionQuery(since_ns=1_001, until_ns=1_002, sensor="s0"), [2]),
            (DecisionQuery(limit=2), [5, 4]),
            (DecisionQuery(event_id="with-0", results=fired, limit=1), [0]),
            (DecisionQuery(event_id="none"), []),
        ]
        for query, numbers in expected:
            assert await bus.find_decisions(query) == [made[number] for number in numbers], query

    async def test_a_decision_may_come_long_after_its_event(self, bus: Bus) -> None:
        lease, [found] = await bus.lease("shard/0"), await published(bus, 1)
        await published(bus, 20)
        await bus.commit(0, lease.epoch, Changes(mark=await bus.head()))
        await bus.commit(0, lease.epoch, Changes(decisions=[decision(found, DEAD_LETTERED)]))
        assert [one.result for one in await bus.find_decisions(DecisionQuery())] == [DEAD_LETTERED]
        assert (await bus.load(0)).done == set()
        assert found.position > Position(-1, -1)
