"""The contract of the bus, as tests that every engine runs.

    import pytest
    pytest.register_assert_rewrite("events.testing")  # for readable failures
    from events.testing.bus import BusContract, Harness

    class TestMine(BusContract):
        def harness(self, folder: Path) -> Harness:
            return MyHarness(folder)

Needs       pytest, pytest-asyncio (mode auto) and hypothesis
Promises    `PROMISES` lists what an engine may be unable to keep or to bring about by itself; a clause about
            a waived one is skipped with its reason
"""

from __future__ import annotations

import itertools
from pathlib import Path

from events.testing.bus_harness import PROMISES, WAIVERS, Handles, Harness
from events.testing.bus_limits_clauses import LimitClauses
from events.testing.bus_log_clauses import LogClauses
from events.testing.bus_machine import run_machine
from events.testing.bus_state_clauses import StateClauses

__all__ = ["PROMISES", "WAIVERS", "BusContract", "Handles", "Harness"]


class BusContract(LogClauses, StateClauses, LimitClauses):
    """All clauses. A subclass says how to make a harness for a log of its own."""

    examples, steps = 25, 30
    """Of the state machine; slow engines take fewer."""

    def test_random_steps_agree_with_a_simple_model(self, tmp_path: Path) -> None:
        numbers = itertools.count()

        def make() -> Harness:
            folder = tmp_path / f"{next(numbers)}"
            folder.mkdir()
            return self.harness(folder)

        run_machine(make, self.waived(self.harness(tmp_path)), self.examples, self.steps)
