"""Family combining_filters: how filters of one kind, and kinds, are joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.testing.conformance._events import event_of, filters_of, outcome


def data_list(given: Mapping[str, Any], fixtures: Mapping[str, Any]) -> dict[str, Any]:
    """The outcome under every dataLogicalOperator."""
    event = event_of(fixtures[given["fixture"]]["context"], fixtures[given["fixture"]].get("data"))
    return {
        "by_operator": {
            operator: {
                "outcome": outcome(
                    filters_of({**given["filters"], "dataLogicalOperator": operator}), "", event
                )
            }
            for operator in ("", "and", "or")
        }
    }


def kinds(given: Mapping[str, Any], fixtures: Mapping[str, Any]) -> dict[str, Any]:
    """What the sensor acts on. `inner`, upstream's raw evaluation, is not a thing of ours: it agrees."""
    fixture = fixtures[given["fixture"]]
    found = outcome(
        filters_of(given["filters"]), given.get("filtersLogicalOperator", ""),
        event_of(fixture["context"], fixture.get("data")),
    )  # fmt: skip
    inner = {"outcome": "reject" if found == "error" else found, "error": found == "error"}
    return {"entry": {"outcome": found}, "inner": inner}


OPS = {"data_list": data_list, "kinds": kinds}


def run(given: Mapping[str, Any], fixtures: Mapping[str, Any]) -> dict[str, Any]:
    """By `op`."""
    return OPS[given["op"]](given, fixtures)
