"""The firings that wait in a lane, and which of them is next.

Due       by the time from which they may run
InOrder   by place within each partition of the log. Between partitions there is no order: what came to the
          lane first goes first, so that a busy partition holds up no other one
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import Protocol

from events.runtime.jobs import Job

_numbers = itertools.count(1)


class Turns(Protocol):
    """Firings that wait."""

    def push(self, job: Job) -> None: ...

    def first(self) -> Job | None:
        """The next one, which stays."""
        ...

    def pop(self) -> Job:
        """Take the next one out. IndexError: there is none."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Job]:
        """All, in the order of their turns as far as there is one."""
        ...


class Due:
    """By `due_ns`; what is due at the same time in the order in which it came."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Job]] = []

    def push(self, job: Job) -> None:
        heapq.heappush(self._heap, (job.due_ns, next(_numbers), job))

    def first(self) -> Job | None:
        return self._heap[0][2] if self._heap else None

    def pop(self) -> Job:
        return heapq.heappop(self._heap)[2]

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Job]:
        return (job for _, _, job in sorted(self._heap, key=lambda entry: entry[:2]))


class InOrder:
    """By place. One that comes back keeps its turn: those behind it wait for it."""

    def __init__(self) -> None:
        self._heaps: dict[int, list[tuple[int, int, Job]]] = {}
        self._count = 0

    def push(self, job: Job) -> None:
        job.turn = job.turn or next(_numbers)
        heap = self._heaps.setdefault(job.position.partition, [])
        heapq.heappush(heap, (job.position.offset, job.turn, job))
        self._count += 1

    def first(self) -> Job | None:
        heap = self._next()
        return heap[0][2] if heap else None

    def pop(self) -> Job:
        heap = self._next()
        if not heap:
            raise IndexError("nothing waits")
        job = heapq.heappop(heap)[2]
        if not heap:
            del self._heaps[job.position.partition]
        self._count -= 1
        return job

    def _next(self) -> list[tuple[int, int, Job]] | None:
        heaps = self._heaps
        if len(heaps) == 1:
            return next(iter(heaps.values()))
        return min(heaps.values(), key=lambda heap: heap[0][1], default=None)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Job]:
        entries = [entry for heap in self._heaps.values() for entry in heap]
        return (job for _, _, job in sorted(entries, key=lambda entry: entry[:2]))


def turns(jobs: Iterable[Job], *, ordered: bool) -> Turns:
    """For a lane that runs strictly in order, or not."""
    found: Turns = InOrder() if ordered else Due()
    for job in jobs:
        found.push(job)
    return found
