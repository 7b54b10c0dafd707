"""The owner of a shard in the situations that are easy to get wrong. Memory bus, virtual time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from events.bus._base import Batch, Changes, Double, Gap, Mark
from events.bus.memory import MemoryBus, MemoryLease, MemoryLog
from events.errors import BusUnavailable, Fenced, Permanent, Retryable
from events.event import (
    DEAD_LETTERED,
    DUPLICATE,
    EXPIRED,
    FILTER_ERROR,
    FIRED,
    RESET,
    TRANSFORM_ERROR,
    Outcome,
    Position,
)
from events.runtime import lanes
from events.runtime.buses import BusUnit
from events.runtime.records import ConditionRecord, Parked, condition_key, decode, parked_key, revision_key
from events.sensors.dependencies import Dependency, Verdict
from events.testing.sensors import RETRY, Rig, Shot, event, sensor, trigger
from events.testing.virtual import now_ns, run_virtual


class Bench:
    """A log, and a rig that can be started on it again and again."""

    def __init__(self) -> None:
        self.log = MemoryLog(clock=now_ns)
        self.rig = Rig(self.open, now_ns)

    async def open(self) -> MemoryBus:
        bus = MemoryBus("default/default", log=self.log)
        await bus.open()
        return bus

    def records(self) -> dict[str, bytes]:
        return self.log.shard(0).records


def scene(body: Callable[[Bench, Rig], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench()
        await body(bench, bench.rig)
        await bench.rig.tasks.aclose()
        await bench.rig.bus.aclose()

    run_virtual(main())


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


async def hang(_: Shot) -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError


async def refuse(_: Shot) -> Outcome:
    raise Permanent("no")


def test_an_ordered_trigger_keeps_its_order_over_a_crash_with_parked_firings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lanes, "QUEUED", 3)

    async def body(_: Bench, rig: Rig) -> None:
        rig.target.answer = hang
        await rig.start(sensor(trigger("a", atLeastOnce=True)))
        await rig.publish(*(f"a{number}" for number in range(1, 11)))
        await rig.quiet()
        await rig.crash()
        rig.target.answer = rig.target.take
        rig.target.shots.clear()
        await rig.start()
        await rig.until(lambda: len(rig.target.shots) == 10)
        assert [shot.events["a"] for shot in rig.target.shots] == [f"a{n}" for n in range(1, 11)]

    scene(body)


def test_an_edit_that_meets_a_bus_that_is_away_is_made_when_it_is_back(monkeypatch: pytest.MonkeyPatch):
    async def body(_: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a")))
        heads = [BusUnavailable("away")] * 2
        real = rig.bus.head

        async def head() -> Mark:
            if heads:
                raise heads.pop()
            return await real()

        monkeypatch.setattr(rig.bus, "head", head)
        rig.edit(sensor(trigger("a"), trigger("b", "second")))
        await rig.publish("a1")
        await rig.until(lambda: rig.runner.settled, 60)
        await rig.publish("b1")
        await rig.until(lambda: len(rig.target.shots) == 2)
        assert rig.target.seen("second") == [{"b": "b1"}]

    scene(body)


def test_an_owner_without_sensors_touches_nothing():
    """Several buses open one after the other: the first one may not start before its sensors are known."""

    async def body(bench: Bench, rig: Rig) -> None:
        rig.target.answer = hang
        await rig.start(sensor(trigger("a && b"), trigger("a", "other")))
        await rig.publish("a1", "b1")
        await rig.until(lambda: len(rig.target.shots) == 2)
        await rig.crash()
        before = dict(bench.records())
        rig.bus = await bench.open()
        unit = BusUnit(rig.bus, lambda *_: rig._runner(), rig.tasks)
        await asyncio.sleep(1)
        assert bench.records() == before
        unit.replace(rig.plans)
        unit.start()
        await rig.until(lambda: len(rig.target.shots) == 4)

    scene(body)


def test_a_lost_lease_ends_the_owner_and_the_shard_is_taken_again():
    async def body(_: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a")))
        await rig.bus.lease("shard/0")
        await asyncio.wait([rig.task])
        assert isinstance(rig.task.exception(), Fenced)
        unit = BusUnit(rig.bus, lambda *_: rig._runner(), rig.tasks)
        unit.replace(rig.plans)
        unit.start()
        await eventually(lambda: unit.settled)
        await rig.bus.lease("shard/0")
        await asyncio.sleep(0.01)
        assert not unit.health.ready
        await eventually(lambda: unit.health.ready)

    scene(body)


def test_a_failing_commit_never_leaves_the_shard_waiting(monkeypatch: pytest.MonkeyPatch):
    async def body(_: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a")))

        async def commit(shard: int, epoch: int, changes: Changes) -> None:
            raise Permanent("disk gone")

        monkeypatch.setattr(rig.bus, "commit", commit)
        rig.edit(sensor(trigger("a"), trigger("b", "second")))
        await asyncio.wait([rig.task], timeout=60)
        assert isinstance(rig.task.exception(), Permanent)

    scene(body)


def test_a_removed_sensor_forgets_what_it_held_and_says_so():
    async def body(bench: Bench, rig: Rig) -> None:
        pair = sensor(trigger("a && b"))
        other = sensor(trigger("a", "other"), name="other")
        await rig.start(pair, other)
        await rig.publish("a1")
        await rig.quiet()
        rig.edit(other)
        await rig.until(lambda: rig.runner.settled)
        assert condition_key("s", "t") not in bench.records()
        assert not [key for key in bench.log.shard(0).blobs if key.startswith("held/")]
        assert [one.result for one in await rig.decisions(event_id="a1", trigger="t")] == [RESET, "waiting"]
        rig.edit(pair, other)
        await rig.until(lambda: rig.runner.settled)
        await rig.publish("b1")
        await rig.quiet()
        assert not rig.target.seen("t")
        await rig.publish("a2")
        await rig.until(lambda: rig.target.seen("t") == [{"a": "a2", "b": "b1"}])

    scene(body)


def test_a_sensor_removed_while_down_forgets_too_and_its_parked_firings_are_dead_letters():
    async def body(bench: Bench, rig: Rig) -> None:
        async def away(_: Shot) -> Outcome:
            raise Retryable("away", after=1000)

        rig.target.answer = away
        await rig.start(sensor(trigger("a && b"), trigger("a", "single")))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 1)
        await rig.quiet()
        await rig.crash()
        await rig.start(sensor(trigger("c", "c"), dependencies="c", name="unlike"))
        await rig.runner.recorder.flush()
        assert condition_key("s", "t") not in bench.records()
        (key,) = [key for key in bench.records() if key.startswith("parked/")]
        assert decode(bench.records()[key], Parked, key).due_ns is None
        assert (await rig.decisions(trigger="single"))[0].result == DEAD_LETTERED

    scene(body)


def test_a_log_made_anew_is_read_from_its_beginning_and_told():
    async def body(bench: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a && b")))
        await rig.publish("a1", "a2", "a3")
        await rig.quiet()
        await rig.crash()
        log = bench.log
        log.incarnation, log.kept, log.floor, log.keys = secrets.token_hex(8), [], 0, {}
        rig.bus = await bench.open()
        await rig.bus.publish([event("b1")])
        await rig.bus.aclose()
        await rig.start()
        await rig.until(lambda: len(rig.target.shots) == 1)
        await rig.quiet()
        assert rig.target.seen("t") == [{"a": "a3", "b": "b1"}]
        assert [one.sensor for one in await rig.decisions(results=frozenset({RESET}))] == ["s"]
        record = decode(bench.records()[condition_key("s", "t")], ConditionRecord, "")
        assert record.applied == {0: 1}
        await rig.crash()
        await rig.start()
        await rig.publish("a4", "b4")
        await rig.until(lambda: len(rig.target.shots) == 2)

    scene(body)


def test_a_log_made_anew_under_the_owner_is_an_outage_that_ends_with_its_next_life():
    async def body(bench: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a")))
        await rig.publish("a1")
        await rig.quiet()
        bench.log.incarnation = secrets.token_hex(8)
        rig.runner.restart_reader("test")
        await asyncio.wait([rig.task])
        (error,) = rig._failures
        assert isinstance(error, BusUnavailable)

    scene(body)


def test_an_event_that_its_transform_made_too_large_to_be_held_stops_nobody(monkeypatch: pytest.MonkeyPatch):
    def grow(_: Dependency, shown: Any) -> Verdict:
        larger = b"x" * 2000 if shown.id.startswith("a") else shown.data
        return Verdict(msgspec.structs.replace(shown, data=larger), "", "")

    monkeypatch.setattr(Dependency, "judge", grow)

    async def body(_: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a && b"), trigger("a", "single")))
        rig.runner.recorder.largest = 1000
        await rig.publish("a1", "b1", "a2")
        await rig.until(lambda: len(rig.target.seen("single")) == 2, 60)
        await rig.quiet()
        assert rig.target.seen("t") == []
        (decision,) = await rig.decisions(event_id="a1", trigger="t")
        assert decision.result == TRANSFORM_ERROR
        assert "after its transform: the bus keeps 1000" in decision.reason

    scene(body)


def test_nothing_more_is_fired_while_nothing_can_be_recorded(monkeypatch: pytest.MonkeyPatch):
    """In an outage that the lease does not outlive the next owner would fire it again."""

    async def body(_: Bench, rig: Rig) -> None:
        async def slow(_: Shot) -> Outcome:
            await asyncio.sleep(0.1)
            return Outcome()

        rig.target.answer = slow
        await rig.start(sensor(trigger("a", maxInFlight=1)))
        real = rig.bus.commit

        async def away(*_: Any) -> None:
            raise BusUnavailable("away")

        monkeypatch.setattr(rig.bus, "commit", away)
        await rig.publish(*(f"a{number}" for number in range(1, 101)))
        await asyncio.sleep(8)
        assert 5 < len(rig.target.shots) < 15
        monkeypatch.setattr(rig.bus, "commit", real)
        await rig.until(lambda: len(rig.target.shots) == 100, 60)
        await rig.quiet()
        assert len({shot.firing for shot in rig.target.shots}) == 100

    scene(body)


def test_two_sensors_of_equal_specs_keep_their_own_revisions():
    async def body(bench: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a")), sensor(trigger("a"), name="twin"))
        first, second = rig.plans
        assert first.revision == second.revision
        blobs = bench.log.shard(0).blobs
        assert blobs[revision_key(f"s/{first.revision}")] == first.source
        assert blobs[revision_key(f"twin/{first.revision}")] == second.source

    scene(body)


def test_an_event_read_again_is_handled_by_the_revision_that_handled_it_first():
    async def body(_: Bench, rig: Rig) -> None:
        rig.target.answer = hang
        await rig.start(sensor(trigger("a")), sensor(trigger("a"), name="twin"))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 2)
        rig.edit(sensor(trigger("b")), sensor(trigger("a", retryStrategy=RETRY), name="twin"))
        await rig.until(lambda: rig.runner.settled)
        await rig.crash()
        rig.target.answer = rig.target.take
        await rig.start()
        await rig.until(lambda: len(rig.target.shots) == 4)
        assert {s.firing for s in rig.target.shots[:2]} == {s.firing for s in rig.target.shots[2:]}
        await rig.quiet()
        revisions = {one.sensor: one.revision for one in await rig.decisions(event_id="a1")}
        assert revisions["twin"] != rig.plans[1].revision

    scene(body)


def test_a_dependency_moved_to_another_topic_still_ends_what_it_had_in_hand():
    async def body(_: Bench, rig: Rig) -> None:
        rig.target.answer = hang
        await rig.start(sensor(trigger("a")))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 1)
        moved = sensor(trigger("a"))
        moved["spec"]["dependencies"][0]["eventName"] = "c"
        rig.edit(moved)
        await rig.until(lambda: rig.runner.settled)
        await rig.crash()
        rig.target.answer = rig.target.take
        await rig.start()
        await rig.until(lambda: len(rig.target.shots) == 2)
        assert rig.target.shots[0].firing == rig.target.shots[1].firing

    scene(body)


def test_a_held_event_whose_blob_is_gone_is_told():
    async def body(bench: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a && b")))
        await rig.publish("a1")
        await rig.quiet()
        await rig.crash()
        bench.log.shard(0).blobs.clear()
        await rig.start()
        await rig.quiet()
        assert (await rig.decisions(event_id="a1"))[0].result == RESET

    scene(body)


def test_a_completed_condition_is_stored_as_rendered_before_it_runs():
    async def body(bench: Bench, rig: Rig) -> None:
        seen: list[bool] = []

        async def look(shot: Shot) -> Outcome:
            seen.append(parked_key(shot.firing) in bench.records())
            return Outcome()

        rig.target.answer = look
        await rig.start(sensor(trigger("a && b")))
        await rig.publish("a1", "b1")
        await rig.until(lambda: len(seen) == 1)
        await rig.quiet()
        assert seen == [True]
        assert not [key for key in bench.records() if key.startswith("parked/")]

    scene(body)


def test_a_dead_letter_asked_for_twice_is_sent_once():
    async def body(_: Bench, rig: Rig) -> None:
        rig.target.answer = refuse
        await rig.start(sensor(trigger("a")))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 1)
        await rig.quiet()
        firing = rig.target.shots[0].firing
        rig.target.answer = rig.target.take
        answers = await asyncio.gather(*(rig.runner.retry(firing) for _ in range(5)))
        await rig.quiet()
        assert sorted(answers) == [False] * 4 + [True]
        assert len(rig.target.shots) == 2

    scene(body)


def test_a_dead_letter_rendered_anew_stays_so_through_its_retries():
    async def body(bench: Bench, rig: Rig) -> None:
        rig.target.answer = refuse
        await rig.start(sensor(trigger("a")))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 1)
        await rig.quiet()
        edited = sensor(trigger("a", retryStrategy={**RETRY, "steps": 9, "duration": "10s"}))
        edited["spec"]["triggers"][0]["template"]["log"] = {"intervalSeconds": 7}
        rig.edit(edited)
        await rig.until(lambda: rig.runner.settled)

        async def away(_: Shot) -> Outcome:
            raise Retryable("away")

        rig.target.answer = away
        assert await rig.runner.retry(rig.target.shots[0].firing, render=True)
        await rig.until(lambda: len(rig.target.shots) == 4, 60)
        assert {shot.request.interval for shot in rig.target.shots[1:]} == {7}  # type: ignore[attr-defined]

    scene(body)


def test_retry_before_the_shard_is_at_work_is_refused_for_now():
    async def body(_: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a")))
        runner = rig._runner()
        with pytest.raises(Retryable):
            await runner.retry("nosuch")

    scene(body)


def test_a_fault_of_ours_at_one_event_is_an_error_of_that_event(monkeypatch: pytest.MonkeyPatch):
    real = Dependency.judge

    def judge(self: Dependency, shown: Any) -> Any:
        if shown.id == "a2":
            raise RuntimeError("bug")
        return real(self, shown)

    monkeypatch.setattr(Dependency, "judge", judge)

    async def body(_: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a")))
        await rig.publish("a1", "a2", "a3")
        await rig.until(lambda: len(rig.target.shots) == 2)
        (decision,) = await rig.decisions(event_id="a2")
        assert (decision.result, decision.reason) == (FILTER_ERROR, "unexpected RuntimeError: bug")

    scene(body)


def test_draining_is_over_when_what_runs_has_ended():
    async def body(_: Bench, rig: Rig) -> None:
        async def slow(_: Shot) -> Outcome:
            await asyncio.sleep(2)
            return Outcome()

        rig.target.answer = slow
        await rig.start(sensor(trigger("a", maxInFlight=2)))
        await rig.publish(*(f"a{number}" for number in range(1, 101)))
        await rig.until(lambda: len(rig.target.shots) == 2)
        began = asyncio.get_running_loop().time()
        await rig.stop()
        assert asyncio.get_running_loop().time() - began < 3
        assert len(rig.target.shots) == 2
        rig.target.answer = rig.target.take
        await rig.start()
        await rig.until(lambda: len({shot.firing for shot in rig.target.shots}) == 100)
        assert len(rig.target.shots) == 100

    scene(body)


def test_a_target_that_hangs_does_not_hold_up_the_end():
    async def body(_: Bench, rig: Rig) -> None:
        rig.target.answer = hang
        await rig.start(sensor(trigger("a")))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 1)
        await rig.runner.drain(1.0)
        await asyncio.wait([rig.task], timeout=1)
        assert rig.task.done()

    scene(body)


def test_a_rate_limit_goes_on_after_a_restart():
    async def body(_: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a", rateLimit={"unit": "Hour", "requestsPerUnit": 1})))
        clock = asyncio.get_running_loop().time
        times: list[float] = []

        async def note(_: Shot) -> Outcome:
            times.append(clock())
            return Outcome()

        rig.target.answer = note
        await rig.publish("a1", "a2")
        await rig.until(lambda: len(times) == 1)
        await asyncio.sleep(60)
        await rig.crash()
        await rig.start()
        await asyncio.sleep(3500)
        assert len(times) == 1
        await asyncio.sleep(100)
        assert len(times) == 2
        assert times[1] - times[0] == pytest.approx(3600, abs=1)

    scene(body)


def test_an_owner_whose_clock_was_fast_holds_nothing_up_for_the_next_one():
    async def body(_: Bench, rig: Rig) -> None:
        async def away(_: Shot) -> Outcome:
            raise Retryable("away", after=20)

        rig.now_ns = lambda: now_ns() + 7200 * 10**9
        rig.target.answer = away
        limited = trigger("a", "limited", rateLimit={"unit": "Minute", "requestsPerUnit": 1})
        await rig.start(sensor(limited, trigger("a", "failing", retryStrategy={**RETRY, "steps": 9})))
        await rig.publish("a1", "a2")
        await rig.until(lambda: len(rig.target.shots) == 3)
        await rig.quiet()
        await rig.crash()
        rig.now_ns, rig.target.answer = now_ns, rig.target.take
        rig.target.shots.clear()
        await rig.start()
        await rig.until(lambda: len(rig.target.seen("failing")) == 2, 30)
        await rig.until(lambda: len(rig.target.seen("limited")) == 2, 180)

    scene(body)


def test_a_reset_falls_between_the_events_before_and_after_it_however_late_they_are_read():
    async def body(_: Bench, rig: Rig) -> None:
        reset = [{"byTime": {"cron": "0 * * * *"}}]
        await rig.start(sensor(trigger("a && b", conditionsReset=reset)))
        await rig.crash()
        rig.bus = await rig.engine()
        await rig.publish("a1", "b1", "a2")
        await asyncio.sleep(3600)
        await rig.publish("b2")
        await rig.bus.aclose()
        await rig.start()
        await rig.quiet()
        await rig.until(lambda: len(rig.target.shots) == 1)
        assert rig.target.seen("t") == [{"a": "a1", "b": "b1"}]
        assert RESET in [one.result for one in await rig.decisions(event_id="a2")]
        await rig.publish("a3")
        await rig.until(lambda: len(rig.target.shots) == 2)
        assert rig.target.seen("t")[1] == {"a": "a3", "b": "b2"}

    scene(body)


def test_edits_leave_no_tasks_behind():
    async def body(_: Bench, rig: Rig) -> None:
        reset = [{"byTime": {"cron": "0 0 1 1 *"}}]
        await rig.start(sensor(trigger("a && b", conditionsReset=reset)))
        before = len(asyncio.all_tasks())
        for steps in range(1, 20):
            rig.edit(
                sensor(trigger("a && b", conditionsReset=reset, retryStrategy={**RETRY, "steps": steps}))
            )
            await rig.until(lambda: rig.runner.settled)
        await asyncio.sleep(1)
        assert len(asyncio.all_tasks()) <= before

    scene(body)


def test_a_gap_is_recorded():
    async def body(_: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a")))
        rig.runner._expired(Gap(0, 3, 9))
        (decision,) = await rig.decisions(results=frozenset({EXPIRED}))
        assert decision.position == Position(0, 9)
        assert "3 to 9" in decision.reason

    scene(body)


def test_a_reader_that_hands_out_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch):
    async def body(_: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a")))
        monkeypatch.setattr(type(rig.runner._reader), "wake", lambda self: None)
        await rig.publish("a1")
        await asyncio.wait([rig.task], timeout=300)
        assert isinstance(rig.task.exception(), Retryable)
        rig._failures.clear()
        monkeypatch.undo()
        rig.runner = rig._runner()
        rig.edit()
        rig.task = rig.tasks.start("again", rig.runner.run())
        await rig.until(lambda: len(rig.target.shots) == 1, 60)
        assert (await rig.results("t")) == [FIRED]

    scene(body)


def test_an_owner_that_slept_too_long_fires_nothing_before_it_has_proved_that_it_still_owns(
    monkeypatch: pytest.MonkeyPatch,
):
    """A paused process: its timers have not run, and somebody else has the shard."""

    async def body(_: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a", atLeastOnce=True)))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 1)
        await asyncio.sleep(1)
        rig.runner._awake -= 8.0  # more than half of the lease
        await rig.publish("a2")
        await rig.until(lambda: len(rig.target.shots) == 2)
        rig.runner._awake -= 8.0
        rig.bus.log.epochs["shard/0"] += 1
        rig.bus.leases["shard/0"] = MemoryLease(rig.bus, "shard/0", rig.bus.log.epochs["shard/0"])
        await rig.publish("a3")
        await asyncio.wait([rig.task], timeout=30)
        assert isinstance(rig.task.exception(), Fenced)
        assert [shot.events["a"] for shot in rig.target.shots] == ["a1", "a2"]

    scene(body)


def test_doubles_that_the_engine_found_are_recorded_and_counted():
    async def body(_: Bench, rig: Rig) -> None:
        await rig.start(sensor(trigger("a")))
        await rig.publish("a1")
        await rig.quiet()
        double = Double(event("a1").key, Position(0, 2))
        await rig.runner._handle(Batch([], {}, doubles=[double]))
        (decision,) = await rig.decisions(results=frozenset({DUPLICATE}))
        assert (decision.events, decision.position) == ([event("a1").key], Position(0, 2))
        assert rig.metrics.bus("default/default").doubles == 1
        assert len(rig.target.shots) == 1

    scene(body)
