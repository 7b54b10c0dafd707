"""What loading gives: the objects, and everything there is to say about the text they came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from events.api.model import Problem, Severity
from events.api.origin import Key, Origin, dotted

if TYPE_CHECKING:
    from events.api.eventbus import EventBus
    from events.api.eventsource import EventSource
    from events.api.sensor import Sensor

ObjectName: TypeAlias = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or doubtful. `line` is 1-based, `field` a dotted path into the object."""

    severity: Severity
    code: str
    file: str | None
    line: int | None
    field: str
    message: str
    hint: str = ""
    object: str = ""
    """`Sensor/build`, where it is known."""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        said = " ".join(part for part in (self.object, self.field, self.message) if part)
        return (
            f"{place + ': ' if place else ''}{self.severity}: {said}{f' ({self.hint})' if self.hint else ''}"
        )


@dataclass(slots=True)
class Manifests:
    """Everything that was loaded. Objects with errors are left out and named in `broken`."""

    event_sources: list[EventSource] = field(default_factory=list)
    sensors: list[Sensor] = field(default_factory=list)
    event_buses: list[EventBus] = field(default_factory=list)
    secrets: dict[ObjectName, dict[str, bytes]] = field(default_factory=dict, repr=False)
    config_maps: dict[ObjectName, dict[str, str]] = field(default_factory=dict, repr=False)
    objects: list[dict[str, Any]] = field(default_factory=list, repr=False)
    """Objects of all other kinds, as they are."""
    origins: list[Origin] = field(default_factory=list, repr=False)
    """Where each of `objects` came from."""
    findings: list[Finding] = field(default_factory=list)
    broken: set[tuple[str, str, str]] = field(default_factory=set)
    """Kind, namespace, name of the objects that are there but cannot be used."""

    @property
    def errors(self) -> list[Finding]:
        """The findings that are errors."""
        return [finding for finding in self.findings if finding.severity == "error"]


@dataclass(slots=True)
class Report:
    """Collects the findings about one object."""

    origin: Origin
    object: str = ""
    findings: list[Finding] = field(default_factory=list)

    def add(self, problem: Problem, prefix: Iterable[Key] = ()) -> None:
        """Note a problem whose field is relative to `prefix`."""
        path = dotted([*prefix, problem.field] if problem.field else [*prefix])
        self.findings.append(
            Finding(
                problem.severity,
                problem.code,
                self.origin.file,
                self.origin.line(path) if path else self.origin.line(),
                path,
                problem.message,
                problem.hint,
                self.object,
            )
        )

    @property
    def failed(self) -> bool:
        """True when there is an error among the findings."""
        return any(finding.severity == "error" for finding in self.findings)
