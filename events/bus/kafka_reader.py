"""kafka_reader: follows the log for some topics: with a consumer of its own up to its end, then at the feed.

Doubles   Kafka stores a key twice when a sender repeats it; the second one within DEDUPE_WINDOW is dropped
          here and counted. A reader looks at the window before its mark first, so a takeover knows them too
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from events.bus._base import DEDUPE_WINDOW, Batch, Double, Gap, Mark, Topic
from events.bus.kafka_feed import Feed, Seat
from events.bus.kafka_follower import BATCH, Chunk, Follower, Log
from events.bus.kafka_wire import topic_key
from events.event import Delivery

MOST_KEYS = 1_000_000

WINDOW_NS = int(DEDUPE_WINDOW * 1e9)


Halves = tuple[dict[str, int], dict[str, int]]
"""Ids with the time at which they were stored (nanoseconds since 1970): the younger and the older ones."""


class Window:
    """The keys of one partition that were seen within DEDUPE_WINDOW, and some that are older.

    In two halves that take turns, so that keys go all at once and not each by itself.
    """

    def __init__(self) -> None:
        self._topics: dict[Topic, Halves] = {}
        self._until = self._count = 0

    def turn(self, now_ns: int, coming: int) -> dict[Topic, Halves]:
        """What is known, by topic, for so many records of this time and later."""
        self._count += coming
        if now_ns > self._until or self._count > MOST_KEYS // 2:
            self._topics = {topic: ({}, young) for topic, (young, _) in self._topics.items() if young}
            self._until, self._count = now_ns + WINDOW_NS, coming
        return self._topics


def knows(halves: Halves, name: str, stored_ns: int) -> bool:
    """Whether the id was there before; it is from now on."""
    young, old = halves
    if name in young or name in old:
        before = young[name] if name in young else old[name]
        young[name] = stored_ns
        return stored_ns - before <= WINDOW_NS
    young[name] = stored_ns
    return False


class KafkaReader:
    """Follows the log. One consumer at most; `aclose` ends a waiting `next`."""

    def __init__(
        self, log: Log, feed: Feed, wanted: Iterable[Topic], after: Mark, starts: Mapping[int, int]
    ) -> None:
        """`starts`: the places of the window before the mark."""
        self._log, self._feed, self._topics = log, feed, frozenset(wanted)
        self._keys = frozenset(topic_key(*one) for one in self._topics)
        self._at = {partition: after.offsets.get(partition, 0) for partition in starts}
        """Place of the next record, by partition; what was told so far."""
        self._windows: dict[int, Window] = {}
        self._seat: Seat | None = None
        first = {partition: min(starts[partition], at) for partition, at in self._at.items()}
        self._own: Follower | None = Follower(log, first, self._keys)
        self.end: Exception | None = None

    async def next(self) -> Batch:
        """Raises Damaged, Permanent; BusUnavailable, StopAsyncIteration at the end. Outages are sat out."""
        while self.end is None:
            if batch := self._told(await self._chunk()):
                return batch
        raise self.end

    async def _chunk(self) -> Chunk:
        if self._seat is not None and self._seat.lost:
            self._seat = None
        if self._own is None and self._seat is not None:
            return await self._seat.take()
        own = self._own = self._own or Follower(self._log, self._at, self._keys)
        chunk = await own.next()
        self._change_over(own)
        return chunk

    def _change_over(self, own: Follower) -> None:
        """To the feed, when the end of the log is near; alone no longer, when that is where the feed was."""
        if self._seat is None:
            if not own.near(BATCH):
                return
            self._seat, taken = self._feed.join(own, self._topics)
        elif taken := all(own.at.get(partition, 0) >= at for partition, at in self._seat.until.items()):
            self._feed.retire(own)
        if taken:
            self._own = None

    def _told(self, chunk: Chunk) -> Batch | None:
        """Nothing here waits: what was taken is not lost by a cancellation."""
        deliveries: list[Delivery] = []
        doubles: list[Double] = []
        for partition, found in chunk.found.items():
            self._sort(partition, found, deliveries, doubles)
        self._log.tally.doubles += len(doubles)
        gaps = [gap for given in chunk.gaps if (gap := self._gap(*given))]
        further = {
            partition: place
            for partition, place in chunk.reached.items()
            if place > self._at.get(partition, 0)
        }
        self._at.update(further)
        return Batch(deliveries, dict(self._at), gaps, doubles) if further else None

    def _sort(
        self, partition: int, found: list[Delivery], wanted: list[Delivery], doubles: list[Double]
    ) -> None:
        if not found:
            return
        start = self._at.get(partition, 0)
        seen = self._windows.setdefault(partition, Window()).turn(found[0].stored_ns, len(found))
        for one in found:
            event = one.event
            topic = event.source, event.subject
            halves = seen.get(topic)
            if halves is None:
                if topic not in self._topics:
                    continue
                halves = seen[topic] = ({}, {})
            known = knows(halves, event.id, one.stored_ns)
            if one.position.offset <= start:
                continue
            if known:
                doubles.append(Double(event.key, one.position))
            else:
                wanted.append(one)

    def _gap(self, partition: int, expected: int, first: int) -> Gap | None:
        place = max(expected, self._at.get(partition, 0))
        return Gap(partition, place + 1, first) if first > place else None

    async def lag(self) -> int:
        """Records of all topics behind our place, control records included."""
        ends = await self._log.link.offsets(self._log.topic, self._at, committed=True)
        return sum(max(0, ends[partition] - at) for partition, at in self._at.items())

    async def aclose(self) -> None:
        await self.finish(StopAsyncIteration())

    async def finish(self, reason: Exception) -> None:
        """End this reader: a waiting `next` and every later one raises the reason."""
        self.end = self.end or reason
        if self._seat is not None:
            self._feed.leave(self._seat)
        if self._own is not None:
            await self._own.aclose()
