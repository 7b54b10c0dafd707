"""resource: changes of Kubernetes objects.

Spec      EventSource.spec.resource.<eventName>
Payload   {type, body, oldBody, group, version, resource, metadata}
Delivery  at least once while the source runs; after a restart existing objects are told as ADD again
Upstream  pkg/eventsources/sources/resource/start.go
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from pydantic import Field

from events.api.common import Model, NonEmpty, Problem, Strings, check_choice
from events.api.eventsource import SourceConfig

EVENT_TYPES = ("ADD", "UPDATE", "DELETE")
LABEL_OPERATIONS = ("=", "==", "!=", "in", "notin", "exists", "!", "gt", "lt")
FIELD_OPERATIONS = ("=", "==", "!=")


class Selector(Model):
    """Compares a label or a field with a value."""

    key: NonEmpty = Field(description="label, or path of the field")
    operation: str = Field("", description="how to compare; = when empty")
    value: str = Field("", description="value to compare with; separated by commas for in and notin")


class ResourceFilter(Model):
    """Which objects and changes count."""

    prefix: str = Field("", description="start of the object's name")
    labels: list[Selector] = Field([], description="labels that must match")
    fields: list[Selector] = Field([], description="fields that must match; values are RE2 expressions")
    created_by: str = Field("", description="only objects created before this time, RFC 3339")
    after_start: bool = Field(False, description="only changes made after the source started")

    def problems(self) -> Iterable[Problem]:
        """Known operations, a readable time."""
        yield from self._operations("labels", self.labels, LABEL_OPERATIONS)
        yield from self._operations("fields", self.fields, FIELD_OPERATIONS)
        if self.created_by and not _is_time(self.created_by):
            hint = 'as in "2026-03-01T08:00:00Z"'
            yield Problem("createdBy", f"not an RFC 3339 time: {self.created_by!r}", hint)

    @staticmethod
    def _operations(name: str, selectors: list[Selector], known: tuple[str, ...]) -> Iterator[Problem]:
        for index, selector in enumerate(selectors):
            yield from check_choice(selector.operation, f"{name}.{index}.operation", known)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None and "T" in text
    except ValueError:
        return False


class ResourceConfig(SourceConfig):
    """One type of objects."""

    namespace: str = Field("", description="namespace of the objects; all when empty")
    group: str = Field("", description="API group; the core group when empty")
    version: NonEmpty = Field(description="API version, as in v1")
    resource: NonEmpty = Field(description="plural name of the type, as in pods")
    event_types: Strings = Field(description=f"changes that count: {', '.join(EVENT_TYPES)}")
    filter: ResourceFilter | None = Field(None, description="objects and changes that count")

    def problems(self) -> Iterable[Problem]:
        """Known changes."""
        for index, name in enumerate(self.event_types):
            yield from check_choice(name or "(empty)", f"eventTypes.{index}", EVENT_TYPES)
