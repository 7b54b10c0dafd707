"""Sensors over JetStream."""

from __future__ import annotations

import secrets

import pytest

from events.bus.jetstream import JetStreamBus
from events.clients.nats import Servers
from events.testing.sensors import Engine, SensorContract
from events.testing.servers.nats import Nats

pytestmark = pytest.mark.servers("nats")


class TestJetStream(SensorContract):
    @pytest.fixture
    def engine(self, nats_server: Nats) -> Engine:
        name = f"default/b{secrets.token_hex(6)}"

        async def open_bus() -> JetStreamBus:
            bus = JetStreamBus(Servers.of(nats_server.url), name, shards=1)
            await bus.open()
            return bus

        return open_bus
