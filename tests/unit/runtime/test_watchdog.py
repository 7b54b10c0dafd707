"""A reader that falls silent although there is something to read. Memory bus, virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import pytest

from events.bus._base import Batch, Bus, Health, Mark, Reader, Topic
from events.bus.memory import MemoryBus, MemoryLog
from events.errors import BusUnavailable
from events.event import Outcome
from events.runtime.buses import BusUnit
from events.runtime.outage import Outage
from events.runtime.remote import Remote
from events.runtime.scripts import Judge
from events.runtime.shard import ShardRunner
from events.testing.sensors import Rig, Shot, sensor, trigger
from events.testing.virtual import now_ns, run_virtual


class DeafReader:
    """Hands on what the engine gives while its bus is not deaf."""

    def __init__(self, bus: DeafBus, reader: Reader) -> None:
        self._bus, self._reader, self._end = bus, reader, asyncio.Event()
        self._deaf = bus.deaf

    async def next(self) -> Batch:
        while not (self._deaf or self._bus.black_hole):
            batch = await self._reader.next()
            if not self._bus.deaf:
                return batch
            self._deaf = True
        await self._end.wait()
        raise StopAsyncIteration

    async def lag(self) -> int:
        if self._bus.black_hole:
            await asyncio.Event().wait()
        if self._bus.no_answer:
            raise BusUnavailable("no answer")
        return self._bus.real.log.head - self._bus.seen

    async def aclose(self) -> None:
        self._end.set()
        await self._reader.aclose()


class DeafBus:
    """A memory bus whose readers can fall silent: those there are, or new ones too."""

    def __init__(self, real: MemoryBus) -> None:
        self.real, self.seen, self.opened = real, 0, 0
        self.deaf = self.black_hole = self.no_answer = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def read(self, topics: Iterable[Topic], after: Mark) -> DeafReader:
        self.opened += 1
        self.seen = after.offsets.get(0, 0)
        return DeafReader(self, await self.real.read(topics, after))


def scene(body: Callable[[Rig, DeafBus], Awaitable[None]]) -> None:
    async def main() -> None:
        real = MemoryBus(log=MemoryLog(clock=now_ns))
        await real.open()
        bus = DeafBus(real)

        async def engine() -> Bus:
            return cast("Bus", bus)

        rig = Rig(engine, now_ns)
        await rig.start(sensor(trigger("a")))
        await body(rig, bus)
        await rig.tasks.aclose()

    run_virtual(main())


def restarts(rig: Rig) -> int:
    for line in rig.metrics.page().decode().splitlines():
        if line.startswith('events_bus_subscription_restarts_total{bus="default/default"}'):
            return int(float(line.rpartition(" ")[2]))
    return 0


async def fall_silent(rig: Rig, bus: DeafBus) -> None:
    """The reader is deaf; there is an event that it does not hand out."""
    bus.deaf = True
    await rig.publish("a1")
    await asyncio.sleep(0.1)


def test_a_silent_reader_is_made_anew_at_its_place_and_counted():
    async def body(rig: Rig, bus: DeafBus) -> None:
        await fall_silent(rig, bus)
        bus.deaf = False  # a new reader hears
        assert not rig.target.shots
        await rig.until(lambda: len(rig.target.shots) == 1, 40)
        assert rig.target.seen("t") == [{"a": "a1"}]
        assert restarts(rig) == 1

    scene(body)


def owned(rig: Rig, bus: DeafBus) -> BusUnit:
    """The same bus with an owner that keeps the shard running."""

    def make(_: Bus, shard: int, outage: Outage) -> ShardRunner:
        executor, judge = cast(Any, rig.target), Judge(Remote())
        return ShardRunner(
            cast("Bus", bus), shard, executor, rig.metrics, judge, outage=outage, now_ns=now_ns
        )

    unit = BusUnit(cast("Bus", bus), make, rig.tasks)
    unit.replace(rig.plans)
    return unit


def test_one_that_stays_silent_is_not_healthy_until_it_hears(caplog: pytest.LogCaptureFixture):
    caplog.set_level("WARNING", logger="events")

    async def body(rig: Rig, bus: DeafBus) -> None:
        rig.task.cancel()
        unit = owned(rig, bus)
        unit.start()
        await asyncio.sleep(1)
        assert unit.health.ready
        await fall_silent(rig, bus)
        await asyncio.sleep(60)
        assert restarts(rig) == 2
        for _ in range(100):
            await asyncio.sleep(2)
            assert unit.health == Health(False, "shard 0 reads nothing although the bus holds 1 more")
        bus.deaf = False
        await rig.until(lambda: len(rig.target.shots) == 1, 60)
        await asyncio.sleep(10)
        assert unit.health.ready
        outages = [record for record in caplog.records if record.name == "events.runtime.outage"]
        assert len(outages) == 1, "told once"

    scene(body)


@pytest.mark.parametrize("fault", ["black_hole", "no_answer"])
def test_no_answer_is_no_proof(fault: str):
    async def body(rig: Rig, bus: DeafBus) -> None:
        rig.task.cancel()
        unit = owned(rig, bus)
        unit.start()
        await asyncio.sleep(1)
        setattr(bus, fault, True)
        await asyncio.sleep(80)
        reason = "shard 0 reads nothing although the bus does not say whether there is something"
        assert unit.health == Health(False, reason)
        setattr(bus, fault, False)
        await asyncio.sleep(60)
        assert unit.health.ready

    scene(body)


def test_silence_with_nothing_to_read_is_fine():
    async def body(rig: Rig, bus: DeafBus) -> None:
        await rig.publish("a1")
        await rig.quiet()
        bus.seen = bus.real.log.head
        await asyncio.sleep(600)
        assert (bus.opened, restarts(rig)) == (1, 0)

    scene(body)


def test_an_owner_that_is_busy_is_not_deaf():
    """It does not read because much waits to be recorded: that is no fault of the reader."""

    async def body(rig: Rig, bus: DeafBus) -> None:
        async def slow(_: Shot) -> Outcome:
            return Outcome()

        rig.target.answer = slow
        bus.real.log.trouble = "disk full"
        rig.runner.recorder._room.clear()
        await asyncio.sleep(0)
        bus.real.log.trouble = ""
        await rig.publish("a1")
        bus.real.log.trouble = "disk full"
        await rig.until(lambda: not rig.runner.listens, 10)
        await asyncio.sleep(100)
        assert restarts(rig) == 0

    scene(body)
