"""A running set of manifests: sources, sensors and buses, changed in place when the manifests change.

What did not change goes on undisturbed; what is broken is reported and its old version keeps running.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from events.aio import Group
from events.errors import EventsError, ManifestError, Permanent
from events.manifest import Finding, Manifests
from events.registry import adapter_class
from events.runtime.buses import BusUnit
from events.runtime.checks import not_compiling
from events.runtime.engines import Choice
from events.runtime.owners import MakeRunner
from events.runtime.plans import SensorPlan, canonical, compile_sensor
from events.runtime.shard import LEASE, ShardRunner
from events.runtime.source_runner import Lent, SourceRunner

if TYPE_CHECKING:
    from events.api.eventbus import EventBus
    from events.api.eventsource import EventSource
    from events.api.sensor import Sensor
    from events.bus._base import Bus
    from events.observability.metrics import Metrics

log = logging.getLogger(__name__)

DEFAULT_BUS = "default"

SETTLE = 6.0
"""Seconds that buses and changed sensors get to begin before the sources go on."""

HAND_OVER = 5.0
"""Seconds that firings in hand get when their bus is made anew."""

STOP = 5.0
"""Seconds that a source gets to give back what it holds outside."""

Rows = list[tuple[dict[str, str], float]]
"""Labels and value of each line of a gauge."""


class Buses(Protocol):
    """Chooses and makes buses: see `engines`."""

    def choose(self, namespace: str, name: str, manifest: EventBus | None) -> Choice:
        """Raises ManifestError."""
        ...

    def make(self, choice: Choice, namespace: str, name: str) -> Bus:
        """A bus that is not open yet. Raises ManifestError, Permanent."""
        ...


class SourceKey(NamedTuple):
    namespace: str
    source: str
    kind: str
    event: str


class Running(NamedTuple):
    """A source at work, and the config it was started with."""

    runner: SourceRunner
    task: asyncio.Task[Any]
    raw: dict[str, Any]
    unit: BusUnit
    file: str | None

    def goes_on(self, raw: dict[str, Any], unit: BusUnit | None) -> bool:
        """Whether it is what it should be. One that gave up for good is started again."""
        return self.raw == raw and self.unit is unit and self.runner.state != "down"


async def stopped(sources: Sequence[Running]) -> None:
    """End sources; one that does not end in time is told and left to its cancellation."""
    if not sources:
        return
    for one in sources:
        one.task.cancel()
    _, late = await asyncio.wait([one.task for one in sources], timeout=STOP)
    for task in late:
        log.warning("%s does not end", task.get_name())


class RunningSensor(NamedTuple):
    plan: SensorPlan
    bus: str
    file: str | None


def key_of(model: EventSource | Sensor) -> tuple[str, str]:
    return model.metadata.namespace, model.metadata.name


def bus_of(model: EventSource | Sensor) -> str:
    """`namespace/eventbus`"""
    return f"{model.metadata.namespace}/{model.spec.event_bus_name or DEFAULT_BUS}"


def source_of(model: Sensor) -> bytes:
    """The spec as its plan keeps it: cheaper than compiling it to see that nothing has changed."""
    return canonical(model.model_dump(mode="json", by_alias=True, exclude_unset=True))


class Service:
    """Everything of one process that depends on manifests."""

    def __init__(
        self,
        metrics: Metrics,
        lent: Callable[[str], Lent],
        buses: Buses,
        make: MakeRunner,
        lease_ttl: float = LEASE,
    ) -> None:
        self.metrics = metrics
        self.sources: dict[SourceKey, Running] = {}
        self.sensors: dict[tuple[str, str], RunningSensor] = {}
        self.units: dict[str, BusUnit] = {}
        self.findings: list[Finding] = []
        self._lent, self._buses, self._make, self._lease_ttl = lent, buses, make, lease_ttl
        self._tasks = Group(self._failed)
        self._applying = asyncio.Lock()

    def _failed(self, name: str, error: BaseException) -> None:
        log.error("%s ended: %s", name, error, exc_info=error)

    async def apply(self, manifests: Manifests) -> list[Finding]:
        """Change over to these manifests. Returns what is wrong with them; the rest runs."""
        async with self._applying:
            self.findings = list(manifests.findings)
            broken = frozenset(f.file for f in manifests.findings if f.severity == "error" and f.file)
            await self._apply_buses(manifests)
            self._apply_sensors(manifests, broken)
            await self._settle()
            await self._apply_sources(manifests, broken)
            return self.findings

    # buses

    async def _apply_buses(self, manifests: Manifests) -> None:
        known = {(bus.metadata.namespace, bus.metadata.name): bus for bus in manifests.event_buses}
        models: list[EventSource | Sensor] = [*manifests.event_sources, *manifests.sensors]
        wanted = {(model.metadata.namespace, model.spec.event_bus_name or DEFAULT_BUS) for model in models}
        for namespace, name in sorted(wanted):
            await self._apply_bus(namespace, name, known.get((namespace, name)))

    async def _apply_bus(self, namespace: str, name: str, manifest: EventBus | None) -> None:
        """Make the bus, or make it anew when its manifest has changed; what cannot be made is told."""
        label = f"{namespace}/{name}"
        before = self.units.get(label)
        try:
            choice = self._buses.choose(namespace, name, manifest)
            if before is not None and before.settings == choice:
                return
            bus = self._buses.make(choice, namespace, name)
        except (ManifestError, Permanent) as exc:
            self.findings.append(unusable(label, manifest, exc))
            return
        if choice.notice:
            log.warning("EventBus %s: %s", label, choice.notice)
        if before is not None:
            await self._end_unit(before)
        self.units[label] = BusUnit(
            bus, self._make, self._tasks, settings=choice, shared=choice.shared, lease_ttl=self._lease_ttl,
            counts=self.metrics.bus(label),
        )  # fmt: skip

    async def _end_unit(self, unit: BusUnit) -> None:
        """Its settings have changed: what uses it ends in order, and begins again on the new one."""
        log.info("bus %s: its EventBus has changed; it is opened anew", unit.bus.name)
        for key, running in list(self.sources.items()):
            if running.unit is unit:
                await self._stop(key)
        await unit.drain(HAND_OVER)
        await unit.aclose()

    # sensors

    def _apply_sensors(self, manifests: Manifests, broken: frozenset[str]) -> None:
        before, self.sensors = self.sensors, {}
        for model in manifests.sensors:
            known = before.get(key_of(model))
            plan = self._plan(model, known.plan if known else None)
            if plan is not None:
                self.sensors[key_of(model)] = RunningSensor(plan, bus_of(model), model.origin.file)
        for key, sensor in before.items():
            if sensor.file in broken:
                self.sensors.setdefault(key, sensor)
        for name, unit in self.units.items():
            unit.replace([sensor.plan for sensor in self.sensors.values() if sensor.bus == name])
            unit.start()

    async def _settle(self) -> None:
        """Sensors first: an event that a new source takes is seen by the sensors that came with it."""
        try:
            async with asyncio.timeout(SETTLE):
                while not all(unit.settled for unit in self.units.values()):
                    await asyncio.sleep(0.005)
        except TimeoutError:
            late = ", ".join(name for name, unit in self.units.items() if not unit.settled)
            log.warning("%s: not at work yet; the event sources start all the same", late)
        await asyncio.gather(*(unit.edited() for unit in self.units.values()))

    def _plan(self, model: Sensor, before: SensorPlan | None) -> SensorPlan | None:
        """The compiled sensor; the version before if it is the same, or if this one does not compile."""
        if before is not None and before.source == source_of(model):
            return before
        plan = compile_sensor(model)
        if before is not None and plan.revision == before.revision:
            return before
        for trigger in plan.triggers:
            self.metrics.trigger(plan.namespace, plan.name, trigger.name)
        if not plan.problems:
            return plan
        for problem in plan.problems:
            self._tell(model, f"spec.{problem.field}", problem.message)
        return before

    def _tell(self, model: EventSource | Sensor, field: str, message: str) -> None:
        self.findings.append(not_compiling(model, field, message))

    # sources

    async def _apply_sources(self, manifests: Manifests, broken: frozenset[str]) -> None:
        wanted = {key: entry for model in manifests.event_sources for key, entry in self._entries(model)}
        for key, running in list(self.sources.items()):
            if key not in wanted and running.file not in broken:
                await self._stop(key)
        for key, (raw, model) in wanted.items():
            running_now = self.sources.get(key)
            if running_now is not None and running_now.goes_on(raw, self.units.get(bus_of(model))):
                self.sources[key] = running_now._replace(file=model.origin.file)
                continue
            runner = self._prepare(key, raw, model)
            if runner is None:
                continue
            if running_now is not None:
                await self._stop(key)
            task = self._tasks.start(f"source/{runner.label}", runner.run())
            self.sources[key] = Running(runner, task, raw, self.units[bus_of(model)], model.origin.file)

    def _entries(self, model: EventSource) -> Iterable[tuple[SourceKey, tuple[dict[str, Any], EventSource]]]:
        namespace, name = key_of(model)
        for entry in model.spec.events():
            yield SourceKey(namespace, name, entry.kind, entry.name), (entry.config, model)

    def _prepare(self, key: SourceKey, raw: dict[str, Any], model: EventSource) -> SourceRunner | None:
        """A runner for a source; None, and told why, if it cannot be run."""
        try:
            if adapter_class("sources", key.kind) is None:
                return None  # the loader has told so
            unit = self.units.get(bus_of(model))
            if unit is None:
                return None  # why there is no such bus has been told
            counts = self.metrics.source(key.namespace, key.source, key.event)
            return SourceRunner(*key, raw, unit.intake, counts, self._lent(key.namespace))
        except ManifestError as exc:
            self._tell(model, exc.field or f"spec.{key.kind}.{key.event}", exc.message)
            return None

    async def _stop(self, key: SourceKey) -> None:
        await stopped([self.sources.pop(key)])

    # end

    async def stop_sources(self) -> None:
        """No more intake; every source gives back what it holds outside."""
        await stopped(list(self.sources.values()))

    async def drain(self, deadline: float) -> None:
        await asyncio.gather(*(unit.drain(deadline) for unit in self.units.values()))

    async def aclose(self) -> None:
        await self._tasks.aclose()
        for unit in self.units.values():
            await unit.aclose()

    # state

    @property
    def ready(self) -> bool:
        """Everything that can run does: sources listen, shards follow, buses store."""
        return all(running.runner.at_work for running in self.sources.values()) and all(
            unit.health.ready for unit in self.used()
        )

    def used(self) -> list[BusUnit]:
        """The buses that something runs on."""
        names = {sensor.bus for sensor in self.sensors.values()}
        units = {id(running.unit) for running in self.sources.values()}
        return [unit for name, unit in self.units.items() if name in names or id(unit) in units]

    @property
    def refused(self) -> EventsError | None:
        """Why there is no bus at all, if none can be opened."""
        errors = [unit.refused for unit in self.units.values()]
        return errors[0] if errors and all(errors) else None

    @property
    def starting(self) -> bool:
        return any(running.runner.state == "starting" for running in self.sources.values())

    def runners(self) -> list[ShardRunner]:
        """The shard runners that are at work."""
        return [
            owner.runner for unit in self.units.values() for owner in unit.owners if owner.runner is not None
        ]

    def states(self) -> dict[str, Any]:
        """Sources, buses and sensors with their state, for /readyz and `events get`."""
        return {
            "sources": [
                {
                    "name": running.runner.label, "kind": key.kind, "state": running.runner.state,
                    "reason": running.runner.reason, "address": running.runner.address,
                    "sent": running.runner.counts.sent,
                }
                for key, running in self.sources.items()
            ],
            "buses": [unit.state() for unit in self.units.values()],
            "sensors": [
                {
                    "name": sensor.plan.label, "bus": sensor.bus, "revision": sensor.plan.revision,
                    "triggers": [trigger.name for trigger in sensor.plan.triggers],
                    "waits": {trigger.name: trigger.condition.source for trigger in sensor.plan.triggers},
                }
                for sensor in self.sensors.values()
            ],
        }  # fmt: skip

    def trigger_states(self) -> list[dict[str, Any]]:
        """Firings that wait or run now, per trigger that has any."""
        return [
            {"trigger": lane.plan.label, "waiting": lane.waiting, "running": lane.running}
            for runner in self.runners()
            for lane in runner.lanes.values()
        ]

    # for /metrics

    def running_sources(self) -> Rows:
        """Upstream counts the events at work per EventSource."""
        counts: dict[tuple[str, str], int] = {}
        for key, running in self.sources.items():
            name = (key.namespace, key.source)
            counts[name] = counts.get(name, 0) + (running.runner.state == "ready")
        return [({"namespace": ns, "eventsource_name": name}, count) for (ns, name), count in counts.items()]

    def ready_sources(self) -> Rows:
        return [
            (
                {"namespace": key.namespace, "eventsource_name": key.source, "event_name": key.event},
                float(running.runner.state == "ready"),
            )
            for key, running in self.sources.items()
        ]

    def ready_buses(self) -> Rows:
        return [({"bus": name}, float(unit.health.ready)) for name, unit in self.units.items()]

    def waiting_firings(self) -> Rows:
        return [({"trigger": one["trigger"]}, one["waiting"]) for one in self.trigger_states()]


def unusable(label: str, manifest: EventBus | None, error: EventsError) -> Finding:
    """An EventBus that cannot be run."""
    origin = None if manifest is None else manifest.origin
    field = (error.field if isinstance(error, ManifestError) else None) or "spec"
    message = error.message if isinstance(error, ManifestError) else str(error)
    return Finding(
        "error", "bus-unusable", origin.file if origin else None, origin.line(field) if origin else None,
        field, f"bus {label}: {message}", object=f"EventBus/{label.partition('/')[2]}",
    )  # fmt: skip
