"""The fixtures that all clauses of the bus share: a harness at work, and an open bus."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from events.bus._base import Bus
from events.testing.bus_harness import PROMISES, WAIVERS, Handles, Harness, handles

F = TypeVar("F", bound=Callable[..., Any])


def needs(*promises: str) -> Callable[[F], F]:
    """The clause is about these promises: skipped, with the reason, for an engine that waives one."""
    assert set(promises) <= PROMISES.keys()

    def mark(clause: F) -> F:
        clause.__dict__["needs"] = promises
        return clause

    return mark


class BusClauses:
    """Base of the clause classes."""

    @abstractmethod
    def harness(self, folder: Path) -> Harness:
        """A harness for a log of its own; files go into this folder."""

    def waived(self, harness: Harness) -> dict[str, str]:
        """Promises that this engine does not keep, with reasons. Third parties override it."""
        return dict(WAIVERS[harness.engine])

    def skip_waived(self, harness: Harness, clause: Any) -> None:
        waived = self.waived(harness)
        assert waived.keys() <= PROMISES.keys(), "a waiver for a promise that nobody makes"
        for promise in getattr(clause, "needs", ()):
            if promise in waived:
                pytest.skip(f"{harness.engine}: {PROMISES[promise]}: {waived[promise]}")

    @pytest.fixture
    async def opened(self, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Handles]:
        """Handles to a new log; all are closed at the end."""
        harness = self.harness(tmp_path)
        self.skip_waived(harness, request.function)
        async with handles(harness, self.waived(harness)) as made:
            yield made

    @pytest.fixture
    async def bus(self, opened: Handles) -> Bus:
        """An open bus over a new log."""
        return await opened.open()
