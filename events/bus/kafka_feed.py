"""kafka_feed: one consumer for all readers of a process that have come to the end of the log.

Join      a reader near the end takes a seat and goes on alone up to where the feed was at that moment; the
          first one to come leaves its own consumer to the feed
Seat      what the feed has for one reader, until that takes it. A reader that takes nothing for long loses
          its seat when SEAT_BYTES wait for it: it goes on alone, from its own place, and joins again later;
          so nobody waits for the slowest one, and memory has a bound
Trouble   what ends the feed ends the seats too; each reader then meets the trouble by itself
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from events.aio import Group
from events.bus._base import Topic
from events.bus.kafka_follower import Chunk, Follower
from events.bus.kafka_wire import topic_key
from events.clients.kafka import CLOSE_TIMEOUT
from events.errors import EventsError
from events.event import Delivery

log = logging.getLogger(__name__)

SEAT_BYTES = 16 << 20
"""Payloads that wait for one reader at the most."""

TELL = 0.25
"""Seconds after which a reader is told how far the log has moved when nothing in it was for that reader."""


class Seat:
    """What came for one reader. `until`: where the feed was when it was taken, by partition."""

    def __init__(self, topics: Iterable[Topic], until: dict[int, int]) -> None:
        self.topics, self.until = frozenset(topics), until
        self.lost = False
        self._chunks = [Chunk()]
        """The last one is added to; a new one begins with each gap."""
        self._bytes, self._told = 0, 0.0
        self._wake = asyncio.Event()

    def give(self, partition: int, found: list[Delivery]) -> None:
        self._chunks[-1].found.setdefault(partition, []).extend(found)
        self._bytes += sum(len(one.event.data or b"") for one in found)
        self._wake.set()

    def skip(self, gaps: list[tuple[int, int, int]]) -> None:
        self._chunks.append(Chunk(gaps=gaps))
        self._wake.set()

    def tell(self, reached: dict[int, int], now: float) -> None:
        """How far the log has moved; this wakes a reader that has nothing else only now and then."""
        self._chunks[-1].reached.update(reached)
        if self._chunks[-1].reached and now - self._told > TELL:
            self._wake.set()
        if self._bytes > SEAT_BYTES:
            self.lose()

    async def take(self) -> Chunk:
        """What has come, up to the next gap; waits for something. Empty when the seat is lost."""
        await self._wake.wait()
        self._told = asyncio.get_running_loop().time()
        if len(self._chunks) > 1:
            return self._chunks.pop(0)
        if not self.lost:
            self._wake.clear()
        taken, self._chunks, self._bytes = self._chunks[0], [Chunk()], 0
        return taken

    def lose(self) -> None:
        self.lost, self._chunks = True, [Chunk()]
        self._wake.set()


class Feed:
    """Hands what one consumer reads to the seats; runs while there is one."""

    def __init__(self, tasks: Group) -> None:
        self._tasks = tasks
        self._closing = Group(lambda name, error: log.warning("%s: %r", name, error))
        self._follower: Follower | None = None
        self._seats: set[Seat] = set()
        self._routes: dict[Topic, list[Seat]] = {}

    def join(self, own: Follower, topics: Iterable[Topic]) -> tuple[Seat, bool]:
        """A seat, and whether the consumer belongs to the feed from now on."""
        first = self._follower is None
        if self._follower is None:
            self._follower = own
            self._tasks.start("kafka feed", self._run(own))
        seat = Seat(topics, dict(self._follower.at))
        self._seats.add(seat)
        self._arrange(self._follower)
        return seat, first

    def leave(self, seat: Seat) -> None:
        seat.lose()
        self._seats.discard(seat)
        if self._follower is not None:
            self._arrange(self._follower)
            if not self._seats:
                self.stop()

    def retire(self, follower: Follower) -> None:
        """Close a consumer that is not needed any more; nobody waits for that."""
        self._closing.start("kafka consumer's end", follower.aclose())

    async def aclose(self) -> None:
        self.stop()
        await self._closing.finish(2 * CLOSE_TIMEOUT)

    def stop(self) -> None:
        """Every reader goes on alone."""
        for seat in self._seats:
            seat.lose()
        self._seats, self._routes = set(), {}
        if self._follower is not None:
            self.retire(self._follower)
            self._follower = None

    def _arrange(self, follower: Follower) -> None:
        self._routes = {}
        for seat in self._seats:
            for topic in seat.topics:
                self._routes.setdefault(topic, []).append(seat)
        follower.keys = frozenset(topic_key(*topic) for topic in self._routes)

    async def _run(self, follower: Follower) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while follower is self._follower:
                chunk = await follower.next()
                if follower is self._follower:
                    self._hand_out(chunk, clock())
        except EventsError as exc:
            log.debug("the feed ended: %s", exc)
        finally:
            if follower is self._follower:
                self.stop()

    def _hand_out(self, chunk: Chunk, now: float) -> None:
        if chunk.gaps:
            for seat in self._seats:
                seat.skip(chunk.gaps)
        for partition, found in chunk.found.items():
            for seat, some in self._sorted(found).items():
                seat.give(partition, some)
        for seat in self._seats:
            seat.tell(chunk.reached, now)
        for seat in [seat for seat in self._seats if seat.lost]:
            self.leave(seat)

    def _sorted(self, found: list[Delivery]) -> dict[Seat, list[Delivery]]:
        sorted_: dict[Seat, list[Delivery]] = {}
        for one in found:
            for seat in self._routes.get((one.event.source, one.event.subject), ()):
                sorted_.setdefault(seat, []).append(one)
        return sorted_
