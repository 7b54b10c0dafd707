"""Killed at every single step over the memory bus, in virtual time."""

from __future__ import annotations

import pytest

from events.bus.memory import MemoryBus, MemoryLog
from events.testing.sensor_crash import Kill, survive
from events.testing.sensors import Engine
from events.testing.virtual import now_ns, run_virtual


def engine() -> Engine:
    log = MemoryLog(clock=now_ns)

    async def open_bus() -> MemoryBus:
        bus = MemoryBus("default/default", log=log)
        await bus.open()
        return bus

    return open_bus


def steps() -> int:
    return run_virtual(survive(engine(), now_ns, None))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("after", [False, True])
def test_an_owner_killed_at_any_step_loses_and_doubles_nothing(after: bool):
    count = steps()
    assert count > 20
    for step in range(1, count + 1):
        run_virtual(survive(engine(), now_ns, Kill(step, after)))
