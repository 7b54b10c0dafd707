"""Embedded buses for tests: open ones, and files that hold something."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from events.bus.embedded import EmbeddedBus
from events.testing.bus_harness import events


@asynccontextmanager
async def opened(path: Path, name: str = "default/default", **settings: Any) -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus(path, name, **settings)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.aclose()


async def filled(path: Path, count: int = 200, size: int = 3000) -> None:
    """A bus with events, closed in order: everything is in the file itself."""
    async with opened(path) as bus:
        await bus.publish(events(count, data=os.urandom(size)))
