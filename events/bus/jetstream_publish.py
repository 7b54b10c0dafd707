"""Events on their way into the log: a message each, with its key as message id, in the order of the calls.

Several    are sent one behind the other and answered together. They are not one step: when the process or the
           connection dies in between, some are stored, nothing was acknowledged, and what the sender repeats
           is not stored again. An atomic batch of the server (ADR-50) would be one step; nats-server 2.15
           makes files for each, which takes 2 to 50 ms and ten times the CPU
Cursors    after the events, in the order of the calls
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from events.bus._base import Stored
from events.bus.jetstream_api import Ack, Fault, meaning
from events.bus.jetstream_sender import Sender
from events.bus.jetstream_wire import Wire
from events.bus.retention import event_bytes
from events.errors import TooLarge
from events.event import Event, Position

SLICE = 256
"""Events that are sent before it is looked whether too much is under way."""


class Publisher:
    """Publishes the events of one bus."""

    def __init__(self, name: str, sender: Sender, wire: Wire, max_event_bytes: int) -> None:
        self._name, self._sender, self._wire, self._max = name, sender, wire, max_event_bytes
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._busy = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def publish(self, events: Sequence[Event]) -> list[Stored]:
        """Raises TooLarge, BusFull, BusUnavailable, Permanent."""
        for event in events:
            if event_bytes(event) > self._max:
                raise TooLarge(event_bytes(event), self._max)
        self._busy += 1
        self._quiet.clear()
        try:
            if len(events) == 1:
                return [answered(await self._sender.send(self._wire.encode(events[0])))]
            return await self._several(events)
        except Fault as exc:
            raise meaning(self._name, exc) from exc
        finally:
            self._busy -= 1
            if not self._busy:
                self._quiet.set()

    async def _several(self, events: Sequence[Event]) -> list[Stored]:
        """Sent without waiting in between. Raises the first error after all are answered."""
        messages = [self._wire.encode(event) for event in events]
        sent = list[asyncio.Future[Ack]]()
        for at in range(0, len(messages), SLICE):
            await self._sender.room()
            sent += map(self._sender.put, messages[at : at + SLICE])
        acks = await asyncio.gather(*sent, return_exceptions=True)
        for ack in acks:
            if isinstance(ack, BaseException):
                raise ack
        return [answered(ack) for ack in acks if isinstance(ack, Ack)]

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Cursors of one name are written in the order of the calls."""
        lock = self._turns[name]
        async with lock:
            yield

    async def drained(self, seconds: float) -> None:
        """Until everything under way is answered, or for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
        except TimeoutError:
            return


def answered(ack: Ack) -> Stored:
    return Stored(Position(0, ack.seq), duplicate=ack.duplicate)
