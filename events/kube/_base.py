"""Kubernetes objects as plain dicts: what the local store and the API server's client both offer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple, Protocol

from events.errors import Permanent

Object = dict[str, Any]

FIRING_LABEL = "events-trigger/firing"
"""On every created object: which firing made it, so that a repeated firing finds it."""

SENSOR_LABEL = "events.argoproj.io/sensor"
TRIGGER_LABEL = "events.argoproj.io/trigger"
TIMESTAMP_LABEL = "events.argoproj.io/action-timestamp"
"""Labels that upstream puts on created objects."""

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class Invalid(Permanent):
    """The object is not one that the API server takes (422, 400)."""


class Conflict(Permanent):
    """There is an object of that name already (409)."""


class NotFound(Permanent):
    """There is no object of that name, or no such kind (404)."""


class Forbidden(Permanent):
    """The account may not do this (401, 403)."""


class Ref(NamedTuple):
    """One object. `namespace` is None for cluster-scoped kinds."""

    api_version: str
    kind: str
    namespace: str | None
    name: str

    def __str__(self) -> str:
        """`Workflow/ci/build-x7x2q`"""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


class Change(NamedTuple):
    """One entry of a watch: ADDED, MODIFIED or DELETED."""

    type: str
    object: Object


class Objects(Protocol):
    """Kubernetes objects somewhere. Every call may raise Retryable (server away, throttled) or Forbidden."""

    async def create(self, obj: Object, namespace: str) -> Object:
        """Store a new object (in `namespace` unless it names one). Resolves generateName.

        Raises Invalid, Conflict.
        """
        ...

    async def get(self, ref: Ref) -> Object | None: ...

    async def list(
        self, api_version: str, kind: str, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> list[Object]:
        """Objects that carry all the labels, by name. `namespace` None: of all namespaces."""
        ...

    async def update(self, obj: Object) -> Object:
        """Replace an object. Raises NotFound, Invalid, Conflict (another resourceVersion than stored)."""
        ...

    async def patch(self, ref: Ref, body: Any, strategy: str = MERGE_PATCH) -> Object:
        """Change an object in place. Raises NotFound, Invalid."""
        ...

    async def delete(self, ref: Ref) -> bool:
        """False when it was not there."""
        ...

    def watch(self, api_version: str, kind: str, namespace: str | None) -> AsyncIterator[Change]:
        """What changes from now on, until the iterator is closed."""
        ...
