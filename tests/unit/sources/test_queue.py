"""Batches and the buffer of sources that fetch or listen."""

from __future__ import annotations

import asyncio
import logging

import pytest

from events.errors import BusUnavailable, TooLarge
from events.sources._base import Payload
from events.sources._queue import BATCH_MESSAGES, Buffer, Waiting, insist, malformed, store
from events.testing.sources import Rig, rigged


def payloads(*texts: str) -> list[Payload]:
    return [Payload(text.encode()) for text in texts]


def texts(rig: Rig) -> list[str]:
    return [payload.data.decode() for payload in rig.emitted]


async def test_a_batch_goes_at_once_with_its_cursor():
    async with rigged() as rig:
        assert await store(rig.context(), rig.emit, payloads("a", "b"), b"7") == {}
        assert (texts(rig), rig.cursors) == (["a", "b"], [b"7"])


async def test_what_the_bus_cannot_take_is_left_out_and_told(caplog: pytest.LogCaptureFixture):
    async with rigged() as rig:
        rig.limit = 3
        refused = await store(rig.context(), rig.emit, payloads("a", "large", "b"), b"7")
        assert {index: error.size for index, error in refused.items()} == {1: 5}
        assert (texts(rig), rig.cursors) == (["a", "b"], [b"7"])
        assert "default/es.ev: did not store a message: event of 5 bytes" in caplog.text


async def test_the_cursor_passes_a_single_one_that_is_too_large():
    async with rigged() as rig:
        rig.limit = 3
        refused = await store(rig.context(), rig.emit, payloads("large"), b"7")
        assert isinstance(refused[0], TooLarge)
        assert (texts(rig), rig.cursors) == ([], [b"7"])


async def test_a_bus_that_is_away_is_the_callers_business():
    async with rigged() as rig:
        rig.refuse = BusUnavailable("away")
        with pytest.raises(BusUnavailable):
            await store(rig.context(), rig.emit, payloads("a"))


async def test_the_buffer_keeps_order_and_goes_in_batches():
    async with rigged() as rig:
        buffer = Buffer(rig.context())
        for number in range(BATCH_MESSAGES + 10):
            buffer.put(Payload(str(number).encode()))
        rig._tasks.start("buffer", buffer.run(rig.emit))
        await rig.until(BATCH_MESSAGES + 10)
        assert texts(rig) == [str(number) for number in range(BATCH_MESSAGES + 10)]
        assert rig.dropped == 0


@pytest.mark.parametrize("room", [{"messages": 2}, {"size_bytes": 2}])
async def test_what_does_not_fit_is_dropped_counted_and_told_once(
    room: dict[str, int], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    async with rigged() as rig:
        buffer = Buffer(rig.context(), **room)
        for letter in "abcd":
            buffer.put(Payload(letter.encode()))
        rig._tasks.start("buffer", buffer.run(rig.emit))
        await rig.until(2)
        assert (texts(rig), rig.dropped) == (["a", "b"], 2)
        assert caplog.text.count("dropping what comes now") == 1
        buffer.put(Payload(b"e"))
        await rig.until(3)


async def test_a_message_larger_than_the_buffer_passes_when_it_is_empty():
    async with rigged() as rig:
        buffer = Buffer(rig.context(), size_bytes=2)
        buffer.put(Payload(b"large"))
        assert rig.dropped == 0


async def test_the_buffer_waits_for_the_bus():
    async with rigged() as rig:
        rig.refuse = BusUnavailable("the bus is away")
        buffer = Buffer(rig.context())
        rig._tasks.start("buffer", buffer.run(rig.emit))
        buffer.put(Payload(b"a"))
        await rig.asked.wait()
        await asyncio.sleep(0)
        assert rig.troubles == ["the bus is away"]
        rig.refuse = None
        await rig.until(1)
        assert texts(rig) == ["a"]
        assert rig.ready.is_set()


async def test_what_waits_when_the_source_stops_is_stored_once():
    async with rigged() as rig:
        rig.hold.clear()
        buffer = Buffer(rig.context())
        buffer.put(Payload(b"a"))
        running = rig._tasks.start("buffer", buffer.run(rig.emit))
        await rig.asked.wait()
        buffer.put(Payload(b"b"))
        running.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not running.done()
        rig.hold.set()
        await asyncio.wait([running])
        assert texts(rig) == ["a", "b"]
        assert running.cancelled()


async def test_a_bus_that_does_not_store_holds_no_stop_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("events.sources._queue.LAST_SECONDS", 0.01)
    async with rigged() as rig:
        rig.hold.clear()
        buffer = Buffer(rig.context())
        buffer.put(Payload(b"a"))
        running = rig._tasks.start("buffer", buffer.run(rig.emit))
        await rig.asked.wait()
        running.cancel()
        await asyncio.wait([running])
        assert texts(rig) == []
        rig.hold.set()
        rig._tasks.start("again", buffer.run(rig.emit))
        await rig.until(1)
        assert texts(rig) == ["a"], "it is there for the next run"


async def test_a_message_that_cannot_become_an_event_is_counted_and_told(caplog: pytest.LogCaptureFixture):
    async with rigged() as rig:
        malformed(rig.context(), "a message of channel 'c'", ValueError("not valid JSON"))
        assert rig.malformed == 1
        assert "default/es.ev: dropped a message of channel 'c': not valid JSON" in caplog.text


async def test_a_reader_waits_for_room():
    waiting: Waiting[str] = Waiting(2)
    handled: list[list[str]] = []
    release = asyncio.Event()

    async def handle(batch: list[str]) -> None:
        handled.append(batch)
        await release.wait()

    async def read() -> None:
        for name in "abcde":
            await waiting.put(name, 1)

    async with rigged() as rig:
        reading = rig._tasks.start("read", read())
        await asyncio.sleep(0)
        assert (len(waiting), reading.done()) == (2, False)
        rig._tasks.start("store", waiting.run(handle))
        for _ in range(5):
            await asyncio.sleep(0)
        assert (handled, len(waiting), reading.done()) == ([["a", "b"]], 2, False)
        release.set()
        while len(handled) < 3:
            await asyncio.sleep(0)
        assert handled == [["a", "b"], ["c", "d"], ["e"]]
        assert reading.done()


async def test_a_message_larger_than_the_room_gets_in_alone():
    waiting: Waiting[str] = Waiting(2, size_bytes=10)
    assert waiting.room(100)
    waiting.put_now("large", 100)
    assert not waiting.room(1)


async def test_a_bus_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("events.aio.FIRST_PAUSE", 0.001)
    async with rigged() as rig:
        rig.refuse = BusUnavailable("away")
        storing = rig._tasks.start("store", insist(rig.context(), rig.emit, payloads("a")))
        while not rig.troubles:
            await asyncio.sleep(0)
        assert not rig.ready.is_set()
        rig.refuse = None
        assert await storing == {}
        assert (texts(rig), rig.ready.is_set(), set(rig.troubles)) == (["a"], True, {"away"})
