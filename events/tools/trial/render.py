"""One trigger, given events: the request it would make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from events.errors import EvaluationError, NotThere
from events.event import FILTERED, Event, Firing, Request, firing_id
from events.runtime.plans import SensorPlan, TriggerPlan
from events.tools.trial.manifests import Setup
from events.tools.trial.world import why


class Offered(NamedTuple):
    """An event from a file: for a dependency, or for the one whose topic it has. `bare`: a payload alone."""

    event: Event
    dependency: str | None
    bare: bool


class Rendered(NamedTuple):
    """The request, and what people should know: dependencies that would refuse their event."""

    trigger: TriggerPlan
    firing: Firing
    request: Request
    notes: list[str]


def find_trigger(setup: Setup, name: str) -> tuple[SensorPlan, TriggerPlan]:
    """The trigger called SENSOR.TRIGGER, or NAMESPACE/SENSOR.TRIGGER. Raises NotThere naming all of them."""
    known = {
        f"{one.plan.namespace}/{one.plan.name}.{trigger.name}": (one.plan, trigger)
        for one in setup.sensors
        for own in one.plan.triggers
        for trigger in (own, own.dlq)
        if trigger is not None
    }
    found = [label for label in known if name in {label, label.partition("/")[2]}]
    if len(found) != 1:
        said = "several triggers are called" if found else "there is no trigger"
        there = ", ".join(found or known)
        raise NotThere(f"{said} {name}: there is {there}")
    return known[found[0]]


def render(plan: SensorPlan, trigger: TriggerPlan, offered: Sequence[Offered], now_ns: int) -> Rendered:
    """What the trigger makes of these events. `now_ns`: when the newest was stored.

    Raises NotThere for an event that belongs to no dependency, EvaluationError when it cannot be rendered.
    """
    chosen = assigned(plan, trigger, offered)
    notes: list[str] = []
    events = {name: passed(plan, name, event, notes) for name, event in chosen.items()}
    keys = {name: event.key for name, event in events.items()}
    firing = Firing(
        firing_id(plan.namespace, plan.name, trigger.name, trigger.role, keys),
        plan.namespace, plan.name, trigger.name, events, now_ns, trigger.role,
    )  # fmt: skip
    if not trigger.condition.true_for(events):
        notes.append(f"with these events it would wait: the condition is {trigger.condition.normalized}")
    return Rendered(trigger, firing, trigger.render(firing), notes)


def assigned(plan: SensorPlan, trigger: TriggerPlan, offered: Sequence[Offered]) -> Mapping[str, Event]:
    """Dependency -> event. Raises NotThere."""
    topics = {dep.name: dep.topic for dep in plan.dependencies if dep.name in trigger.condition.names}
    chosen: dict[str, Event] = {}
    for one in offered:
        name = one.dependency or fitting(one, topics, chosen)
        if name not in topics:
            raise NotThere(
                f"{name or 'the event'} is no dependency of {trigger.name}: it has "
                + ", ".join(f"{dep} ({'/'.join(topic)})" for dep, topic in topics.items())
            )
        source, subject = topics[name]
        chosen[name] = one.event
        if one.bare:
            one.event.source, one.event.subject = source, subject
        one.event.namespace = plan.namespace
    return chosen


def fitting(one: Offered, topics: Mapping[str, tuple[str, str]], taken: Mapping[str, Event]) -> str:
    """The first dependency that is left and has the event's topic; any for a bare payload."""
    topic = one.event.source, one.event.subject
    free = (name for name, its in topics.items() if name not in taken and (one.bare or its == topic))
    return next(free, f"{one.event.source}/{one.event.subject}")


def passed(plan: SensorPlan, name: str, event: Event, notes: list[str]) -> Event:
    """The event as the dependency hands it on: transformed, also when a filter says no."""
    dependency = next(dep for dep in plan.dependencies if dep.name == name)
    verdict = dependency.judge(event)
    if verdict.event is not None:
        return verdict.event
    reason = why(plan, name, event) if verdict.result == FILTERED else verdict.reason
    notes.append(f"dependency {name} refuses this event: {reason}")
    if dependency.transform is None:
        return event
    try:
        return dependency.transform(event)
    except EvaluationError as exc:
        raise EvaluationError(exc.message, exc.expression, name) from exc
