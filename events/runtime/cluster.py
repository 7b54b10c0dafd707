"""A real API server instead of the local store: its objects, and the secrets it keeps.

Secrets   Kubernetes Secrets and ConfigMaps first, then what the instance has itself; values are kept for a
          moment, and longer while the API server cannot be reached
Manifests of other kinds are left to `kubectl apply`, which is told
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from events.clients.secrets import LocalSecrets, Ref
from events.errors import Permanent, Retryable
from events.kube._base import Forbidden, NotFound, Object, Objects
from events.kube._base import Ref as ObjectRef
from events.kube.client import Client
from events.kube.login import from_kubeconfig, in_cluster
from events.kube.remote import RemoteObjects

if TYPE_CHECKING:
    from events.manifest import Manifests

log = logging.getLogger(__name__)

FRESH = 10.0
"""Seconds that an object with secrets is not asked for again."""

KEPT = 1000
"""Such objects per namespace that are kept; more are asked for each time."""


FILES = 5
"""Files that a message names."""


class Where(NamedTuple):
    """Which API server, if any."""

    context: str | None = None
    """Of the kubeconfig; empty: its current one."""
    kubeconfig: str | None = None
    in_cluster: bool = False
    per_second: float | None = None
    """Requests at the most; None: no limit of ours."""

    @property
    def remote(self) -> bool:
        return self.in_cluster or self.context is not None or self.kubeconfig is not None


class Cluster:
    """The connection of one instance."""

    def __init__(self, where: Where) -> None:
        log_in = in_cluster if where.in_cluster else partial(from_kubeconfig, where.context, where.kubeconfig)
        self._client = Client(log_in, per_second=where.per_second)
        self.objects = RemoteObjects(self._client)
        self._secrets: dict[str, ClusterSecrets] = {}
        self._left: list[Object] = []

    async def open(self) -> None:
        """Log in. The server itself may be away. Raises Permanent, Retryable."""
        await self._client.open()

    @property
    def host(self) -> str:
        return self._client.host

    def secrets(self, namespace: str, own: LocalSecrets) -> ClusterSecrets:
        found = self._secrets.get(namespace)
        if found is None:
            found = self._secrets[namespace] = ClusterSecrets(self.objects, namespace, own)
        return found

    def leave(self, loaded: Manifests) -> None:
        """Tell which objects among the manifests are not made, whenever there are others than before."""
        if loaded.objects and loaded.objects != self._left:
            log.warning("%s", left_out(loaded))
        self._left = loaded.objects

    async def aclose(self) -> None:
        await self._client.aclose()


class ClusterSecrets:
    """The secrets of one namespace."""

    def __init__(self, objects: Objects, namespace: str, own: LocalSecrets) -> None:
        self._objects, self._namespace, self._own = objects, namespace, own
        self._kept: dict[tuple[str, str], tuple[float, Object | None]] = {}

    async def read(self, ref: Ref) -> str:
        try:
            found = value_of(await self._object(ref), ref)
        except Forbidden as exc:
            return self._instead(ref, f"; the API server has refused it: {exc}")
        if found is not None:
            return found.decode(errors="surrogateescape").removesuffix("\n")
        return self._instead(ref, f"; there is none in namespace {self._namespace} of the cluster either")

    def _instead(self, ref: Ref, why: str) -> str:
        try:
            return self._own.read_now(ref)
        except Permanent as exc:
            raise Permanent(f"{exc}{why}") from exc

    async def _object(self, ref: Ref) -> Object | None:
        """The object that has the value, as it was a moment ago at the oldest if the server is there."""
        key = (ref.kind, ref.name)
        at, kept = self._kept.get(key, (-FRESH, None))
        if time.monotonic() < at + FRESH:
            return kept
        try:
            found = await self._objects.get(object_ref(ref, self._namespace))
        except NotFound:
            found = None
        except Retryable:
            if kept is None:
                raise
            return kept
        if key in self._kept or len(self._kept) < KEPT:
            self._kept[key] = (time.monotonic(), found)
        return found


def left_out(loaded: Manifests) -> str:
    """The kinds that only a local store would get, their files, and what to do."""
    counts = Counter(obj["kind"] for obj in loaded.objects)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    files = list(dict.fromkeys(origin.file or "the manifests" for origin in loaded.origins))
    more = f" and {len(files) - FILES} more files" if len(files) > FILES else ""
    where = f"{', '.join(files[:FILES])}{more}"
    return f"not applied to the cluster: {kinds} in {where}; what it does not have yet: kubectl apply -f FILE"


def object_ref(ref: Ref, namespace: str) -> ObjectRef:
    return ObjectRef("v1", "Secret" if ref.kind == "secret" else "ConfigMap", namespace, ref.name)


def value_of(obj: Object | None, ref: Ref) -> bytes | None:
    """The bytes under the key. Raises Permanent for what is no base64."""
    fields = obj or {}
    try:
        for name, plain in (("data", ref.kind == "configmap"), ("binaryData", False)):
            text = (fields.get(name) or {}).get(ref.key)
            if text is not None:
                return text.encode() if plain else base64.b64decode(text)
    except binascii.Error as exc:
        raise Permanent(f"{ref} is not base64") from exc
    return None
