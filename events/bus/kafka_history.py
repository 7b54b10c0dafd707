"""kafka_history: looking events and decisions up, by reading the topics themselves.

Memory   nothing is kept: a question reads the stretch of the log that its times leave, from the end that is
         asked for, a slice at a time, until it has enough. One for an id without times reads all
Order    by the time of storing, then by position
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from events.bus._base import DecisionQuery, EventQuery
from events.bus.decisions import decoded
from events.bus.kafka_link import EARLIEST, Link
from events.bus.kafka_scan import Scanner
from events.bus.kafka_topics import Topics
from events.bus.kafka_wire import Wire, delivery_of, topic_key
from events.bus.queries import answers, meets
from events.event import Decision, Delivery, Position

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

T = TypeVar("T")
SLICE = 2000
"""Offsets that are read at a time."""

Span = tuple[int, int]


class History:
    """Look-ups of one bus."""

    def __init__(self, link: Link, scanner: Scanner, topics: Topics, wire: Wire) -> None:
        self._link, self._scanner, self._topics, self._wire = link, scanner, topics, wire

    async def events(self, query: EventQuery) -> list[Delivery]:
        after = None
        if query.after is not None:
            after = await self._rank(query.after)
            if after is None:
                return []
        newest = query.newest_first
        found: list[Delivery] = []
        since, until = times(query.since_ns, query.until_ns)
        for partition, span in (await self._spans(self._topics.events, since, until)).items():
            asked = self._asked(query, after)
            found += await self._collect(self._topics.events, partition, span, asked, query.limit, newest)
        found.sort(key=rank, reverse=newest)
        return found[: query.limit]

    async def decisions(self, query: DecisionQuery) -> list[Decision]:
        found: list[tuple[int, int, int, Decision]] = []
        since, _ = times(query.since_ns, None)
        for partition, span in (await self._spans(self._topics.decisions, since, None)).items():
            found += await self._collect(
                self._topics.decisions, partition, span, lambda one: answer(one, query), query.limit, True
            )
        found.sort(key=lambda one: one[:3], reverse=True)
        return [one[3] for one in found[: query.limit]]

    async def _spans(self, topic: str, since_ms: int | None, until_ms: int | None) -> dict[int, Span]:
        """The offsets of each partition that these times leave."""
        known = (await self._link.topics([topic]))[topic].partitions
        partitions = range(known)
        firsts = await self._link.offsets(topic, partitions, EARLIEST)
        ends = await self._link.offsets(topic, partitions, committed=True)
        if since_ms is not None:
            later = await self._link.offsets(topic, partitions, since_ms)
            firsts = {p: later[p] if later[p] >= 0 else ends[p] for p in partitions}
        if until_ms is not None:
            later = await self._link.offsets(topic, partitions, until_ms)
            ends = {p: min(ends[p], later[p]) if later[p] >= 0 else ends[p] for p in partitions}
        return {p: (firsts[p], ends[p]) for p in partitions}

    async def _collect(
        self,
        topic: str,
        partition: int,
        span: Span,
        meets: Callable[[ConsumerRecord[Any, Any]], T | None],
        limit: int,
        newest: bool,
    ) -> list[T]:
        """At least `limit` of those that meet the question, unless there are fewer."""
        found: list[T] = []
        for start, stop in slices(*span, newest):
            async for records in self._scanner.read(topic, partition, start, stop):
                found += [one for record in records if (one := meets(record)) is not None]
            if len(found) >= limit:
                break
        return found

    def _asked(
        self, query: EventQuery, after: tuple[int, Position] | None
    ) -> Callable[[ConsumerRecord[Any, Any]], Delivery | None]:
        key = None
        if query.source is not None and query.subject is not None:
            key = topic_key(query.source, query.subject)

        def asked(record: ConsumerRecord[Any, Any]) -> Delivery | None:
            if key is not None and record.key != key:
                return None
            try:
                delivery = delivery_of(record, self._wire.event(record))
            except ValueError:
                return None
            if after is not None and (
                rank(delivery) >= after if query.newest_first else rank(delivery) <= after
            ):
                return None
            return delivery if meets(delivery, query) else None

        return asked

    async def _rank(self, position: Position) -> tuple[int, Position] | None:
        """Where an event stands in the order; None: it is not there any more."""
        record = await self._scanner.one(self._topics.events, position.partition, position.offset - 1)
        return None if record is None else (record.timestamp * 1_000_000, position)


def rank(delivery: Delivery) -> tuple[int, Position]:
    return delivery.stored_ns, delivery.position


def slices(start: int, stop: int, newest: bool) -> list[Span]:
    cuts = [*range(start, stop, SLICE), stop]
    spans = list(pairwise(cuts))
    return spans[::-1] if newest else spans


MOST_MS = (1 << 62) // 1_000_000


def times(since_ns: int | None, until_ns: int | None) -> tuple[int | None, int | None]:
    """In milliseconds, no later and no earlier than asked."""
    since = None if since_ns is None else min(max(since_ns // 1_000_000, 0), MOST_MS)
    until = None if until_ns is None else min(max(-(-until_ns // 1_000_000), 0), MOST_MS)
    return since, until


def answer(record: ConsumerRecord[Any, Any], query: DecisionQuery) -> tuple[int, int, int, Decision] | None:
    """The decision with its place in the order, when it meets the question."""
    try:
        decision = decoded(record.value or b"")
    except msgspec.MsgspecError:
        return None
    if not answers(decision, query):
        return None
    return decision.time_ns, record.partition, record.offset, decision
