"""kafka_leases: who may write for a name; and the newest cursors, which lie in the same partition.

Term     the newest epoch of a name, written in a transaction of the name's own transactional id, so that
         claims come one after the other
Fence    the holder of a shard commits with another transactional id of the name: taking that over ends the
         former holder's producer at the broker, so what it still sends is refused
Beat     what a holder writes every third of its ttl, and when it releases; counts only with the newest epoch
Taking   when the holder has released, or its last beat was seen a ttl ago by our own clock; clocks of
         machines are not compared
Losing   a holder whose beats could not be stored for a ttl gives up by itself: others take over then
Why      a consumer group revokes every partition at every change of its members and cannot go below the
         broker's group.min.session.timeout.ms; a beat disturbs nobody and allows leases of 2 s
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from events.aio import Group
from events.bus.kafka_batches import BATCH_BYTES, Packed, transact
from events.bus.kafka_link import EARLIEST, PATIENCE, Link, unavailable
from events.bus.kafka_wire import Record
from events.clients.kafka import abandon, stop
from events.errors import BusUnavailable, EventsError

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

log = logging.getLogger(__name__)

TERM, BEAT, CURSOR = b"t", b"h", b"c"
POLL_MS = 200
LOOK, AGAIN = 5.0, 1.0
"""Seconds between looks whether the board follows: in good times, and while it does not."""
FENCE_MS = 15_000
"""Transactions of a holder: longer than PATIENCE, so that only a takeover ends one that is slow."""


class Beat(msgspec.Struct, array_like=True):
    """A holder's sign of life."""

    epoch: int
    ttl: float
    owner: str
    released: bool = False


class Claim:
    """What is known of a name: the newest epoch, its holder, and when that was last heard of (our clock)."""

    def __init__(self) -> None:
        self.epoch = 0
        self.owner = ""
        self.until = 0.0
        self.released = asyncio.Event()

    def apply_term(self, beat: Beat, now: float) -> None:
        if beat.epoch > self.epoch:
            self.epoch, self.owner, self.until = beat.epoch, beat.owner, now + beat.ttl
            self.released.clear()

    def apply_beat(self, beat: Beat, now: float) -> None:
        if beat.epoch == self.epoch:
            self.until = now + beat.ttl
            if beat.released:
                self.released.set()


class Board:
    """The partition of leases and cursors, followed all the time."""

    def __init__(self, link: Link, topic: str, partition: int) -> None:
        self._link, self.topic, self.partition = link, topic, partition
        self._consumer: AIOKafkaConsumer | None = None
        self._position = 0
        self._changed = asyncio.Event()
        self.trouble = ""
        """Why it cannot be said who holds what: until it is known again."""
        self.claims: dict[bytes, Claim] = {}
        self.cursors: dict[bytes, bytes] = {}
        self.watch: Callable[[bytes, int], None] = lambda name, epoch: None
        """Told of every name and its newest epoch."""

    async def start(self, tasks: Group) -> None:
        """Read what is there, then follow."""
        [self._position] = (await self._link.offsets(self.topic, [self.partition], at=EARLIEST)).values()
        await self._connect()
        tasks.start("kafka board", self._follow())
        tasks.start("kafka board's proof", self._prove())
        await self.catch_up(committed=True)

    async def _connect(self) -> AIOKafkaConsumer:
        from aiokafka import TopicPartition

        consumer = await self._link.consumer()
        place = TopicPartition(self.topic, self.partition)
        consumer.assign([place])
        consumer.seek(place, self._position)
        self._consumer = consumer
        return consumer

    async def _follow(self) -> None:
        from aiokafka import TopicPartition
        from aiokafka.errors import ConsumerStoppedError, KafkaError

        place = TopicPartition(self.topic, self.partition)
        while True:
            try:
                consumer = self._consumer or await self._connect()
                found = await consumer.getmany(place, timeout_ms=POLL_MS)
                position = await consumer.position(place)
                if consumer is self._consumer:
                    self._take(found.get(place, []), position)
            except (KafkaError, ConsumerStoppedError, EventsError) as exc:
                log.debug("%s: topic %s: %r", self._link.place, self.topic, exc)
                await self.aclose()
                await asyncio.sleep(0.5)

    async def _prove(self) -> None:
        """Compare with the brokers' own view now and then."""
        while True:
            await asyncio.sleep(AGAIN if self.trouble else LOOK)
            try:
                await self._follow_up(await self._end(committed=True))
            except EventsError as exc:
                self.trouble = str(exc)
            else:
                self.trouble = ""

    async def _follow_up(self, goal: int) -> None:
        """A consumer that does not get there is replaced."""
        try:
            await self._reach(goal)
        except BusUnavailable:
            await self.aclose()
            raise

    async def begin_anew(self) -> None:
        """The topic is another one by now: what was read of the old one counts no more."""
        [first] = (await self._link.offsets(self.topic, [self.partition], at=EARLIEST)).values()
        self._position = first
        self.claims.clear()
        await self.aclose()

    def _take(self, records: list[ConsumerRecord[Any, Any]], position: int) -> None:
        now = asyncio.get_running_loop().time()
        for record in records:
            self._apply(record, now)
        if position != self._position:
            self._position = position
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    def _apply(self, record: ConsumerRecord[Any, Any], now: float) -> None:
        key: bytes = record.key or b""
        kind, name = key[:1], key[1:]
        if kind == CURSOR:
            self.cursors[name] = record.value or b""
        elif kind in (TERM, BEAT):
            claim = self.claims.setdefault(name, Claim())
            beat = msgspec.msgpack.decode(record.value or b"", type=Beat)
            (claim.apply_term if kind == TERM else claim.apply_beat)(beat, now)
            self.watch(name, claim.epoch)

    async def catch_up(self, *, committed: bool = False) -> None:
        """Until everything is known that was there when this was called. Raises BusUnavailable.

        `committed`: up to the first claim that has not ended. That of a process which died in the middle of
        it hides what comes after, until its name is claimed again or its transaction runs out.
        """
        await self._reach(await self._end(committed=committed))

    async def _end(self, *, committed: bool) -> int:
        found = await self._link.offsets(self.topic, [self.partition], committed=committed)
        return found[self.partition]

    async def _reach(self, goal: int) -> None:
        with unavailable(f"{self._link.place}: topic {self.topic}"):
            try:
                async with asyncio.timeout(PATIENCE):
                    while self._position < goal:
                        await self._changed.wait()
            except TimeoutError:
                await self.aclose()  # deaf, or with a login of the past: the next one is new
                raise

    async def free(self, name: bytes, owner: str) -> None:
        """Until nobody else seems to hold the name; `claim` makes sure. Raises BusUnavailable."""
        while True:
            await self.catch_up(committed=True)
            held = self.held(name, owner)
            if held is None:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(held.until):
                    await held.released.wait()

    def held(self, name: bytes, owner: str) -> Claim | None:
        """The claim of somebody else that is in force."""
        claim = self.claims.get(name)
        if claim is None or claim.released.is_set() or claim.owner == owner:
            return None
        return None if claim.until <= asyncio.get_running_loop().time() else claim

    async def aclose(self) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stop(consumer)


Write = Callable[[Record], "asyncio.Future[Any]"]
"""Stores a record in the partition of the board."""


class KafkaLease:
    """A name that is ours; its producer is fenced as soon as somebody else takes it."""

    def __init__(self, name: str, beat: Beat, good_until: float, write: Write) -> None:
        """`good_until`: until then (our clock) nobody else can take it."""
        self.name, self.epoch, self.lost = name, beat.epoch, asyncio.Event()
        self._beat, self._ttl, self._write = beat, beat.ttl, write
        self.good_until = good_until

    async def beat(self) -> None:
        """Say every third of the ttl that we live, until the lease is lost."""
        clock = asyncio.get_running_loop().time
        while not self.lost.is_set():
            await asyncio.sleep(min(self._ttl / 3, max(0.0, self.good_until - clock())))
            if clock() >= self.good_until:
                self.lost.set()
            elif not self.lost.is_set():
                await self._say(clock())

    async def _say(self, now: float) -> None:
        try:
            async with asyncio.timeout_at(self.good_until):
                await self._write(self.record())
        except (EventsError, TimeoutError):
            await asyncio.sleep(min(0.2, self._ttl / 10))
        else:
            self.good_until = now + self._ttl

    def record(self, *, released: bool = False) -> Record:
        beat = msgspec.structs.replace(self._beat, released=released)
        return Record(BEAT + self.name.encode("utf-8", "surrogatepass"), encoded(beat))

    async def release(self) -> None:
        """Others may take it at once. When that cannot be stored, they take it after the ttl."""
        if self.lost.is_set():
            return
        self.lost.set()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._write(self.record(released=True))
        except (EventsError, TimeoutError):
            return


def encoded(beat: Beat) -> bytes:
    return msgspec.msgpack.encode(beat)


async def claim(link: Link, board: Board, name: str, beat: Beat, prefix: str) -> bool:
    """Write the next epoch of a name that is free into `beat` and the board. Raises BusUnavailable.

    Claims of a name come one after the other: who has its transactional id ends claims that are not stored
    yet, also that of a dead process, and sees those that are. False: somebody else was faster.
    """
    from aiokafka.errors import ProducerFenced

    key = name.encode("utf-8", "surrogatepass")
    producer = await link.producer(
        transactional_id=transactional_id(prefix, name, "claim"), transaction_timeout_ms=FENCE_MS
    )
    try:
        await board.catch_up()
        if board.held(key, beat.owner) is not None:
            return False
        known = board.claims.get(key)
        beat.epoch = (known.epoch if known else 0) + 1
        packed = Packed(producer, BATCH_BYTES)
        packed.put([Record(TERM + key, encoded(beat))], board.partition)
        with unavailable(f"{link.place}: lease {name}", ProducerFenced):
            async with asyncio.timeout(PATIENCE):
                await transact(producer, {board.topic: packed.batches})
    except ProducerFenced:
        return False
    finally:
        await abandon(producer)
    return True


async def fence(
    link: Link, board: Board, name: str, beat: Beat, prefix: str, batch_bytes: int
) -> AIOKafkaProducer | None:
    """The producer of this epoch, which fences that of the former one. None: there is a newer epoch."""
    producer = await link.producer(
        transactional_id=transactional_id(prefix, name, "commit"), transaction_timeout_ms=FENCE_MS,
        max_batch_size=batch_bytes, max_request_size=1 << 30,
    )  # fmt: skip
    try:
        await board.catch_up()
        newest = board.claims[name.encode("utf-8", "surrogatepass")].epoch
    except BaseException:
        await abandon(producer)
        raise
    if newest == beat.epoch:
        return producer
    await abandon(producer)
    return None


def transactional_id(prefix: str, name: str, use: str) -> str:
    return f"{prefix}.{name.encode('ascii', 'backslashreplace').decode()}.{use}"
