"""A reader that hands out nothing has to prove that there is nothing: nobody is deaf and healthy.

While the owner of a shard waits for its reader, the bus is asked how much it holds that was not handed out.
Something, or no answer, for too long: the reader is closed and a new one begins at the place that was
reached. If that does not help, the bus counts as failing until something is read, or there is nothing to
read; and if it helps no second time, the shard is given up, for another process or a new beginning.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from events.bus._base import Reader
from events.errors import EventsError, Retryable
from events.runtime.outage import Outage

LOOK = 5.0
"""Seconds between looks."""

CALL = 5.0
"""Seconds for one answer."""

STUCK = 20.0
"""Seconds of silence that are not explained after which the reader is restarted."""


HELPFUL = 2
"""New readers in a row after which the shard is given up."""


class Watched(Protocol):
    """What is watched of a shard's owner."""

    shard: int
    heard: int
    """How many batches came."""
    listens: bool
    """Whether the reader is waited for now."""

    @property
    def reader(self) -> Reader | None: ...

    def restart_reader(self, reason: str) -> None: ...


class Watchdog:
    """Watches the reader of one shard."""

    def __init__(self, owner: Watched, outage: Outage) -> None:
        self._owner, self._outage, self._heard = owner, outage, owner.heard
        self._suspect: float | None = None
        """Since when the silence has not been explained."""
        self._restarts = 0

    async def run(self) -> None:
        """Until cancelled. Raises Retryable when new readers do not help."""
        while True:
            await asyncio.sleep(LOOK)
            reader = self._owner.reader
            if self._owner.heard != self._heard:
                self._calm()
            elif reader is not None and self._owner.listens:
                self._judge(await self._doubt(reader))

    def _judge(self, doubt: str) -> None:
        now = asyncio.get_running_loop().time()
        if not doubt or self._owner.heard != self._heard:
            self._calm()
        elif self._suspect is None:
            self._suspect = now
        elif now - self._suspect >= STUCK:
            self._suspect = None
            self._act(f"shard {self._owner.shard} reads nothing although {doubt}")

    def _act(self, reason: str) -> None:
        if self._restarts:
            self._outage.fails(failing(self._owner.shard), reason)
        if self._restarts == HELPFUL:
            raise Retryable(reason)
        self._restarts += 1
        self._owner.restart_reader(reason)

    async def _doubt(self, reader: Reader) -> str:
        """Why silence is wrong; empty: nothing is there to be read."""
        try:
            async with asyncio.timeout(CALL):
                lag = await reader.lag()
        except (EventsError, TimeoutError):
            return "the bus does not say whether there is something"
        return f"the bus holds {lag} more" if lag > 0 else ""

    def _calm(self) -> None:
        self._heard, self._suspect, self._restarts = self._owner.heard, None, 0
        self._outage.works(failing(self._owner.shard))


def failing(shard: int) -> str:
    """Who is deaf, as an outage knows it."""
    return f"reader/{shard}"
