"""Op `rounds` of the family conditions: events in order, what fires and what stays held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.lang.condition import Condition, compile_condition
from events.sensors.conditions import step


class Round:
    """One trigger: its condition and what it holds."""

    def __init__(self, name: str, text: str | None, dependencies: list[str]) -> None:
        self.name, self._dependencies = name, dependencies
        self.condition: Condition = compile_condition(text, dependencies)
        self.held: Mapping[str, str] = {}

    def change(self, text: str) -> None:
        """A restart with other conditions forgets what was held under the old ones."""
        new = compile_condition(text, self._dependencies)
        if new.normalized != self.condition.normalized:
            self.held = {}
        self.condition = new

    def take(self, event: str, matches: list[str]) -> list[Mapping[str, str]]:
        """What fires, in the order in which the condition names its dependencies."""
        fired = []
        for name in self.condition.names:
            if name in matches:
                taken = step(self.condition, self.held, name, event)
                self.held = taken.held
                if taken.chosen is not None:
                    fired.append(taken.chosen)
        return fired


def run(given: Mapping[str, Any], _: Mapping[str, Any]) -> dict[str, Any]:
    """All steps; an action that fails changes nothing of it."""
    rounds = [Round(one["name"], one.get("conditions"), given["dependencies"]) for one in given["triggers"]]
    firings = [
        firing for number, one in enumerate(given["steps"]) for firing in take(rounds, one, number, given)
    ]
    return {"firings": firings, "held": {one.name: dict(one.held) for one in rounds}}


def take(
    rounds: list[Round], one: Mapping[str, Any], number: int, given: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """One step of a case."""
    for each in rounds:
        if each.name in one.get("reset", ()):
            each.held = {}
        if each.name in one.get("conditions", {}):
            each.change(one["conditions"][each.name])
    if "event" not in one or one.get("filtered_out"):
        return []
    action = {"action": given["action"]} if "action" in given else {}
    return [
        {"after_step": number, "trigger": each.name, "events": dict(chosen), **action}
        for each in rounds
        for chosen in each.take(one["event"], one["matches"])
    ]
