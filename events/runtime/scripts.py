"""Judging scripted dependencies (Lua, jq) in helper processes, a batch at a time, before it is handled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from events.event import Delivery, Position
from events.sensors.dependencies import Verdict

if TYPE_CHECKING:
    from events.runtime.roster import Entry, Roster

Judged = Mapping[tuple[Position, int], Verdict]
"""(position of the event, number of the roster entry) -> verdict"""

NOTHING: Judged = {}

PORTION = 16
"""Events judged at once where there are scripts: what one batch may hold back is bounded."""


class Remote(Protocol):
    """Judges one event for one dependency in another process."""

    async def judge(self, entry: Entry, delivery: Delivery) -> Verdict:
        """Raises nothing: a timeout or a crash is an error verdict."""
        ...


class Judge:
    """Asks the helper processes where a sensor has scripts; costs nothing where none has."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def portions(self, roster: Roster, deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
        """The deliveries in the portions in which they are to be prepared and handled."""
        size = PORTION if roster.scripted else max(1, len(deliveries))
        return (deliveries[start : start + size] for start in range(0, len(deliveries), size))

    async def prepare(self, roster: Roster, deliveries: Sequence[Delivery]) -> Judged:
        if not roster.scripted:
            return NOTHING
        asked = [
            (entry, delivery)
            for delivery in deliveries
            for _, entries in roster.candidates(delivery.event, delivery.position)
            for entry in entries
            if entry.dependency.scripted
        ]
        verdicts = await asyncio.gather(*(self._remote.judge(entry, found) for entry, found in asked))
        return {
            (found.position, entry.number): verdict
            for (entry, found), verdict in zip(asked, verdicts, strict=True)
        }
