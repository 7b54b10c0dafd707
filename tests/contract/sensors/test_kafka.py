"""Sensors over the Kafka bus, on a real broker; and their owner killed at some of its steps."""

from __future__ import annotations

import secrets
import time

import pytest

from events.bus.kafka import KafkaBus
from events.bus.kafka_topics import Creation
from events.clients.kafka import Brokers
from events.clients.secrets import LocalSecrets
from events.event import Position
from events.testing.sensor_crash import Kill, survive
from events.testing.sensors import Engine, Rig, SensorContract, event, sensor, trigger
from events.testing.servers.kafka import Kafka

pytestmark = pytest.mark.servers("kafka")


@pytest.fixture
def engine(kafka_server: Kafka) -> Engine:
    topic = f"t{secrets.token_hex(6)}"

    async def open_bus() -> KafkaBus:
        brokers, known = Brokers.of(kafka_server.brokers), LocalSecrets(dict, environ={})
        bus = KafkaBus(brokers, topic, secrets=known, shards=1, creation=Creation(1))
        await bus.open()
        return bus

    return open_bus


class TestKafka(SensorContract):
    @pytest.fixture
    def engine(self, engine: Engine) -> Engine:
        return engine


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", [2, 5, 8, 11, 14, 17, 20, 24])
async def test_an_owner_killed_at_a_step_loses_and_doubles_nothing(engine: Engine, step: int, after: bool):
    await survive(engine, time.time_ns, Kill(step, after))


async def test_conditions_get_all_their_events_over_several_partitions(kafka_server: Kafka):
    """Argo Events hands over only the one that completed the condition."""
    topic, known = f"t{secrets.token_hex(6)}", LocalSecrets(dict, environ={})

    async def open_bus() -> KafkaBus:
        bus = KafkaBus(Brokers.of(kafka_server.brokers), topic, secrets=known, shards=1, creation=Creation(8))
        await bus.open()
        return bus

    rig = Rig(open_bus)
    await rig.start(sensor(trigger("a && b && c && d"), dependencies="abcd"))
    assert len({partition for partition, _ in await positions(rig, "a1", "b1", "c1")}) > 1
    await rig.quiet()
    await rig.crash()
    await rig.start()
    await rig.publish("d1")
    await rig.until(lambda: bool(rig.target.seen("t")))
    assert rig.target.seen("t") == [{"a": "a1", "b": "b1", "c": "c1", "d": "d1"}]
    await rig.stop()


async def positions(rig: Rig, *names: str) -> list[Position]:
    stored = await rig.bus.publish([event(name) for name in names])
    return [one.position for one in stored if one.position is not None]
