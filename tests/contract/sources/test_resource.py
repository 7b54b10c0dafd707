"""resource: the clauses of sources that fetch, on the local store and on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from events.kube._base import Objects
from events.kube.client import Client
from events.kube.local import LocalObjects
from events.kube.login import from_kubeconfig
from events.kube.remote import RemoteObjects
from events.testing.servers.kubernetes import Kube
from events.testing.sources import QueueContract, Rig

CONFIG = {"namespace": "default", "version": "v1", "resource": "configmaps", "eventTypes": ["ADD"]}


class ResourceContract(QueueContract):
    """`objects`: where the messages are put, and where the source looks."""

    kind = "resource"
    objects: Objects
    sent = 0

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        rig.objects = self.objects
        labels = [{"key": "run", "value": self.run}]
        await rig.start(self.kind, {**CONFIG, "filter": {"labels": labels}}, supervised=supervised)

    async def put(self, texts: Sequence[str]) -> None:
        for text in texts:
            type(self).sent += 1
            meta = {"name": f"m{type(self).sent}", "labels": {"run": self.run}}
            obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"text": text}}
            await self.objects.create(obj, "default")

    def shows(self, payload: Any) -> str:
        return str(payload["body"]["data"]["text"])

    @pytest.fixture(autouse=True)
    def own_run(self, request: pytest.FixtureRequest) -> None:
        """Objects of earlier tests are not looked at."""
        self.run = str(crc32(request.node.name.encode()))


class TestLocal(ResourceContract):
    restarts = False

    @pytest.fixture(autouse=True)
    async def store(self, tmp_path: Path) -> AsyncIterator[None]:
        self.objects = LocalObjects(tmp_path / "objects.db")
        await self.objects.open()
        yield
        await self.objects.aclose()


@pytest.fixture(scope="module")
def kube() -> Iterator[Kube]:
    """One that may be restarted."""
    with Kube() as server:
        yield server


@pytest.mark.servers("kubernetes")
class TestRemote(ResourceContract):
    @pytest.fixture(autouse=True)
    async def server(self, kube: Kube) -> AsyncIterator[None]:
        client = Client(partial(from_kubeconfig, "admin", str(kube.kubeconfig)))
        self.kube, self.objects = kube, RemoteObjects(client)
        yield
        await client.aclose()

    async def restart_server(self) -> None:
        await asyncio.to_thread(self.kube.restart)
