"""Killed at some of its steps over JetStream: those of the memory bus's suite, in real time."""

from __future__ import annotations

import secrets
import time

import pytest

from events.bus.jetstream import JetStreamBus
from events.clients.nats import Servers
from events.testing.sensor_crash import Kill, survive
from events.testing.sensors import Engine
from events.testing.servers.nats import Nats

pytestmark = pytest.mark.servers("nats")


@pytest.fixture
def engine(nats_server: Nats) -> Engine:
    name = f"default/b{secrets.token_hex(6)}"

    async def open_bus() -> JetStreamBus:
        bus = JetStreamBus(Servers.of(nats_server.url), name, shards=1)
        await bus.open()
        return bus

    return open_bus


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", [2, 5, 8, 11, 14, 17, 20, 24])
async def test_an_owner_killed_at_a_step_loses_and_doubles_nothing(engine: Engine, step: int, after: bool):
    await survive(engine, time.time_ns, Kill(step, after))
