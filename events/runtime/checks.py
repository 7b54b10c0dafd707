"""What is found when manifests are compiled: expressions, templates, paths, schedules that do not work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.errors import ManifestError
from events.manifest import Finding, Manifests
from events.registry import config_class
from events.runtime.plans import compile_sensor
from events.runtime.source_runner import compile_source_filter
from events.sensors.problems import NOT_COMPILING

if TYPE_CHECKING:
    from events.api.eventsource import EventSource
    from events.api.sensor import Sensor


def compile_findings(loaded: Manifests) -> list[Finding]:
    """One finding for each thing that does not compile."""
    found = [finding for sensor in loaded.sensors for finding in sensor_findings(sensor)]
    return [*found, *(finding for source in loaded.event_sources for finding in source_findings(source))]


def sensor_findings(sensor: Sensor) -> list[Finding]:
    return [
        not_compiling(sensor, f"spec.{problem.field}", problem.message, problem.code)
        for problem in compile_sensor(sensor).problems
    ]


def source_findings(source: EventSource) -> list[Finding]:
    found = []
    for entry in source.spec.events():
        try:
            expression = config_class("sources", entry.kind).model_validate(entry.config).filter_expression
            compile_source_filter(expression, entry.kind, entry.name)
        except ManifestError as exc:
            found.append(not_compiling(source, exc.field or f"spec.{entry.kind}.{entry.name}", exc.message))
    return found


def not_compiling(
    model: EventSource | Sensor, field: str, message: str, code: str = NOT_COMPILING
) -> Finding:
    """An error about a field of an object."""
    origin = model.origin
    return Finding(
        "error", code, origin.file, origin.line(field), field, message,
        object=f"{model.kind}/{model.name}",
    )  # fmt: skip
