"""Several processes on one bus: each has its part, a new one gets one, what a dead one had is taken over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest

from events.aio import Group
from events.bus._base import Bus, Cursor
from events.errors import BusUnavailable
from events.observability.metrics import Metrics
from events.runtime.buses import BusUnit
from events.runtime.outage import Outage
from events.runtime.plans import SensorPlan
from events.runtime.remote import Remote
from events.runtime.scripts import Judge
from events.runtime.shard import ShardRunner
from events.runtime.sharing import EDIT, HOLD_OFF, LIST
from events.testing.sensors import Target, event, plan_of, sensor, trigger
from events.testing.shared_bus import SharedBus, SharedLease, SharedLog
from events.testing.virtual import now_ns, run_virtual

SENSORS = [plan_of(sensor(trigger("a", f"t{number}"), name=f"s{number}")) for number in range(24)]
LEASE = 4.0


class Worker:
    """One process: its handle to the bus and the owners of its shards."""

    def __init__(self, log: SharedLog, target: Target) -> None:
        self.bus = SharedBus("default/default", log)
        self.target = target
        self.errors: list[BaseException] = []
        self.tasks = Group(lambda _, error: self.errors.append(error))
        self.unit = BusUnit(self.bus, self.runner, self.tasks, shared=True, lease_ttl=LEASE)

    def runner(self, bus: Bus, shard: int, outage: Outage) -> ShardRunner:
        target, judge = cast(Any, self.target), Judge(Remote())
        return ShardRunner(
            bus, shard, target, Metrics(), judge, outage=outage, lease_ttl=LEASE, now_ns=now_ns
        )

    def start(self, sensors: Sequence[SensorPlan] = SENSORS) -> None:
        self.unit.replace(sensors)
        self.unit.start()

    @property
    def shards(self) -> list[int]:
        return [owner.shard for owner in self.unit.owners if owner.holds]

    async def stop(self) -> None:
        await self.unit.drain(5.0)
        await self.tasks.aclose()
        await self.unit.aclose()

    async def die(self) -> None:
        self.bus.cut_off()
        await self.tasks.aclose()
        await self.unit.aclose()


class Floor:
    """All workers of a test, and the target of them all."""

    def __init__(self) -> None:
        self.log, self.target = SharedLog(clock=now_ns), Target()
        self.workers: list[Worker] = []

    def hire(self, sensors: Sequence[SensorPlan] = SENSORS) -> Worker:
        worker = Worker(self.log, self.target)
        self.workers.append(worker)
        worker.start(sensors)
        return worker

    def parts(self) -> list[int]:
        return sorted(len(worker.shards) for worker in self.workers)

    async def stop(self, worker: Worker) -> None:
        self.workers.remove(worker)
        await worker.stop()

    async def until(self, holds: Callable[[], bool], seconds: float) -> float:
        """Seconds that it took."""
        clock = asyncio.get_running_loop().time
        began = clock()
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.01)
        return clock() - began

    def fired(self) -> dict[str, int]:
        """Firing -> how often."""
        counts: dict[str, int] = {}
        for shot in self.target.shots:
            counts[shot.firing] = counts.get(shot.firing, 0) + 1
        return counts


def scene(body: Callable[[Floor], Awaitable[None]]) -> None:
    async def main() -> None:
        floor = Floor()
        await body(floor)
        for worker in list(floor.workers):
            await floor.stop(worker)
            assert worker.errors == []

    run_virtual(main())


def test_one_alone_has_everything_and_each_one_more_gets_its_part():
    async def body(floor: Floor) -> None:
        floor.hire()
        await floor.until(lambda: floor.parts() == [8], 2)
        floor.hire()
        await floor.until(lambda: floor.parts() == [4, 4], 10)
        floor.hire()
        await floor.until(lambda: floor.parts() == [2, 3, 3], 20)
        for _ in range(6):
            floor.hire()
        await floor.until(lambda: floor.parts() == [0, 1, 1, 1, 1, 1, 1, 1, 1], 60)
        await asyncio.sleep(60)
        assert floor.parts() == [0, 1, 1, 1, 1, 1, 1, 1, 1], "it does not come to rest"
        assert all(worker.unit.health.ready for worker in floor.workers), "one that stands by is ready"
        held = sorted(shard for worker in floor.workers for shard in worker.shards)
        assert held == list(range(8))

    scene(body)


def test_one_that_has_sources_only_leaves_the_shards_to_those_that_have_sensors():
    """It would take them for sensors that were removed."""

    async def body(floor: Floor) -> None:
        floor.hire()
        await floor.until(lambda: floor.parts() == [8], 5)
        other = floor.hire([])
        await floor.until(lambda: other.unit.settled, 5)
        await asyncio.sleep(10)
        assert floor.parts() == [0, 8]
        assert other.unit.health.ready
        await other.unit.intake.publish([event("a1")])
        await floor.until(lambda: len(floor.fired()) == len(SENSORS), 5)
        other.start()
        await floor.until(lambda: floor.parts() == [4, 4], 20)

    scene(body)


def test_processes_whose_sensors_differ_for_long_are_told_once(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)

    def told(text: str) -> int:
        return sum(text in record.getMessage() for record in caplog.records)

    async def body(floor: Floor) -> None:
        floor.hire()
        other = floor.hire(SENSORS[1:])
        floor.hire([])
        await asyncio.sleep(EDIT - 5)
        assert told("other sensors") == 0, "an edit that is on its way"
        await asyncio.sleep(120)
        assert told("other sensors") == 2, "once by each of the two"
        other.start()
        await asyncio.sleep(10)
        assert told("the same sensors again") == 2

    scene(body)


def test_many_that_start_together_share_too():
    async def body(floor: Floor) -> None:
        for _ in range(4):
            floor.hire()
        await floor.until(lambda: floor.parts() == [2, 2, 2, 2], 30)

    scene(body)


def test_one_that_stops_hands_over_at_once():
    async def body(floor: Floor) -> None:
        floor.hire()
        second = floor.hire()
        await floor.until(lambda: floor.parts() == [4, 4], 10)
        await asyncio.sleep(2 * LEASE)
        await floor.stop(second)
        assert await floor.until(lambda: floor.parts() == [8], 10) < 0.5

    scene(body)


def test_one_that_has_lost_its_leases_often_still_waits_for_them_at_once():
    """Paused now and then, for example: that is no failure after which one waits longer each time."""

    async def body(floor: Floor) -> None:
        first, second = floor.hire(), floor.hire()
        await floor.until(lambda: floor.parts() == [4, 4], 10)
        for _ in range(6):
            floor.log.take_away(first.bus)
            await floor.until(lambda: len(second.shards) == 8, 5)
            await floor.until(lambda: floor.parts() == [4, 4], 20)
            await asyncio.sleep(HOLD_OFF)
        floor.log.take_away(first.bus)
        await asyncio.sleep(1)
        await floor.stop(second)
        assert await floor.until(lambda: floor.parts() == [8], 10) < 0.5

    scene(body)


def test_one_that_has_drained_has_given_everything_back(monkeypatch: pytest.MonkeyPatch):
    """What ends the process after that does not get in the way of a release that takes its time."""
    release = SharedLease.release

    async def slowly(lease: SharedLease) -> None:
        await asyncio.sleep(0.3)
        await release(lease)

    async def body(floor: Floor) -> None:
        monkeypatch.setattr(SharedLease, "release", slowly)
        worker = floor.hire()
        await floor.until(lambda: floor.parts() == [8], 5)
        await worker.unit.drain(5.0)
        assert floor.log.holders == {}

    scene(body)


def test_what_a_dead_one_had_is_taken_when_its_lease_ends_and_stays():
    async def body(floor: Floor) -> None:
        first, second = floor.hire(), floor.hire()
        await floor.until(lambda: floor.parts() == [4, 4], 10)
        await asyncio.sleep(2 * LEASE)
        floor.workers.remove(second)
        await second.die()
        assert await floor.until(lambda: floor.parts() == [8], 10) <= LEASE + 0.1
        for _ in range(200):
            await asyncio.sleep(0.1)
            assert len(first.shards) == 8, "given to the dead"

    scene(body)


def test_moving_shards_lose_and_double_nothing():
    async def body(floor: Floor) -> None:
        first = floor.hire()
        await floor.until(lambda: first.unit.settled, 10)
        sent = 0
        moves = [lambda: floor.hire(), lambda: floor.hire(), lambda: floor.stop(floor.workers[0])]
        for move in moves:
            for _ in range(50):
                sent += 1
                await floor.workers[0].bus.publish([event(f"a{sent}")])
                await asyncio.sleep(0.02)
            result = move()
            if asyncio.iscoroutine(result):
                await result
        await floor.until(lambda: len(floor.fired()) == sent * len(SENSORS), 60)
        assert set(floor.fired().values()) == {1}

    scene(body)


def test_what_a_dead_one_had_in_hand_is_done_by_another_under_the_same_id():
    async def body(floor: Floor) -> None:
        first, second = floor.hire(), floor.hire()
        await floor.until(lambda: floor.parts() == [4, 4], 10)
        hang = asyncio.Event()

        async def never(shot: Any) -> Any:
            await hang.wait()

        second.target = Target()
        for owner in second.unit.owners:
            if owner.runner is not None:
                owner.runner.executor = cast(Any, second.target)
        second.target.answer = never
        await first.bus.publish([event("a1")])
        await floor.until(lambda: len(second.target.shots) + len(floor.target.shots) == len(SENSORS), 5)
        begun = {shot.firing for shot in second.target.shots}
        assert begun
        floor.workers.remove(second)
        await second.die()
        await floor.until(lambda: begun <= {shot.firing for shot in floor.target.shots}, LEASE + 1)
        assert set(floor.fired().values()) == {1}
        assert len(floor.fired()) == len(SENSORS)

    scene(body)


def test_one_that_was_cut_off_cannot_write_and_comes_back_as_one_of_many():
    async def body(floor: Floor) -> None:
        first, second = floor.hire(), floor.hire()
        await floor.until(lambda: floor.parts() == [4, 4], 10)
        await asyncio.sleep(2 * LEASE)
        before = dict(floor.log.epochs)
        mine = list(second.shards)
        second.bus.cut_off()
        await floor.until(lambda: len(first.shards) == 8, LEASE + 1)
        assert {name for name in floor.log.epochs if floor.log.epochs[name] > before[name]} == {
            f"shard/{shard}" for shard in mine
        }
        second.bus.heal()
        await floor.until(lambda: floor.parts() == [4, 4] and not set(first.shards) & set(second.shards), 30)
        assert second.errors == []

    scene(body)


def test_sources_are_refused_until_every_sensor_has_its_place_wherever_its_shard_is():
    """Otherwise the next owner of a shard whose first one died at once would begin behind their events."""

    async def body(floor: Floor) -> None:
        stranger = SharedBus("default/default", floor.log)
        await stranger.open()
        held = [await stranger.lease(f"shard/{shard}") for shard in (2, 5)]
        worker = floor.hire()
        await asyncio.sleep(3)
        assert len(worker.shards) == 6
        assert not worker.unit.intake.open
        assert not worker.unit.health.ready
        with pytest.raises(BusUnavailable, match="its sensors do not read yet"):
            await worker.unit.intake.publish([event("a1")])
        for lease in held:
            await lease.release()
        await floor.until(lambda: worker.unit.intake.open, 2)
        await worker.unit.intake.publish([event("a1")])
        await floor.until(lambda: len(floor.fired()) == len(SENSORS), 5)
        await stranger.aclose()

    scene(body)


def test_an_edit_is_done_when_its_new_sensors_have_their_place_wherever_their_shards_are():
    async def body(floor: Floor) -> None:
        first, second = floor.hire(), floor.hire()
        await floor.until(lambda: floor.parts() == [4, 4] and second.unit.intake.open, 15)
        added = [plan_of(sensor(trigger("a", f"new{number}"), name=f"new{number}")) for number in range(8)]
        second.unit.replace([*SENSORS, *added])
        editing = second.tasks.start("edit", second.unit.edited())
        await asyncio.sleep(3)
        assert not editing.done(), "the owners of the other shards do not know them yet"
        first.unit.replace([*SENSORS, *added])
        await floor.until(editing.done, 1)
        await second.unit.intake.publish([event("a1")])
        floor.workers.remove(first)
        await first.die()
        await floor.until(lambda: len(floor.fired()) == len(SENSORS) + len(added), 4 * LEASE)

    scene(body)


def test_an_edit_does_not_wait_for_what_was_there_before_nor_in_an_outage():
    async def body(floor: Floor) -> None:
        worker = floor.hire()
        await floor.until(lambda: worker.unit.intake.open, 2)
        clock = asyncio.get_running_loop().time
        began = clock()
        worker.unit.replace(SENSORS)
        await worker.unit.edited()
        worker.unit.outage.fails("bus", "away")
        worker.unit.replace(SENSORS[:-1])
        await worker.unit.edited()
        assert clock() - began < 0.1
        worker.unit.outage.works("bus")

    scene(body)


def test_a_list_that_cannot_be_read_is_written_anew():
    async def body(floor: Floor) -> None:
        first = floor.hire()
        await floor.until(lambda: floor.parts() == [8], 5)
        await first.bus.publish([], Cursor(LIST, b"\xc1 of another release"))
        floor.hire()
        await floor.until(lambda: floor.parts() == [4, 4], 20)

    scene(body)
