"""Differences as lines for people: the key path, then what was expected and what came."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from events.tools.trial.compare import ABSENT, Difference

LONGEST = 200
"""Characters of a value that are shown."""


def lines_of(
    differences: Sequence[Difference], names: tuple[str, str] = ("expected", "got")
) -> Iterator[str]:
    """Three lines for each difference."""
    width = max(map(len, names))
    for one in differences:
        yield one.path or "(all of it)"
        for sign, name, side in zip("-+", names, (one.wanted, one.got), strict=True):
            yield f"  {sign} {name.ljust(width)}  {shown(side)}"


def shown(value: Any) -> str:
    """The value as JSON on one line, cut when it is long."""
    if value is ABSENT:
        return "(nothing)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
