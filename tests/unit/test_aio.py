"""supervise and Group: restarts, ends, and errors that somebody hears of."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from events import aio
from events.aio import DEAF, FIRST_PAUSE, LONGEST_PAUSE, Group, backoff, finish, strictly, supervise, together
from events.errors import Permanent, Retryable
from events.testing.virtual import run_virtual


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds; calm after a twentieth of a second."""
    monkeypatch.setattr(aio, "FIRST_PAUSE", 0.002)
    monkeypatch.setattr(aio, "CALM", 0.05)


def test_pauses_grow_to_a_limit_and_honour_what_the_other_side_asks_for():
    pauses = [backoff(attempt, 0.999999) for attempt in range(1, 12)]
    assert pauses[0] == pytest.approx(FIRST_PAUSE)
    assert pauses == sorted(pauses)
    assert max(pauses) <= LONGEST_PAUSE
    assert backoff(1, 0.0, after=7.0) == 7.0


async def test_retryable_is_run_again_and_permanent_stays_down(hasty: None):
    errors = [Retryable("away"), ValueError("bug"), Permanent("no such queue")]
    told: list[tuple[str, bool]] = []

    async def run() -> None:
        raise errors[len(told)]

    await supervise(run, lambda error, pause: told.append((str(error), pause is None)))
    assert told == [("away", False), ("bug", False), ("no such queue", True)]


async def test_a_calm_time_starts_the_pauses_anew(hasty: None):
    pauses: list[float] = []

    async def run() -> None:
        await asyncio.sleep(0.06 if len(pauses) == 3 else 0)
        raise Retryable("away") if len(pauses) < 5 else Permanent("end")

    await supervise(run, lambda _, pause: pauses.append(pause or 0.0))
    assert pauses[3] < pauses[2]


def test_the_pauses_may_be_ones_own():
    told: list[tuple[str, float | None]] = []

    async def run() -> None:
        raise Retryable("away") if len(told) < 3 else Permanent("end")

    async def main() -> float:
        own = lambda attempt, chance, error: 100.0 * attempt  # noqa: E731
        await supervise(run, lambda error, pause: told.append((str(error), pause)), own)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 600
    assert told == [("away", 100), ("away", 200), ("away", 300), ("end", None)]


async def test_cancelling_ends_it():
    task = asyncio.get_running_loop().create_task(supervise(asyncio.Event().wait, lambda *_: None))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_group_tells_errors_and_leaves_nothing_behind():
    failed: list[str] = []
    group = Group(lambda name, error: failed.append(f"{name}: {error}"))

    async def fail() -> None:
        raise ValueError("broken")

    group.start("one", fail())
    group.start("two", asyncio.Event().wait())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert failed == ["one: broken"]
    await group.aclose()
    assert len(group) == 0


async def test_together_ends_as_the_first_ends_and_cancels_the_others():
    ended = []

    async def endless():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("endless")

    async def failing():
        await asyncio.sleep(0)
        raise Retryable("gone")

    with pytest.raises(Retryable, match="gone"):
        await together(one=endless(), other=failing())
    assert ended == ["endless"]


async def test_together_is_cancelled_as_a_whole():
    ended = []

    async def endless(name: str):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await together(one=endless("one"), other=endless("other"))
    assert sorted(ended) == ["one", "other"]


async def test_what_has_to_be_finished_is_finished_although_the_caller_is_cancelled():
    done = []

    async def goodbye() -> None:
        await asyncio.sleep(0.05)
        done.append("said")

    caller = Group(lambda *_: None)
    task = caller.start("caller", finish(goodbye(), 5))
    await asyncio.sleep(0)
    await caller.aclose()
    assert (done, task.cancelled()) == (["said"], True)


async def test_what_does_not_finish_is_ended():
    with pytest.raises(TimeoutError):
        await finish(asyncio.sleep(60), 0.01)


async def test_what_fails_while_it_finishes_is_raised():
    async def fails() -> None:
        raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        await finish(fails(), 5)


def test_a_cancellation_that_a_library_swallows_is_raised_all_the_same():
    async def swallows() -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return "result"

    async def follow() -> None:
        while True:
            await strictly(swallows())

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(follow())
        await asyncio.sleep(1)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=10)
        assert done
        assert task.cancelled()
        assert await strictly(asyncio.sleep(1, "not cancelled")) == "not cancelled"

    run_virtual(main())


def test_a_task_that_did_not_hear_its_cancellation_is_cancelled_again():
    heard: list[float] = []

    async def deaf_once() -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                heard.append(asyncio.get_running_loop().time())
                if len(heard) == 2:
                    raise

    async def main() -> None:
        group = Group(lambda *_: None)
        group.start("deaf", deaf_once())
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        await group.aclose()
        assert [at - began for at in heard] == [pytest.approx(0), pytest.approx(DEAF)]

    run_virtual(main())


async def test_tasks_of_a_group_may_end_by_themselves_until_the_time_is_over():
    ended = []

    async def nap(seconds: float):
        try:
            await asyncio.sleep(seconds)
        finally:
            ended.append(seconds)

    group = Group(lambda *_: None)
    await group.finish(1.0)
    short, long = group.start("short", nap(0.01)), group.start("long", nap(60))
    await group.finish(0.1)
    assert ended == [0.01, 60]
    assert (short.cancelled(), long.cancelled()) == (False, True)
