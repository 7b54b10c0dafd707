"""Producers of Kafka, shared: one for each distinct address, login and way of sending.

Logins are told apart by what the secrets hold, so that namespaces with the same one share too.

Library   aiokafka (extra `kafka`)
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from events.clients.http import Sessions
from events.clients.kafka import Brokers, start, stop, translated
from events.clients.kafka_guard import Gate
from events.clients.secrets import Secrets
from events.clients.tls import read_pems

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

MAX_REQUEST = 64 << 20
"""Bytes: the broker decides what is too large, not the client."""


class Sending(msgspec.Struct, frozen=True):
    """How records are sent. `acks` as in the protocol: -1 is all replicas; `linger` is in milliseconds."""

    acks: int = -1
    compression: str | None = None
    linger: int = 0


class Producers:
    """Made at first use, kept until `aclose`; renewed secrets make new ones."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._made: dict[Any, tuple[AIOKafkaProducer, Gate]] = {}
        self._making: defaultdict[Any, asyncio.Lock] = defaultdict(asyncio.Lock)

    def __len__(self) -> int:
        return len(self._made)

    async def get(self, brokers: Brokers, sending: Sending, secrets: Secrets) -> AIOKafkaProducer:
        """A producer that has been connected. A broker that is away delays only those who ask for it.

        Raises Retryable, Permanent.
        """
        place = (brokers, sending, await digest(brokers, secrets))
        if place not in self._made:
            async with self._making[place]:
                if place not in self._made:
                    gate = Gate(self._sessions)
                    self._made[place] = await made(brokers, sending, secrets, gate), gate
        producer, gate = self._made[place]
        if gate.refusal is not None:
            with translated(brokers.place):
                await gate.judge()
        return producer

    async def aclose(self) -> None:
        producers = [producer for producer, _ in self._made.values()]
        self._made.clear()
        await asyncio.gather(*map(stop, producers))


async def digest(brokers: Brokers, secrets: Secrets) -> bytes:
    """Tells logins and certificates apart, without keeping them."""
    texts = [await secrets.read(ref) for ref in (brokers.user, brokers.password) if ref]
    pems = await read_pems(brokers.tls, secrets) if brokers.tls else ()
    return hashlib.sha256(msgspec.msgpack.encode([texts, tuple(pems)])).digest()


async def made(brokers: Brokers, sending: Sending, secrets: Secrets, gate: Gate) -> AIOKafkaProducer:
    from aiokafka import AIOKafkaProducer

    settings = await brokers.settings(secrets)
    producer = AIOKafkaProducer(
        **settings, acks=sending.acks, compression_type=sending.compression, linger_ms=sending.linger,
        max_request_size=MAX_REQUEST,
    )  # fmt: skip
    await start(producer, brokers.place, settings, gate)
    return producer
