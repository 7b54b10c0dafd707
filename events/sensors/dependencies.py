"""Dependencies: does an event of a topic pass, and as what?

Transform runs before filter, as upstream documents it (docs/sensors/transform.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from events.errors import EvaluationError
from events.event import FILTER_ERROR, FILTERED, TRANSFORM_ERROR, Event
from events.sensors.filters import CompiledFilters, compile_filters
from events.sensors.problems import Problems
from events.sensors.transform import compile_transform

if TYPE_CHECKING:
    from events.api.sensor import EventDependency


class Verdict(NamedTuple):
    """What a dependency says of an event: the event that passed (transformed), or why it did not."""

    event: Event | None
    result: str = ""
    reason: str = ""


REJECTED = Verdict(None, FILTERED)


class Dependency(NamedTuple):
    """One compiled dependency. `scripted` ones run Lua or jq and have to be judged in a helper process."""

    name: str
    topic: tuple[str, str]
    spec: EventDependency
    transform: Callable[[Event], Event] | None
    filters: CompiledFilters | None
    scripted: bool

    def judge(self, event: Event) -> Verdict:
        """Pure; raises nothing."""
        if self.transform is not None:
            try:
                event = self.transform(event)
            except EvaluationError as exc:
                return Verdict(None, TRANSFORM_ERROR, str(exc))
        if self.filters is None:
            return Verdict(event)
        try:
            return Verdict(event) if self.filters.test(event) else REJECTED
        except EvaluationError as exc:
            return Verdict(None, FILTER_ERROR, str(exc))


def compile_dependency(spec: EventDependency, field: str, problems: Problems) -> Dependency:
    """What does not compile is noted in `problems`, and makes every evaluation an error."""
    filters, transform = spec.filters, spec.transform
    return Dependency(
        spec.name,
        (spec.event_source_name, spec.event_name),
        spec,
        compile_transform(transform, f"{field}.transform", problems),
        compile_filters(filters, spec.filters_logical_operator, f"{field}.filters", problems),
        bool((filters and filters.script) or (transform and (transform.jq or transform.script))),
    )
