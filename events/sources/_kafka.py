"""How the kafka source reads, in a group (_kafka_group) or alone (_kafka_partition): in batches, in order.

A place is kept from the first moment (committed, or emitted as cursor): what comes while the source is away
is read later, also when it never saw a record before.

Unreadable  records, with names of headers that are not UTF-8, are looked for one by one and left out: the
            library drops what it read with them
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from events.clients.kafka import Brokers, translated
from events.errors import Absent, Permanent, Retryable
from events.sources._queue import BATCH_MESSAGES

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

POLL_MS = 1000
QUIET = 15.0
"""Seconds without a record after which the brokers are asked whether they are still there."""

ASK = 10.0
"""Seconds that such a question may take."""


class Unreadable(Retryable):
    """The library could not read a record: the next reader has to look for it."""


Tell = Callable[[str, Exception], None]
"""Counts and tells a record that is left out: where it is, and why."""


@contextmanager
def missing_told() -> Iterator[None]:
    """A topic that is not there may be made, or made again: Absent instead of Permanent."""
    from aiokafka.errors import UnknownTopicOrPartitionError

    try:
        yield
    except Permanent as exc:
        if isinstance(exc.__cause__, UnknownTopicOrPartitionError):
            raise Absent(str(exc)) from exc
        raise


class Reader(ABC):
    """Reads batches of one topic. `settle` after a batch was stored makes the place durable."""

    def __init__(self, brokers: Brokers, topic: str, *, begun: bool) -> None:
        """`begun`: records without a place came after we did, so they are read from the first one on."""
        self.topic, self.place, self.begun = topic, f"{brokers.place}, topic {topic!r}", begun
        self.consumer: AIOKafkaConsumer = None
        self.unreadable: Tell | None = None
        """Set to look for a record that cannot be read."""

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Arguments of the consumer beside those of the connection."""

    @abstractmethod
    async def begin(self) -> bytes | None:
        """After the start: find the place; a cursor that is to be stored, if there is one."""

    @abstractmethod
    def cursor(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> bytes | None:
        """What to store with these records."""

    @abstractmethod
    async def settle(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        """These were stored."""

    def prepare(self, consumer: AIOKafkaConsumer) -> None:
        """Before the start."""
        self.consumer = consumer

    def release(self) -> None:  # noqa: B027 - most have nothing to do
        """No batch is in hand any more; before the consumer is closed."""

    async def batch(self, most: int = BATCH_MESSAGES) -> list[ConsumerRecord[bytes, bytes]]:
        """The next records, at least one. Raises Retryable when the brokers are away."""
        quiet = 0.0
        while True:
            try:
                with translated(self.place):
                    found = await self._found(most)
            except UnicodeDecodeError as exc:
                raise Unreadable(f"{self.place}: a record cannot be read: looking for it") from exc
            if found:
                return [record for records in found.values() for record in records]
            quiet += POLL_MS / 1000
            if quiet >= QUIET:
                quiet, self.unreadable = 0.0, None
                await self._ask()

    async def _found(self, most: int) -> dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]]:
        if self.unreadable is None:
            found: dict[Any, Any] = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=most)
            return found
        for place in self.consumer.assignment():
            found = await self._one(place, self.unreadable)
            if found or self.unreadable is None:
                return found
        await asyncio.sleep(POLL_MS / 1000)
        return {}

    async def _one(self, place: TopicPartition, tell: Tell) -> dict[TopicPartition, Any]:
        """The next record; one that cannot be read is passed by, and that was the one."""
        try:
            found: dict[TopicPartition, Any] = await self.consumer.getmany(place, max_records=1)
        except UnicodeDecodeError as exc:
            offset = await self.consumer.position(place)
            tell(f"record {offset} of {place.topic}, partition {place.partition}", exc)
            self.consumer.seek(place, offset + 1)
            self.unreadable = None
            return {}
        return found

    async def _ask(self) -> None:
        """The library goes on without a word when all brokers are gone, and without the topic.

        It looks for new partitions every five minutes otherwise.
        """
        from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError

        with translated(self.place):
            async with asyncio.timeout(ASK):
                if not await self.consumer._client.force_metadata_update():
                    raise KafkaConnectionError("no broker answers")
            if self.consumer.partitions_for_topic(self.topic) is None:
                raise UnknownTopicOrPartitionError
