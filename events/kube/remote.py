"""The objects of a real API server.

Spec      kubernetes.io: Kubernetes API Concepts (verbs, patches, watches, server-side apply)
Retries   none here, but for a server that still prepares a kind: what asked decides (retryStrategy)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from events.errors import Retryable
from events.kube._base import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    Account,
    Change,
    Invalid,
    Listed,
    NotFound,
    Object,
    Ref,
    Wanted,
)
from events.kube.answers import status_error
from events.kube.client import Client
from events.kube.discovery import Discovery, Kind
from events.kube.selectors import Selector, equal

MANAGER = "events-trigger"
"""Who the fields of a server-side apply belong to."""

Found = list[Object]

PAGE = 500
"""Objects per answer of a list."""


class RemoteObjects:
    """Objects as the API server has them. `account`: whom to be instead of the login's user."""

    def __init__(
        self, client: Client, account: Account | None = None, discovery: Discovery | None = None
    ) -> None:
        self._client, self._discovery = client, discovery or Discovery(client)
        self._headers: list[tuple[str, str]] = impersonation(account)

    def acting_as(self, account: Account) -> RemoteObjects:
        return RemoteObjects(self._client, account, self._discovery)

    async def create(self, obj: Object, namespace: str) -> Object:
        """The server resolves generateName."""
        kind = await self._kind(obj.get("apiVersion"), obj.get("kind"))
        placed = in_place(obj, kind, namespace)
        return await self._send("POST", kind, kind.path(placed["metadata"].get("namespace")), placed)

    async def get(self, ref: Ref) -> Object | None:
        kind = await self._kind(ref.api_version, ref.kind)
        try:
            return await self._object("GET", kind, ref)
        except NotFound as exc:
            if exc.name == ref.name:
                return None
            raise

    async def list(
        self, api_version: str, kind: str, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> Found:
        found = await self._kind(api_version, kind)
        objects = (await self._pages(found, found.path(namespace), equal(labels), None)).objects
        return sorted(
            objects, key=lambda obj: (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        )

    async def find(self, kind: str | None, namespace: str | None) -> Found:
        """Objects by what a user calls their kind, the oldest first. Raises Invalid without a kind."""
        if kind is None:
            raise Invalid("an API server has too many objects to show all: ask for a kind, such as workflows")
        found: Found = []
        for one in await self._discovery.called(kind):
            found += (await self._pages(one, one.path(namespace), Selector(), None)).objects
        return sorted(found, key=lambda obj: obj["metadata"].get("creationTimestamp", ""))

    async def update(self, obj: Object) -> Object:
        kind = await self._kind(obj.get("apiVersion"), obj.get("kind"))
        ref = Ref(
            kind.api_version, kind.name, obj["metadata"].get("namespace"), obj["metadata"].get("name", "")
        )
        return await self._send("PUT", kind, kind.path(ref.namespace, needed(ref)), obj)

    async def patch(self, ref: Ref, body: Any, strategy: str = MERGE_PATCH) -> Object:
        kind = await self._kind(ref.api_version, ref.kind)
        if (strategy == JSON_PATCH) != isinstance(body, list) or not isinstance(body, list | dict):
            raise Invalid("a JSON patch is a list of operations, every other patch is an object")
        query = {"fieldManager": MANAGER, "force": "true"} if strategy == APPLY_PATCH else None
        return await self._object("PATCH", kind, ref, body, query=query, media=strategy)

    async def delete(self, ref: Ref) -> bool:
        kind = await self._kind(ref.api_version, ref.kind)
        try:
            await self._object("DELETE", kind, ref)
        except NotFound as exc:
            if exc.name == ref.name:
                return False
            raise
        return True

    async def read(self, wanted: Wanted, at: str | None = None) -> Listed:
        return await self._pages(None, path_of(wanted), wanted.labels, at)

    async def follow(self, wanted: Wanted, version: str) -> AsyncIterator[Change]:
        query = {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": version}
        if wanted.labels.requirements:
            query["labelSelector"] = str(wanted.labels)
        async for change in self._client.stream(path_of(wanted), query):
            if change["type"] == "ERROR":
                raise status_error(change["object"], self._client.host)
            yield Change(change["type"], change["object"])

    async def _kind(self, api_version: Any, name: Any) -> Kind:
        if not (isinstance(api_version, str) and api_version and isinstance(name, str) and name):
            raise Invalid("the object has no apiVersion and kind")
        return await self._discovery.kind(api_version, name)

    async def _object(self, method: str, kind: Kind, ref: Ref, body: Any = None, **given: Any) -> Object:
        return await self._send(method, kind, kind.path(ref.namespace, needed(ref)), body, **given)

    async def _send(self, method: str, kind: Kind, path: str, body: Any = None, **given: Any) -> Object:
        try:
            found: Object = await self._client.request(
                method, path, body=body, headers=self._headers, **given
            )
            return found
        except NotFound as exc:
            if exc.name is not None:
                raise
            self._discovery.forget(kind.api_version)  # not the object, the path: it was defined anew
            raise Retryable(f"{exc}; {kind.name} is looked for again") from exc

    async def _pages(self, kind: Kind | None, path: str, labels: Selector, at: str | None) -> Listed:
        """All pages of a list, as of one version."""
        query = {"limit": str(PAGE)}
        if labels.requirements:
            query["labelSelector"] = str(labels)
        if at is not None:
            query |= {"resourceVersion": at, "resourceVersionMatch": "Exact"}
        objects: Found = []
        while True:
            page = await self._client.request("GET", path, query=query, headers=self._headers)
            objects += [typed(one, page) for one in page["items"]]
            more = page["metadata"].get("continue")
            if not more:
                return Listed(objects, page["metadata"]["resourceVersion"])
            query = {key: query[key] for key in ("limit", "labelSelector") if key in query} | {
                "continue": more
            }


def typed(obj: Object, page: Object) -> Object:
    """Items of lists of built-in kinds do not say what they are."""
    said = {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")}
    return {**said, **obj}


def path_of(wanted: Wanted) -> str:
    return Kind(wanted.api_version, "", wanted.resource, namespaced=True).path(wanted.namespace)


def place(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def in_place(obj: Object, kind: Kind, namespace: str) -> Object:
    """A copy in its namespace. Raises Invalid."""
    meta = obj.get("metadata") or {}
    if not isinstance(meta, dict):
        raise Invalid("metadata is not a map")
    meta = {key: value for key, value in meta.items() if key != "namespace"}
    if kind.namespaced:
        meta["namespace"] = (obj.get("metadata") or {}).get("namespace") or namespace
    return {**obj, "metadata": meta}


def needed(ref: Ref) -> str:
    """The name. Raises Invalid without one: the path would be that of all objects."""
    if not ref.name:
        raise Invalid(f"{ref.kind}: metadata.name is required")
    return ref.name


def impersonation(account: Account | None) -> list[tuple[str, str]]:
    """Headers, as in kubernetes.io: Authenticating, "User impersonation"."""
    if account is None:
        return []
    return [("Impersonate-User", account.user), *(("Impersonate-Group", group) for group in account.groups)]
