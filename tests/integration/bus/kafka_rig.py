"""What tests of the Kafka bus under faults do beside it: buses, senders and committers that go on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from events.aio import Group
from events.bus._base import Bus, Changes, Cursor, Lease
from events.bus.kafka import KafkaBus
from events.bus.kafka_topics import Creation
from events.clients.kafka import Brokers
from events.clients.secrets import LocalSecrets
from events.errors import BusUnavailable, Fenced
from events.testing.bus_harness import event

PATIENCE = 40.0
CREATION = Creation(2)


def make(address: str, topic: str | None = None, creation: Creation | None = CREATION) -> KafkaBus:
    known = LocalSecrets(dict, environ={})
    name = topic or f"t{secrets.token_hex(6)}"
    return KafkaBus(Brokers.of(address), name, secrets=known, shards=2, creation=creation)


@asynccontextmanager
async def opened(address: str, topic: str | None = None) -> AsyncIterator[KafkaBus]:
    bus = make(address, topic)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.aclose()


async def healthy(bus: Bus, wanted: bool = True) -> None:
    async with asyncio.timeout(PATIENCE):
        while bus.health().ready != wanted:
            await asyncio.sleep(0.05)


class Worker:
    """Does one thing after the other, each until the bus has taken it. `done`: what it has taken."""

    pause = 0.005
    """Seconds between two of them."""

    def __init__(self, bus: Bus) -> None:
        self.bus, self.done, self.refusals = bus, list[str](), list[str]()
        self._tasks = Group(lambda name, error: None)  # `stop` raises it
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._task = self._tasks.start("worker", self._run())
        return self

    async def _run(self) -> None:
        while True:
            try:
                await self.work(len(self.done))
            except (BusUnavailable, Fenced) as exc:
                self.refusals.append(str(exc))
                await asyncio.sleep(0.1)
                continue
            self.done.append(f"{len(self.done)}")
            await asyncio.sleep(self.pause)

    async def work(self, number: int) -> None:
        raise NotImplementedError

    async def reach(self, more: int) -> None:
        """Until so many more were taken."""
        goal = len(self.done) + more
        async with asyncio.timeout(PATIENCE):
            while len(self.done) < goal and not self._task.done():
                await asyncio.sleep(0.05)
        assert not self._task.done(), self._task

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.aclose()


class Sender(Worker):
    """Publishes, as a source does."""

    def __init__(self, bus: Bus, size: int = 2) -> None:
        super().__init__(bus)
        self._data = bytes(size)

    async def work(self, number: int) -> None:
        await self.bus.publish([event(f"{number}", data=self._data)], Cursor("place", b"%d" % number))


class Committer(Worker):
    """Owns shard 0, and takes its lease again when that was lost; nothing that was committed may be gone."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self._lease: Lease | None = None

    async def work(self, number: int) -> None:
        if self._lease is None or self._lease.lost.is_set():
            self._lease = await self.bus.lease("shard/0", ttl=30.0)
            assert set(self.done) <= set((await self.bus.load(0)).records), "a commit was lost"
        await self.bus.commit(0, self._lease.epoch, Changes(records={f"{number}": b"1"}))
