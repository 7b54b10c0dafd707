"""Leases: an epoch record that only its taker replaces, and a lease record with a time to live.

Taken     when there is no lease record, or a free one: both records are written in one step, on condition
          that the epoch record is still the one that was seen. The epoch is the sequence of that write
Renewed   every third of the time to live, on condition that the epoch is still ours
Over      the server removes a record that was not renewed, by its own clock. The holder stops earlier, by
          its own clock: `lost` is set when the time since the last good renewal was sent has passed
Fence     every write of the holder names its epoch: one that sleeps and wakes up writes nothing more
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from events.bus.jetstream_api import TIMEOUT, WRONG_SEQUENCE, Api, Fault, meaning
from events.bus.jetstream_sender import Sender
from events.bus.jetstream_settings import Names, token
from events.bus.jetstream_wire import LINE, Message
from events.errors import BusUnavailable, EventsError

if TYPE_CHECKING:
    from events.aio import Group

FREE = b"free"
MARGIN = 0.9
"""The part of the time to live after which the holder stops."""

SHORTEST = 2.0
"""Seconds: the server removes old messages once a second."""

POLL = 0.5
ROLLUP = b"Nats-Rollup: sub\r\n"


def fence(subject: str, epoch: int) -> bytes:
    """Header lines: only if the newest message of the subject is that one (0: there is none)."""
    return (
        f"Nats-Expected-Last-Subject-Sequence: {epoch}\r\n"
        f"Nats-Expected-Last-Subject-Sequence-Subject: {subject}\r\n"
    ).encode()


class JetStreamLease:
    """A lease that renews itself."""

    def __init__(self, desk: LeaseDesk, name: str, epoch: int, ttl: float, sent: float) -> None:
        self.name, self.epoch, self.ttl = name, epoch, ttl
        self.lost = asyncio.Event()
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_at(sent + ttl * MARGIN, self.lose)

    async def keep(self) -> None:
        """Renew until it is lost."""
        while not self.lost.is_set():
            await asyncio.sleep(self.ttl / 3)
            if self.lost.is_set():
                return  # a renewal now would keep the lease from whoever waits for it
            sent = self._loop.time()
            try:
                await self._desk.renew(self)
            except BusUnavailable:
                continue
            except Fault as exc:
                if exc.number in WRONG_SEQUENCE:
                    self.lose()
                continue
            if not self.lost.is_set():
                self._timer.cancel()
                self._timer = self._loop.call_at(sent + self.ttl * MARGIN, self.lose)

    def lose(self) -> None:
        self._timer.cancel()
        self.lost.set()
        self._desk.forget(self)

    async def release(self) -> None:
        if not self.lost.is_set():
            self.lose()
            await self._desk.give_back(self)


class LeaseDesk:
    """Takes, renews and gives back the leases of one bus."""

    def __init__(self, api: Api, sender: Sender, names: Names, holder: str, tasks: Group) -> None:
        self._api, self._sender, self._names, self._tasks = api, sender, names, tasks
        self._holder = holder.encode()
        self._held: dict[str, JetStreamLease] = {}
        self._news = asyncio.Event()
        self.closed: Callable[[], BusUnavailable] | None = None

    async def open(self) -> None:
        await self._api.link.listen(f"{self._names.keys}.lease.*", self._on_news)

    def epoch_subject(self, name: str) -> str:
        return f"{self._names.keys}.epoch.{token(name)}"

    def holds(self, name: str, epoch: int) -> bool:
        """Whether this process holds that lease, as far as it knows."""
        lease = self._held.get(name)
        return lease is not None and lease.epoch == epoch

    async def take(self, name: str, ttl: float) -> JetStreamLease:
        """Wait until it is ours. Raises BusUnavailable, BusFull."""
        ttl = max(ttl, SHORTEST)
        while True:
            if self.closed is not None:
                raise self.closed()
            if await self._is_free(name):
                sent = asyncio.get_running_loop().time()
                epoch = await self._grab(name, ttl)
                if epoch is not None:
                    return self._mine(JetStreamLease(self, name, epoch, ttl, sent))
            await self._wait()

    async def _is_free(self, name: str) -> bool:
        held = await self._api.message(self._names.state, last_by_subj=self._lease_subject(name))
        return held is None or held.data == FREE

    async def _grab(self, name: str, ttl: float) -> int | None:
        """None: somebody was faster."""
        subject = self.epoch_subject(name)
        seen = await self._api.message(self._names.state, last_by_subj=subject)
        guard = fence(subject, 0 if seen is None else seen.seq)
        taking = [
            Message(subject, LINE + ROLLUP + guard, self._holder),
            self._record(name, self._holder, ttl),
        ]
        try:
            return (await self._sender.batch(taking)).seq - 1
        except Fault as exc:
            if exc.number in WRONG_SEQUENCE:
                return None
            raise meaning(self._api.name, exc) from exc
        except asyncio.CancelledError:
            await self._let_go(name)
            raise

    async def _let_go(self, name: str) -> None:
        """Give back what was taken, as it may have been, for somebody who stopped waiting at that moment."""
        try:
            seen = await self._api.message(self._names.state, last_by_subj=self.epoch_subject(name))
        except EventsError:
            return
        if seen is not None and seen.data == self._holder:
            await self._give(name, seen.seq)

    def _mine(self, lease: JetStreamLease) -> JetStreamLease:
        self._held[lease.name] = lease
        self._tasks.start(f"lease/{lease.name}", lease.keep())
        return lease

    async def renew(self, lease: JetStreamLease) -> None:
        """Raises Fault, BusUnavailable."""
        record = self._record(lease.name, self._holder, lease.ttl)
        guard = fence(self.epoch_subject(lease.name), lease.epoch)
        await self._sender.send(record._replace(head=record.head + guard))

    async def give_back(self, lease: JetStreamLease) -> None:
        """At once, for whoever waits. A server that cannot be reached forgets it by itself."""
        await self._give(lease.name, lease.epoch)

    async def _give(self, name: str, epoch: int) -> None:
        subject = self.epoch_subject(name)
        giving = [
            Message(subject, LINE + ROLLUP + fence(subject, epoch), FREE),
            self._record(name, FREE, 1.0),
        ]
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._sender.batch(giving)
        except (Fault, BusUnavailable, TimeoutError):
            return

    async def aclose(self, closed: Callable[[], BusUnavailable]) -> None:
        """Give all back; whoever waits for one gets the error."""
        self.closed = closed
        self._news.set()
        for lease in list(self._held.values()):
            await lease.release()

    def forget(self, lease: JetStreamLease) -> None:
        if self._held.get(lease.name) is lease:
            del self._held[lease.name]

    def _record(self, name: str, data: bytes, ttl: float) -> Message:
        life = b"Nats-TTL: %ds\r\n" % math.ceil(ttl)
        return Message(self._lease_subject(name), LINE + ROLLUP + life, data)

    def _lease_subject(self, name: str) -> str:
        return f"{self._names.keys}.lease.{token(name)}"

    def _on_news(self, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        if data == FREE:
            self._news.set()

    async def _wait(self) -> None:
        """For the news that a lease is free, which may come before it is stored, or a moment."""
        self._news.clear()
        try:
            async with asyncio.timeout(POLL):
                await self._news.wait()
                await asyncio.sleep(0.01)
        except TimeoutError:
            return
