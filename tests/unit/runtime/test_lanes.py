"""Lanes: how many at once, in which order, parking, limits, edits, the end. Virtual time, no bus."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

import pytest

from events.aio import Group
from events.bus._base import Changes, Mark
from events.errors import Damaged, EvaluationError, Permanent, Retryable
from events.event import (
    DEAD_LETTERED,
    FIRED,
    PARAMETER_ERROR,
    RATE_LIMITED,
    RETRYING,
    TRIGGER_ROLE,
    WAITING,
    Decision,
    Firing,
    Outcome,
    Position,
    Request,
)
from events.runtime import lanes as module
from events.runtime.jobs import Job, Verdict
from events.runtime.lanes import REMOVED, Lane
from events.runtime.plans import TriggerPlan
from events.runtime.progress import Progress
from events.runtime.recorder import Recorder
from events.runtime.records import Body, Parked, body_key, decode, parked_key
from events.testing.sensors import RETRY, event, plan_of, sensor, trigger
from events.testing.virtual import now_ns, run_virtual


class Store:
    """A bus that only stores."""

    name = "default/default"
    max_event_bytes = 1 << 20

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.decisions: list[Decision] = []
        self.commits: list[Changes] = []

    async def commit(self, shard: int, epoch: int, changes: Changes) -> None:
        self.commits.append(changes)
        self.blobs |= changes.blobs
        for key, value in changes.records.items():
            if value is None:
                self.records.pop(key, None)
            else:
                self.records[key] = value
        self.decisions += changes.decisions
        for key in changes.drop_blobs:
            self.blobs.pop(key, None)


class FakeLease:
    epoch = 1


class Desk:
    """Stands for the shard; `target` is what a firing meets."""

    def __init__(self) -> None:
        self.store, self.progress = Store(), Progress(Mark("i", {0: 0}))
        self.recorder = Recorder(cast(Any, self.store), 0, cast(Any, FakeLease()), self.progress)
        self.now_ns, self.chance = now_ns, lambda: 0.0
        self.fired: list[tuple[str, float]] = []
        self.kinds: list[str] = []
        self.most = self.running = 0
        self.loads = 0
        self.target: Callable[[str], Awaitable[Outcome]] = self.take
        self.tasks = Group(self.failed)
        self.failures: list[BaseException] = []
        self.lanes: dict[str, Lane] = {}

    def failed(self, name: str, error: BaseException) -> None:
        self.failures.append(error)

    async def take(self, name: str) -> Outcome:
        return Outcome()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> object:
        return self.tasks.start(name, work)

    async def fire(self, plan: TriggerPlan, request: Request, firing: str) -> Outcome:
        self.fired.append((firing, asyncio.get_running_loop().time()))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await self.target(firing)
        finally:
            self.running -= 1

    async def judge(self, plan: TriggerPlan, outcome: Outcome) -> str | None:
        return None

    async def load(self, job: Job) -> None:
        self.loads += 1
        data = self.store.blobs.get(body_key(job.id))
        if data is None:
            raise Damaged("the body is not there")
        body = decode(data, Body, job.id)
        job.firing = Firing(job.id, "default", "s", job.plan.name, body.events, body.now_ns)

    def submit(self, job: Job) -> None:
        self.lanes.setdefault(job.plan.name, Lane(job.plan, self)).submit(job)

    def count(self, job: Job, attempt: Verdict, seconds: float) -> None: ...

    def result(self, plan: TriggerPlan, name: str) -> None: ...

    def job(self, plan: TriggerPlan, number: int) -> Job:
        position = Position(0, number)
        firing = Firing(f"f{number}", "default", "s", plan.name, {"a": event(f"a{number}")}, 1, TRIGGER_ROLE)
        job = Job(plan, firing, position, self.progress.open(position))
        self.progress.reach({0: number})
        return job

    def results(self, number: int | None = None) -> list[str]:
        return [d.result for d in self.store.decisions if number is None or d.firing == f"f{number}"]

    def order(self) -> list[int]:
        return [int(name[1:]) for name, _ in self.fired]


def plan(**more: Any) -> TriggerPlan:
    return plan_of(sensor(trigger("a", **more))).triggers[0]


def scene(body: Callable[[Desk], Awaitable[None]]) -> None:
    async def main() -> None:
        desk = Desk()
        recording = desk.tasks.start("recorder", desk.recorder.run())
        await body(desk)
        recording.cancel()
        await desk.tasks.aclose()
        assert not desk.failures

    run_virtual(main())


async def forever(_: str) -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError


def seconds(amount: float) -> Callable[[str], Awaitable[Outcome]]:
    async def slow(_: str) -> Outcome:
        await asyncio.sleep(amount)
        return Outcome()

    return slow


def refusing(error: Exception, times: int = 10**9) -> Callable[[str], Awaitable[Outcome]]:
    left: dict[str, int] = {}

    async def refuse(name: str) -> Outcome:
        left[name] = left.get(name, times) - 1
        if left[name] >= 0:
            raise error
        return Outcome()

    return refuse


@pytest.mark.parametrize(("more", "most"), [({}, 64), ({"maxInFlight": 3}, 3), ({"atLeastOnce": True}, 1)])
def test_so_many_run_at_once(more: dict[str, Any], most: int):
    async def body(desk: Desk) -> None:
        desk.target = seconds(1.0)
        lane = Lane(plan(**more), desk)
        for number in range(1, 101):
            lane.submit(desk.job(lane.plan, number))
        await asyncio.sleep(200)
        assert desk.most == most
        assert sorted(desk.order()) == list(range(1, 101))
        assert desk.progress.mark().offsets == {0: 100}
        assert not desk.store.records
        assert not desk.store.blobs

    scene(body)


def test_a_strictly_ordered_lane_waits_for_a_retry_and_keeps_the_order():
    async def body(desk: Desk) -> None:
        desk.target = refusing(Retryable("first"), 1)
        lane = Lane(plan(atLeastOnce=True, retryStrategy=RETRY), desk)
        for number in (1, 2, 3):
            lane.submit(desk.job(lane.plan, number))
        await asyncio.sleep(5)
        assert desk.order() == [1, 1, 2, 2, 3, 3]
        assert desk.results(2) == [RETRYING, FIRED]

    scene(body)


def test_an_ordered_lane_goes_by_position_whatever_comes_first():
    async def body(desk: Desk) -> None:
        desk.target = seconds(1.0)
        lane = Lane(plan(atLeastOnce=True), desk)
        jobs = [desk.job(lane.plan, number) for number in range(1, 6)]
        for job in (jobs[0], jobs[4], jobs[2], jobs[1], jobs[3]):
            lane.submit(job)
        await asyncio.sleep(10)
        assert desk.order() == [1, 2, 3, 4, 5]

    scene(body)


def test_what_takes_ten_seconds_is_parked_and_recorded_when_it_ends():
    async def body(desk: Desk) -> None:
        desk.target = seconds(15.0)
        lane = Lane(plan(), desk)
        lane.submit(desk.job(lane.plan, 1))
        await asyncio.sleep(9.9)
        lane.sweep(asyncio.get_running_loop().time())
        assert lane.busy == 1
        await asyncio.sleep(0.2)
        lane.sweep(asyncio.get_running_loop().time())
        await desk.recorder.flush()
        assert lane.busy == 0
        assert desk.progress.mark().offsets == {0: 1}
        assert decode(desk.store.records[parked_key("f1")], Parked, "").due_ns == 0
        assert decode(desk.store.blobs[body_key("f1")], Body, "").request is not None
        await asyncio.sleep(6)
        assert desk.results(1) == [WAITING, FIRED]
        assert not desk.store.records
        assert not desk.store.blobs
        assert desk.order() == [1]

    scene(body)


def test_what_does_not_fit_into_memory_is_parked_at_once_and_read_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "QUEUED", 5)

    async def body(desk: Desk) -> None:
        desk.target = seconds(1.0)
        lane = Lane(plan(maxInFlight=1), desk)
        for number in range(1, 21):
            lane.submit(desk.job(lane.plan, number))
        assert lane.busy <= 7
        await desk.recorder.flush()
        kept = sum(job.firing is not None for job in lane._waiting)
        assert kept <= 6
        await asyncio.sleep(30)
        assert desk.order() == list(range(1, 21))
        assert desk.loads > 10
        assert desk.results().count(FIRED) == 20
        assert not desk.store.records

    scene(body)


def test_what_was_parked_a_moment_ago_runs_before_its_record_is_stored(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "QUEUED", 2)

    async def body(desk: Desk) -> None:
        lane = Lane(plan(maxInFlight=1), desk)
        for number in range(1, 11):
            lane.submit(desk.job(lane.plan, number))
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert desk.order() == list(range(1, 11))
        await desk.recorder.flush()
        assert desk.results().count(FIRED) == 10
        assert not desk.store.records
        assert not desk.store.blobs

    scene(body)


def test_a_rate_limit_spaces_firings_and_records_who_waits():
    async def body(desk: Desk) -> None:
        lane = Lane(plan(rateLimit={"unit": "Second", "requestsPerUnit": 10}), desk)
        for number in range(1, 6):
            lane.submit(desk.job(lane.plan, number))
        await asyncio.sleep(2)
        times = [when for _, when in desk.fired]
        assert times == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=0.001)
        assert desk.results(1) == [FIRED]
        assert desk.results(2) == [RATE_LIMITED, FIRED]

    scene(body)


def test_a_burst_runs_at_once():
    async def body(desk: Desk) -> None:
        limit = {"unit": "Second", "requestsPerUnit": 10, "burst": 3}
        lane = Lane(plan(rateLimit=limit), desk)
        for number in range(1, 6):
            lane.submit(desk.job(lane.plan, number))
        await asyncio.sleep(2)
        assert [when for _, when in desk.fired] == pytest.approx([0, 0, 0, 0.1, 0.2], abs=0.001)

    scene(body)


def test_a_permanent_refusal_is_a_dead_letter_with_its_request():
    async def body(desk: Desk) -> None:
        desk.target = refusing(Permanent("no"))
        lane = Lane(plan(retryStrategy=RETRY), desk)
        lane.submit(desk.job(lane.plan, 1))
        await asyncio.sleep(1)
        assert desk.results(1) == [DEAD_LETTERED]
        record = decode(desk.store.records[parked_key("f1")], Parked, "")
        assert (record.due_ns, record.error, record.attempt) == (None, "no", 1)
        assert decode(desk.store.blobs[body_key("f1")], Body, "").request is not None

    scene(body)


def test_the_firing_of_the_dlq_trigger_is_written_before_the_dead_letter():
    async def body(desk: Desk) -> None:
        desk.target = refusing(Permanent("no"))
        dlq = {"template": {"name": "dead", "log": {}}, "atLeastOnce": True}
        lane = Lane(plan(atLeastOnce=True, dlqTrigger=dlq), desk)
        lane.submit(desk.job(lane.plan, 1))
        await asyncio.sleep(0.01)
        first = next(changes for changes in desk.store.commits if changes.records)
        assert len(first.records) == 2
        assert list(first.records)[1] == parked_key("f1")

    scene(body)


def test_an_error_in_a_template_is_told_and_not_tried_again():
    def broken(_: Firing) -> Request:
        raise EvaluationError("no such path")

    async def body(desk: Desk) -> None:
        lane = Lane(plan(retryStrategy=RETRY)._replace(render=broken), desk)
        lane.submit(desk.job(lane.plan, 1))
        await asyncio.sleep(1)
        assert desk.results(1) == [PARAMETER_ERROR]
        assert not desk.fired

    scene(body)


def test_text_that_is_not_utf8_never_stops_a_lane():
    async def body(desk: Desk) -> None:
        desk.target = refusing(Permanent("bad \udcff answer"))
        lane = Lane(plan(), desk)
        lane.submit(desk.job(lane.plan, 1))
        await asyncio.sleep(1)
        assert desk.results(1) == [DEAD_LETTERED]
        assert decode(desk.store.records[parked_key("f1")], Parked, "").error == "bad ? answer"

    scene(body)


def test_a_body_that_is_gone_is_a_dead_letter_that_says_so():
    async def body(desk: Desk) -> None:
        lane = Lane(plan(), desk)
        job = desk.job(lane.plan, 1)
        lane.submit(Job.from_record("f9", decode(job.record(0), Parked, ""), lane.plan))
        await asyncio.sleep(1)
        assert desk.results(9) == [DEAD_LETTERED]
        assert "not there" in desk.store.decisions[-1].reason

    scene(body)


def test_at_most_once_is_stored_before_it_is_sent():
    async def body(desk: Desk) -> None:
        seen: list[list[str]] = []

        async def look(name: str) -> Outcome:
            seen.append(desk.results())
            return Outcome()

        desk.target = look
        lane = Lane(plan(atLeastOnce=False), desk)
        lane.submit(desk.job(lane.plan, 1))
        await asyncio.sleep(1)
        assert seen == [[FIRED]]

    scene(body)


def test_a_removed_trigger_turns_what_waits_into_dead_letters_and_what_runs_ends():
    async def body(desk: Desk) -> None:
        desk.target = seconds(1.0)
        lane = Lane(plan(maxInFlight=1), desk)
        for number in (1, 2, 3):
            lane.submit(desk.job(lane.plan, number))
        await asyncio.sleep(0.5)
        lane.retire()
        lane.submit(desk.job(lane.plan, 4))
        await asyncio.sleep(5)
        assert desk.order() == [1]
        assert desk.results(1) == [FIRED]
        for number in (2, 3, 4):
            assert desk.results(number) == [DEAD_LETTERED]
            assert decode(desk.store.records[parked_key(f"f{number}")], Parked, "").error == REMOVED
        assert desk.progress.mark().offsets == {0: 4}

    scene(body)


def test_a_firing_that_fails_after_its_trigger_was_removed_is_not_tried_again():
    async def body(desk: Desk) -> None:
        async def fail(_: str) -> Outcome:
            await asyncio.sleep(1)
            raise Retryable("away")

        desk.target = fail
        lane = Lane(plan(retryStrategy=RETRY), desk)
        lane.submit(desk.job(lane.plan, 1))
        await asyncio.sleep(0.5)
        lane.retire()
        await asyncio.sleep(60)
        assert desk.order() == [1]
        assert desk.results(1) == [DEAD_LETTERED]

    scene(body)


def test_an_edit_keeps_the_order_and_what_the_firings_were_made_from():
    async def body(desk: Desk) -> None:
        desk.target = seconds(1.0)
        lane = Lane(plan(maxInFlight=1), desk)
        for number in range(1, 12):
            lane.submit(desk.job(lane.plan, number))
        await asyncio.sleep(0.5)
        lane.update(plan(maxInFlight=1, retryStrategy=RETRY))
        await asyncio.sleep(20)
        assert desk.order() == list(range(1, 12))
        assert len({one.revision for one in desk.store.decisions}) == 1

    scene(body)


def test_a_lane_made_narrow_runs_one_at_a_time_from_then_on():
    async def body(desk: Desk) -> None:
        desk.target = seconds(1.0)
        lane = Lane(plan(maxInFlight=4), desk)
        for number in range(1, 9):
            lane.submit(desk.job(lane.plan, number))
        await asyncio.sleep(0.5)
        lane.update(plan(atLeastOnce=True))
        await asyncio.sleep(1)
        desk.most = desk.running
        await asyncio.sleep(20)
        assert desk.most == 1
        assert sorted(desk.order()) == list(range(1, 9))

    scene(body)


def test_a_stopped_lane_starts_nothing_more():
    async def body(desk: Desk) -> None:
        desk.target = seconds(1.0)
        lane = Lane(plan(maxInFlight=1), desk)
        for number in (1, 2):
            lane.submit(desk.job(lane.plan, number))
        await asyncio.sleep(0.5)
        lane.stop()
        await asyncio.sleep(20)
        assert desk.order() == [1]
        assert desk.progress.mark().offsets == {0: 1}

    scene(body)


def test_what_has_been_taken_counts_as_running_before_its_task_begins():
    """Who stops the shard at that moment waits for it."""

    async def body(desk: Desk) -> None:
        lane = Lane(plan(), desk)
        lane.submit(desk.job(lane.plan, 1))
        lane.stop()
        assert (lane.running, desk.order()) == (1, [])
        await asyncio.sleep(1)
        assert (lane.running, desk.order()) == (0, [1])

    scene(body)


def test_retries_without_a_strategy_go_on_for_two_minutes_then_it_is_a_dead_letter():
    async def body(desk: Desk) -> None:
        desk.target = refusing(Retryable("away"))
        lane = Lane(plan(), desk)
        lane.submit(desk.job(lane.plan, 1))
        await asyncio.sleep(300)
        assert desk.results(1) == [RETRYING] * 7 + [DEAD_LETTERED]
        assert desk.fired[-1][1] == pytest.approx(127, abs=1)

    scene(body)


def test_a_firing_that_hangs_delays_nobody_else():
    async def body(desk: Desk) -> None:
        async def first_hangs(name: str) -> Outcome:
            return await (forever(name) if name == "f1" else desk.take(name))

        desk.target = first_hangs
        lane = Lane(plan(maxInFlight=2), desk)
        for number in range(1, 50):
            lane.submit(desk.job(lane.plan, number))
        await asyncio.sleep(1)
        assert len(desk.fired) == 49
        assert desk.progress.mark().offsets == {0: 0}

    scene(body)
