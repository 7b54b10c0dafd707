"""kafka_scan: reading a stretch of one partition, for state, blobs and look-ups, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from events.bus.kafka_link import PATIENCE, Link, unavailable
from events.clients.kafka import stop
from events.errors import BusUnavailable

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    Records = list[ConsumerRecord[Any, Any]]


WAIT_MS = 10
"""How long a broker holds back an answer without records: the next question waits behind it."""


class Scanner:
    """Committed records between two offsets."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._consumer: AIOKafkaConsumer | None = None
        self._turn = asyncio.Lock()

    async def read(self, topic: str, partition: int, start: int, stop: int) -> AsyncIterator[Records]:
        """Lists of records with offsets in [start, stop). Raises BusUnavailable when nothing comes."""
        from aiokafka import TopicPartition

        if start >= stop:
            return
        place = TopicPartition(topic, partition)
        async with self._turn:
            with unavailable(f"{self._link.place}: topic {topic}"):
                consumer = await self._placed(place, start)
                try:
                    while await consumer.position(place) < stop:
                        yield [record for record in await self._next(consumer, place) if record.offset < stop]
                finally:
                    consumer.unsubscribe()

    async def one(self, topic: str, partition: int, offset: int) -> ConsumerRecord[Any, Any] | None:
        """The record at this offset, when it is still there."""
        async for records in self.read(topic, partition, offset, offset + 1):
            for record in records:
                return record
        return None

    async def _placed(self, place: Any, start: int) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._consumer = await self._link.consumer(fetch_max_wait_ms=WAIT_MS)
        self._consumer.assign([place])
        self._consumer.seek(place, start)
        return self._consumer

    async def _next(self, consumer: AIOKafkaConsumer, place: Any) -> Records:
        """What comes next; empty when only the position moved."""
        before = await consumer.position(place)
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            found = await consumer.getmany(place, timeout_ms=50)
            if found or await consumer.position(place) != before:
                records: Records = found.get(place, [])
                return records
        await self.aclose()
        raise BusUnavailable(f"{self._link.place}: {place.topic}/{place.partition} gives nothing to read")

    async def aclose(self) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stop(consumer)
