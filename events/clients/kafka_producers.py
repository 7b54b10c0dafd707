"""Producers of Kafka, shared: one for each distinct address, login and way of sending.

Logins are told apart by what the secrets hold, so that namespaces with the same one share too.

Library   aiokafka (extra `kafka`)
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakValueDictionary

import msgspec

from events.aio import Group
from events.clients.http import Sessions
from events.clients.kafka import CLOSE_TIMEOUT, Brokers, start, stop, translated
from events.clients.kafka_guard import Gate
from events.clients.secrets import Secrets
from events.clients.tls import read_pems

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

MAX_REQUEST = 64 << 20
"""Bytes: the broker decides what is too large, not the client."""

PRODUCERS_KEPT = 100
"""Producers that are shared; the one unused for longest is closed when there is one more."""


class Sending(msgspec.Struct, frozen=True):
    """How records are sent. `acks` as in the protocol: -1 is all replicas; `linger` is in milliseconds."""

    acks: int = -1
    compression: str | None = None
    linger: int = 0


Made: TypeAlias = "tuple[AIOKafkaProducer, Gate]"
Place = tuple[Brokers, Sending, bytes]
"""With a digest of the login."""


class Producers:
    """Made at first use and kept; renewed secrets make new ones, and so does one that has ended."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._made: dict[Any, Made] = {}
        self._making: WeakValueDictionary[Any, asyncio.Lock] = WeakValueDictionary()
        self._closing = Group(lambda *_: None)  # `stop` keeps its errors to itself

    def __len__(self) -> int:
        return len(self._made)

    async def get(self, brokers: Brokers, sending: Sending, secrets: Secrets) -> AIOKafkaProducer:
        """A producer that has been connected. A broker that is away delays only those who ask for it.

        Raises Retryable, Permanent.
        """
        place = (brokers, sending, await digest(brokers, secrets))
        producer, gate = self._kept(place) or await self._new(place, secrets)
        if gate.refusal is not None:
            with translated(brokers.place):
                await gate.judge()
        return producer

    def _kept(self, place: Place) -> Made | None:
        found = self._made.pop(place, None)
        if found is not None and ended(found[0]):
            self._close(found)
            return None
        if found is not None:
            self._made[place] = found  # the one used last comes last
        return found

    async def _new(self, place: Place, secrets: Secrets) -> Made:
        lock = self._making.setdefault(place, asyncio.Lock())
        async with lock:
            found = self._kept(place)  # another one has made it meanwhile
            if found is None:
                brokers, sending, _ = place
                gate = Gate(self._sessions)
                found = self._made[place] = await made(brokers, sending, secrets, gate), gate
                if len(self._made) > PRODUCERS_KEPT:
                    self._close(self._made.pop(next(iter(self._made))))
            return found

    def _close(self, found: Made) -> None:
        self._closing.start("kafka close", stop(found[0]))

    async def aclose(self) -> None:
        producers = [producer for producer, _ in self._made.values()]
        self._made.clear()
        await asyncio.gather(*map(stop, producers))
        await self._closing.finish(2 * CLOSE_TIMEOUT)


def ended(producer: AIOKafkaProducer) -> bool:
    """Whether its sender died of an error: aiokafka 0.14 fails every record from then on."""
    task = producer._sender.sender_task
    return task is not None and task.done()


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
