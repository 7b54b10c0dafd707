"""The examples of `resource`, `k8s` and `argoWorkflow`: linted, and run as they are in a real cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from events.testing.servers import free_port
from events.testing.servers.argo import Controller, lint
from events.testing.servers.kubernetes import Kube
from tests.e2e.examples import example, post
from tests.e2e.instance import Instance

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def options(kube: Kube, namespace: str) -> tuple[str, ...]:
    return "--kubeconfig", str(kube.kubeconfig), "-n", namespace


async def until(instance: Instance, look: Callable[[], Any]) -> Any:
    """What `look` finds, once it finds something."""
    try:
        async with asyncio.timeout(30):
            while not (found := await asyncio.to_thread(look)):
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(instance.told())
    return found


@pytest.mark.servers("kubernetes")
async def test_resource(tmp_path: Path, kube_server: Kube, kube_namespace: str):
    path = f"/api/v1/namespaces/{kube_namespace}/configmaps"
    replaced = {"namespace: default": f"namespace: {kube_namespace}"}

    def change(text: str) -> None:
        kube_server.call("PATCH", f"{path}/greeting", {"data": {"text": text}})

    async with example(
        tmp_path, "event-sources/resource.yaml", replaced, *options(kube_server, kube_namespace)
    ) as instance:
        meta = {"name": "greeting", "labels": {"watched": "yes"}}
        kube_server.call("POST", path, {"metadata": meta, "data": {"text": "hello"}})
        kube_server.call("POST", path, {"metadata": {"name": "other"}})
        await until(instance, lambda: '"type":"ADD"' in instance.told().replace("\\", ""))
        assert await instance.terminate() == 0
        change("while it was down")
        await instance.start()
        await until(instance, lambda: "while it was down" in instance.told())
        kube_server.call("DELETE", f"{path}/greeting")
        await until(instance, lambda: '"type":"DELETE"' in instance.told().replace("\\", ""))
        assert len(await instance.get("events")) == 3


@pytest.mark.servers("kubernetes")
async def test_k8s(tmp_path: Path, kube_server: Kube, kube_namespace: str):
    port = free_port()
    path = f"/apis/apps/v1/namespaces/{kube_namespace}/deployments"

    def image() -> str:
        found = kube_server.call("GET", path)["items"]
        return found[0]["spec"]["template"]["spec"]["containers"][0]["image"] if found else ""

    async with example(
        tmp_path, "triggers/k8s.yaml", {"12000": str(port)}, *options(kube_server, kube_namespace)
    ) as instance:
        for wanted in ("nginx:1.28", "nginx:1.29"):
            assert await post(port, "/deploy", {"image": wanted}) == 200
            await until(instance, lambda wanted=wanted: image() == wanted)
        assert [
            one["metadata"]["name"] for one in await instance.get("deployments", "-n", kube_namespace)
        ] == ["web"]


@pytest.mark.servers("argo")
async def test_argo_workflow(tmp_path: Path, argo_controller: Controller):
    port, kube, namespace = free_port(), argo_controller.kube, argo_controller.namespace
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows"

    def phase(*wanted: str) -> Any:
        found = [one for one in kube.call("GET", path)["items"] if one["metadata"]["name"] == "b7"]
        return found[0] if found and found[0].get("status", {}).get("phase") in wanted else None

    async with example(
        tmp_path, "triggers/argo-workflow.yaml", {"12000": str(port)}, *options(kube, namespace)
    ) as instance:
        assert await post(port, "/build", {"build": "b7"}) == 200
        made = await until(instance, lambda: phase("Running"))
        assert await asyncio.to_thread(lint, made) == []
        assert await post(port, "/approve", {"build": "b7"}) == 200
        await until(instance, lambda: phase("Succeeded"))
