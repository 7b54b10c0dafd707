"""kafka_link: one connection to the brokers for questions: which topics, which ids, which offsets.

Ids      a topic that is made anew has another id: the incarnation of the log (Kafka 2.8 and later)
Rights   what a user may do with a topic is told with it; a refusal passes when that is granted
Offsets  as Kafka counts them: the place of the next record, 0 in an empty partition
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from events.clients.kafka import Brokers, start, stop, translated
from events.clients.kafka_guard import Gate
from events.clients.secrets import Secrets
from events.errors import BusUnavailable, Permanent, Refused, Retryable

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    from aiokafka.client import AIOKafkaClient

LATEST, EARLIEST = -1, -2
"""Instead of a time in milliseconds."""

PATIENCE = 10.0
"""Seconds that a question or a write may take before the bus counts as unavailable."""

METADATA_AGE_MS = 10_000
FETCH_BYTES = 4 << 20


UNKNOWN_RIGHTS = -(1 << 31)
"""What brokers answer that do not tell the rights."""


class Found(NamedTuple):
    """A topic that exists. `rights`: a bit for each operation that we may do, by Kafka's codes."""

    id: str
    partitions: int
    rights: int

    def allows(self, operation: int) -> bool:
        """Also when it is not known."""
        return self.rights == UNKNOWN_RIGHTS or bool(self.rights >> operation & 1)


@contextmanager
def unavailable(what: str, *passed: type[Exception]) -> Iterator[None]:
    """Errors of the library as BusUnavailable, Refused or Permanent; of the classes `passed` as they are."""
    try:
        with translated(what, *passed):
            yield
    except BusUnavailable:
        raise
    except Retryable as exc:
        raise BusUnavailable(str(exc)) from exc
    except Permanent as exc:
        if told := refusal(exc.__cause__):
            raise Refused(f"{what}: {told}") from exc
        raise


def refusal(exc: BaseException | None) -> str:
    """What to grant; empty: it is about something else than rights."""
    from aiokafka import errors as known

    if isinstance(exc, known.TopicAuthorizationFailedError):
        return f"not allowed: grant this user Read, Write and Describe on {named('topic', exc)}"
    if isinstance(exc, known.TransactionalIdAuthorizationFailed):
        this = named("transactional id", exc)
        return f"{this} is not allowed: grant this user Write and Describe on those that begin with `TOPIC.`"
    if isinstance(exc, known.ClusterAuthorizationFailedError):
        return "not allowed: grant this user Write on the topics of the bus"
    if isinstance(exc, known.SaslAuthenticationFailed):
        return "the login was refused: check the secrets of sasl"
    return ""


def named(kind: str, exc: Exception) -> str:
    """The resource of an error, where the library tells it."""
    told = exc.args[0] if exc.args else ""
    names = [told] if isinstance(told, str) else sorted(told)
    return f"{kind} {', '.join(names)}" if any(names) else f"this {kind}"


class Link:
    """A connection, and the maker of further clients with the same settings."""

    def __init__(self, brokers: Brokers, secrets: Secrets, name: str = "") -> None:
        """`name` of the bus, with which messages begin."""
        self.brokers, self._secrets = brokers, secrets
        self.place = f"{name}: {brokers.place}" if name else brokers.place
        self._settings: dict[str, Any] = {}
        self._client: AIOKafkaClient | None = None

    async def open(self) -> None:
        """Raises BusUnavailable, Permanent."""
        from aiokafka.client import AIOKafkaClient

        self._settings = {
            **await self.brokers.settings(self._secrets), "metadata_max_age_ms": METADATA_AGE_MS,
        }  # fmt: skip
        client = AIOKafkaClient(**self._settings)
        with unavailable(self.place):
            await start(_Startable(client), self.place, self._settings, Gate(None))
        self._client = client

    async def aclose(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await stop(_Startable(client))

    async def reopen(self) -> None:
        """Begin anew, from the addresses of the manifest. Raises BusUnavailable, Permanent."""
        await self.aclose()
        await self.open()

    async def consumer(self, **more: Any) -> AIOKafkaConsumer:
        """A started consumer without group, that sees committed records only and goes nowhere by itself."""
        from aiokafka import AIOKafkaConsumer

        made = AIOKafkaConsumer(
            **self._settings, group_id=None, enable_auto_commit=False, auto_offset_reset="none",
            isolation_level="read_committed", max_partition_fetch_bytes=FETCH_BYTES, **more,
        )  # fmt: skip
        with unavailable(self.place):
            await start(made, self.place, self._settings, Gate(None))
        return made

    async def producer(self, **more: Any) -> AIOKafkaProducer:
        """A started idempotent producer; a transactional one has fenced its former namesake then."""
        from aiokafka import AIOKafkaProducer

        made = AIOKafkaProducer(**self._settings, acks="all", enable_idempotence=True, **more)
        with unavailable(self.place):
            await start(made, self.place, self._settings, Gate(None))
        return made

    async def ask(self, request: Any, node: int | None = None) -> Any:
        """The answer of any broker, or of this one."""
        if self._client is None:
            raise BusUnavailable(f"{self.place}: not connected")
        at = self._client.get_random_node() if node is None else node
        with unavailable(self.place):
            async with asyncio.timeout(PATIENCE):
                return await self._client.send("bootstrap" if at is None else at, request)

    async def ask_controller(self, request: Any) -> Any:
        """The answer of the broker that changes topics."""
        if self._client is None:
            raise BusUnavailable(f"{self.place}: not connected")
        await self._client.force_metadata_update()
        controller = self._client.cluster.controller
        return await self.ask(request, None if controller is None else controller.nodeId)

    async def topics(self, names: Iterable[str]) -> dict[str, Found]:
        """Those of the topics that exist; none is created by asking. Raises BusUnavailable."""
        from aiokafka.errors import LeaderNotAvailableError, NoError, UnknownTopicOrPartitionError, for_code

        from events.bus.kafka_protocol import TopicsRequest

        answer = await self.ask(TopicsRequest(list(names)))
        found = {}
        for code, name, identity, _, partitions, rights, _ in answer.topics:
            error = for_code(code)
            if error in {NoError, LeaderNotAvailableError}:
                found[name] = Found(str(uuid.UUID(bytes=identity)), len(partitions), rights)
            elif error is not UnknownTopicOrPartitionError:
                with unavailable(f"{self.place}: topic {name}"):
                    raise error(name)
        return found

    async def offsets(
        self, topic: str, partitions: Iterable[int], at: int = LATEST, *, committed: bool = False
    ) -> dict[int, int]:
        """Per partition the end, the beginning, or the first record of a time or later (-1: none).

        `committed`: the end is before the first transaction that is still open.
        """
        wanted = list(partitions)
        with unavailable(f"{self.place}: topic {topic}"):
            async with asyncio.timeout(PATIENCE):
                while True:
                    found = await self._offsets_once(topic, wanted, at, int(committed))
                    if found is not None:
                        return found
                    await asyncio.sleep(0.1)

    async def _offsets_once(
        self, topic: str, partitions: list[int], at: int, isolation: int
    ) -> dict[int, int] | None:
        """None: the leaders are not known, or have moved."""
        from aiokafka.errors import KafkaError, NoError, for_code
        from aiokafka.protocol.offset import OffsetRequest

        client = self._client
        if client is None:
            raise BusUnavailable(f"{self.place}: not connected")
        leaders = await self._leaders(client, topic, partitions)
        if leaders is None:
            return None
        found: dict[int, int] = {}
        for node, some in leaders.items():
            request = OffsetRequest(-1, isolation, [(topic, [(partition, at) for partition in some])])
            try:
                answer = await client.send(node, request)
            except KafkaError:
                await client.force_metadata_update()
                return None
            for _, answers in answer.topics:
                for partition, code, _, offset in answers:
                    if (error := for_code(code)) is not NoError:
                        if not error.retriable:
                            raise error()
                        await client.force_metadata_update()
                        return None
                    found[partition] = offset
        return found

    async def _leaders(
        self, client: AIOKafkaClient, topic: str, partitions: list[int]
    ) -> dict[int, list[int]] | None:
        from aiokafka import TopicPartition

        leaders: dict[int, list[int]] = {}
        await client.add_topic(topic)
        for partition in partitions:
            node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
            if node is None or node == -1:
                await client.force_metadata_update()
                return None
            leaders.setdefault(node, []).append(partition)
        return leaders


class _Startable:
    """The bare client, started and stopped as producers and consumers are."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    async def start(self) -> None:
        await self._client.bootstrap()

    async def stop(self) -> None:
        await self._client.close()
