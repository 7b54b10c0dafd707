"""The contract of the bus, on the Kafka engine and a real broker."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import pytest

from events.bus._base import Bus, Lease
from events.bus.kafka import KafkaBus
from events.bus.kafka_link import Link
from events.bus.kafka_topics import Creation, Topics
from events.bus.kafka_wire import Record
from events.clients.kafka import Brokers
from events.clients.secrets import LocalSecrets
from events.errors import BusUnavailable
from events.testing.bus import BusContract, Harness
from events.testing.bus_log_clauses import LogClauses
from events.testing.bus_state_clauses import StateClauses
from events.testing.servers.kafka import Kafka

SECRETS = LocalSecrets(dict, environ={})


class KafkaHarness(Harness):
    engine = "kafka"

    def __init__(self, address: str) -> None:
        self.brokers = Brokers.of(address)
        self.topics = Topics(f"t{secrets.token_hex(6)}")

    def bus(self, max_bytes: int | None = None) -> KafkaBus:
        return KafkaBus(
            self.brokers, self.topics.events, secrets=SECRETS, shards=self.shards, creation=Creation(3)
        )

    async def stop(self) -> None:
        await self._delete()

    async def recreate(self) -> None:
        await self._delete()

    async def _delete(self) -> None:
        from aiokafka.protocol.admin import DeleteTopicsRequest

        link = Link(self.brokers, SECRETS)
        await link.open()
        await link.ask_controller(DeleteTopicsRequest(self.topics.all(), 10_000))
        await link.aclose()

    async def discard(self, bus: Bus) -> None:
        from aiokafka import TopicPartition
        from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

        admin = AIOKafkaAdminClient(bootstrap_servers=list(self.brokers.hosts))
        await admin.start()
        head = await bus.head()
        await admin.delete_records(
            {
                TopicPartition(self.topics.events, partition): RecordsToDelete(before_offset=offset)
                for partition, offset in head.offsets.items()
            }
        )
        await admin.close()


class SharedHarness(KafkaHarness):
    """Events have the form of Argo Events."""

    def bus(self, max_bytes: int | None = None) -> KafkaBus:
        return KafkaBus(
            self.brokers, self.topics.events, secrets=SECRETS, shards=self.shards, creation=Creation(3),
            shared=True,
        )  # fmt: skip


class SilentBus(KafkaBus):
    """Its leases get no sign of life to the broker once it is silent, as if their process hung."""

    silent = False

    def _say(self, record: Record) -> asyncio.Future[Any]:
        if self.silent:
            raise BusUnavailable("silent")
        return super()._say(record)


class RivalHarness(KafkaHarness):
    """Another process takes leases over, as soon as the holder was not heard of for a ttl."""

    def bus(self, max_bytes: int | None = None) -> SilentBus:
        return SilentBus(
            self.brokers, self.topics.events, secrets=SECRETS, shards=self.shards, creation=Creation(3)
        )

    async def start(self) -> None:
        self.rivals: list[SilentBus] = []

    async def rival(self, bus: Bus, lease: Lease) -> Bus:
        assert isinstance(bus, SilentBus)
        bus.silent = True
        rival = self.bus()
        await rival.open()
        self.rivals.append(rival)
        return rival

    async def stop(self) -> None:
        for rival in self.rivals:
            await rival.aclose()
        await super().stop()


@pytest.mark.servers("kafka")
class TestKafka(BusContract):
    examples, steps = 4, 20

    @pytest.fixture(autouse=True)
    def broker(self, kafka_server: Kafka) -> None:
        self.address = kafka_server.brokers

    def harness(self, folder: Path) -> Harness:
        return KafkaHarness(self.address)


@pytest.mark.servers("kafka")
class TestKafkaLeases(StateClauses):
    """The clauses of leases with a rival in another handle."""

    @pytest.fixture(autouse=True)
    def broker(self, kafka_server: Kafka) -> None:
        self.address = kafka_server.brokers

    def harness(self, folder: Path) -> Harness:
        return RivalHarness(self.address)


@pytest.mark.servers("kafka")
class TestKafkaShared(LogClauses):
    """The clauses of the log in the form of Argo Events."""

    @pytest.fixture(autouse=True)
    def broker(self, kafka_server: Kafka) -> None:
        self.address = kafka_server.brokers

    def harness(self, folder: Path) -> Harness:
        return SharedHarness(self.address)
