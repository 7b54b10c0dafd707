"""Two processes and one shard: the holder is killed, stopped in its tracks, or goes in order."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from events.bus._base import Changes
from events.bus.jetstream import JetStreamBus
from events.clients.nats import Servers
from events.testing.servers.nats import Nats

pytestmark = [pytest.mark.servers("nats"), pytest.mark.timeout(60)]

SCRIPT = Path(__file__).with_name("jetstream_holder.py")
ROOT = Path(__file__).parents[3]


class Holder:
    """The other process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process, self.wrote = process, 0

    async def line(self) -> str:
        assert self.process.stdout is not None
        text = (await asyncio.wait_for(self.process.stdout.readline(), 20)).decode().strip()
        if text.startswith("wrote "):
            self.wrote = int(text.split()[1])
        return text

    async def until(self, start: str) -> str:
        while text := await self.line():
            if text.startswith(start):
                return text
        raise AssertionError(f"it ended before it said {start!r}")

    async def rest(self) -> list[str]:
        """What it said until it ended."""
        said = list[str]()
        while text := await self.line():
            said.append(text)
        return said

    def signal(self, number: int) -> None:
        self.process.send_signal(number)


@asynccontextmanager
async def holding(url: str, name: str) -> AsyncIterator[Holder]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), url, name, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        yield Holder(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        process._transport.close()


@pytest.fixture
async def bus(nats_server: Nats) -> AsyncIterator[JetStreamBus]:
    made = JetStreamBus(Servers.of(nats_server.url), f"default/b{secrets.token_hex(6)}", shards=2)
    await made.open()
    yield made
    await made.aclose()


async def check_whole(bus: JetStreamBus, at_least: int) -> None:
    """The last commit that is there is there as a whole, and none that was taken is missing."""
    records = (await bus.load(0)).records
    assert records["a"] == records["b"] == await bus.blob(0, "x")
    assert int(records["a"]) >= at_least


async def test_a_holder_that_is_killed_is_followed_within_four_seconds(nats_server: Nats, bus: JetStreamBus):
    for _ in range(2):
        async with holding(nats_server.url, bus.name) as holder:
            await holder.until("wrote 20")
            waiting = asyncio.get_running_loop().create_task(bus.lease("shard/0", ttl=2.0))
            await holder.until("wrote 40")
            holder.signal(signal.SIGKILL)
            lease = await asyncio.wait_for(waiting, 4.0)
            await holder.rest()
            await check_whole(bus, holder.wrote)
            await bus.commit(0, lease.epoch, Changes(records={"a": b"0", "b": b"0"}, blobs={"x": b"0"}))
            await lease.release()


async def test_a_holder_that_was_frozen_writes_nothing_when_it_wakes(nats_server: Nats, bus: JetStreamBus):
    async with holding(nats_server.url, bus.name) as holder:
        await holder.until("wrote 20")
        holder.signal(signal.SIGSTOP)
        lease = await asyncio.wait_for(bus.lease("shard/0", ttl=2.0), 4.0)
        await bus.commit(0, lease.epoch, Changes({"x": b"mine"}, {"a": b"mine", "b": b"mine"}))
        holder.signal(signal.SIGCONT)
        assert (await holder.rest())[-1] in {"fenced", "lost"}
        assert (await bus.load(0)).records == {"a": b"mine", "b": b"mine"}
        assert await bus.blob(0, "x") == b"mine"
