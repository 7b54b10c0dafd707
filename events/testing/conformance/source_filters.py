"""Family source_filters: expression filters of event sources, judged on what a source would publish."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from events.errors import EvaluationError, ExpressionError
from events.lang.document import Document
from events.lang.exprlang import compile_filter


@dataclass(frozen=True, slots=True)
class _Env:
    """What `now()` and random functions see: no case depends on the exact values."""

    now: datetime = datetime(2024, 6, 1, 12, 0, 0, tzinfo=UTC)
    random: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311  # not for secrets


def run(given: dict[str, Any], fixtures: dict[str, Any]) -> dict[str, Any]:
    """`fixture` or `data` (JSON text) and `expression` -> `outcome`: pass, reject or error."""
    data = given["data"] if "data" in given else fixtures[given["fixture"]]
    try:
        passes = compile_filter(given["expression"], _Env()).passes(Document(data).tree)
    except (ExpressionError, EvaluationError):
        return {"outcome": "error"}
    return {"outcome": "pass" if passes else "reject"}
