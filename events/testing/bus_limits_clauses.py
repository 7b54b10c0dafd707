"""Clauses of what runs out and what goes wrong: retention, gaps, a full store, a log that was made anew."""

from __future__ import annotations

import asyncio

import pytest

from events.bus._base import Bus, Changes, Cursor, DecisionQuery
from events.errors import BusFull, BusUnavailable, EventsError
from events.testing.bus_fixture import BusClauses, needs
from events.testing.bus_harness import FOREIGN, TOPIC, Handles, Seen, beginning, event, events, read_all
from events.testing.bus_state_clauses import decision, published, upto

NO_ROOM = (BusFull, BusUnavailable)


def lost_in(seen: Seen) -> int:
    """How many offsets the gaps span."""
    return sum(gap.last - gap.first + 1 for gap in seen.gaps)


class LimitClauses(BusClauses):
    # retention

    @needs("discard")
    async def test_a_gap_is_reported_and_reading_goes_on_behind_it(self, opened: Handles, bus: Bus) -> None:
        start = await bus.head()
        await bus.publish(events(60, "old"))
        await opened.harness.discard(bus)
        await bus.publish(events(5, "new"))
        seen = await read_all(bus, [TOPIC], beginning(start))
        kept = [name for name in seen.ids if name.startswith("old")]
        assert seen.ids[len(kept) :] == [f"new{n}" for n in range(5)]
        assert len(kept) < 60
        assert lost_in(seen) >= 60 - len(kept), "what is missing is not reported"

    @needs("discard")
    async def test_a_gap_is_reported_to_readers_of_other_topics_too(self, opened: Handles, bus: Bus) -> None:
        start = await bus.head()
        await bus.publish(events(60, "old"))
        await opened.harness.discard(bus)
        seen = await read_all(bus, [FOREIGN], start)
        assert seen.gaps

    @needs("discard", "restart")
    async def test_offsets_are_not_used_again_after_everything_was_discarded(
        self, opened: Handles, bus: Bus
    ) -> None:
        await bus.publish(events(60, "old"))
        head = await bus.head()
        await opened.harness.discard(bus)
        bus = await opened.again(bus)
        await bus.publish(events(3, "new"))
        assert (await read_all(bus, [TOPIC], head)).ids == ["new0", "new1", "new2"]

    @needs("discard", "marks protect")
    async def test_nothing_above_a_mark_is_discarded(self, opened: Handles, bus: Bus) -> None:
        found = await published(bus, 60)
        handled = upto(beginning(await bus.head()), found[:30])
        leases = [await bus.lease(f"shard/{shard}") for shard in range(bus.shards)]
        for shard, lease in enumerate(leases):
            await bus.commit(shard, lease.epoch, Changes(mark=await bus.head() if shard else handled))
        await opened.harness.discard(bus)
        seen = await read_all(bus, [TOPIC], handled)
        assert sorted(seen.ids) == sorted(one.event.id for one in found[30:])
        assert not seen.gaps

    @needs("discard", "marks protect")
    async def test_a_shard_without_a_mark_protects_everything(self, opened: Handles, bus: Bus) -> None:
        start = await bus.head()
        leases = [await bus.lease(f"shard/{shard}") for shard in range(bus.shards)]
        await bus.publish(events(60))
        await bus.commit(0, leases[0].epoch, Changes(mark=await bus.head()))
        await opened.harness.discard(bus)
        assert len((await read_all(bus, [TOPIC], start)).ids) == 60

    @needs("discard", "marks protect", "restart")
    async def test_marks_protect_after_a_restart(self, opened: Handles, bus: Bus) -> None:
        start = await bus.head()
        await bus.lease("shard/0")
        await bus.publish(events(60))
        bus = await opened.again(bus)
        await opened.harness.discard(bus)
        assert len((await read_all(bus, [TOPIC], start)).ids) == 60

    @needs("discard", "decisions go")
    async def test_decisions_go_with_their_events(self, opened: Handles, bus: Bus) -> None:
        lease, found = await bus.lease("shard/0"), await published(bus, 60)
        made = [decision(one) for one in found]
        await bus.commit(0, lease.epoch, Changes({"x": b"1"}, {"a": b"1"}, made, await bus.head()))
        await opened.harness.discard(bus)
        kept = {one.event.id for one in (await read_all(bus, [TOPIC])).deliveries}
        assert len(kept) < 60
        left = await bus.find_decisions(DecisionQuery(limit=100))
        assert {one.events[0].id for one in left} == kept
        late = decision(found[0], firing="late")
        await bus.commit(0, lease.epoch, Changes(decisions=[late]))
        assert await bus.find_decisions(DecisionQuery(firing="late")) == [late]
        assert (await bus.load(0)).records == {"a": b"1"}
        assert await bus.blob(0, "x") == b"1"

    @needs("byte limit")
    async def test_at_the_limit_publishing_is_refused_until_marks_move(self, opened: Handles) -> None:
        bus = await opened.open(max_bytes=50_000)
        lease = await bus.lease("shard/0")

        async def publish_on() -> None:
            for number in range(100):
                await bus.publish([event(f"{number}", data=bytes(1000))], Cursor("place", b"%d" % number))

        with pytest.raises(BusFull):
            await publish_on()
        stored = (await read_all(bus, [TOPIC])).ids
        assert stored == [f"{n}" for n in range(len(stored))]
        assert 10 < len(stored) < 60
        assert await bus.cursor("place") == b"%d" % (len(stored) - 1)
        assert not bus.health().ready
        assert bus.health().detail
        await bus.commit(0, lease.epoch, Changes(mark=await bus.head()))
        assert bus.health().ready
        await bus.publish([event("now", data=bytes(1000))])
        assert (await read_all(bus, [TOPIC])).ids[-1] == "now"

    @needs("byte limit")
    async def test_a_log_at_its_limit_goes_on_when_everything_is_handled(self, opened: Handles) -> None:
        bus = await opened.open(max_bytes=50_000)
        lease = await bus.lease("shard/0")
        for number in range(300):
            await bus.publish([event(f"{number}", data=bytes(1000))])
            await bus.commit(0, lease.epoch, Changes(mark=await bus.head()))
        kept = (await read_all(bus, [TOPIC])).ids
        assert kept == [f"{n}" for n in range(300 - len(kept), 300)]
        assert 1 <= len(kept) < 60

    # a store that takes nothing

    @needs("full")
    async def test_a_full_store_is_an_error_and_it_recovers(self, opened: Handles, bus: Bus) -> None:
        lease = await bus.lease("shard/0")
        await bus.publish(events(5, "before"))
        accepted = [f"before{n}" for n in range(5)]
        async with opened.harness.full():
            refused = 0
            for number in range(50):
                try:
                    await bus.publish([event(f"{number}/{part}", data=bytes(50_000)) for part in range(3)])
                    accepted += [f"{number}/{part}" for part in range(3)]
                except NO_ROOM:
                    refused += 1
            assert refused > 10
            with pytest.raises(NO_ROOM):
                await bus.commit(0, lease.epoch, Changes({"x": bytes(500_000)}, {"a": b"1"}))
            assert not bus.health().ready
            assert bus.health().detail
            assert (await read_all(bus, [TOPIC])).ids == accepted
        async with asyncio.timeout(opened.harness.patience):
            while not bus.health().ready:
                await asyncio.sleep(0.05)
        await bus.publish([event("after")])
        assert (await read_all(bus, [TOPIC])).ids == [*accepted, "after"]
        assert (await bus.load(0)).records == {}
        await bus.commit(0, lease.epoch, Changes({"x": b"1"}, {"a": b"1"}))
        assert (await bus.load(0)).records == {"a": b"1"}

    @needs("full", "restart")
    async def test_nothing_half_stored_is_left_by_a_full_store(self, opened: Handles, bus: Bus) -> None:
        accepted = list[str]()
        async with opened.harness.full():
            for number in range(20):
                batch = [event(f"{number}/{part}", data=bytes(40_000)) for part in range(4)]
                try:
                    await bus.publish(batch, Cursor("place", b"%d" % number))
                except NO_ROOM:
                    continue
                accepted += [one.id for one in batch]
        place = await bus.cursor("place")
        bus = await opened.again(bus)
        assert (await read_all(bus, [TOPIC])).ids == accepted
        assert await bus.cursor("place") == place

    # another log at the same place

    @needs("recreate")
    async def test_a_log_made_anew_is_another_incarnation(self, opened: Handles, bus: Bus) -> None:
        lease = await bus.lease("shard/0")
        await bus.publish(events(3), Cursor("place", b"1"))
        old = await bus.head()
        await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}, mark=old))
        await opened.close()
        await opened.harness.recreate()
        bus = await opened.open()
        assert (await bus.head()).incarnation != old.incarnation
        with pytest.raises(ValueError, match="incarnation"):
            await bus.read([TOPIC], old)
        await bus.publish(events(2))
        assert (await read_all(bus, [TOPIC])).ids == ["e0", "e1"]

    async def test_the_incarnation_stays(self, opened: Handles, bus: Bus) -> None:
        before = await bus.head()
        await bus.publish(events(3))
        assert (await bus.head()).incarnation == before.incarnation
        if "restart" not in opened.waived:
            bus = await opened.again(bus)
            assert (await bus.head()).incarnation == before.incarnation

    # health

    async def test_health_says_whether_it_works(self, opened: Handles) -> None:
        closed = opened.harness.bus()
        assert not closed.health().ready
        assert closed.health().detail
        bus = await opened.open()
        assert bus.health().ready
        await bus.aclose()
        assert not bus.health().ready

    async def test_errors_are_of_the_error_tree(self, bus: Bus) -> None:
        lease = await bus.lease("shard/0")
        with pytest.raises(EventsError):
            await bus.commit(0, lease.epoch - 1, Changes())
