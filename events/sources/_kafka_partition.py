"""One partition of a Kafka topic, read alone: its place is stored with the events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from events.clients.kafka import Brokers, translated
from events.errors import Absent
from events.sources._kafka import ASK, POLL_MS, Reader

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition


class Partition(Reader):
    """One partition; its place is stored with the events."""

    def __init__(
        self, brokers: Brokers, topic: str, partition: int, stored: bytes | None, *, begun: bool
    ) -> None:
        from aiokafka import TopicPartition

        super().__init__(brokers, topic, begun=begun)
        self._at = TopicPartition(topic, partition)
        self._kept = kept_place(stored, topic, partition)

    def arguments(self) -> dict[str, Any]:
        return {"group_id": None, "enable_auto_commit": False, "auto_offset_reset": "earliest"}

    async def begin(self) -> bytes | None:
        if self._at.partition not in (self.consumer.partitions_for_topic(self.topic) or ()):
            hint = "add it, or correct its number"
            raise Absent(f"{self.place}: it has no partition {self._at.partition}: {hint}")
        with translated(self.place):
            async with asyncio.timeout(ASK):
                offset = await self._first()
            self.consumer.seek(self._at, offset)
        return stored_offset(self._at, offset) if self._kept is None else None

    async def _first(self) -> int:
        """Where to begin: at the place that was kept, else behind what is there."""
        oldest = self.begun
        if self._kept is not None:
            if not await self._made_anew(self._kept):
                return self._kept.offset
            oldest = True
        ask = self.consumer.beginning_offsets if oldest else self.consumer.end_offsets
        found: int = (await ask([self._at]))[self._at]
        return found

    async def _made_anew(self, kept: Kept) -> bool:
        """Whether the record before the place is another one than it was: so is the topic, then."""
        if kept.time_ms is None:
            return False
        self.consumer.seek(self._at, kept.offset - 1)
        found = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=1)
        before = found[self._at][0] if found else None
        return before is not None and before.offset == kept.offset - 1 and before.timestamp != kept.time_ms

    def prepare(self, consumer: AIOKafkaConsumer) -> None:
        super().prepare(consumer)
        consumer.assign([self._at])

    def cursor(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> bytes | None:
        return stored_offset(self._at, records[-1].offset + 1, records[-1].timestamp)

    async def settle(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        """The cursor went with them."""


class Kept(NamedTuple):
    """Of a cursor: what to read next, and the time of the record before it."""

    offset: int
    time_ms: int | None


def stored_offset(place: TopicPartition, offset: int, time_ms: int | None = None) -> bytes:
    return orjson.dumps(
        {"topic": place.topic, "partition": place.partition, "offset": offset, "time": time_ms}
    )


def kept_place(stored: bytes | None, topic: str, partition: int) -> Kept | None:
    """What a cursor of this partition says; that of another place says nothing here."""
    found = orjson.loads(stored) if stored else {}
    same = (found.get("topic"), found.get("partition")) == (topic, partition)
    return Kept(int(found["offset"]), found.get("time")) if same else None
