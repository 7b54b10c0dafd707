"""Killed at some of its steps over the embedded bus: those of the memory bus's suite, in real time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from events.bus.embedded import EmbeddedBus
from events.testing.sensor_crash import Kill, survive
from events.testing.sensors import Engine

STEPS = (2, 5, 8, 11, 14, 17, 20, 24)


def engine(file: Path) -> Engine:
    async def open_bus() -> EmbeddedBus:
        bus = EmbeddedBus(file, "default/default", durability="process")
        await bus.open()
        return bus

    return open_bus


@pytest.mark.parametrize("after", [False, True])
async def test_an_owner_killed_at_a_step_loses_and_doubles_nothing(tmp_path: Path, after: bool):
    """One owner for each step, each with a store of its own: they wait most of the time, and so together."""
    async with asyncio.TaskGroup() as group:
        for step in STEPS:
            own = engine(tmp_path / f"{step}.sqlite")
            group.create_task(survive(own, time.time_ns, Kill(step, after)))
