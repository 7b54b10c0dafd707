"""Sensors over the memory bus."""

from __future__ import annotations

import pytest

from events.bus.memory import MemoryBus, MemoryLog
from events.testing.sensors import Engine, SensorContract


class TestMemory(SensorContract):
    @pytest.fixture
    def engine(self) -> Engine:
        log = MemoryLog()

        async def open_bus() -> MemoryBus:
            bus = MemoryBus("default/default", log=log)
            await bus.open()
            return bus

        return open_bus
