"""All rules over everything that was loaded, as one list: sorted, each thing told once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from events.api.model import Problem
from events.api.origin import Origin
from events.manifest import Finding, Manifests
from events.manifest.findings import Report
from events.runtime.checks import sensor_findings, source_findings
from events.sensors.problems import MISSING_EXTRA, NOT_COMPILING
from events.tools.lint import deprecated
from events.tools.lint.conditions import check_conditions
from events.tools.lint.expressions import check_expressions
from events.tools.lint.filters import check_filters
from events.tools.lint.parameters import check_sources, check_targets
from events.tools.lint.references import check_context, check_events
from events.tools.lint.subjects import SensorRule, index, other_objects
from events.tools.lint.suggestions import better
from events.tools.lint.texts import check_pauses, check_texts
from events.tools.lint.workflows import check_file_object, check_trigger_objects, library

if TYPE_CHECKING:
    from events.api.eventsource import EventSource
    from events.api.sensor import Sensor

SENSOR_RULES: Final[tuple[SensorRule, ...]] = (
    check_events,
    check_context,
    check_conditions,
    check_filters,
    check_expressions,
    check_sources,
    check_targets,
    deprecated.check_sensor,
)
SOURCE_RULES: Final = (check_pauses, check_texts, deprecated.check_source)

UNKNOWN_DEPENDENCY: Final = "unknown-dependency"
"""Told by the loader, and again by a rule that knows which names parameters overwrite."""


def lint(loaded: Manifests) -> list[Finding]:
    """Everything that is wrong or doubtful, sorted by file and line. Raises nothing for any manifest."""
    judged = {(sensor.origin.file, f"Sensor/{sensor.name}") for sensor in loaded.sensors}
    found = [
        better(deprecated.refined(finding))
        for finding in loaded.findings
        if finding.code != UNKNOWN_DEPENDENCY or (finding.file, finding.object) not in judged
    ]
    found += compiling(loaded)
    found += ruled(loaded)
    return arranged(found)


def compiling(loaded: Manifests) -> Iterator[Finding]:
    """What does not compile. What this installation does not have is only doubtful."""
    models: list[Sensor | EventSource] = [*loaded.sensors, *loaded.event_sources]
    for model in models:
        for finding in sensor_findings(model) if model.kind == "Sensor" else source_findings(model):
            yield replace(finding, severity="warning") if finding.code == MISSING_EXTRA else finding


def ruled(loaded: Manifests) -> Iterator[Finding]:
    """What the rules say."""
    objects, known = index(loaded), library(other_objects(loaded))
    for sensor in loaded.sensors:
        rules = (problem for rule in SENSOR_RULES for problem in rule(sensor, objects))
        yield from _told(rules, sensor.origin, f"Sensor/{sensor.name}")
        yield from _told(check_trigger_objects(sensor, known), sensor.origin, f"Sensor/{sensor.name}")
    for source in loaded.event_sources:
        rules = (problem for check in SOURCE_RULES for problem in check(source, objects))
        yield from _told(rules, source.origin, f"EventSource/{source.name}")
    for bus in loaded.event_buses:
        yield from _told(deprecated.check_bus(bus), bus.origin, f"EventBus/{bus.name}")
    for item in other_objects(loaded):
        problems = (*deprecated.check_kind(item.raw), *check_file_object(item, known))
        yield from _told(problems, item.origin, item.label)


def _told(problems: Iterable[Problem], origin: Origin, name: str) -> list[Finding]:
    report = Report(origin, name)
    for problem in problems:
        report.add(problem)
    return report.findings


def arranged(found: Sequence[Finding]) -> list[Finding]:
    """Sorted by file and line, errors first; of doubles the more exact or more severe one is kept."""
    exact = {(one.file, one.object, one.field) for one in found if one.code != NOT_COMPILING}
    said: dict[tuple[str | None, str, str], list[str]] = {}
    for one in found:
        said.setdefault((one.file, one.object, one.message), []).append(one.field)
    kept: dict[tuple[object, ...], Finding] = {}
    for one in sorted(found, key=lambda one: one.severity):  # errors first
        place = (one.file, one.object, one.field)
        if one.code == NOT_COMPILING and (place in exact or _is_told_below(one, said)):
            continue
        kept.setdefault(_identity(one), one)
    return sorted(kept.values(), key=_order)


def _is_told_below(one: Finding, said: dict[tuple[str | None, str, str], list[str]]) -> bool:
    """The same message stands at a field inside this one."""
    return any(field.startswith(f"{one.field}.") for field in said[one.file, one.object, one.message])


def _identity(one: Finding) -> tuple[object, ...]:
    return one.file, one.line, one.object, one.field, one.code, one.message


def _order(one: Finding) -> tuple[str, int, str, str, str]:
    return one.file or "", one.line or 0, one.severity, one.field, one.code
