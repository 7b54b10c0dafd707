"""The engine without a bus and without effects: which triggers would fire for some events, with what request.

The same compiled sensors as a running instance uses; conditions are held in memory only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from events.errors import EvaluationError
from events.event import (
    FIRED,
    PARAMETER_ERROR,
    TRIGGER_ROLE,
    WAITING,
    Delivery,
    Event,
    Firing,
    Position,
    Request,
    firing_id,
)
from events.runtime.memory import Held, Memory
from events.runtime.plans import SensorPlan, TriggerPlan
from events.sensors.dependencies import Verdict


class Shown(NamedTuple):
    """What a dependency says of an event."""

    sensor: str
    dependency: str
    verdict: Verdict


class Action(NamedTuple):
    """What would become of an event at a trigger: fired (with its request), waiting, or parameter_error."""

    sensor: str
    trigger: str
    result: str
    firing: Firing | None = None
    request: Request | None = None
    reason: str = ""


class Outcome(NamedTuple):
    """Everything that one event leads to."""

    verdicts: list[Shown]
    actions: list[Action]


class Simulation:
    """Some sensors, shown events one after another."""

    def __init__(self, plans: Sequence[SensorPlan]) -> None:
        self.plans = plans
        self._memories: dict[tuple[str, str, str], Memory] = {}
        self._seen = 0

    def show(self, event: Event, stored_ns: int | None = None) -> Outcome:
        """One event. Its place in the log is its turn; `stored_ns` is its own time when absent."""
        self._seen += 1
        moment = stored_ns if stored_ns is not None else event.time_ns or 0
        found = Delivery(event, Position(0, self._seen), moment)
        outcome = Outcome([], [])
        for plan in self.plans:
            passed = self._judge(plan, event, outcome)
            for trigger in plan.triggers if passed else ():
                outcome.actions.extend(self._offer(plan, trigger, passed, found))
        return outcome

    def reset(self, plan: SensorPlan, trigger: str) -> None:
        """conditionsReset of one trigger."""
        self.memory(plan, trigger).forget()

    def memory(self, plan: SensorPlan, trigger: str) -> Memory:
        """What a trigger holds."""
        key = (plan.namespace, plan.name, trigger)
        return self._memories.setdefault(key, Memory(plan.name, trigger))

    def _judge(self, plan: SensorPlan, event: Event, outcome: Outcome) -> dict[str, Event]:
        passed: dict[str, Event] = {}
        for dependency in plan.dependencies:
            if dependency.topic != (event.source, event.subject):
                continue
            verdict = dependency.judge(event)
            outcome.verdicts.append(Shown(plan.name, dependency.name, verdict))
            if verdict.event is not None:
                passed[dependency.name] = verdict.event
        return passed

    def _offer(
        self, plan: SensorPlan, trigger: TriggerPlan, passed: Mapping[str, Event], found: Delivery
    ) -> Iterable[Action]:
        names = [name for name in trigger.condition.names if name in passed]
        if not names:
            return
        memory = self.memory(plan, trigger.name)
        pending = memory.offer(trigger.condition, [(name, passed[name]) for name in names], found)
        for chosen in pending.chosen:
            yield self._act(plan, trigger, chosen)
        if not pending.chosen:
            yield Action(plan.name, trigger.name, WAITING)

    def _act(self, plan: SensorPlan, trigger: TriggerPlan, chosen: Mapping[str, Held]) -> Action:
        events = {name: held.event for name, held in chosen.items()}
        keys = {name: event.key for name, event in events.items()}
        firing = Firing(
            firing_id(plan.namespace, plan.name, trigger.name, TRIGGER_ROLE, keys),
            plan.namespace, plan.name, trigger.name, events, max(held.stored_ns for held in chosen.values()),
        )  # fmt: skip
        try:
            request = trigger.render(firing)
        except EvaluationError as exc:
            return Action(plan.name, trigger.name, PARAMETER_ERROR, firing, reason=str(exc))
        return Action(plan.name, trigger.name, FIRED, firing, request)
