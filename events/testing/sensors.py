"""The contract of sensors over a bus: the same promises on every engine.

A subclass gives the fixture `engine`, and gets every clause:

    class TestMemory(SensorContract):
        @pytest.fixture
        def engine(self): ...      # a function that opens the same bus again and again
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from events.aio import Group
from events.bus._base import Bus, DecisionQuery
from events.errors import Permanent, Retryable
from events.event import (
    DEAD_LETTERED,
    DLQ_ROLE,
    FIRED,
    PARAMETER_ERROR,
    RATE_LIMITED,
    RESET,
    RETRYING,
    WAITING,
    Decision,
    Event,
    Outcome,
    Request,
)
from events.manifest import load_objects
from events.observability.metrics import Metrics
from events.runtime import resets
from events.runtime.plans import SensorPlan, TriggerPlan, compile_sensor
from events.runtime.records import body_keys
from events.runtime.remote import Remote
from events.runtime.scripts import Judge
from events.runtime.shard import ShardRunner

Engine = Callable[[], Awaitable[Bus]]
"""Opens the bus; after it was closed or abandoned, opens the same one again."""

PATIENCE = 10.0


class Shot:
    """One attempt as the target saw it."""

    def __init__(self, plan: TriggerPlan, request: Request, firing: str) -> None:
        self.trigger, self.role, self.firing, self.request = plan.name, plan.role, firing, request
        lines: Any = getattr(request, "lines", ())
        self.events = {line.dependency: line.context["id"] for line in lines}

    def __repr__(self) -> str:
        return f"{self.trigger}{self.events}"


class Target:
    """Stands for everything outside. `answer` decides what becomes of an attempt."""

    def __init__(self) -> None:
        self.shots: list[Shot] = []
        self.answer: Callable[[Shot], Awaitable[Outcome]] = self.take

    async def take(self, shot: Shot) -> Outcome:
        return Outcome(detail="taken")

    async def fire(self, namespace: str, plan: TriggerPlan, request: Request, firing: str) -> Outcome:
        shot = Shot(plan, request, firing)
        self.shots.append(shot)
        return await self.answer(shot)

    async def judge(self, namespace: str, plan: TriggerPlan, outcome: Outcome) -> str | None:
        return None

    def read_request(self, kind: str, data: bytes) -> Request:
        from events.registry import adapter_class

        cls: Any = adapter_class("triggers", kind)
        request: Request = msgspec.msgpack.decode(data, type=cls.request)
        return request

    def seen(self, trigger: str) -> list[dict[str, str]]:
        return [shot.events for shot in self.shots if shot.trigger == trigger]


class Rig:
    """A bus with one shard's owner at work."""

    def __init__(self, engine: Engine, now_ns: Callable[[], int] = time.time_ns) -> None:
        """`now_ns` may be changed while it runs."""
        self.engine, self.now_ns = engine, now_ns
        self.target = Target()
        self.metrics = Metrics()
        self.plans: list[SensorPlan] = []
        self._failures: list[BaseException] = []

    async def start(self, *sensors: dict[str, Any]) -> None:
        self.bus = await self.engine()
        self.tasks = Group(lambda _, error: self._failures.append(error))
        self.runner = self._runner()
        self.edit(*sensors)
        self.task = self.tasks.start("shard", self.runner.run())
        await self.until(lambda: self.runner.following)

    def _runner(self) -> ShardRunner:
        executor: Any = self.target
        return ShardRunner(
            self.bus,
            0,
            executor,
            self.metrics,
            Judge(Remote()),
            now_ns=lambda: self.now_ns(),
            chance=lambda: 0.0,
        )

    def edit(self, *sensors: dict[str, Any]) -> None:
        self.plans = [plan_of(sensor) for sensor in sensors] or self.plans
        self.runner.replace(self.plans)

    async def crash(self) -> None:
        """End the owner without any goodbye; what it had not committed is gone."""
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.tasks.aclose()
        await self.bus.aclose()

    async def stop(self) -> None:
        await self.runner.drain(5.0)
        await asyncio.wait([self.task])
        await self.tasks.aclose()
        await self.bus.aclose()
        assert not self._failures

    async def publish(self, *names: str) -> None:
        """Events `a1`, `b2`, ... of the subjects a, b, ..."""
        await self.bus.publish([event(name) for name in names])

    async def until(self, holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                assert not self._failures, self._failures
                await asyncio.sleep(0.005)

    async def quiet(self) -> None:
        """Everything published is handled and recorded."""
        head = await self.bus.head()
        await self.until(lambda: self.runner.progress.reached == head)
        await self.runner.recorder.flush()

    async def decisions(self, **given: Any) -> list[Decision]:
        await self.runner.recorder.flush()
        return await self.bus.find_decisions(DecisionQuery(**given))

    async def results(self, trigger: str) -> list[str]:
        """The oldest first."""
        return [one.result for one in reversed(await self.decisions(trigger=trigger))]


def event(name: str) -> Event:
    subject = name.rstrip("0123456789")
    return Event(name, "src", subject, "webhook", time.time_ns(), b'{"n":1}', "application/json")


def plan_of(sensor: dict[str, Any]) -> SensorPlan:
    loaded = load_objects([sensor])
    assert not loaded.errors, loaded.errors
    plan = compile_sensor(loaded.sensors[0])
    assert not plan.problems, plan.problems
    return plan


def sensor(*triggers: dict[str, Any], dependencies: str = "ab", name: str = "s") -> dict[str, Any]:
    """A Sensor with one dependency per letter, on the subject of the same name."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Sensor",
        "metadata": {"name": name},
        "spec": {
            "dependencies": [
                {"name": letter, "eventSourceName": "src", "eventName": letter} for letter in dependencies
            ],
            "triggers": list(triggers),
        },
    }


def trigger(conditions: str, name: str = "t", **more: Any) -> dict[str, Any]:
    """A log trigger; keys that belong to the template are told apart by name."""
    template: dict[str, Any] = {"name": name, "conditions": conditions, "log": {}}
    if "conditionsReset" in more:
        template["conditionsReset"] = more.pop("conditionsReset")
    return {"template": template, **more}


def copying(conditions: str, **more: Any) -> dict[str, Any]:
    """An http trigger `t` whose body has all of its events a and b."""
    payload = [{"src": {"dependencyName": name, "dataKey": "n"}, "dest": name} for name in "ab"]
    http = {"url": "http://127.0.0.1/", "payload": payload}
    return {"template": {"name": "t", "conditions": conditions, "http": http}, **more}


RETRY = {"duration": "10ms", "factor": 1, "jitter": 0, "steps": 3}


class SensorContract:
    """Every clause; subclasses give the engine."""

    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError("a subclass gives the engine")

    @pytest.fixture
    async def rig(self, engine: Engine) -> AsyncIterator[Rig]:
        rig = Rig(engine)
        yield rig
        await rig.tasks.aclose()
        await rig.bus.aclose()

    async def test_one_dependency_fires_once_per_event_in_order(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("a")))
        await rig.publish("a1", "b1", "a2", "a3")
        await rig.until(lambda: len(rig.target.shots) == 3)
        assert rig.target.seen("t") == [{"a": "a1"}, {"a": "a2"}, {"a": "a3"}]
        await rig.stop()

    async def test_or_fires_for_each(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("a || b")))
        await rig.publish("a1", "b1", "a2")
        await rig.until(lambda: len(rig.target.shots) == 3)
        assert rig.target.seen("t") == [{"a": "a1"}, {"b": "b1"}, {"a": "a2"}]

    async def test_and_fires_with_the_newest_of_each_and_holds_nothing_after(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("a && b")))
        await rig.publish("a1", "a2", "b1", "b2")
        await rig.until(lambda: len(rig.target.shots) == 1)
        await rig.quiet()
        assert rig.target.seen("t") == [{"a": "a2", "b": "b1"}]
        await rig.publish("a3")
        await rig.until(lambda: len(rig.target.shots) == 2)
        assert rig.target.seen("t")[1] == {"a": "a3", "b": "b2"}

    async def test_nested_condition_takes_what_it_holds(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("(a && b) || c"), dependencies="abc"))
        await rig.publish("b1", "c1", "a1", "b2")
        await rig.until(lambda: len(rig.target.shots) == 2)
        assert rig.target.seen("t") == [{"b": "b1", "c": "c1"}, {"a": "a1", "b": "b2"}]

    async def test_every_trigger_has_its_own_memory(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("a", "one"), trigger("a && b", "two")))
        await rig.publish("a1", "b1")
        await rig.until(lambda: len(rig.target.shots) == 2)
        assert rig.target.seen("one") == [{"a": "a1"}]
        assert rig.target.seen("two") == [{"a": "a1", "b": "b1"}]

    async def test_waiting_is_recorded_with_what_it_waits_for(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("a && b")))
        await rig.publish("a1")
        await rig.quiet()
        (decision,) = await rig.decisions(event_id="a1")
        assert (decision.result, decision.reason) == (WAITING, "waits for b")

    async def test_held_half_survives_a_crash(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("a && b")))
        await rig.publish("a1")
        await rig.quiet()
        await rig.crash()
        await rig.start()
        await rig.publish("b1")
        await rig.until(lambda: len(rig.target.shots) == 1)
        assert rig.target.seen("t") == [{"a": "a1", "b": "b1"}]

    async def test_a_crash_before_anything_is_recorded_repeats_the_firing_under_its_id(
        self, rig: Rig
    ) -> None:
        started = asyncio.Event()

        async def hang(shot: Shot) -> Outcome:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError

        rig.target.answer = hang
        await rig.start(sensor(trigger("a")))
        await rig.publish("a1")
        await started.wait()
        await rig.crash()
        rig.target.answer = rig.target.take
        await rig.start()
        await rig.until(lambda: len(rig.target.shots) == 2)
        first, second = rig.target.shots
        assert first.firing == second.firing

    async def test_a_recorded_firing_is_not_started_again(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("a", "one"), trigger("b", "two")))
        await rig.publish("a1", "b1")
        await rig.until(lambda: len(rig.target.shots) == 2)
        await rig.quiet()
        for _ in range(3):
            await rig.crash()
            await rig.start()
            await rig.quiet()
        assert len(rig.target.shots) == 2

    async def test_a_completed_condition_that_was_in_hand_at_a_crash_fires_under_the_same_id(
        self, rig: Rig
    ) -> None:
        hung = asyncio.Event()

        async def hang(shot: Shot) -> Outcome:
            hung.set()
            await asyncio.Event().wait()
            raise AssertionError

        rig.target.answer = hang
        await rig.start(sensor(trigger("a && b")))
        await rig.publish("a1", "b1")
        await hung.wait()
        await rig.crash()
        rig.target.answer = rig.target.take
        await rig.start()
        await rig.until(lambda: len(rig.target.shots) == 2)
        assert rig.target.shots[0].firing == rig.target.shots[1].firing
        assert rig.target.seen("t")[1] == {"a": "a1", "b": "b1"}
        await rig.publish("b2")
        await rig.quiet()
        assert len(rig.target.shots) == 2

    async def test_retries_follow_the_strategy_then_the_dead_letters(self, rig: Rig) -> None:
        async def refuse(shot: Shot) -> Outcome:
            raise Retryable("target away")

        rig.target.answer = refuse
        await rig.start(sensor(trigger("a", retryStrategy=RETRY)))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 3)
        await rig.quiet()
        assert await rig.results("t") == [RETRYING, RETRYING, DEAD_LETTERED]
        assert len({shot.firing for shot in rig.target.shots}) == 1

    async def test_a_permanent_refusal_is_not_retried(self, rig: Rig) -> None:
        async def refuse(shot: Shot) -> Outcome:
            raise Permanent("no such channel")

        rig.target.answer = refuse
        await rig.start(sensor(trigger("a", retryStrategy=RETRY)))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 1)
        await rig.quiet()
        (decision,) = await rig.decisions(trigger="t")
        assert (decision.result, decision.reason) == (DEAD_LETTERED, "no such channel")

    async def test_a_waiting_retry_survives_a_crash(self, rig: Rig) -> None:
        async def refuse(shot: Shot) -> Outcome:
            raise Retryable("away", after=0.3)

        rig.target.answer = refuse
        await rig.start(sensor(trigger("a", retryStrategy={**RETRY, "steps": 50})))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 1)
        await rig.quiet()
        await rig.crash()
        rig.target.answer = rig.target.take
        await rig.start()
        await rig.until(lambda: len(rig.target.shots) == 2)
        assert rig.target.shots[0].firing == rig.target.shots[1].firing
        assert rig.target.seen("t")[1] == {"a": "a1"}

    async def test_events_that_wait_together_may_be_more_than_a_message_of_the_bus(self, rig: Rig) -> None:
        async def refuse(shot: Shot) -> Outcome:
            raise Retryable("away", after=0.5)

        rig.target.answer = refuse
        await rig.start(sensor(copying("a && b", retryStrategy={**RETRY, "steps": 50})))
        large = bytes(b"x" * (min(rig.bus.max_event_bytes, 1 << 20) - 1000))
        for name in ("a1", "b1"):
            await rig.bus.publish([msgspec.structs.replace(event(name), data=b'{"n":"%b"}' % large)])
        await rig.until(lambda: len(rig.target.shots) == 1)
        await rig.quiet()
        await rig.crash()
        rig.target.answer = rig.target.take
        await rig.start()
        await rig.until(lambda: len(rig.target.shots) == 2)
        first, second = rig.target.shots
        assert (first.firing, first.request) == (second.firing, second.request)
        await rig.quiet()
        assert (await rig.results("t"))[-1] == FIRED
        assert [await rig.bus.blob(0, key) for key in body_keys(second.firing, 8)] == [None] * 8

    async def test_the_dlq_trigger_gets_the_same_events(self, rig: Rig) -> None:
        async def refuse(shot: Shot) -> Outcome:
            if shot.role != DLQ_ROLE:
                raise Permanent("broken")
            return Outcome(detail="kept")

        rig.target.answer = refuse
        dlq = {"template": {"name": "dead", "log": {}}, "atLeastOnce": True}
        await rig.start(sensor(trigger("a && b", atLeastOnce=True, dlqTrigger=dlq)))
        await rig.publish("a1", "b1")
        await rig.until(lambda: len(rig.target.shots) == 2)
        await rig.quiet()
        assert rig.target.seen("dead") == [{"a": "a1", "b": "b1"}]
        assert rig.target.shots[0].firing != rig.target.shots[1].firing
        assert await rig.results("dead") == [FIRED]

    async def test_a_dead_letter_can_be_sent_again(self, rig: Rig) -> None:
        async def refuse(shot: Shot) -> Outcome:
            raise Permanent("broken")

        rig.target.answer = refuse
        await rig.start(sensor(trigger("a")))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 1)
        await rig.quiet()
        rig.target.answer = rig.target.take
        firing = rig.target.shots[0].firing
        assert await rig.runner.retry(firing)
        await rig.until(lambda: len(rig.target.shots) == 2)
        await rig.quiet()
        assert rig.target.shots[1].firing == firing
        assert not await rig.runner.retry(firing)
        assert (await rig.results("t"))[-1] == FIRED

    async def test_a_rate_limit_spaces_firings_and_loses_none(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("a", rateLimit={"unit": "Second", "requestsPerUnit": 20})))
        began = time.monotonic()
        await rig.publish(*(f"a{number}" for number in range(6)))
        await rig.until(lambda: len(rig.target.shots) == 6)
        assert time.monotonic() - began >= 5 / 20
        await rig.quiet()
        results = await rig.results("t")
        assert results.count(FIRED) == 6
        assert RATE_LIMITED in results

    async def test_strict_order_holds_back_those_behind_a_retry(self, rig: Rig) -> None:
        failed: set[str] = set()

        async def first_time(shot: Shot) -> Outcome:
            if shot.events["a"] not in failed:
                failed.add(shot.events["a"])
                raise Retryable("first time")
            return Outcome()

        rig.target.answer = first_time
        await rig.start(sensor(trigger("a", atLeastOnce=True, retryStrategy=RETRY)))
        await rig.publish("a1", "a2", "a3")
        await rig.until(lambda: len(rig.target.shots) == 6)
        assert [shot.events["a"] for shot in rig.target.shots] == ["a1", "a1", "a2", "a2", "a3", "a3"]

    async def test_a_slow_target_delays_only_its_own_trigger(self, rig: Rig) -> None:
        async def slow(shot: Shot) -> Outcome:
            if shot.trigger == "slow":
                await asyncio.Event().wait()
            return Outcome()

        rig.target.answer = slow
        await rig.start(sensor(trigger("a", "slow"), trigger("a", "quick")))
        await rig.publish(*(f"a{number}" for number in range(200)))
        await rig.until(lambda: len(rig.target.seen("quick")) == 200)
        assert len(rig.target.seen("slow")) == 64

    async def test_at_most_once_is_recorded_before_it_is_sent(self, rig: Rig) -> None:
        sent = asyncio.Event()

        async def hang(shot: Shot) -> Outcome:
            sent.set()
            await asyncio.Event().wait()
            raise AssertionError

        rig.target.answer = hang
        await rig.start(sensor(trigger("a", atLeastOnce=False)))
        await rig.publish("a1")
        await sent.wait()
        await rig.crash()
        rig.target.answer = rig.target.take
        await rig.start()
        await rig.quiet()
        assert len(rig.target.shots) == 1

    async def test_at_most_once_is_retried_limited_and_dead_lettered_as_any_other(self, rig: Rig) -> None:
        async def refuse(shot: Shot) -> Outcome:
            raise Retryable("away")

        rig.target.answer = refuse
        limit = {"unit": "Second", "requestsPerUnit": 20}
        await rig.start(sensor(trigger("a", atLeastOnce=False, retryStrategy=RETRY, rateLimit=limit)))
        await rig.publish("a1", "a2")
        await rig.until(lambda: len(rig.target.shots) == 6)
        await rig.quiet()
        results = await rig.results("t")
        assert (results.count(RETRYING), results.count(DEAD_LETTERED)) == (4, 2)
        assert RATE_LIMITED in results
        rig.target.answer = rig.target.take
        assert await rig.runner.retry(rig.target.shots[0].firing)
        await rig.until(lambda: len(rig.target.shots) == 7)
        await rig.crash()
        await rig.start()
        await rig.quiet()
        assert len(rig.target.shots) == 7

    async def test_reset_forgets_what_is_held(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resets, "LONGEST", 0.05)  # the clock is set forward while it sleeps
        reset = [{"byTime": {"cron": "* * * * *"}}]
        await rig.start(sensor(trigger("a && b", conditionsReset=reset)))
        await rig.publish("a1")
        await rig.quiet()
        rig.now_ns = lambda: time.time_ns() + 60 * 10**9
        await rig.until(lambda: not rig.runner.memories["s", "t"].held)
        await rig.publish("b1")
        await rig.quiet()
        assert not rig.target.shots
        assert RESET in [one.result for one in await rig.decisions(event_id="a1")]

    async def test_a_reset_that_was_missed_while_down_still_happens(self, rig: Rig) -> None:
        reset = [{"byTime": {"cron": "* * * * *"}}]
        await rig.start(sensor(trigger("a && b", conditionsReset=reset)))
        await rig.publish("a1")
        await rig.quiet()
        await rig.crash()
        rig.now_ns = lambda: time.time_ns() + 120 * 10**9
        await rig.start()
        await rig.publish("b1")
        await rig.quiet()
        assert not rig.target.shots

    async def test_a_new_sensor_starts_with_new_events(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("a", "old"), name="old"))
        await rig.publish("a1")
        await rig.quiet()
        rig.edit(sensor(trigger("a", "old"), name="old"), sensor(trigger("a", "new"), name="new"))
        await rig.until(lambda: "new" in rig.runner.roster.plans)
        await rig.quiet()
        await rig.publish("a2")
        await rig.until(lambda: len(rig.target.seen("old")) == 2)
        await rig.until(lambda: len(rig.target.seen("new")) == 1)
        assert rig.target.seen("new") == [{"a": "a2"}]

    async def test_editing_the_conditions_drops_what_was_held(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("a && b")))
        await rig.publish("a1")
        await rig.quiet()
        rig.edit(sensor(trigger("(a && b) || c"), dependencies="abc"))
        await rig.until(lambda: rig.runner.roster.topics >= {("src", "c")})
        await rig.publish("b1")
        await rig.quiet()
        assert not rig.target.shots
        assert RESET in [one.result for one in await rig.decisions(event_id="a1")]

    async def test_editing_something_else_keeps_what_is_held(self, rig: Rig) -> None:
        await rig.start(sensor(trigger("a && b")))
        await rig.publish("a1")
        await rig.quiet()
        rig.edit(sensor(trigger("a && b", retryStrategy=RETRY), trigger("b", "other")))
        await rig.until(lambda: rig.runner.roster.trigger("s", "other", "trigger") is not None)
        await rig.publish("b1")
        await rig.until(lambda: len(rig.target.shots) == 2)
        assert rig.target.seen("t") == [{"a": "a1", "b": "b1"}]

    async def test_an_event_that_cannot_be_parameterised_is_recorded_and_the_next_goes_on(
        self, rig: Rig
    ) -> None:
        bad = trigger("a")
        bad["parameters"] = [
            {"src": {"dependencyName": "a", "dataKey": "missing"}, "dest": "log.intervalSeconds"}
        ]
        await rig.start(sensor(bad, trigger("a", "fine")))
        await rig.publish("a1", "a2")
        await rig.until(lambda: len(rig.target.seen("fine")) == 2)
        await rig.quiet()
        assert await rig.results("t") == [PARAMETER_ERROR, PARAMETER_ERROR]

    async def test_stopping_ends_what_is_in_hand_and_loses_nothing(self, rig: Rig) -> None:
        async def slow(shot: Shot) -> Outcome:
            await asyncio.sleep(0.05)
            return Outcome()

        rig.target.answer = slow
        await rig.start(sensor(trigger("a")))
        await rig.publish(*(f"a{number}" for number in range(100)))
        await rig.until(lambda: len(rig.target.shots) > 10)
        await rig.stop()
        rig.target.answer = rig.target.take
        await rig.start()
        await rig.until(lambda: len({shot.firing for shot in rig.target.shots}) == 100)
        await rig.quiet()
        fired = await rig.decisions(trigger="t", results=frozenset({FIRED}), limit=1000)
        assert len({one.firing for one in fired}) == 100
