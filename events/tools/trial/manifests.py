"""Manifests compiled for a trial: the sensors, and what lies in front of them (buses, filters of sources)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from events.errors import ManifestError
from events.manifest import Finding, Manifests, load
from events.registry import config_class, event_type
from events.runtime.checks import compile_findings
from events.runtime.plans import SensorPlan, compile_sensor
from events.runtime.source_rules import compile_source_filter

if TYPE_CHECKING:
    from events.lang.exprlang import SourceFilter

DEFAULT_BUS = "default"


class Planned(NamedTuple):
    """A compiled sensor, and the name of the EventBus that it reads."""

    plan: SensorPlan
    bus: str


class Gate(NamedTuple):
    """What an event of a source passes before it is stored."""

    type: str
    bus: str
    filter: SourceFilter | None


class Setup(NamedTuple):
    """Everything that decides about events. `gates` are by namespace, EventSource, event name."""

    sensors: tuple[Planned, ...]
    gates: Mapping[tuple[str, str, str], Gate]

    def type_of(self, namespace: str, source: str, subject: str) -> str:
        """The type of a source's events; empty when the EventSource is not among the manifests."""
        gate = self.gates.get((namespace, source, subject))
        return "" if gate is None else gate.type


def load_setup(paths: Sequence[str | Path], *, namespace: str = "default") -> Setup:
    """Read and compile everything in the files and folders.

    Raises ManifestError with all errors, each with file, line and field; also when there is no sensor.
    """
    loaded = load(paths, namespace=namespace)
    errors = [one for one in (*loaded.findings, *compile_findings(loaded)) if one.severity == "error"]
    if errors:
        raise unusable(errors)
    if not loaded.sensors:
        raise ManifestError(f"there is no Sensor in {', '.join(map(str, paths))}")
    sensors = (Planned(compile_sensor(one), one.spec.event_bus_name or DEFAULT_BUS) for one in loaded.sensors)
    return Setup(tuple(sensors), gates(loaded))


def unusable(findings: Sequence[Finding]) -> ManifestError:
    return ManifestError("\n".join(["the manifests cannot be used:", *map(str, findings)]))


def gates(loaded: Manifests) -> dict[tuple[str, str, str], Gate]:
    """One for every event of every EventSource."""
    found = {}
    for model in loaded.event_sources:
        bus = model.spec.event_bus_name or DEFAULT_BUS
        for entry in model.spec.events():
            config = config_class("sources", entry.kind).model_validate(entry.config)
            rule = compile_source_filter(getattr(config, "filter_expression", ""), entry.kind, entry.name)
            key = (model.metadata.namespace, model.metadata.name, entry.name)
            found[key] = Gate(event_type(entry.kind), bus, rule)
    return found
