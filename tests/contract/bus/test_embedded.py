"""The contract of the bus, on the embedded engine, and what only this engine promises."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from events.bus._base import Bus
from events.bus.embedded import EmbeddedBus
from events.bus.retention import Retention
from events.clients.sqlite import wal_of
from events.testing.bus import BusContract, Harness

DAY_NS = 86_400 * 10**9
LARGEST_FILE = 400 << 10


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """A blocking call of the package in the event loop is an error."""
    with blockbuster_ctx(["events.bus", "events.clients"]):
        yield


class EmbeddedHarness(Harness):
    engine = "embedded"

    def __init__(self, folder: Path, durability: str = "power") -> None:
        self.path, self.durability = folder / "bus.db", durability
        self.late_ns = 0

    def now_ns(self) -> int:
        return time.time_ns() + self.late_ns

    def bus(self, max_bytes: int | None = None) -> EmbeddedBus:
        return EmbeddedBus(
            self.path,
            "default/default",
            shards=self.shards,
            durability="power" if self.durability == "power" else "process",
            retention=Retention(86_400, max_bytes),
            max_event_bytes=1 << 20,
            clock=self.now_ns,
        )

    async def crash(self, bus: Bus) -> None:
        """Go on with a copy of the files as they were before the handle was closed: as after kill -9."""
        kept = self.path.with_name("kept")
        kept.mkdir()
        for name in (self.path.name, wal_of(self.path).name):
            shutil.copy(self.path.with_name(name), kept / name)
        await bus.aclose()
        for file in kept.iterdir():
            file.rename(self.path.with_name(file.name))
        kept.rmdir()

    async def recreate(self) -> None:
        self.path.unlink()

    async def discard(self, bus: Bus) -> None:
        """Retention works while something is written, a slice at a time."""
        self.late_ns += 2 * DAY_NS
        for _ in range(3):
            await bus.publish([])
            await (await bus.lease("discard")).release()

    @asynccontextmanager
    async def full(self) -> AsyncIterator[None]:
        """No file of this process can grow beyond a size: writing fails as on a full disk."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestEmbedded(BusContract):
    def harness(self, folder: Path) -> Harness:
        return EmbeddedHarness(folder)


class TestEmbeddedProcess(BusContract):
    examples = 10

    def harness(self, folder: Path) -> Harness:
        return EmbeddedHarness(folder, durability="process")
