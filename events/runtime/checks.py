"""What is found when manifests are compiled: expressions, templates, paths, schedules that do not work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from events.errors import ManifestError
from events.manifest import Finding, Manifests
from events.registry import config_class
from events.runtime.plans import compile_sensor
from events.runtime.source_rules import compile_pauses, compile_source_filter
from events.sensors.problems import NOT_COMPILING

if TYPE_CHECKING:
    from events.api.eventsource import EventEntry, EventSource
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
    return [
        not_compiling(source, exc.field or f"spec.{entry.kind}.{entry.name}", exc.message)
        for entry in source.spec.events()
        for exc in event_errors(entry)
    ]


def event_errors(entry: EventEntry) -> list[ManifestError]:
    """Everything that does not compile in the config of one event."""
    kind, name = entry.kind, entry.name
    try:
        config = config_class("sources", kind).model_validate(entry.config)
    except ManifestError as exc:
        return [exc]
    errors = []
    steps: tuple[Callable[[], object], ...] = (
        lambda: compile_source_filter(config.filter_expression, kind, name),
        lambda: compile_pauses(config.backoff, kind, name),
    )
    for step in steps:
        try:
            step()
        except ManifestError as exc:
            errors.append(exc)
    return errors


def not_compiling(
    model: EventSource | Sensor, field: str, message: str, code: str = NOT_COMPILING
) -> Finding:
    """An error about a field of an object."""
    origin = model.origin
    return Finding(
        "error", code, origin.file, origin.line(field), field, message,
        object=f"{model.kind}/{model.name}",
    )  # fmt: skip
