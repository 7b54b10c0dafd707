"""calendar: schedules, intervals, exclusion, catch-up; time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.errors import BusUnavailable, Permanent
from events.sources import calendar
from events.testing.sources import Rig, rigged

START = datetime(2026, 3, 27, 23, 59, 30, tzinfo=UTC)


class Clock:
    """Stands still but for the sleeps of the source."""

    def __init__(self, start: datetime = START) -> None:
        self.now = start
        self.slept: list[float] = []

    def now_ns(self) -> int:
        return int(self.now.timestamp() * 1e9)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        await _sleep(0)


_sleep = asyncio.sleep


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(calendar.asyncio, "sleep", clock.sleep)
    yield clock
    monkeypatch.undo()


async def ticks(clock: Clock, raw: dict[str, Any], count: int, cursor: bytes | None = None) -> Rig:
    async with rigged(now_ns=clock.now_ns) as rig:
        rig.cursors += [cursor] if cursor else []
        await rig.start("calendar", raw, wait=False)
        async with asyncio.timeout(5):
            while len(rig.emitted) < count and not rig.task.done():
                await _sleep(0)
        if rig.task.done():
            await rig.task
        await rig.stop()
    return rig


def times(rig: Rig) -> list[str]:
    return [data["eventTime"] for data in rig.data]


async def test_schedule_in_its_zone(clock: Clock):
    rig = await ticks(clock, {"schedule": "0 2 * * *", "timezone": "Europe/Berlin"}, 3)
    assert times(rig)[:3] == [
        "2026-03-28 01:00:00 +0000 UTC",
        "2026-03-30 00:00:00 +0000 UTC",  # 02:00 does not exist on the 29th: the clock skips it
        "2026-03-31 00:00:00 +0000 UTC",
    ]


async def test_interval_keeps_its_pace(clock: Clock):
    clock.now = START.replace(microsecond=250_000)
    rig = await ticks(clock, {"interval": "10s", "metadata": {"hello": "world"}}, 3)
    assert times(rig)[:3] == [
        "2026-03-27 23:59:40 +0000 UTC",
        "2026-03-27 23:59:50 +0000 UTC",
        "2026-03-28 00:00:00 +0000 UTC",
    ]
    assert rig.data[0]["metadata"] == {"hello": "world"}


async def test_the_scheduled_time_is_the_id_and_the_cursor(clock: Clock):
    rig = await ticks(clock, {"schedule": "0 0 * * *"}, 1)
    assert rig.emitted[0].id == "es.ev.20260328T000000Z"
    assert rig.cursors[0] == b"2026-03-28T00:00:00+00:00"


async def test_excluded_days_have_no_ticks(clock: Clock):
    raw = {"schedule": "0 12 * * *", "exclusionDates": ["EXDATE:20260328T000000Z,20260329T120000Z", "other"]}
    rig = await ticks(clock, raw, 1)
    assert times(rig)[0] == "2026-03-30 12:00:00 +0000 UTC"


async def test_a_tick_that_was_delivered_does_not_come_again_after_a_restart(clock: Clock):
    rig = await ticks(clock, {"schedule": "0 0 * * *"}, 1, cursor=b"2026-03-28T00:00:00+00:00")
    assert times(rig)[0] == "2026-03-29 00:00:00 +0000 UTC"


async def test_missed_ticks_are_skipped_without_catchup(clock: Clock):
    rig = await ticks(clock, {"schedule": "0 * * * *"}, 1, cursor=b"2026-03-27T20:00:00+00:00")
    assert times(rig)[0] == "2026-03-28 00:00:00 +0000 UTC"


async def test_missed_ticks_are_caught_up_as_configured(clock: Clock):
    persistence = {"catchup": {"enabled": True}}
    raw = {"schedule": "0 * * * *", "persistence": persistence}
    rig = await ticks(clock, raw, 4, cursor=b"2026-03-27T20:00:00+00:00")
    assert [time[11:16] for time in times(rig)[:4]] == ["21:00", "22:00", "23:00", "00:00"]
    persistence["catchup"]["maxDuration"] = "90m"  # type: ignore[assignment]
    clock.now = START
    rig = await ticks(clock, raw, 2, cursor=b"2026-03-27T20:00:00+00:00")
    assert [time[11:16] for time in times(rig)[:2]] == ["23:00", "00:00"]


async def test_the_first_start_is_kept_so_that_the_first_tick_can_be_caught_up(clock: Clock):
    catchup = {"persistence": {"catchup": {"enabled": True}}}
    rig = await ticks(clock, {"schedule": "0 * * * *", **catchup}, 1)
    assert rig.cursors[:2] == [START.isoformat().encode(), b"2026-03-28T00:00:00+00:00"]
    clock.now = START + timedelta(hours=5)
    rig = await ticks(clock, {"schedule": "0 0 * * *", **catchup}, 1, cursor=rig.cursors[0])
    assert times(rig)[0] == "2026-03-28 00:00:00 +0000 UTC"


async def test_a_tick_that_the_bus_refused_comes_again_when_the_source_is_restarted(clock: Clock):
    async with rigged(now_ns=clock.now_ns) as rig:
        rig.refuse = BusUnavailable("away")
        await rig.start("calendar", {"schedule": "0 0 * * *"}, wait=False)
        await asyncio.wait([rig.task])
        assert isinstance(rig.task.exception(), BusUnavailable)
        rig.refuse = None
        clock.now += timedelta(seconds=5)
        task = rig._tasks.start("again", rig.source.run(rig.emit))
        async with asyncio.timeout(5):
            while not rig.emitted:
                await _sleep(0)
        task.cancel()
        rig.errors.clear()
    assert times(rig)[0] == "2026-03-28 00:00:00 +0000 UTC"


async def test_sleeps_are_short_so_that_a_clock_that_is_set_is_noticed(clock: Clock):
    await ticks(clock, {"schedule": "0 12 * * *"}, 1)
    assert max(clock.slept) <= calendar.NAP


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ({"schedule": "0 0 * * *", "timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"schedule": "61 0 * * *"}, "61"),
        ({"interval": "0s"}, "longer than nothing"),
        ({"interval": "1m", "exclusionDates": ["EXDATE:20261301T000000Z"]}, "20261301T000000Z"),
    ],
)
async def test_what_can_never_tick_is_permanent(clock: Clock, raw: dict[str, Any], text: str):
    with pytest.raises(Permanent, match=text):
        await ticks(clock, raw, 1)


async def test_a_schedule_without_further_ticks_waits_quietly(clock: Clock):
    async with rigged(now_ns=clock.now_ns) as rig:
        await rig.start("calendar", {"schedule": "0 0 31 2 *"})
        await _sleep(0)
        assert not rig.task.done()
        assert await rig.stop() < 5
