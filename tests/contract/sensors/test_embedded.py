"""Sensors over the embedded bus."""

from __future__ import annotations

from pathlib import Path

import pytest

from events.bus.embedded import EmbeddedBus
from events.testing.sensors import Engine, SensorContract


class TestEmbedded(SensorContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        async def open_bus() -> EmbeddedBus:
            bus = EmbeddedBus(tmp_path / "bus.sqlite", "default/default")
            await bus.open()
            return bus

        return open_bus
