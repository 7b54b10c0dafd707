"""The owner of a shard is killed at every step that it takes at its bus: nothing is lost, nothing doubled.

A `Fragile` bus stands between the owner and the engine and counts what is asked of it. At the chosen step,
before or after the engine did it, time ends for the owner: no call returns any more, then it is cancelled and
a new one starts on the same log. Senders do what senders do: they repeat what was not acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, cast

from events.aio import Group
from events.bus._base import Bus, DecisionQuery
from events.errors import Permanent, Retryable
from events.event import DLQ_ROLE, FINAL, Decision, Outcome
from events.runtime.records import Parked, decode, parked_key
from events.testing.sensors import RETRY, Engine, Rig, Shot, event, plan_of, sensor, trigger

STEPS = ("publish", "commit", "blob", "load", "read", "head", "lease")
"""What counts as a step."""


class Killed(Exception):
    """Time has ended for the owner."""


class Kill(NamedTuple):
    """At the step of that number (from 1); `after` the engine did it, or before."""

    step: int
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} step {self.step}"


class Fragile:
    """A bus that dies at a step."""

    def __init__(self, bus: Bus, kill: Kill | None) -> None:
        self.bus, self._kill = bus, kill
        self.steps = 0
        self.dead = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.bus, name)
        return self._fragile(found) if name in STEPS else found

    def _fragile(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def step(*given: Any, **named: Any) -> Any:
            self.steps += 1
            if self.dead.is_set() or self._kill == Kill(self.steps, after=False):
                await self._end()
            after = self._kill == Kill(self.steps, after=True)
            result = await call(*given, **named)
            if after or self.dead.is_set():
                await self._end()
            return result

        return step

    async def _end(self) -> None:
        self.dead.set()
        await asyncio.Event().wait()


RESCUE = {"template": {"name": "rescue", "log": {}}, "atLeastOnce": True}
SCENE = sensor(
    trigger("a", "single"),
    trigger("a || b", "either"),
    trigger("a && b", "both"),
    trigger("(a && b) || c", "nested"),
    trigger("b", "flaky", retryStrategy=RETRY),
    trigger("a && c", "flakyand", retryStrategy=RETRY),
    trigger("c", "limited", rateLimit={"unit": "Second", "requestsPerUnit": 50}),
    trigger("b", "broken", atLeastOnce=True, dlqTrigger=RESCUE),
    trigger("a", "ordered", atLeastOnce=True, retryStrategy=RETRY),
    trigger("b", "once", atLeastOnce=False),
    trigger("a && b", "onceand", atLeastOnce=False),
    trigger("c", "onceflaky", atLeastOnce=False, retryStrategy=RETRY),
    trigger("b", "oncelimited", atLeastOnce=False, rateLimit={"unit": "Second", "requestsPerUnit": 50}),
    trigger("a", "oncebroken", atLeastOnce=False, retryStrategy=RETRY),
    dependencies="abc",
)  # fmt: skip
EDITED = sensor(
    *SCENE["spec"]["triggers"][:4],
    trigger("b", "flaky", retryStrategy={**RETRY, "steps": 4}),
    *SCENE["spec"]["triggers"][5:],
    dependencies="abc",
)
FIRST, SECOND, THIRD = ("a1", "c1", "b1", "a2"), ("b2", "c2", "a3"), ("b3", "b4", "a4", "c3")

EXPECTED: dict[str, list[dict[str, str]]] = {
    "single": [{"a": f"a{n}"} for n in range(1, 5)],
    "either": [{kind: f"{kind}{n}"} for kind in "ab" for n in range(1, 5)],
    "both": [{"a": f"a{n}", "b": f"b{n}"} for n in range(1, 5)],
    "nested": [
        {"a": "a1", "c": "c1"}, {"b": "b1", "a": "a2"}, {"b": "b2", "c": "c2"}, {"a": "a3", "b": "b3"},
        {"b": "b4", "a": "a4"}, {"c": "c3"},
    ],
    "flaky": [{"b": f"b{n}"} for n in range(1, 5)],
    "flakyand": [{"a": "a1", "c": "c1"}, {"a": "a2", "c": "c2"}, {"a": "a4", "c": "c3"}],
    "limited": [{"c": f"c{n}"} for n in range(1, 4)],
    "rescue": [{"b": f"b{n}"} for n in range(1, 5)],
    "ordered": [{"a": f"a{n}"} for n in range(1, 5)],
    "once": [{"b": f"b{n}"} for n in range(1, 5)],
    "onceand": [{"a": f"a{n}", "b": f"b{n}"} for n in range(1, 5)],
    "onceflaky": [{"c": f"c{n}"} for n in range(1, 4)],
    "oncelimited": [{"b": f"b{n}"} for n in range(1, 5)],
}  # fmt: skip
"""What has to have been done in the end, in the order of the log."""

ONCE = frozenset({"once", "onceand", "onceflaky", "oncelimited"})
"""At most once: what was in hand at a death may be lost, and is never sent again."""

FAILS_FIRST = frozenset({"flaky", "flakyand", "ordered", "onceflaky"})
BROKEN = frozenset({"broken", "oncebroken"})


class CrashRig(Rig):
    """A rig whose owner may die; knows what was done, and what was recorded at each death.

    Some firings take so long that the mark stays behind what is recorded: then much is read again.
    """

    def __init__(self, engine: Engine, now_ns: Callable[[], int]) -> None:
        super().__init__(engine, now_ns)
        self.done: dict[str, list[Shot]] = {}
        self.doubles: list[Shot] = []
        """Started again by the owner that had done them."""
        self.recorded: dict[str, int] = {}
        """Firing with a final decision at a death -> attempts so far."""
        self.target.answer = self.answer
        self.life: set[str] = set()
        """Firings that ended in this life: done, or refused for good."""

    async def answer(self, shot: Shot) -> Outcome:
        attempts = sum(one.firing == shot.firing for one in self.target.shots)
        slow = shot.trigger == "either" and shot.events in ({"b": "b1"}, {"b": "b2"})
        await asyncio.sleep(0.35 if slow else 0.001)
        if shot.firing in self.life:
            self.doubles.append(shot)
        if shot.trigger in FAILS_FIRST and attempts == 1:
            raise Retryable("the first time")
        self.life.add(shot.firing)
        if shot.trigger in BROKEN and shot.role != DLQ_ROLE:
            raise Permanent("broken for good")
        self.done.setdefault(shot.trigger, []).append(shot)
        return Outcome()

    async def boot(self, plan: dict[str, Any], kill: Kill | None = None) -> None:
        """A new owner; it may die while it starts."""
        self.fragile = Fragile(await self.engine(), kill)
        self.bus = cast("Bus", self.fragile)
        self.life = set()
        self.tasks = Group(lambda _, error: self._failures.append(error))
        self.runner = self._runner()
        self.plans = [plan_of(plan)]
        self.runner.replace(self.plans)
        self.task = self.tasks.start("shard", self.runner.run())

    async def while_alive(self, work: Awaitable[None]) -> None:
        """Raises Killed when the owner dies meanwhile."""
        doing = self.tasks.start("step", as_coroutine(work))
        dead = self.tasks.start("death", as_coroutine(self.fragile.dead.wait()))
        await asyncio.wait([doing, dead], return_when=asyncio.FIRST_COMPLETED)
        if self.fragile.dead.is_set():
            raise Killed
        dead.cancel()
        await doing

    async def die(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.tasks.aclose()
        query = DecisionQuery(results=frozenset(FINAL), limit=10_000)
        for decision in await self.fragile.bus.find_decisions(query):
            self.recorded[decision.firing or ""] = self.attempts(decision.firing)
        await self.fragile.bus.aclose()

    def attempts(self, firing: str | None) -> int:
        return sum(shot.firing == firing for shot in self.target.shots)

    async def following(self) -> None:
        await self.until(lambda: self.runner.settled, 60.0)

    async def all_done(self, expected: dict[str, list[dict[str, str]]]) -> None:
        """Everything that has to be done is done, read and recorded."""
        await self.until(
            lambda: all(
                self.events(name) >= events_of(wanted)
                for name, wanted in expected.items()
                if name not in ONCE
            ),
            60.0,
        )
        await self.quiet()
        idle = False
        while not idle:
            await self.until(lambda: not self.busy, 60.0)
            await self.runner.recorder.flush()
            idle = not self.busy  # what is stored now may have been waited for

    @property
    def busy(self) -> bool:
        """Whether a firing runs or waits: not all of them are expected to be done."""
        return any(lane.running or lane.waiting for lane in self.runner.lanes.values())

    def events(self, name: str) -> set[frozenset[tuple[str, str]]]:
        return events_of([shot.events for shot in self.done.get(name, [])])


async def as_coroutine(work: Awaitable[Any]) -> Any:
    return await work


def events_of(chosen: Sequence[dict[str, str]]) -> set[frozenset[tuple[str, str]]]:
    return {frozenset(events.items()) for events in chosen}


async def play(engine: Engine, now_ns: Callable[[], int], kill: Kill | None) -> tuple[CrashRig, int]:
    """The scenario, with one death. Returns the rig after the end, and the steps of the longest life."""
    rig = CrashRig(engine, now_ns)
    script: list[Callable[[], Awaitable[None]]] = [
        rig.following,
        lambda: rig.publish(*FIRST),
        rig.quiet,
        lambda: asyncio.sleep(0.25),
        lambda: rig.publish(*SECOND),
        lambda: rig.all_done(first_part()),
        lambda: edit(rig),
        lambda: rig.publish(*THIRD),
        lambda: rig.all_done(EXPECTED),
    ]
    scene, steps = SCENE, 0
    await rig.boot(scene, kill)
    while script:
        try:
            await rig.while_alive(script[0]())
        except Killed:
            steps = rig.fragile.steps
            await rig.die()
            await rig.boot(EDITED if len(script) <= 3 else SCENE)
            await rig.following()
            continue
        script.pop(0)
    return rig, max(steps, rig.fragile.steps)


def first_part() -> dict[str, list[dict[str, str]]]:
    """What is done before the edit."""
    later = set(THIRD)
    return {
        name: [one for one in wanted if not later & set(one.values())] for name, wanted in EXPECTED.items()
    }


async def edit(rig: CrashRig) -> None:
    rig.plans = [plan_of(EDITED)]
    rig.runner.replace(rig.plans)
    await rig.following()


async def check(rig: CrashRig) -> None:
    """What holds after every death."""
    assert not rig.doubles, "done twice by one owner"
    for name, wanted in EXPECTED.items():
        done = rig.done.get(name, [])
        events = rig.events(name)
        if name in ONCE:
            check_once(rig, name, wanted)
        else:
            assert events == events_of(wanted), f"{name}: lost or made up"
        assert len({shot.firing for shot in done}) == len(events), f"{name}: ids are not stable"
    retried = {shot.firing for shot in rig.target.shots if shot.trigger == "onceflaky"}
    for firing, attempts in rig.recorded.items():
        assert firing in retried or rig.attempts(firing) == attempts, "recorded as done, and started again"
    ordered = list(dict.fromkeys(shot.events["a"] for shot in rig.done["ordered"]))
    assert ordered == [one["a"] for one in EXPECTED["ordered"]], "out of order"
    await check_store(rig)


def check_once(rig: CrashRig, name: str, wanted: list[dict[str, str]]) -> None:
    """At most once: no attempt is repeated, except after one that is known to have failed."""
    done, events = rig.done.get(name, []), rig.events(name)
    assert len(done) == len(events), f"{name}: done twice"
    assert events <= events_of(wanted), f"{name}: made up"
    assert rig.recorded or events == events_of(wanted), f"{name}: lost without a death"
    most = 2 if name in FAILS_FIRST else 1
    assert all(rig.attempts(shot.firing) <= most for shot in rig.target.shots if shot.trigger == name)


async def check_store(rig: CrashRig) -> None:
    """Only the dead letters are left, and what conditions hold can be read back."""
    state = await rig.bus.load(0)
    assert state.mark == await rig.bus.head(), "the mark stands still"
    found = {
        key: decode(value, Parked, key) for key, value in state.records.items() if key.startswith("parked/")
    }
    parked = set(found)
    dead = {shot.firing for shot in rig.target.shots if shot.trigger == "broken"}
    maybe = {shot.firing for shot in rig.target.shots if shot.trigger == "oncebroken"}
    assert all(rig.attempts(firing) == 1 for firing in maybe), "at most once was tried twice"
    left = parked - {parked_key(firing) for firing in maybe}
    assert left == {parked_key(firing) for firing in dead}, found
    assert rig.recorded or parked >= {parked_key(firing) for firing in maybe}, "a dead letter is lost"
    for memory in rig.runner.memories.values():
        for held in memory.held.values():
            assert await rig.bus.blob(0, held.blob) is not None
    decisions = await rig.bus.find_decisions(DecisionQuery(results=frozenset(FINAL), limit=10_000))
    assert {d.firing for d in decisions} >= {s.firing for shots in rig.done.values() for s in shots}
    assert sorted(finals(decisions, "broken")) == sorted(dead)


def finals(decisions: Sequence[Decision], name: str) -> list[str]:
    return [one.firing or "" for one in decisions if one.trigger == name]


async def end(rig: CrashRig) -> None:
    await rig.runner.drain(5.0)
    await asyncio.wait([rig.task])
    await rig.tasks.aclose()
    await rig.fragile.bus.aclose()


async def survive(engine: Engine, now_ns: Callable[[], int], kill: Kill | None) -> int:
    """Play, check, end; how many steps there were."""
    rig, steps = await play(engine, now_ns, kill)
    try:
        await check(rig)
    except AssertionError as exc:
        raise AssertionError(f"killed {kill}: {exc}") from exc
    finally:
        await end(rig)
    return steps


__all__ = ["Fragile", "Kill", "event", "survive"]
