"""What tests of Kafka do beside the product: topics, records in and out, offsets of groups, rights."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple


@asynccontextmanager
async def administration(brokers: str) -> AsyncIterator[Any]:
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def create(brokers: str, topic: str, partitions: int = 1) -> None:
    from aiokafka.admin import NewTopic

    async with administration(brokers) as admin:
        await admin.create_topics([NewTopic(topic, partitions, 1)])


async def add_partitions(brokers: str, topic: str, count: int) -> None:
    """So that there are `count`."""
    from aiokafka.admin import NewPartitions

    async with administration(brokers) as admin:
        await admin.create_partitions({topic: NewPartitions(count)})


async def remove(brokers: str, topic: str) -> None:
    async with administration(brokers) as admin:
        await admin.delete_topics([topic])


async def put(brokers: str, topic: str, values: Sequence[bytes | None], **given: Any) -> None:
    """Records in this order; `given` is for all (key, headers, partition, timestamp_ms)."""
    from aiokafka import AIOKafkaProducer

    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        for sending in [await producer.send(topic, value, **given) for value in values]:
            await sending


async def records(brokers: str, topic: str) -> list[Any]:
    """All that is in the topic now."""
    from aiokafka import AIOKafkaConsumer

    async with AIOKafkaConsumer(topic, bootstrap_servers=brokers, auto_offset_reset="earliest") as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        found: list[Any] = []
        while len(found) < sum(ends.values()):
            for part in (await consumer.getmany(timeout_ms=1000)).values():
                found += part
        return found


async def committed(brokers: str, group: str, topic: str) -> dict[int, int]:
    """Offsets of the group by partition."""
    async with administration(brokers) as admin:
        found = await admin.list_consumer_group_offsets(group)
    return {place.partition: at.offset for place, at in found.items() if place.topic == topic}


def headers(record: Any) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


class Right(NamedTuple):
    """What a user may do with a resource, or with all whose names begin so."""

    resource: str
    name: str
    operation: str
    prefixed: bool = False


RESOURCES = {"topic": 2, "group": 3, "cluster": 4, "transactional id": 5}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
LITERAL, PREFIXED = 3, 4
ALLOW = 3
"""Codes of Kafka's protocol."""


async def grant(brokers: str, user: str, *rights: Right) -> None:
    from aiokafka.protocol.admin import CreateAclsRequest

    async with administration(brokers) as admin:
        for right in rights:
            [(code, text)] = (
                await admin._send_request(CreateAclsRequest(*acl(user, right)))
            ).creation_responses
            assert code == 0, text


async def revoke(brokers: str, user: str, *rights: Right) -> None:
    from aiokafka.protocol.admin import DeleteAclsRequest

    async with administration(brokers) as admin:
        for right in rights:
            [(code, text, gone)] = (
                await admin._send_request(DeleteAclsRequest(*acl(user, right)))
            ).filter_responses
            assert code == 0, text
            assert len(gone) == 1, f"{right} was not granted"


def acl(user: str, right: Right) -> tuple[int, str, int, str, str, int, int]:
    return (
        RESOURCES[right.resource], right.name, PREFIXED if right.prefixed else LITERAL, f"User:{user}", "*",
        OPERATIONS[right.operation], ALLOW,
    )  # fmt: skip
