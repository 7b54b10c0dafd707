"""Tasks with an owner: the only module that may start one.

supervise   runs one adapter until it is cancelled: Retryable -> backoff and restart, Permanent -> stay down
finish      lets something end that must not be left half done, a goodbye for example
Group       a set of named tasks that end with their owner
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from events.errors import Permanent, Retryable

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between restarts: doubled each time, with jitter, back to the first after a calm minute."""

CALM = 60.0

DEAF = 10.0
"""Seconds that a cancelled task gets to put away what it holds."""

Result = TypeVar("Result")


def backoff(attempt: int, chance: float, after: float | None = None, longest: float = LONGEST_PAUSE) -> float:
    """Seconds to wait before restart number `attempt` (from 1); `chance` in [0, 1) spreads them."""
    pause: float = min(longest, FIRST_PAUSE * 2 ** min(attempt - 1, 16))
    return max(after or 0.0, pause * (0.5 + chance / 2))


def asked(error: BaseException) -> float:
    """Seconds that the remote side wants to be left alone."""
    return (error.after or 0.0) if isinstance(error, Retryable) else 0.0


def usual(attempt: int, chance: float, error: BaseException, longest: float = LONGEST_PAUSE) -> float:
    """The pauses of what has none of its own: doubled up to `longest`, unless more is asked for."""
    return backoff(attempt, chance, asked(error), longest)


Report = Callable[[BaseException, float | None], None]
"""Told of every failure, with the seconds until the restart (None: it stays down)."""

Pauses = Callable[[int, float, BaseException], float]
"""Seconds to wait before restart number (from 1), with a random number in [0, 1), after this error."""


async def supervise(run: Callable[[], Awaitable[None]], report: Report, pauses: Pauses = usual) -> None:
    """Run `run` again and again. Ends by cancellation, by its normal end, or by a Permanent error."""
    attempt = 0
    clock = asyncio.get_running_loop().time
    while True:
        started = clock()
        try:
            return await run()
        except Permanent as exc:
            return report(exc, None)
        except Exception as exc:  # noqa: BLE001 - a supervisor: reported, counted, restarted
            attempt = 1 if clock() - started > CALM else attempt + 1
            pause = pauses(attempt, random.random(), exc)  # noqa: S311 - jitter, not a secret
            report(exc, pause)
        await asyncio.sleep(pause)


class Group:
    """Named tasks of one owner. `aclose` cancels them and waits; an error in one goes to `failed`."""

    def __init__(self, failed: Callable[[str, BaseException], None]) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed = failed

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(task.get_name(), error)

    async def finish(self, seconds: float) -> None:
        """Let the tasks end by themselves for so long, then cancel what still runs."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=seconds)
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel what still runs and wait for its end; errors on the way out go to `failed`.

        What does not end within `DEAF` is cancelled again: libraries swallow a cancellation now and then.
        """
        tasks = set(self._tasks)
        while tasks:
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=DEAF)


async def strictly(work: Awaitable[Result]) -> Result:
    """The result of a library's call, unless this task was cancelled meanwhile.

    `asyncio.wait_for` of Python 3.11 swallows a cancellation that comes together with the result
    (github.com/python/cpython/issues/86296): a loop around such a call would never end.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    result = await work
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return result


async def together(**work: Coroutine[Any, Any, Any]) -> None:
    """Run until the first of them ends, and end as that one does; the others are cancelled."""
    group = Group(lambda *_: None)  # the first error is raised below, later ones come from being cancelled
    try:
        tasks = [group.start(name, one) for name, one in work.items()]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done:
                task.result()
    finally:
        await group.aclose()


async def finish(work: Coroutine[Any, Any, Any], seconds: float) -> None:
    """Run to the end, also when the caller is cancelled meanwhile: that is raised afterwards.

    What is not done after `seconds` is cancelled. Raises what `work` raises, TimeoutError.
    """
    group = Group(lambda *_: None)  # raised below
    task = group.start("finish", work)
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        await asyncio.wait([task], timeout=seconds)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=deadline - asyncio.get_running_loop().time())
        raise
    finally:
        await group.aclose()
    if task.cancelled():
        raise TimeoutError
    task.result()
