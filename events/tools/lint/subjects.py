"""What the rules look at: triggers and dependencies of sensors, the other objects among the files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from events.api.model import Problem
from events.api.origin import Origin, Path, dotted
from events.registry import trigger_kinds

if TYPE_CHECKING:
    from events.api.eventsource import EventEntry, EventSource
    from events.api.sensor import EventDependency, Sensor, Trigger
    from events.manifest import Manifests


class TriggerAt(NamedTuple):
    """A trigger, or the dead letter trigger of one, and its path in the sensor."""

    path: Path
    spec: Trigger

    @property
    def kind(self) -> str:
        """The key of the config that runs, "" when there is none."""
        kinds = self.spec.template.kinds
        return next((kind for kind in trigger_kinds() if kinds.get(kind) is not None), "")

    @property
    def is_dead_letter(self) -> bool:
        return self.path[-1] == "dlqTrigger"


def triggers(sensor: Sensor) -> Iterator[TriggerAt]:
    """Every trigger of a sensor, each followed by its dead letter triggers."""
    for index, spec in enumerate(sensor.spec.triggers):
        path: Path = ("spec", "triggers", index)
        trigger: Trigger | None = spec
        while trigger is not None:
            yield TriggerAt(path, trigger)
            path, trigger = (*path, "dlqTrigger"), trigger.dlq_trigger


def dependencies(sensor: Sensor) -> Iterator[tuple[Path, EventDependency]]:
    """Every dependency of a sensor with its path."""
    for index, dependency in enumerate(sensor.spec.dependencies):
        yield ("spec", "dependencies", index), dependency


@dataclass(frozen=True, slots=True)
class Index:
    """What is among the files, by name."""

    sources: dict[tuple[str, str], EventSource]
    broken: frozenset[tuple[str, str]]
    """Namespace and name of EventSources that are there and have errors."""
    namespaces: frozenset[str]
    """Those with an EventSource."""

    def event(self, namespace: str, dependency: EventDependency) -> EventEntry | None:
        """The event that a dependency waits for, where it is among the files."""
        source = self.sources.get((namespace, dependency.event_source_name))
        events = source.spec.events() if source else ()
        return next((event for event in events if event.name == dependency.event_name), None)

    def kind(self, namespace: str, dependency: EventDependency) -> str:
        """The kind of source that a dependency gets its events from, "" where it is not known."""
        event = self.event(namespace, dependency)
        return event.kind if event else ""


def index(loaded: Manifests) -> Index:
    """The index of everything that was loaded."""
    sources = {(source.namespace, source.name): source for source in loaded.event_sources}
    broken = frozenset((space, name) for kind, space, name in loaded.broken if kind == "EventSource")
    return Index(sources, broken, frozenset(space for space, _ in {*sources, *broken}))


SensorRule: TypeAlias = "Callable[[Sensor, Index], Iterable[Problem]]"
"""Finds problems of one sensor; their fields are paths from the top of the object."""


def error(path: Path, code: str, message: str, hint: str = "") -> Problem:
    return Problem(dotted(path), message, hint, code, "error")


def warning(path: Path, code: str, message: str, hint: str = "") -> Problem:
    return Problem(dotted(path), message, hint, code, "warning")


class OtherObject(NamedTuple):
    """An object of a kind that is not ours, as it was read."""

    raw: dict[str, Any]
    origin: Origin

    @property
    def label(self) -> str:
        """`Workflow/hello-`, as findings name it."""
        metadata = as_map(self.raw.get("metadata"))
        name = as_text(metadata.get("name")) or as_text(metadata.get("generateName"))
        kind = as_text(self.raw.get("kind"))
        return f"{kind}/{name}" if name else kind


def other_objects(loaded: Manifests) -> Iterator[OtherObject]:
    """The objects of other kinds."""
    for raw, origin in zip(loaded.objects, loaded.origins, strict=True):
        yield OtherObject(raw, origin)


def as_map(value: Any) -> dict[str, Any]:
    """The value if it is a map, else an empty one: what is no map is told elsewhere."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The value if it is text, else empty."""
    return value if isinstance(value, str) else ""
