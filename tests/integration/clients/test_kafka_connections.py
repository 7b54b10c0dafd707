"""Connections to Kafka whose clients are cancelled while they connect."""

from __future__ import annotations

import asyncio
import gc
import warnings
from contextlib import suppress

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from events.clients.kafka import Brokers, Client, start, stop
from events.clients.kafka_guard import Gate
from events.clients.secrets import LocalSecrets
from events.testing.servers.kafka import Kafka

pytestmark = pytest.mark.servers("kafka")

STEPS = 40
"""Moments at which a start is cut off, a millisecond apart."""


async def cut_off(client: Client, brokers: Brokers, settings: dict[str, str], seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await start(client, brokers.place, settings, Gate(None))
    await stop(client)


@pytest.mark.parametrize("kind", [AIOKafkaConsumer, AIOKafkaProducer])
async def test_a_start_that_is_cut_off_leaves_no_connection(kafka_server: Kafka, kind: type[Client]):
    brokers = Brokers.of(kafka_server.brokers)
    settings = await brokers.settings(LocalSecrets(dict, environ={}))
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always", ResourceWarning)
        for step in range(STEPS):
            await cut_off(kind(**settings), brokers, settings, step / 1000)
        await asyncio.sleep(0.1)
        gc.collect()
    assert [str(one.message) for one in left if "onnect" in str(one.message)] == []
