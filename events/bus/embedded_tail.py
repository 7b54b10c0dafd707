"""embedded_tail: the newest events in memory, for the readers that keep up; only they cost memory.

Promise   `chunks_after` gives every event above an offset, in order, while `floor` is not above the offset;
          a reader that falls behind by more than the limits reads the file until it is back
Limits    an event is dropped as soon as every reader has passed it, or at MOST_BYTES or MOST_EVENTS
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import NamedTuple

from events.event import Delivery

MOST_BYTES = 16 << 20
MOST_EVENTS = 10_000


class Chunk(NamedTuple):
    """The events of one group: all above the offset `before`, up to `last`; `size` in bytes."""

    deliveries: list[Delivery]
    before: int
    last: int
    size: int


class Tail:
    """Lives in the event loop. `head`: the newest offset; everything above `floor` is here."""

    def __init__(self, head: int) -> None:
        self.head = self.floor = head
        self._chunks: deque[Chunk] = deque()
        self._bytes = self._events = 0

    def extend(self, chunk: Chunk, passed: Iterable[int]) -> None:
        """Add the newest events. passed: how far each reader is.

        If the tail was not told of what came before them, everybody has to read that from the file.
        """
        if chunk.before != self.head:
            self._drop(self.head)
            self.floor = chunk.before
        self._chunks.append(chunk)
        self._bytes += chunk.size
        self._events += len(chunk.deliveries)
        self.head = chunk.last
        self._drop(min(passed, default=chunk.last))

    def chunks_after(self, offset: int) -> Iterator[Chunk]:
        """The chunks that reach beyond the offset, the oldest first; the first may begin before it."""
        newer = list(takewhile(lambda chunk: chunk.last > offset, reversed(self._chunks)))
        return reversed(newer)

    def _drop(self, passed: int) -> None:
        chunks = self._chunks
        while chunks and (chunks[0].last <= passed or self._bytes > MOST_BYTES or self._events > MOST_EVENTS):
            chunk = chunks.popleft()
            self.floor = chunk.last
            self._bytes -= chunk.size
            self._events -= len(chunk.deliveries)
