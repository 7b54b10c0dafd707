"""Reading the state of a shard to its end, and to where a write of ours is. The server is scripted."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

import pytest

from events.bus import jetstream_state
from events.bus.jetstream_pull import Pulled
from events.bus.jetstream_state import scan
from events.errors import BusUnavailable
from events.testing.virtual import run_virtual


class Scripted:
    """A puller that gets these sequences at once, and the later ones a second after it was asked to wait."""

    def __init__(self, now: list[int], later: list[int]) -> None:
        self.now, self.later = now, later
        self.waiting = deque[Pulled]()
        self.lost = self.ended = self.closed = False
        self.reason, self.received = "", 0
        self.asked: list[bool] = []

    async def open(self) -> None:
        """There is nothing to connect to."""

    def ask(self, *, wait: bool) -> None:
        if self.asked and not self.ended:
            return  # one request is enough
        self.asked.append(wait)
        self.ended = False

    async def wait(self, seconds: float) -> None:
        if not self.asked[-1]:
            self._come(self.now)
            self.ended = True
            return
        await asyncio.sleep(1.0 if self.later else seconds)
        self._come(self.later[:1])
        self.later = self.later[1:]

    def _come(self, numbers: list[int]) -> None:
        for number in numbers:
            self.received += 1
            self.waiting.append(Pulled(b"s", None, b"", number, self.received, 0, 0))

    def taken(self, messages: list[Pulled]) -> None:
        """Nothing is counted here."""

    def lose(self, reason: str) -> None:
        self.lost, self.reason = True, reason

    async def aclose(self) -> None:
        self.closed = True


def scanned(puller: Scripted, goal: int = 0) -> list[int]:
    found: list[int] = []

    async def body() -> None:
        async for one in scan(cast(Any, puller), goal):
            found.append(one.seq)

    try:
        run_virtual(body())
    finally:
        assert puller.closed
    return found


def test_all_that_is_there_and_no_wait_for_more():
    puller = Scripted([1, 2, 5], [6])
    assert scanned(puller) == [1, 2, 5]
    assert puller.asked == [False]


def test_what_the_server_holds_back_is_waited_for_up_to_our_write():
    puller = Scripted([1, 2], [5, 6, 7])
    assert scanned(puller, goal=6) == [1, 2, 5, 6]
    assert puller.asked == [False, True]


def test_a_later_write_in_the_place_of_ours_is_as_good():
    assert scanned(Scripted([1], [9]), goal=6) == [1, 9]


def test_a_server_that_never_gets_there_is_told():
    with pytest.raises(BusUnavailable, match=f"nothing came for {jetstream_state.QUIET:g} s"):
        scanned(Scripted([1, 2], [3]), goal=6)
