"""Op `filter` of the family expr_filters: `filters.exprs` of one dependency, judged on data alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.testing.conformance._events import data_text, filters_of, outcome, plain_event


def run(given: Mapping[str, Any], fixtures: Mapping[str, Any]) -> dict[str, Any]:
    """pass, reject or error."""
    filters = filters_of({"exprs": given["filters"], "exprLogicalOperator": given.get("operator", "")})
    return {"outcome": outcome(filters, "", plain_event(data_text(given, fixtures)))}
