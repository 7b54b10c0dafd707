"""Kubernetes objects as plain dicts: what the local store and the API server's client both offer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from events.errors import Permanent
from events.kube.selectors import Selector

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
    """There is no object of that name, or no such kind (404). `name` is the object's that is missing."""

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class Expired(Permanent):
    """The server does not keep the version that was asked for, or not yet know it: list again (410, 504)."""


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
    """One entry of a watch: ADDED, MODIFIED, DELETED, or BOOKMARK without an object."""

    type: str
    object: Object
    place: str | None = None
    """The version to follow from, where it is not that of the object."""


class Wanted(NamedTuple):
    """The objects that a watch is about. `resource` is the plural name; `namespace` None: all."""

    group: str
    version: str
    resource: str
    namespace: str | None
    labels: Selector = Selector()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        """`workflows.argoproj.io in ci`"""
        where = "all namespaces" if self.namespace is None else self.namespace
        return f"{self.resource}{'.' if self.group else ''}{self.group} in {where}"


class Listed(NamedTuple):
    """Objects as they were at one moment; `version` is where a watch goes on from there."""

    objects: list[Object]
    version: str


class Account(msgspec.Struct, frozen=True):
    """Whom to be for the API server: a user and groups."""

    user: str
    groups: tuple[str, ...] = ()


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

    async def read(self, wanted: Wanted, at: str | None = None) -> Listed:
        """The objects as they are, or as they were at a version. Raises Expired, NotFound (no such kind)."""
        ...

    def follow(self, wanted: Wanted, version: str) -> AsyncIterator[Change]:
        """What changes after the version, in order. Ends when the server wants to be asked again.

        BOOKMARK says only how far the changes have come. Raises Expired, NotFound.
        """
        ...

    def acting_as(self, account: Account) -> Objects:
        """The same objects, as another user (impersonation)."""
        ...
