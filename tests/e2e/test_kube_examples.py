"""The examples of `resource`, `k8s` and `argoWorkflow`: linted, and run as they are in a real cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from events.testing.servers import free_port
from events.testing.servers.argo import Controller, lint
from events.testing.servers.kubernetes import Kube
from tests.e2e.instance import Instance

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

EXAMPLES = Path(__file__).parents[2] / "examples"


@asynccontextmanager
async def running(
    folder: Path, kube: Kube, namespace: str, name: str, **replaced: str
) -> AsyncIterator[Instance]:
    """The example in this namespace of the cluster, after the linter found nothing."""
    text = (EXAMPLES / name).read_text()
    for old, new in replaced.values():
        assert old in text
        text = text.replace(old, new)
    instance = Instance(folder, text, "--kubeconfig", str(kube.kubeconfig), "-n", namespace)
    code, out, err = await instance.command("lint", str(instance.manifests))
    assert code == 0, out + err
    try:
        await instance.start()
        yield instance
    finally:
        await instance.close()


async def post(port: int, path: str, body: Any) -> None:
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        assert answer.status == 200, await answer.text()


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
    where = ("namespace: default", f"namespace: {kube_namespace}")

    def change(text: str) -> None:
        kube_server.call("PATCH", f"{path}/greeting", {"data": {"text": text}})

    async with running(
        tmp_path, kube_server, kube_namespace, "event-sources/resource.yaml", where=where
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

    async with running(
        tmp_path, kube_server, kube_namespace, "triggers/k8s.yaml", port=('"12000"', f'"{port}"')
    ) as instance:
        for wanted in ("nginx:1.28", "nginx:1.29"):
            await post(port, "/deploy", {"image": wanted})
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

    async with running(
        tmp_path, kube, namespace, "triggers/argo-workflow.yaml", port=('"12000"', f'"{port}"')
    ) as instance:
        await post(port, "/build", {"build": "b7"})
        made = await until(instance, lambda: phase("Running"))
        assert await asyncio.to_thread(lint, made) == []
        await post(port, "/approve", {"build": "b7"})
        await until(instance, lambda: phase("Succeeded"))
