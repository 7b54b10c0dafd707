"""How far a shard is: everything up to its mark is done, recorded or parked."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from events.bus._base import Mark
from events.event import Position


class Place:
    """One offset that something is still open for."""

    __slots__ = ("count", "offset")

    def __init__(self, offset: int) -> None:
        self.offset, self.count = offset, 0


class Progress:
    """Open places per partition, in order. The mark stands just before the first open one."""

    def __init__(self, start: Mark) -> None:
        self.incarnation = start.incarnation
        self._reached = dict(start.offsets)
        self._open: dict[int, deque[Place]] = {}

    @property
    def reached(self) -> Mark:
        """How far the log was looked at."""
        return Mark(self.incarnation, dict(self._reached))

    def open(self, position: Position) -> Place:
        """A place whose count has to be taken down once. Positions come in order within a partition."""
        places = self._open.setdefault(position.partition, deque())
        if places and places[-1].offset == position.offset:
            place = places[-1]
        else:
            place = Place(position.offset)
            places.append(place)
        place.count += 1
        return place

    def reach(self, offsets: Mapping[int, int]) -> None:
        """Everything up to these offsets was looked at."""
        self._reached.update(offsets)

    def passed(self, mark: Mark) -> bool:
        """Whether everything up to the mark was looked at."""
        reached = self._reached
        return all(reached.get(partition, -1) >= offset for partition, offset in mark.offsets.items())

    def mark(self) -> Mark:
        """Everything up to here is closed."""
        offsets = dict(self._reached)
        for partition, places in self._open.items():
            while places and places[0].count == 0:
                places.popleft()
            if places:
                offsets[partition] = min(offsets.get(partition, places[0].offset), places[0].offset - 1)
        return Mark(self.incarnation, offsets)

    @property
    def waiting(self) -> int:
        """How many places are open."""
        return sum(place.count > 0 for places in self._open.values() for place in places)
