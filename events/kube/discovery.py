"""Which kinds an API server knows, and under which path each is.

Spec      kubernetes.io: The Kubernetes API, "API discovery"
Kept      per group and version, until a kind is looked for that is not there, or a path turns out to be gone
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from events.kube._base import NotFound
from events.kube.client import Client
from events.kube.kinds import names


class Kind(NamedTuple):
    """A kind of one API version."""

    api_version: str
    name: str
    resource: str
    namespaced: bool
    short: tuple[str, ...] = ()

    def path(self, namespace: str | None, name: str = "") -> str:
        """Below the server's address. `namespace` is left out for cluster-scoped kinds."""
        parts = [root(self.api_version)]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.resource)
        return "/".join([*parts, quote(name, safe="")] if name else parts)


def root(api_version: str) -> str:
    """`/apis/batch/v1`, or `/api/v1` for the core group."""
    return f"/{'apis' if '/' in api_version else 'api'}/{quote(api_version, safe='/')}"


class Discovery:
    """What one server told."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, list[Kind]] = {}

    async def kind(self, api_version: str, name: str) -> Kind:
        """Raises NotFound for a kind that the server does not know, Retryable, Forbidden."""
        found = match(self._known.get(api_version, ()), name)
        if found is None:
            found = match(await self._ask(api_version), name)
        if found is None:
            raise NotFound(
                f"API server {self._client.host} knows no kind {name} in {api_version}: "
                "is its CustomResourceDefinition installed, and apiVersion right?"
            )
        return found

    def forget(self, api_version: str) -> None:
        self._known.pop(api_version, None)

    async def _ask(self, api_version: str) -> list[Kind]:
        try:
            told = await self._client.request("GET", root(api_version))
        except NotFound:
            return []
        kinds = self._known[api_version] = [kind_of(api_version, one) for one in told.get("resources", ())]
        return kinds

    async def called(self, word: str) -> list[Kind]:
        """The kinds that a user may mean by `workflows`, `Workflow` or `wf`, of all groups."""
        found = []
        for api_version in await self._versions():
            kinds = self._known.get(api_version) or await self._ask(api_version)
            found += [kind for kind in kinds if means(kind, word) and "/" not in kind.resource]
        return found

    async def _versions(self) -> list[str]:
        """The preferred version of every group."""
        told = await self._client.request("GET", "/apis")
        return ["v1", *(one["preferredVersion"]["groupVersion"] for one in told.get("groups", ()))]


def kind_of(api_version: str, told: dict[str, Any]) -> Kind:
    return Kind(
        api_version, told["kind"], told["name"], bool(told["namespaced"]), tuple(told.get("shortNames") or ())
    )


def match(kinds: Any, name: str) -> Kind | None:
    """The main resource of the kind; `pods/status` and its like are none."""
    return next((one for one in kinds if one.name == name and "/" not in one.resource), None)


def means(kind: Kind, word: str) -> bool:
    return word.lower() in {kind.resource, *kind.short} or bool({word, word.lower()} & names(kind.name))
