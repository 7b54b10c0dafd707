"""Random lives of a shard beside an obvious model: publish, edit, crash, time, a target that fails.

What the model says has to have been done in the end, under one id each, and nothing else; what was recorded
as done is not started again. Memory bus, virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from events.bus._base import DecisionQuery
from events.bus.memory import MemoryBus, MemoryLog
from events.errors import Permanent, Retryable
from events.event import FINAL, Outcome
from events.lang.condition import compile_condition
from events.runtime.records import parked_key
from events.testing.sensors import Rig, Shot, sensor, trigger
from events.testing.virtual import now_ns, run_virtual

CONDITIONS = {"one": "a", "or": "a || b", "and": "a && b", "nested": "(a && b) || c", "all": "a && b && c"}
RETRY = {"duration": "1s", "factor": 1, "jitter": 0, "steps": 1_000_000}

Chosen = frozenset[tuple[str, str]]
Move = tuple[str, Any]

moves = st.one_of(
    st.tuples(st.just("publish"), st.lists(st.sampled_from("abc"), min_size=1, max_size=5)),
    st.tuples(st.just("crash"), st.sampled_from([0.0, 0.003, 0.05, 0.2])),
    st.tuples(st.just("stop"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.001, 0.05, 0.11, 2.0, 15.0])),
    st.tuples(st.just("target"), st.sampled_from(["fine", "slow", "mixed", "hangs", "fails", "refuses"])),
    st.tuples(st.just("edit"), st.sampled_from([1, 2, 64])),
    st.tuples(st.just("trouble"), st.booleans()),
)


class Model:
    """What has to be done, computed from the events in the order of the log and nothing else."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, str]] = {name: {} for name in CONDITIONS}
        self.fired: dict[str, list[Chosen]] = {name: [] for name in CONDITIONS}
        self.conditions = {name: compile_condition(text, "abc") for name, text in CONDITIONS.items()}

    def publish(self, name: str) -> None:
        for trigger_name, condition in self.conditions.items():
            if name[0] not in condition.names:
                continue
            held = self.held[trigger_name]
            held[name[0]] = name
            if condition.true_for(held):
                self.fired[trigger_name].append(frozenset(held.items()))
                held.clear()


class Life:
    """The shard, its target, and the model."""

    def __init__(self) -> None:
        self.log = MemoryLog(clock=now_ns)
        self.rig = Rig(self.open, now_ns)
        self.rig.target.answer = self.answer
        self.model = Model()
        self.mode, self.turn, self.in_flight = "fine", 64, 1
        self.numbers = dict.fromkeys("abc", 0)
        self.recorded: dict[str, int] = {}
        self.running: set[str] = set()

    async def open(self) -> MemoryBus:
        bus = MemoryBus("default/default", log=self.log)
        await bus.open()
        return bus

    async def answer(self, shot: Shot) -> Outcome:
        assert shot.firing not in self.running, "twice at the same time"
        self.running.add(shot.firing)
        try:
            return await self.act(self.mode, shot)
        finally:
            self.running.discard(shot.firing)

    async def act(self, mode: str, shot: Shot) -> Outcome:
        if mode == "slow" or (mode == "mixed" and shot.trigger == "one"):
            await asyncio.sleep(3.0)
        elif mode == "hangs":
            while self.mode == "hangs":
                await asyncio.sleep(0.5)
        elif mode == "fails":
            raise Retryable("away")
        elif mode == "refuses":
            raise Permanent("no")
        return Outcome()

    def manifest(self) -> dict[str, Any]:
        strategy = {**RETRY, "steps": RETRY["steps"] + self.turn}
        triggers = [
            trigger(text, name, retryStrategy=strategy, maxInFlight=self.in_flight)
            for name, text in CONDITIONS.items()
        ]
        return sensor(*triggers, dependencies="abc")

    async def start(self) -> None:
        await self.rig.start(self.manifest())

    async def move(self, what: str, how: Any) -> None:
        await getattr(self, f"do_{what}")(how)

    async def do_publish(self, kinds: list[str]) -> None:
        if self.log.trouble:
            return
        names = []
        for kind in kinds:
            self.numbers[kind] += 1
            names.append(f"{kind}{self.numbers[kind]}")
        await self.rig.publish(*names)
        for name in names:
            self.model.publish(name)

    async def do_wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def do_target(self, mode: str) -> None:
        self.mode = mode

    async def do_trouble(self, on: bool) -> None:
        self.log.trouble = "disk full" if on else ""

    async def do_edit(self, in_flight: int) -> None:
        self.turn, self.in_flight = self.turn + 1, in_flight
        self.rig.edit(self.manifest())

    async def do_crash(self, after: float) -> None:
        await asyncio.sleep(after)
        await self.rig.crash()
        await self.note_recorded()
        await self.again()

    async def do_stop(self, _: None) -> None:
        self.log.trouble, self.mode = "", "fine" if self.mode == "hangs" else self.mode
        await self.rig.stop()
        await self.note_recorded()
        await self.again()

    async def again(self) -> None:
        self.log.trouble = ""
        self.running.clear()
        await self.start()

    async def note_recorded(self) -> None:
        bus = await self.open()
        for one in await bus.find_decisions(DecisionQuery(results=frozenset(FINAL), limit=100_000)):
            self.recorded[one.firing or ""] = self.attempts(one.firing or "")
        await bus.aclose()

    def attempts(self, firing: str) -> int:
        return sum(shot.firing == firing for shot in self.rig.target.shots)

    async def settle(self) -> None:
        """The world is fine again, and there is time."""
        self.mode, self.log.trouble = "fine", ""
        rig = self.rig
        await self.until(lambda: rig.runner.settled)
        head = await rig.bus.head()
        await self.until(
            lambda: (
                rig.runner.progress.passed(head)
                and not any(lane.running or lane.waiting for lane in rig.runner.lanes.values())
                and set(self.wanted()) <= self.ended()
            )
        )
        await rig.runner.recorder.flush()
        assert not rig._failures

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(600):
            while not holds():
                await asyncio.sleep(0.25)

    def wanted(self) -> list[tuple[str, Chosen]]:
        return [(name, chosen) for name, fired in self.model.fired.items() for chosen in fired]

    def ended(self) -> set[tuple[str, Chosen]]:
        return {(shot.trigger, frozenset(shot.events.items())) for shot in self.rig.target.shots}

    async def check(self) -> None:
        shots = self.rig.target.shots
        assert sorted(self.wanted(), key=str) == sorted(self.ended(), key=str)
        ids = {(shot.trigger, frozenset(shot.events.items()), shot.firing) for shot in shots}
        assert len(ids) == len(self.wanted()), "ids are not stable"
        for firing, attempts in self.recorded.items():
            assert self.attempts(firing) == attempts, "recorded as done, and started again"
        await self.check_records()

    async def check_records(self) -> None:
        state = await self.rig.bus.load(0)
        assert state.mark == await self.rig.bus.head()
        final = await self.rig.decisions(results=frozenset(FINAL), limit=100_000)
        assert {one.firing for one in final} == {shot.firing for shot in self.rig.target.shots}
        dead = {parked_key(one.firing or "") for one in final if one.result != "fired"}
        assert {key for key in state.records if key.startswith("parked/")} == dead
        memories = self.rig.runner.memories
        for name, held in self.model.held.items():
            kept = memories["s", name].held if ("s", name) in memories else {}
            assert {dependency: one.event.id for dependency, one in kept.items()} == held


async def live(played: list[Move]) -> None:
    life = Life()
    await life.start()
    for what, how in played:
        await life.move(what, how)
    await life.settle()
    await life.check()
    await life.rig.crash()


@settings(max_examples=60)
@given(st.lists(moves, max_size=14))
def test_any_life_does_what_the_model_says(played: list[Move]):
    run_virtual(live(played))
