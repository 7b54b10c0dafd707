"""The contract of the bus, on JetStream with a real server."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from events.bus._base import Bus, Lease
from events.bus.jetstream import JetStreamBus
from events.bus.jetstream_settings import Names, token
from events.clients.nats import Servers
from events.testing.bus import BusContract, Harness
from events.testing.servers.nats import Nats

pytestmark = pytest.mark.servers("nats")

LIMIT = 48 << 20


@pytest.fixture(scope="module")
def server() -> Iterator[Nats]:
    """One whose store has a limit that a test can reach."""
    with Nats(max_file=LIMIT) as made:
        yield made


class JetStreamHarness(Harness):
    engine = "jetstream"

    def __init__(self, server: Nats) -> None:
        self.server, self.name = server, f"default/b{secrets.token_hex(6)}"
        self.names = Names.of(self.name)

    def bus(self, max_bytes: int | None = None) -> JetStreamBus:
        return JetStreamBus(Servers.of(self.server.url), self.name, shards=self.shards)

    async def stop(self) -> None:
        await self.recreate()

    async def crash(self, bus: Bus) -> None:
        """The connection breaks, and the time of the leases runs out."""
        assert isinstance(bus, JetStreamBus)
        held = list(bus._desk._held.values())
        await bus._tasks.aclose()
        bus._link.client._transport._io_writer.transport.abort()
        await bus._link.aclose()
        for lease in held:
            lease.lose()
        await bus.aclose()
        await self.run_out()

    async def rival(self, bus: Bus, lease: Lease) -> Bus:
        """The holder renews no more, and its time has run out for the server."""
        assert isinstance(bus, JetStreamBus)
        for task in list(bus._tasks._tasks):
            if task.get_name() == f"lease/{lease.name}":
                task.cancel()
        await self.run_out(token(lease.name))
        return bus

    async def run_out(self, lease: str = "*") -> None:
        await self.api(f"STREAM.PURGE.{self.names.state}", {"filter": f"{self.names.keys}.lease.{lease}"})

    async def recreate(self) -> None:
        for stream in (self.names.events, self.names.state):
            await self.api(f"STREAM.DELETE.{stream}")

    async def discard(self, bus: Bus) -> None:
        await self.api(f"STREAM.PURGE.{self.names.events}")

    async def api(self, call: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        client = Client()
        await client.connect(self.server.url)
        answer = await client.request(
            f"$JS.API.{call}", json.dumps(body).encode() if body else b"", timeout=5
        )
        await client.close()
        found: dict[str, Any] = json.loads(answer.data)
        return found

    @asynccontextmanager
    async def full(self) -> AsyncIterator[None]:
        """Another stream takes all that the server may store."""
        name = f"FILLER{secrets.token_hex(4)}"
        config = {"name": name, "subjects": [name], "storage": "file", "max_bytes": -1}
        await self.api(f"STREAM.CREATE.{name}", config)
        client = Client()
        await client.connect(self.server.url)
        for size in (500_000, 20_000, 500, 1):
            while "error" not in json.loads((await client.request(name, bytes(size), timeout=5)).data):
                pass
        try:
            yield
        finally:
            await client.close()
            await self.api(f"STREAM.DELETE.{name}")


@pytest.mark.timeout(120)  # random steps wait for the end of leases, 2 s each
class TestJetStream(BusContract):
    examples, steps = 6, 20

    @pytest.fixture(autouse=True)
    def _server(self, server: Nats) -> None:
        self.server = server

    def harness(self, folder: Path) -> Harness:
        return JetStreamHarness(self.server)
