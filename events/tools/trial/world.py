"""The engine of an instance with a clock that is set by hand: events in, decisions out, and nothing fires.

Beside what the sensors decide it has what a running instance does around them: the filter of the source,
dedupe at the bus, conditionsReset, rate limits, dlqTrigger, and a restart that keeps what is held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec
import orjson

from events.bus._base import DEDUPE_WINDOW
from events.errors import EvaluationError
from events.event import (
    DLQ_ROLE,
    DUPLICATE,
    FAILED,
    FILTERED,
    FIRED,
    PARAMETER_ERROR,
    RATE_LIMITED,
    RESET,
    SOURCE_FILTERED,
    WAITING,
    Event,
    EventKey,
    Firing,
    Request,
    firing_id,
)
from events.runtime.memory import Memory
from events.runtime.plans import SensorPlan, TriggerPlan
from events.runtime.records import ConditionRecord, decode, encode, stripped
from events.runtime.simulation import Action, Outcome, Simulation
from events.sensors.dependencies import Verdict
from events.sensors.explain import Step, decisive, trace
from events.sensors.moments import moment
from events.tools.trial.manifests import Gate, Setup

SECOND = 1_000_000_000
WINDOW_NS = int(DEDUPE_WINDOW * SECOND)


class Happening(NamedTuple):
    """One decision about one event at one trigger."""

    event: Event
    """The event that was looked at; for `reset`, one that was held."""
    namespace: str
    sensor: str
    trigger: str
    result: str
    reason: str = ""
    kind: str = ""
    firing: Firing | None = None
    request: Request | None = None

    @property
    def label(self) -> str:
        return f"{self.sensor}.{self.trigger}"


class Turnstile:
    """What a firing of one trigger passes: the rate limit, as a lane of a running instance has it."""

    def __init__(self, plan: TriggerPlan) -> None:
        self._plan, self._slot_ns = plan, 0
        self._waiting: deque[Happening] = deque()

    @property
    def due_ns(self) -> int | None:
        """When the next firing may pass; None: nobody waits."""
        return self._slot_ns if self._waiting else None

    def offer(self, happening: Happening, now_ns: int) -> Iterator[Happening]:
        """What passes now, and the new one as `rate_limited` if it has to wait."""
        self._waiting.append(happening)
        yield from self.turn(now_ns)
        if self._waiting:
            yield happening._replace(result=RATE_LIMITED, reason="waits for its turn", request=None)

    def turn(self, now_ns: int) -> Iterator[Happening]:
        """Those whose turn has come."""
        interval = self._plan.interval_ns
        while self._waiting and self._slot_ns <= now_ns:
            self._slot_ns = max(self._slot_ns, now_ns - (self._plan.burst - 1) * interval) + interval
            happening = self._waiting.popleft()
            yield happening
            yield from dead_letter(self._plan, happening)

    def restart(self, now_ns: int) -> Iterator[Happening]:
        """A new process remembers who waits, and no times."""
        self._slot_ns = 0
        return self.turn(now_ns)


class Engine(Simulation):
    """The sensors of one bus."""

    def restart(self) -> None:
        """What is held goes through its stored form, as when a new process takes over."""
        for key, memory in list(self._memories.items()):
            record = decode(memory.record(), ConditionRecord, "condition")
            events = {
                name: decode(encode(stripped(held.event)), Event, "held")
                for name, held in memory.held.items()
            }
            self._memories[key] = fresh = Memory(memory.sensor, memory.trigger)
            fresh.restore(record, events)


class World:
    """Sensors, their buses and a clock. Namespaces and buses are apart, as in an instance."""

    def __init__(self, setup: Setup, now_ns: int) -> None:
        """`now_ns`: nanoseconds since 1970; the clock only goes forward from there."""
        self.now_ns = now_ns
        self._setup = setup
        plans: dict[tuple[str, str], list[SensorPlan]] = {}
        for planned in setup.sensors:
            plans.setdefault((planned.plan.namespace, planned.bus), []).append(planned.plan)
        self._engines = {place: Engine(found) for place, found in plans.items()}
        self._turnstiles: dict[str, Turnstile] = {}
        self._stored: dict[tuple[str, EventKey], int] = {}

    # events

    def send(self, event: Event) -> list[Happening]:
        """The event arrives at its source now."""
        gate = self._setup.gates.get((event.namespace, event.source, event.subject))
        refusal = None if gate is None else refused(gate, event)
        if refusal is not None:
            return self._all(event, gate, SOURCE_FILTERED, refusal)
        if self._is_double(event):
            return self._all(event, gate, DUPLICATE, "the bus has this event already")
        return [one for engine in self._reading(event, gate) for one in self._shown(engine, event)]

    def steps(self, event: Event) -> dict[tuple[str, str], list[Step]]:
        """Per sensor and dependency on the event's topic, every step with the values compared."""
        gate = self._setup.gates.get((event.namespace, event.source, event.subject))
        return {
            (plan.name, dependency.name): trace(dependency, event)
            for engine in self._reading(event, gate)
            for plan in engine.plans
            for dependency in plan.dependencies
            if dependency.topic == (event.source, event.subject)
        }

    def _is_double(self, event: Event) -> bool:
        key = event.namespace, event.key
        since = self._stored.get(key)
        if since is not None and self.now_ns - since < WINDOW_NS:
            return True
        self._stored[key] = self.now_ns
        return False

    def _reading(self, event: Event, gate: Gate | None) -> list[Engine]:
        """The engines that the event reaches: of any bus when its EventSource is not known."""
        return [
            engine
            for (namespace, bus), engine in self._engines.items()
            if namespace == event.namespace and (gate is None or bus == gate.bus)
        ]

    def _all(self, event: Event, gate: Gate | None, result: str, reason: str) -> list[Happening]:
        """The same for every trigger that has a dependency on the topic."""
        return [
            Happening(event, plan.namespace, plan.name, trigger.name, result, reason, trigger.kind)
            for engine in self._reading(event, gate)
            for plan in engine.plans
            for trigger in plan.triggers
            if watched(plan, trigger, event)
        ]

    def _shown(self, engine: Engine, event: Event) -> Iterator[Happening]:
        outcome = engine.show(event, self.now_ns)
        for plan in engine.plans:
            verdicts = {one.dependency: one.verdict for one in outcome.verdicts if one.sensor == plan.name}
            for trigger in plan.triggers if verdicts else ():
                yield from rejections(plan, trigger, verdicts, event)
                for action in actions(outcome, trigger):
                    yield from self._acted(engine, plan, trigger, action, event)

    def _acted(
        self, engine: Engine, plan: SensorPlan, trigger: TriggerPlan, action: Action, event: Event
    ) -> Iterable[Happening]:
        happening = Happening(
            event, plan.namespace, plan.name, trigger.name, action.result, action.reason, trigger.kind,
            action.firing, action.request,
        )  # fmt: skip
        if action.result == WAITING:
            held = engine.memory(plan, trigger.name).held
            missing = ", ".join(name for name in trigger.condition.names if name not in held)
            return [happening._replace(reason=f"waits for {missing}")]
        turnstile = self._turnstiles.setdefault(trigger.label, Turnstile(trigger))
        return turnstile.offer(happening, self.now_ns)

    # time

    def advance_to(self, now_ns: int) -> list[Happening]:
        """Let the time pass: resets and firings whose turn comes happen in order. Never goes back."""
        happened: list[Happening] = []
        while (due := self._next_due()) is not None and due <= now_ns:
            self.now_ns = max(self.now_ns, due)
            happened += self._tick()
        self.now_ns = max(self.now_ns, now_ns)
        return happened

    def settle(self) -> list[Happening]:
        """Let the time pass until no firing waits for its turn."""
        happened: list[Happening] = []
        while dues := [due for one in self._turnstiles.values() if (due := one.due_ns) is not None]:
            happened += self.advance_to(max(dues))
        return happened

    def restart(self) -> list[Happening]:
        """The process ends and another one takes over at once."""
        for engine in self._engines.values():
            engine.restart()
        return [one for turnstile in self._turnstiles.values() for one in turnstile.restart(self.now_ns)]

    def _next_due(self) -> int | None:
        turns = [due for one in self._turnstiles.values() if (due := one.due_ns) is not None]
        return min([*turns, *(tick for tick, *_ in self._resets())], default=None)

    def _tick(self) -> Iterator[Happening]:
        """Everything that is due at this moment."""
        for tick, engine, plan, trigger in list(self._resets(self.now_ns - 1)):
            if tick <= self.now_ns:
                gone, _ = engine.memory(plan, trigger.name).forget()
                for held in gone.values():
                    yield Happening(
                        held.event, plan.namespace, plan.name, trigger.name, RESET, "conditionsReset",
                        trigger.kind,
                    )  # fmt: skip
        for turnstile in self._turnstiles.values():
            yield from turnstile.turn(self.now_ns)

    def _resets(self, after_ns: int | None = None) -> Iterator[tuple[int, Engine, SensorPlan, TriggerPlan]]:
        """The next reset of every trigger that holds something."""
        after = moment(self.now_ns if after_ns is None else after_ns)
        for engine in self._engines.values():
            for plan in engine.plans:
                for trigger in plan.triggers:
                    if trigger.resets and engine.memory(plan, trigger.name).held:
                        ticks = [tick for one in trigger.resets if (tick := one.next(after)) is not None]
                        for tick in ticks:
                            yield int(tick.timestamp()) * SECOND, engine, plan, trigger


def refused(gate: Gate, event: Event) -> str | None:
    """Why the filter of the source drops the event; None: it passes."""
    if gate.filter is None:
        return None
    try:
        passes = gate.filter.passes(orjson.loads(event.data or b"null"))
    except (EvaluationError, ValueError) as exc:
        return f"filter: {exc}"
    return None if passes else f"filter: {gate.filter.source}"


def watched(plan: SensorPlan, trigger: TriggerPlan, event: Event) -> bool:
    """Whether a trigger has a dependency on the event's topic."""
    topic = event.source, event.subject
    return any(dep.topic == topic and dep.name in trigger.condition.names for dep in plan.dependencies)


def actions(outcome: Outcome, trigger: TriggerPlan) -> list[Action]:
    return [one for one in outcome.actions if (one.sensor, one.trigger) == (trigger.sensor, trigger.name)]


def rejections(
    plan: SensorPlan, trigger: TriggerPlan, verdicts: Mapping[str, Verdict], event: Event
) -> Iterator[Happening]:
    """Each error of a dependency; a plain no only when no dependency said yes."""
    mine = {name: verdicts[name] for name in trigger.condition.names if name in verdicts}
    errors = [one for one in mine.values() if one.event is None and one.result != FILTERED]
    base = Happening(event, plan.namespace, plan.name, trigger.name, FILTERED, "", trigger.kind)
    for one in errors:
        yield base._replace(result=one.result, reason=one.reason)
    if mine and not errors and all(one.event is None for one in mine.values()):
        reasons = [why(plan, name, event) for name in mine]
        yield base._replace(reason="; ".join(reasons))


def why(plan: SensorPlan, name: str, event: Event) -> str:
    """The step that refused the event, with the values compared."""
    dependency = next(dep for dep in plan.dependencies if dep.name == name)
    step = decisive(trace(dependency, event))
    if step is None:
        return ""
    found = "nothing" if step.found is None else repr(step.found)
    return f"{step.field}: {step.expression}: wanted {step.wanted}, found {found}"


def dead_letter(trigger: TriggerPlan, happening: Happening) -> Iterator[Happening]:
    """What the dlqTrigger makes of a firing that could not be rendered."""
    dlq, firing = trigger.dlq, happening.firing
    if dlq is None or firing is None or happening.result != PARAMETER_ERROR:
        return
    keys = {name: event.key for name, event in firing.events.items()}
    made = msgspec.structs.replace(
        firing,
        id=firing_id(firing.namespace, dlq.sensor, trigger.name, DLQ_ROLE, keys, firing.replay),
        trigger=dlq.name,
        role=DLQ_ROLE,
    )
    base = happening._replace(trigger=dlq.name, kind=dlq.kind, firing=made, reason="dlqTrigger")
    try:
        yield base._replace(result=FIRED, request=dlq.render(made))
    except EvaluationError as exc:
        yield base._replace(result=FAILED, reason=str(exc))
