"""Names that sensors and event sources share: events, buses, attributes of events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from events.api.model import Problem
from events.api.origin import Path
from events.registry import event_type
from events.tools.lint.subjects import Index, dependencies, error, warning
from events.tools.lint.suggestions import did_you_mean

if TYPE_CHECKING:
    from events.api.sensor import EventDependency, Sensor

DEFAULT_BUS = "default"


def check_events(sensor: Sensor, index: Index) -> Iterator[Problem]:
    """Every dependency waits for an event that some EventSource among the files has.

    Silent in a namespace of which no EventSource is among the files.
    """
    if sensor.namespace not in index.namespaces:
        return
    for path, dependency in dependencies(sensor):
        yield from _event(sensor, path, dependency, index)


def _event(sensor: Sensor, path: Path, dependency: EventDependency, index: Index) -> Iterator[Problem]:
    name = dependency.event_source_name
    source = index.sources.get((sensor.namespace, name))
    if source is not None:
        names = [event.name for event in source.spec.events()]
        if dependency.event_name not in names:
            said = f"EventSource {name} has no event {dependency.event_name!r}"
            hint = did_you_mean(dependency.event_name, names)
            yield error((*path, "eventName"), "unknown-event", said, hint)
        yield from _bus(sensor, path, name, source.spec.event_bus_name)
    elif (sensor.namespace, name) not in index.broken:
        known = [other for space, other in index.sources if space == sensor.namespace]
        said = f"there is no EventSource {name!r} among the files"
        yield warning((*path, "eventSourceName"), "unknown-event-source", said, did_you_mean(name, known))


def _bus(sensor: Sensor, path: Path, name: str, given: str) -> Iterator[Problem]:
    ours, theirs = sensor.spec.event_bus_name or DEFAULT_BUS, given or DEFAULT_BUS
    if ours != theirs:
        said = f"EventSource {name} writes to the bus {theirs!r}, this sensor reads {ours!r}"
        hint = "give both the same eventBusName"
        yield warning((*path, "eventSourceName"), "other-bus", said, hint)


def check_context(sensor: Sensor, index: Index) -> Iterator[Problem]:
    """The attributes that a context filter wants are those that the events of its dependency have."""
    for path, dependency in dependencies(sensor):
        for name, wanted, found in _contradictions(sensor.namespace, dependency, index):
            said = f"events of this dependency have the {name} {found!r}, never {wanted!r}"
            hint = f"write {name}: {found}, or remove it"
            yield warning((*path, "filters", "context", name), "never-passes", said, hint)


def _contradictions(
    namespace: str, dependency: EventDependency, index: Index
) -> Iterator[tuple[str, str, str]]:
    """(attribute, value wanted, value that events have)."""
    context = dependency.filters.context if dependency.filters else None
    if context is None:
        return
    kind = index.kind(namespace, dependency)
    for name, wanted, found in (
        ("source", context.source, dependency.event_source_name),
        ("subject", context.subject, dependency.event_name),
        ("type", context.type, event_type(kind) if kind else ""),
    ):
        if wanted and found and wanted != found:
            yield name, wanted, found


def deaf(sensor: Sensor, index: Index) -> dict[str, str]:
    """Dependencies that can get no event, and why."""
    found = {}
    for _, dependency in dependencies(sensor):
        source = index.sources.get((sensor.namespace, dependency.event_source_name))
        if source is not None and index.event(sensor.namespace, dependency) is None:
            found[dependency.name] = (
                f"EventSource {dependency.event_source_name} has no event {dependency.event_name!r}"
            )
        elif _refuses_all(sensor.namespace, dependency, index):
            found[dependency.name] = f"the context filter of {dependency.name} refuses every event"
    return found


def _refuses_all(namespace: str, dependency: EventDependency, index: Index) -> bool:
    joined_by_and = dependency.filters_logical_operator != "or"
    return joined_by_and and any(_contradictions(namespace, dependency, index))
