"""A loop whose time is virtual: sleeping costs nothing, hours pass at once, on any machine alike.

For code that waits for nothing but timers: threads and sockets are not waited for.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

START_NS = 1_760_000_000_000_000_000
"""What the clock says first: a time in 2025, in nanoseconds since 1970."""


class VirtualSelector(selectors.SelectSelector):
    """Never waits: it moves the clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everything waits for something that never comes")
            self.now += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0 seconds."""

    def __init__(self) -> None:
        self.selector = VirtualSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


def now_ns() -> int:
    """The wall clock of a virtual loop."""
    return START_NS + round(asyncio.get_running_loop().time() * 1e9)


def run_virtual(main: Coroutine[Any, Any, Result]) -> Result:
    """Run until complete on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
