"""The contract of the bus, on the memory engine."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from events.bus._base import Bus
from events.bus.memory import MemoryBus, MemoryLog
from events.bus.retention import Retention
from events.testing.bus import BusContract, Harness

DAY_NS = 86_400 * 10**9


class MemoryHarness(Harness):
    engine = "memory"

    def __init__(self) -> None:
        self.log = MemoryLog(Retention(max_age=86_400), self.now_ns)
        self.late_ns = 0

    def now_ns(self) -> int:
        return time.time_ns() + self.late_ns

    def bus(self, max_bytes: int | None = None) -> Bus:
        self.log.retention = Retention(86_400, max_bytes)
        return MemoryBus("default/default", shards=self.shards, log=self.log, max_event_bytes=1 << 20)

    async def recreate(self) -> None:
        self.log = MemoryLog(clock=self.now_ns)

    async def discard(self, bus: Bus) -> None:
        self.late_ns += 2 * DAY_NS
        self.log.trim()

    @asynccontextmanager
    async def full(self) -> AsyncIterator[None]:
        self.log.trouble = "the store is full"
        yield
        self.log.trouble = ""


class TestMemory(BusContract):
    def harness(self, folder: Path) -> Harness:
        return MemoryHarness()
