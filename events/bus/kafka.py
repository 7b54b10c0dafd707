"""kafka: the bus on Kafka, through aiokafka.

Promise   those of the protocol but two: a key that a sender repeats is stored twice and handed out once, and
          retention is the topic's, so that it may discard what lies above a mark (a gap, which is reported)
Topics    see `kafka_topics`; the number of shards is fixed when they are made
Leases    see `kafka_leases`; down to 2 s
Shared    `shared=True`: events have the form of Argo Events, which may write to the topic and read it
Outage    publishing raises BusUnavailable, readers wait, leases are kept until somebody else may have taken
          them; one line in the log when it begins and one when it ends
Library   aiokafka (extra `kafka`); Kafka 2.8 and later
"""

from __future__ import annotations

import asyncio
import logging
import secrets as random
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from events.aio import Group
from events.bus._base import (
    DEDUPE_WINDOW,
    Changes,
    Cursor,
    DecisionQuery,
    EventQuery,
    Health,
    Mark,
    ShardState,
    Stored,
    Topic,
)
from events.bus.kafka_batches import size_of
from events.bus.kafka_feed import Feed
from events.bus.kafka_follower import Log, Tally
from events.bus.kafka_history import History
from events.bus.kafka_leases import CURSOR, Board, KafkaLease
from events.bus.kafka_link import Link
from events.bus.kafka_owner import Office, Owner
from events.bus.kafka_publisher import Publisher, Side
from events.bus.kafka_reader import KafkaReader
from events.bus.kafka_scan import Scanner
from events.bus.kafka_topics import Creation, Facts, Topics, prepare
from events.bus.kafka_wire import Record, Wire
from events.clients.kafka import Brokers
from events.clients.secrets import Secrets
from events.errors import BusUnavailable, EventsError, Permanent, Refused, TooLarge
from events.event import Decision, Delivery, Event

if TYPE_CHECKING:
    from events.api.eventbus import KafkaBus as Spec

log = logging.getLogger(__name__)

DEFAULT_TOPICS = Creation()

ENVELOPE_BYTES = 4096
"""Kept free in the largest record for everything but the payload: key, attributes, framing."""

PROBE_EVERY, RETRY_EVERY = 5.0, 1.0
"""Seconds between looks at the brokers, in good times and while they cannot be reached."""

SKEW = 60.0
"""Seconds by which the clocks of brokers may differ from ours, where the window of keys is looked for."""


class KafkaBus:
    """One bus instance on a Kafka cluster."""

    def __init__(
        self,
        brokers: Brokers,
        topic: str,
        name: str = "default/default",
        *,
        secrets: Secrets,
        shards: int = 8,
        group: str = "",
        creation: Creation | None = DEFAULT_TOPICS,
        shared: bool = False,
    ) -> None:
        """`creation` None: topics exist, and their number of shards counts.

        `group`: what the consumer groups begin with that show the marks; `shared`: with Argo Events, whose
        form events are stored in.
        """
        self.name, self.shards = name, shards
        self._wire = Wire(name.partition("/")[0], shared=shared)
        self._topics, self._group, self._creation = Topics(topic), group or topic, creation
        self._link = Link(brokers, secrets, name)
        self.max_event_bytes = 0
        self._holder = random.token_hex(8)
        self._readers: set[KafkaReader] = set()
        self._tally = Tally()
        self._open = False
        self._trouble = self._broken = ""
        """Why nothing can be stored: until the brokers answer again; until the bus is opened again."""

    @classmethod
    def of(
        cls,
        spec: Spec,
        namespace: str,
        eventbus: str,
        *,
        secrets: Secrets,
        shards: int = 8,
        creation: Creation | None = DEFAULT_TOPICS,
        shared: bool = False,
    ) -> KafkaBus:
        """The bus of an EventBus manifest. Raises Permanent naming the field that cannot be followed."""
        return cls(
            Brokers.of(spec.url, spec.tls, spec.sasl),
            spec.topic or f"{namespace}-{eventbus}",
            f"{namespace}/{eventbus}",
            secrets=secrets,
            shards=shards,
            group=spec.consumer_group.group_name if spec.consumer_group else "",
            creation=creation,
            shared=shared,
        )

    # --- life ---

    async def open(self) -> None:
        """What is refused now is for somebody to change; once open, that is waited for."""
        try:
            await self._start()
        except Refused as exc:
            raise Permanent(str(exc)) from exc

    async def _start(self) -> None:
        self._tasks = Group(self._task_failed)
        await self._link.open()
        try:
            self._facts = await prepare(self._link, self._topics, self.shards, self._creation)
            self.shards = self._facts.shards
            self.max_event_bytes = payload_limit(self._facts, shared=self._wire.shared)
            self._scanner = Scanner(self._link)
            self._history = History(self._link, self._scanner, self._topics, self._wire)
            self._board = Board(self._link, self._topics.state, self.shards)
            self._owner = Owner(self._holder, self._office())
            await self._board.start(self._tasks)
        except BaseException:
            await self._tasks.aclose()
            await self._link.aclose()
            raise
        self._publisher = Publisher(
            self._link, self._topics.events, self._topics.state, self._facts.event_bytes, self._failed
        )
        self._publisher.start(self._tasks)
        self._log = self._log_now()
        self._feed = Feed(self._tasks)
        self._tasks.start("kafka probe", self._probe())
        self._open = True
        self._trouble = self._broken = ""

    def _log_now(self) -> Log:
        return Log(
            self._link, self._topics.events, self._facts.incarnation, self._wire, self._tally, self._failed
        )

    def _office(self) -> Office:
        return Office(
            self.name, self._link, self._topics, self.shards, self._facts.state_bytes, self._group,
            self._scanner, self._board, self._say, self._tasks,
        )  # fmt: skip

    async def aclose(self) -> None:
        if not self._open:
            return
        self._open = False
        for reader in list(self._readers):
            await reader.finish(self._closed())
        await self._feed.aclose()
        hopeless = bool(self._trouble or self._broken)
        await self._owner.aclose(hopeless=hopeless)
        await self._publisher.aclose(hopeless=hopeless)
        await self._tasks.aclose()
        await self._board.aclose()
        await self._scanner.aclose()
        await self._link.aclose()

    def _closed(self) -> BusUnavailable:
        return BusUnavailable(f"{self.name}: the bus is not open")

    def _check_open(self) -> None:
        if not self._open:
            raise self._closed()

    def _task_failed(self, name: str, error: BaseException) -> None:
        log.error("%s: %s ended: %r", self.name, name, error)
        self._broken = f"{self.name}: {name} ended: {error!r}"

    # --- trouble ---

    def _failed(self, error: EventsError) -> None:
        """The brokers could not be reached: `health` says so, until they can be again."""
        if not self._trouble and self._open:
            self._trouble = str(error)
            log.debug("%s: %s", self.name, error)

    async def _probe(self) -> None:
        """Look at the topics now and then."""
        while True:
            await asyncio.sleep(RETRY_EVERY if self._trouble else PROBE_EVERY)
            try:
                if self._trouble:
                    await self._link.reopen()
                await self._look()
            except EventsError as exc:
                self._trouble = str(exc)  # of now: what was wrong at first may have passed
                continue
            if self._trouble:
                await self._board.aclose()  # its consumer may wait with a login of the past: it gets another
                self._trouble = ""
                log.debug("%s: works again", self.name)

    async def _look(self) -> None:
        """Whether the topics are there, as they were, and ours to use; those that are gone are made.

        What a bus has read from a topic that is another one by now is over. Raises BusUnavailable, Permanent.
        """
        found = await prepare(self._link, self._topics, self.shards, self._creation)
        if found.state != self._facts.state:
            await self._board.begin_anew()
            self._owner.begin_anew()
        self._facts = found._replace(incarnation=self._facts.incarnation)
        await self._ends()

    def health(self) -> Health:
        detail = self._why_not() if self._open else "not open"
        return Health(
            ready=not detail, detail=detail, restarts=self._tally.restarts, doubles=self._tally.doubles
        )

    def _why_not(self) -> str:
        return self._broken or self._trouble or self._board.trouble or self._deaf()

    def _deaf(self) -> str:
        """Why a consumer that was made anew gives nothing still."""
        stuck = self._tally.stuck
        return f"{self._topics.events} gives nothing to read though there is more" if stuck else ""

    # --- the log ---

    async def publish(self, events: Sequence[Event], cursor: Cursor | None = None) -> list[Stored]:
        self._check_open()
        records = [self._record(event) for event in events]
        sides = [] if cursor is None else [self._cursor(cursor)]
        if not records and not sides:
            return []
        if trouble := self._broken or self._trouble:
            raise BusUnavailable(trouble)
        return await self._publisher.put(records, sides)

    def _record(self, event: Event) -> Record:
        size = len(event.data or b"")
        if size > self.max_event_bytes:
            raise TooLarge(size, self.max_event_bytes)
        record = self._wire.record(event)
        size, most = size_of(record), self._facts.event_bytes - ENVELOPE_BYTES // 4
        if size > most:
            raise TooLarge(size, most)
        return record

    def _cursor(self, cursor: Cursor) -> Side:
        key = CURSOR + cursor.name.encode("utf-8", "surrogatepass")
        return Side(self.shards, Record(key, cursor.value))

    async def cursor(self, name: str) -> bytes | None:
        self._check_open()
        await self._board.catch_up()
        return self._board.cursors.get(name.encode("utf-8", "surrogatepass"))

    async def _ends(self) -> dict[int, int]:
        found = (await self._link.topics([self._topics.events])).get(self._topics.events)
        if found is None:
            raise BusUnavailable(f"{self.name}: topic {self._topics.events} is gone")
        if found.id != self._facts.incarnation:
            self._begin_anew(found.id)
        return await self._link.offsets(self._topics.events, range(found.partitions))

    def _begin_anew(self, incarnation: str) -> None:
        """The topic of the events was deleted and made anew: who reads it has to begin there."""
        anew = BusUnavailable(f"{self.name}: topic {self._topics.events} was made anew")
        self._facts = self._facts._replace(incarnation=incarnation)
        self._log = self._log_now()
        self._feed.stop()
        for reader in self._readers:
            self._tasks.start("kafka reader's end", reader.finish(anew))

    async def head(self) -> Mark:
        self._check_open()
        ends = await self._ends()
        return Mark(self._facts.incarnation, ends)

    async def read(self, topics: Iterable[Topic], after: Mark) -> KafkaReader:
        self._check_open()
        starts = await self._windows(after)
        if after.incarnation != self._facts.incarnation:
            raise ValueError(f"{self.name}: the mark is of another incarnation of the log")
        reader = KafkaReader(self._log, self._feed, topics, after, starts)
        self._readers = {one for one in self._readers if one.end is None} | {reader}
        return reader

    async def _windows(self, after: Mark) -> dict[int, int]:
        """Where the keys of the window before the mark begin, by partition."""
        ends = await self._ends()
        starts: dict[int, int] = {}
        for partition, end in ends.items():
            at = after.offsets.get(partition, 0)
            starts[partition] = at
            if at == 0:
                continue
            record = await self._scanner.one(self._topics.events, partition, at) if at < end else None
            now_ms = int(time.time() * 1000) if record is None else record.timestamp
            since = now_ms - int((DEDUPE_WINDOW + SKEW) * 1000)
            [first] = (await self._link.offsets(self._topics.events, [partition], since)).values()
            starts[partition] = min(first, at) if first >= 0 else at
        return starts

    # --- leases and state ---

    async def lease(self, name: str, ttl: float = 15.0) -> KafkaLease:
        self._check_open()
        return await self._owner.lease(name, ttl)

    def _say(self, record: Record) -> asyncio.Future[Any]:
        return self._publisher.put([], [Side(self.shards, record)])

    async def load(self, shard: int) -> ShardState:
        self._check_open()
        return await self._owner.load(shard)

    async def commit(self, shard: int, epoch: int, changes: Changes) -> None:
        self._check_open()
        await self._owner.commit(shard, epoch, changes)

    async def blob(self, shard: int, key: str) -> bytes | None:
        self._check_open()
        return await self._owner.blob(shard, key)

    # --- look-ups ---

    async def find_events(self, query: EventQuery) -> list[Delivery]:
        self._check_open()
        return await self._history.events(query)

    async def find_decisions(self, query: DecisionQuery) -> list[Decision]:
        self._check_open()
        return await self._history.decisions(query)


def payload_limit(facts: Facts, *, shared: bool) -> int:
    """The largest payload that fits a record: as it is, or in base64; and, with more, one of the state."""
    room = max(0, facts.event_bytes - ENVELOPE_BYTES)
    return min(room * 3 // 4 if shared else room, facts.state_bytes * 3 // 4)
