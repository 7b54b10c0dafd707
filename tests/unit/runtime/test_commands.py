"""Dead letters sent again by order of another process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from events.bus.memory import MemoryBus, MemoryLog
from events.errors import NotThere, Permanent
from events.event import FIRED, Event, Outcome
from events.runtime import commands
from events.runtime.commands import Retry
from events.testing.sensors import Rig, Shot, sensor, trigger
from events.testing.virtual import now_ns, run_virtual


async def broken(_: Shot) -> Outcome:
    raise Permanent("broken")


def scene(body: Callable[[Rig, MemoryLog], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands.time, "time_ns", now_ns)

    async def main() -> None:
        log = MemoryLog(clock=now_ns)

        async def engine() -> MemoryBus:
            bus = MemoryBus(log=log)
            await bus.open()
            return bus

        rig = Rig(engine, now_ns)
        rig.target.answer = broken
        await rig.start(sensor(trigger("a")))
        await rig.publish("a1")
        await rig.until(lambda: len(rig.target.shots) == 1)
        await rig.quiet()
        await body(rig, log)
        await rig.tasks.aclose()
        await rig.bus.aclose()

    run_virtual(main())


def test_an_order_is_carried_out_and_answered(monkeypatch: pytest.MonkeyPatch):
    async def body(rig: Rig, _: MemoryLog) -> None:
        rig.target.answer = rig.target.take
        firing = rig.target.shots[0].firing
        assert await commands.retry(rig.bus, Retry(0, firing))
        assert [shot.firing for shot in rig.target.shots] == [firing, firing]
        assert (await rig.results("t"))[-1] == FIRED
        with pytest.raises(NotThere, match=f"there is no dead letter {firing}"):
            await commands.retry(rig.bus, Retry(0, firing))

    scene(body, monkeypatch)


def test_one_that_fails_again_is_answered_too(monkeypatch: pytest.MonkeyPatch):
    async def body(rig: Rig, _: MemoryLog) -> None:
        assert await commands.retry(rig.bus, Retry(0, rig.target.shots[0].firing, render=True))
        assert len(rig.target.shots) == 2
        assert (await rig.results("t")).count("dead_lettered") == 2

    scene(body, monkeypatch)


def test_an_order_that_is_refused_says_why(monkeypatch: pytest.MonkeyPatch):
    async def body(rig: Rig, _: MemoryLog) -> None:
        rig.edit(sensor(trigger("a", "other")))
        await rig.until(lambda: rig.runner.settled)
        with pytest.raises(Permanent, match="not sent again: sensor s has no trigger t any more"):
            await commands.retry(rig.bus, Retry(0, rig.target.shots[0].firing))
        assert len(rig.target.shots) == 1

    scene(body, monkeypatch)


def test_an_order_that_nobody_reads_waits_on_the_bus_for_the_next_owner(monkeypatch: pytest.MonkeyPatch):
    async def body(rig: Rig, log: MemoryLog) -> None:
        firing = rig.target.shots[0].firing
        await rig.crash()
        away = MemoryBus(log=log)
        await away.open()
        assert not await commands.retry(away, Retry(0, firing))
        await away.aclose()
        rig.target.answer = rig.target.take
        await rig.start()
        await rig.until(lambda: len(rig.target.shots) == 2)
        assert rig.target.shots[1].firing == firing

    scene(body, monkeypatch)


def test_orders_for_other_shards_and_nonsense_are_passed_over(monkeypatch: pytest.MonkeyPatch):
    async def body(rig: Rig, _: MemoryLog) -> None:
        firing = rig.target.shots[0].firing
        nonsense = Event("x", *commands.TOPIC, "command", None, b"[1")
        await rig.bus.publish([commands.event_of(Retry(5, firing)), nonsense])
        await rig.quiet()
        await asyncio.sleep(1)
        assert len(rig.target.shots) == 1
        assert rig.runner.progress.mark() == await rig.bus.head()

    scene(body, monkeypatch)


def test_an_order_that_was_in_hand_at_a_crash_is_carried_out_once(monkeypatch: pytest.MonkeyPatch):
    async def body(rig: Rig, _: MemoryLog) -> None:
        rig.target.answer = rig.target.take
        firing = rig.target.shots[0].firing
        await rig.bus.publish([commands.event_of(Retry(0, firing))])
        await rig.until(lambda: len(rig.target.shots) == 2)
        await rig.crash()
        await rig.start()
        await asyncio.sleep(5)
        assert {shot.firing for shot in rig.target.shots} == {firing}
        assert rig.runner.progress.mark() == await rig.bus.head()

    scene(body, monkeypatch)
