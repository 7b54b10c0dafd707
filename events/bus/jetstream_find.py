"""Look-ups in the log and the history, without an index: JetStream finds by subject, time and sequence.

Events     by source, subject and time the server sorts out; the newest are looked for in windows from the
           end, each larger than the one before; for an id only headers are sent
Decisions  those since a time are read through; the newest are kept
Memory     what was asked for (`limit`), and one window
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from events.bus._base import DecisionQuery, EventQuery
from events.bus.jetstream_api import Api
from events.bus.jetstream_pull import Pulled, Puller
from events.bus.jetstream_settings import Names, token
from events.bus.jetstream_state import StateStore, rfc3339, scan
from events.bus.jetstream_wire import LINE, Wire, escaped
from events.bus.queries import answers, meets
from events.event import Decision, Delivery, Position

FIRST_WINDOW = 500
FARTHEST_NS = 1 << 62
"""A time beyond all others: what is later is asked for as nothing."""


class Finder:
    """Finds events and decisions of one bus."""

    def __init__(self, api: Api, names: Names, wire: Wire, state: StateStore, max_payload: int) -> None:
        self._api, self._names, self._wire, self._state = api, names, wire, state
        self._max_payload = max_payload

    async def events(self, query: EventQuery) -> list[Delivery]:
        if query.since_ns is not None and query.since_ns > FARTHEST_NS:
            return []
        state = (await self._api.info(self._names.events))["state"]
        first, last = max(1, state["first_seq"]), state["last_seq"]
        if query.after is not None and query.newest_first:
            last = min(last, query.after.offset - 1)
        elif query.after is not None:
            first = max(first, query.after.offset + 1)
        found = (
            self._backwards(query, first, last) if query.newest_first else self._forwards(query, first, last)
        )
        result = list[Delivery]()
        async with aclosing(found) as deliveries:
            async for delivery in deliveries:
                result.append(delivery)
                if len(result) == query.limit:
                    break
        return result

    async def _forwards(self, query: EventQuery, first: int, last: int) -> AsyncGenerator[Delivery, None]:
        if first > last:
            return
        start: dict[str, Any] = {"deliver_policy": "by_start_sequence", "opt_start_seq": first}
        if query.since_ns is not None and query.after is None:
            start = {"deliver_policy": "by_start_time", "opt_start_time": rfc3339(query.since_ns)}
        bare = query.id is not None and not self._names.shared
        config = {**start, "filter_subjects": [self._subject(query)], "headers_only": bare}
        puller = Puller(self._api, self._names.events, config, self._max_payload)
        async with aclosing(scan(puller)) as messages:
            async for one in messages:
                if one.seq > last or (query.until_ns is not None and one.stored_ns >= query.until_ns):
                    return
                if query.id is not None and not may_have_id(one.headers, query.id):
                    continue
                whole = await self._whole(one) if bare else one
                if whole is not None and (delivery := self._delivery(query, whole)) is not None:
                    yield delivery

    async def _backwards(self, query: EventQuery, first: int, last: int) -> AsyncGenerator[Delivery, None]:
        window = FIRST_WINDOW
        while last >= first:
            start = max(first, last - window + 1)
            found = [one async for one in self._forwards(_unbounded(query), start, last)]
            for delivery in reversed(found):
                yield delivery
            if query.since_ns is not None and await self._older(start, query.since_ns):
                return
            last, window = start - 1, window * 2

    async def _older(self, seq: int, since_ns: int) -> bool:
        """Whether the message at that place was stored before the time."""
        config = {"deliver_policy": "by_start_sequence", "opt_start_seq": seq}
        puller = Puller(self._api, self._names.events, config, self._max_payload)
        async with aclosing(scan(puller)) as messages:
            async for one in messages:
                return one.stored_ns < since_ns
        return False

    async def _whole(self, one: Pulled) -> Pulled | None:
        """With its payload; None: it was discarded meanwhile."""
        found = await self._api.message(self._names.events, seq=one.seq)
        return None if found is None else one._replace(headers=found.headers, data=found.data)

    def _subject(self, query: EventQuery) -> str:
        source, subject = ["*" if one is None else token(one) for one in (query.source, query.subject)]
        return f"{self._names.topics}.{source}.{subject}"

    def _delivery(self, query: EventQuery, one: Pulled) -> Delivery | None:
        try:
            event = self._wire.decode(one.subject, one.headers, one.data)
        except (ValueError, KeyError):
            return None
        delivery = Delivery(event, Position(0, one.seq), one.stored_ns)
        return delivery if meets(delivery, query) else None

    async def decisions(self, query: DecisionQuery) -> list[Decision]:
        heap = list[tuple[int, int, int, Decision]]()
        async with aclosing(self._state.decisions(query.since_ns)) as found:
            async for seq, number, decision in found:
                if not answers(decision, query):
                    continue
                heapq.heappush(heap, (decision.time_ns, seq, number, decision))
                if len(heap) > query.limit:
                    heapq.heappop(heap)
        return [entry[3] for entry in sorted(heap, key=lambda entry: entry[:3], reverse=True)]


def may_have_id(headers: bytes | None, name: str) -> bool:
    """False: the headers show that it is another event; the shared form does not show it."""
    own = headers is not None and headers.startswith(LINE + b"ce-")
    return not own or f"ce-id: {escaped(name)}\r\n".encode() in (headers or b"")


def _unbounded(query: EventQuery) -> EventQuery:
    """As the query, for one window of sequences: the place is given by the window."""
    return EventQuery(
        id=query.id, source=query.source, subject=query.subject, since_ns=query.since_ns,
        until_ns=query.until_ns, after=Position(0, 0),
    )  # fmt: skip
