"""What event sources have of a bus: they store through it, and are refused while nobody could read.

Until the sensors that came with a source follow the log, the source is told to come again: a sensor that is
new starts with the events that come after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from events.bus._base import Bus, Cursor, Lease, Stored
from events.errors import BusUnavailable
from events.runtime.outage import Outage

if TYPE_CHECKING:
    from events.event import Event

log = logging.getLogger(__name__)

PUBLISH = "publish"
"""Name of all sources together in an outage."""

CALM = 5.0
"""Seconds without a refusal after which storing counts as working while the bus says so itself."""


class Intake(Protocol):
    """What a source's runner needs of a bus."""

    async def publish(self, events: Sequence[Event], cursor: Cursor | None = None) -> list[Stored]: ...

    async def cursor(self, name: str) -> bytes | None: ...

    async def lease(self, name: str, ttl: float = 15.0) -> Lease: ...


class Gate:
    """The intake of one bus; `open` once its sensors follow. `reason` says why it is closed."""

    def __init__(self, bus: Bus, outage: Outage, lease_ttl: float) -> None:
        self._bus, self._outage, self._ttl = bus, outage, lease_ttl
        self.open = False
        self.reason = "not open yet"
        self._refused_at = 0.0

    async def publish(self, events: Sequence[Event], cursor: Cursor | None = None) -> list[Stored]:
        """Raises what the bus raises, and BusUnavailable while the gate is closed."""
        self._check()
        try:
            stored = await self._bus.publish(events, cursor)
        except BusUnavailable as exc:
            self._refused_at = asyncio.get_running_loop().time()
            self._outage.fails(PUBLISH, exc)
            raise
        if self._outage:
            self._outage.works(PUBLISH)
        return stored

    async def cursor(self, name: str) -> bytes | None:
        self._check()
        return await self._bus.cursor(name)

    async def lease(self, name: str, ttl: float = 0.0) -> Lease:
        self._check()
        return await self._bus.lease(name, ttl or self._ttl)

    def _check(self) -> None:
        if not self.open:
            raise BusUnavailable(f"bus {self._bus.name}: {self.reason}")

    def calm(self) -> None:
        """The bus says that it stores: sources that have nothing to send do not keep an outage going."""
        if self._outage and asyncio.get_running_loop().time() - self._refused_at > CALM:
            self._outage.works(PUBLISH)
