"""Events on their way into the log.

One        a message of its own, with its key as message id
Several    one atomic batch; a batch with an event that is stored already is refused as a whole by the
           server, and then goes message by message: what was new is stored, in order (if the process dies in
           between, the sender repeats, and what is there is not stored again)
Order      as published, over one connection
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from events.bus._base import Stored
from events.bus.jetstream_api import BATCHES_IN_FLIGHT, DUPLICATE_IN_BATCH, Ack, Fault, meaning
from events.bus.jetstream_sender import MAX_BATCH, Sender
from events.bus.jetstream_wire import Message, Wire
from events.bus.retention import event_bytes
from events.errors import TooLarge
from events.event import Event, EventKey, Position


class Publisher:
    """Publishes the events of one bus. `atomic`: the stream takes batches."""

    def __init__(self, name: str, sender: Sender, wire: Wire, max_event_bytes: int, *, atomic: bool) -> None:
        self._name, self._sender, self._wire = name, sender, wire
        self._max, self._atomic = max_event_bytes, atomic
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
            return await self._several(events) if events else []
        except Fault as exc:
            raise meaning(self._name, exc) from exc
        finally:
            self._busy -= 1
            if not self._busy:
                self._quiet.set()

    async def _several(self, events: Sequence[Event]) -> list[Stored]:
        first: dict[EventKey, int] = {}
        for place, event in enumerate(events):
            first.setdefault(event.key, place)
        messages = [self._wire.encode(events[place]) for place in first.values()]
        stored = dict(zip(first, await self._stored(messages), strict=True))
        return [
            stored[event.key] if first[event.key] == place else stored[event.key]._replace(duplicate=True)
            for place, event in enumerate(events)
        ]

    async def _stored(self, messages: list[Message]) -> list[Stored]:
        if not self._atomic or not 1 < len(messages) <= MAX_BATCH:
            return await self._each(messages)
        try:
            last = (await self._sender.batch(messages)).seq
        except Fault as exc:
            if exc.number != DUPLICATE_IN_BATCH and exc.number not in BATCHES_IN_FLIGHT:
                raise
            return await self._each(messages)
        start = last - len(messages) + 1
        return [Stored(Position(0, start + n), duplicate=False) for n in range(len(messages))]

    async def _each(self, messages: list[Message]) -> list[Stored]:
        """One after the other, without waiting in between. Raises the first error after all are answered."""
        futures = [await self._sender.put(message) for message in messages]
        acks = await asyncio.gather(*futures, return_exceptions=True)
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
        if not lock.locked():
            self._turns.pop(name, None)

    async def drained(self, seconds: float) -> None:
        """Until everything under way is answered, or for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
        except TimeoutError:
            return


def answered(ack: Ack) -> Stored:
    return Stored(Position(0, ack.seq), duplicate=ack.duplicate)
