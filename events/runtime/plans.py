"""Sensors compiled for running: the engine's dependencies and conditions, and the rendering of each trigger.

Everything is compiled once, at load. What does not compile is a Problem with its field.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from events.event import DLQ_ROLE, TRIGGER_ROLE
from events.lang.backoff import Backoff, compile_backoff
from events.lang.condition import Condition, compile_condition
from events.sensors.dependencies import Dependency, compile_dependency
from events.sensors.extraction import data_keys
from events.sensors.problems import Problems
from events.triggers._base import Render
from events.triggers._compile import available, compile_render, kind_of

if TYPE_CHECKING:
    from events.api.sensor import Sensor, Trigger, TriggerPolicy
    from events.lang.cron import Schedule

MAX_IN_FLIGHT = 64
UNITS = {"Second": 1.0, "Minute": 60.0, "Hour": 3600.0}


class TriggerPlan(NamedTuple):
    """One trigger, compiled."""

    sensor: str
    name: str
    label: str
    """`ci/build.submit`: namespace, sensor, trigger."""
    kind: str
    revision: str
    condition: Condition
    resets: tuple[Schedule, ...]
    render: Render
    policy: TriggerPolicy | None
    patience: Backoff
    """Looks for the labels of policy.k8s."""
    retry: Backoff | None
    interval_ns: int
    """Nanoseconds between firings; 0: no limit."""
    burst: int
    max_in_flight: int
    at_most_once: bool
    dlq: TriggerPlan | None
    role: str

    @property
    def ordered(self) -> bool:
        return self.max_in_flight == 1


class SensorPlan(NamedTuple):
    """One sensor, compiled. `source` is the spec as JSON, kept so that old events can be explained."""

    namespace: str
    name: str
    revision: str
    source: bytes
    dependencies: tuple[Dependency, ...]
    reads: Mapping[str, set[str]]
    """Dependency -> the `dataKey`s that parameters read from it."""
    definitions: dict[str, str]
    """Dependency -> hash of its definition: a changed one drops what is held for it."""
    triggers: tuple[TriggerPlan, ...]
    problems: Problems

    @property
    def label(self) -> str:
        return f"{self.namespace}/{self.name}"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def canonical(value: object) -> bytes:
    """JSON in ASCII with sorted keys, for `json.loads`: manifests may hold integers of any size and halves of
    surrogate pairs."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def compile_sensor(sensor: Sensor) -> SensorPlan:
    """Raises nothing: `problems` says what is wrong."""
    dumped = sensor.model_dump(mode="json", by_alias=True, exclude_unset=True)
    spec, problems = sensor.spec, Problems()
    revision = digest(canonical(dumped["spec"]))
    dependencies = tuple(
        compile_dependency(dep, f"dependencies.{n}", problems) for n, dep in enumerate(spec.dependencies)
    )
    maker = TriggerMaker(sensor, revision, [dep.name for dep in dependencies], problems)
    triggers = [maker.make(item, f"triggers.{n}", TRIGGER_ROLE) for n, item in enumerate(spec.triggers)]
    return SensorPlan(
        sensor.metadata.namespace,
        sensor.metadata.name,
        revision,
        canonical(dumped),
        dependencies,
        data_keys(dumped),
        {
            dep.name: digest(canonical(dep.spec.model_dump(mode="json", by_alias=True)))
            for dep in dependencies
        },
        tuple(trigger for trigger in triggers if trigger is not None),
        problems,
    )


class TriggerMaker:
    """Compiles the triggers of one sensor."""

    def __init__(self, sensor: Sensor, revision: str, names: Sequence[str], problems: Problems) -> None:
        self._sensor, self._revision, self._names, self._problems = sensor, revision, names, problems

    def make(self, spec: Trigger, field: str, role: str) -> TriggerPlan | None:
        """None when the trigger can never run; why is in the problems."""
        template, problems = spec.template, self._problems
        if not available(template):
            return None  # the loader names the kind; the other triggers run
        condition = problems.attempt(
            f"{field}.template.conditions",
            lambda: compile_condition(None if role == DLQ_ROLE else template.conditions, self._names),
        )
        render = problems.attempt(f"{field}.template", lambda: compile_render(spec))
        retry = problems.attempt(f"{field}.retryStrategy", lambda: compile_retry(spec))
        if condition is None or render is None:
            return None
        meta = self._sensor.metadata
        return TriggerPlan(
            sensor=meta.name,
            name=template.name,
            label=f"{meta.namespace}/{meta.name}.{template.name}",
            kind=kind_of(template) or "",
            revision=self._revision,
            condition=condition,
            resets=tuple(self._resets(spec, field)) if role == TRIGGER_ROLE else (),
            render=render,
            policy=spec.policy,
            patience=compile_patience(spec),
            retry=retry,
            interval_ns=interval_ns(spec),
            burst=max(1, spec.rate_limit.burst if spec.rate_limit else 1),
            max_in_flight=spec.max_in_flight or (1 if spec.at_least_once else MAX_IN_FLIGHT),
            at_most_once=spec.at_least_once is False,
            dlq=self._dlq(spec, field) if role == TRIGGER_ROLE else None,
            role=role,
        )

    def _dlq(self, spec: Trigger, field: str) -> TriggerPlan | None:
        """Its own conditions, rate limit and dlqTrigger mean nothing, as upstream."""
        if spec.dlq_trigger is None:
            return None
        plan = self.make(spec.dlq_trigger, f"{field}.dlqTrigger", DLQ_ROLE)
        return None if plan is None else plan._replace(interval_ns=0)

    def _resets(self, spec: Trigger, field: str) -> list[Schedule]:
        made: list[Schedule] = []
        for n, item in enumerate(spec.template.conditions_reset):
            by_time = item.by_time
            from events.lang.cron import compile_cron

            place = f"{field}.template.conditionsReset.{n}.byTime.cron"
            schedule = self._problems.attempt(
                place,
                lambda by=by_time: compile_cron(by.cron, by.timezone or "UTC"),  # type: ignore[misc]
            )
            if schedule is not None:
                made.append(schedule)
        return made


def compile_retry(spec: Trigger) -> Backoff | None:
    """None without a retryStrategy; an empty one means five attempts. Raises ExpressionError."""
    return None if spec.retry_strategy is None else spec.retry_strategy.schedule()


def compile_patience(spec: Trigger) -> Backoff:
    """How often and how long labels are looked for. Raises ExpressionError."""
    given = spec.policy.k8s.backoff if spec.policy and spec.policy.k8s else None
    return compile_backoff(None, None, None, None) if given is None else given.schedule()


def interval_ns(spec: Trigger) -> int:
    limit = spec.rate_limit
    if limit is None or not limit.requests_per_unit:
        return 0
    return int(UNITS.get(limit.unit, 1.0) / limit.requests_per_unit * 1e9)
