"""The clauses of sources, on core NATS."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import nats
import pytest

from events.testing.servers.nats import Nats
from events.testing.sources import QueueContract, Rig

TOKEN = "t0ken-of-nats"


@pytest.mark.servers("nats")
class TestNATS(QueueContract):
    kind = "nats"
    secrets: ClassVar = {"nats/token": TOKEN}

    @pytest.fixture(autouse=True)
    def server(self, own: Any) -> None:
        self.nats: Nats = own(Nats(f'authorization {{ token: "{TOKEN}" }}'))

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        auth = {"token": {"name": "nats", "key": "token"}}
        raw = {"url": self.nats.url, "subject": "shop.*", "auth": auth, "jsonBody": True}
        await rig.start(self.kind, raw, supervised=supervised)

    async def put(self, texts: Sequence[str]) -> None:
        client = await nats.connect(self.nats.url, token=TOKEN)
        try:
            for text in texts:
                await client.publish("shop.orders", f'"{text}"'.encode())
        finally:
            await client.drain()

    def shows(self, payload: Any) -> str:
        return payload["body"]

    async def restart_server(self) -> None:
        await asyncio.to_thread(self.nats.restart)
