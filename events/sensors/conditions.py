"""Conditions with memory: which events a trigger holds, and when they are enough.

Per trigger and dependency at most one event is held, the newest that passed. The moment the condition is met
the trigger takes everything it holds, also what it did not need, and holds nothing.

Upstream  pkg/sensors/listener.go; pkg/eventbus/jetstream/sensor/trigger_conn.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

from events.lang.condition import Condition

Held = TypeVar("Held")
"""Whatever stands for an event: the engine only keeps it."""


class Step(NamedTuple, Generic[Held]):
    """What one event made of the held ones. `chosen` is set when the condition is met."""

    held: Mapping[str, Held]
    chosen: Mapping[str, Held] | None


def step(condition: Condition, held: Mapping[str, Held], dependency: str, event: Held) -> Step[Held]:
    """One event passed `dependency`. A condition without `&&` fires at once, with that event alone."""
    if not condition.holds:
        return Step(held, {dependency: event})
    now_held = {**held, dependency: event}
    if condition.true_for(now_held):
        return Step({}, now_held)
    return Step(now_held, None)
