"""Limits of one evaluation, so that no expression and no event costs much time or memory.

Upstream limits memory only: the elements of all arrays, maps and ranges that are built. Here steps and text
have limits too.
"""

from __future__ import annotations

from typing import Any, Final

from events.errors import EvaluationError

MAX_ELEMENTS: Final = 1_000_000
"""Elements of all collections that an evaluation builds."""
MAX_STEPS: Final = 1_000_000
"""Rounds of all loops, and values that are walked over."""
MAX_TEXT: Final = 64 << 20
"""Characters of all texts that an evaluation builds; searching a text costs a 16th of its length."""


class Budget:
    """What is left for one evaluation."""

    __slots__ = ("_elements", "_steps", "_text")

    def __init__(self, part: int = 1) -> None:
        """The limits of one evaluation divided by `part`."""
        self._elements, self._steps, self._text = MAX_ELEMENTS // part, MAX_STEPS // part, MAX_TEXT // part

    def build(self, elements: int) -> None:
        """Account for a new collection. Raises EvaluationError."""
        self._elements -= elements
        if self._elements <= 0:
            raise EvaluationError("memory budget exceeded: too many elements")

    def spend(self, steps: int) -> None:
        """Account for rounds of a loop or values looked at. Raises EvaluationError."""
        self._steps -= steps
        if self._steps < 0:
            raise EvaluationError("the expression takes too many steps")

    def write(self, characters: int) -> None:
        """Account for a new text. Raises EvaluationError."""
        self._text -= characters
        if self._text < 0:
            raise EvaluationError("memory budget exceeded: too much text")

    def read(self, text: Any) -> None:
        """Account for a search through a text; other values are free."""
        if isinstance(text, str):
            self.write(len(text) >> 4)

    def walk(self, value: Any) -> None:
        """Account for a function that visits all of a value and may write all of it."""
        rest = [value]
        while rest:
            item = rest.pop()
            if isinstance(item, str):
                self.write(len(item))
            elif isinstance(item, list):
                self.spend(len(item))
                rest.extend(item)
            elif isinstance(item, dict):
                self.spend(len(item))
                rest.extend(item.values())
