"""Killed at some of its steps over the embedded bus: those of the memory bus's suite, in real time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from events.bus.embedded import EmbeddedBus
from events.testing.sensor_crash import Kill, survive
from events.testing.sensors import Engine


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    async def open_bus() -> EmbeddedBus:
        bus = EmbeddedBus(tmp_path / "bus.sqlite", "default/default", durability="process")
        await bus.open()
        return bus

    return open_bus


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", [2, 5, 8, 11, 14, 17, 20, 24])
async def test_an_owner_killed_at_a_step_loses_and_doubles_nothing(engine: Engine, step: int, after: bool):
    await survive(engine, time.time_ns, Kill(step, after))
