"""`events run --kubeconfig`: objects in a real API server, secrets from it."""

from __future__ import annotations

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from events.testing.servers import free_port
from events.testing.servers.kubernetes import Kube

from .instance import Instance

pytestmark = [pytest.mark.e2e, pytest.mark.servers("argo")]

MANIFESTS = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: hook, namespace: {namespace}}}
spec:
  webhook:
    made:
      endpoint: /made
      method: POST
      port: "{port}"
      authSecret: {{name: hook, key: token}}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {{name: made, namespace: {namespace}}}
spec:
  dependencies:
    - {{name: made, eventSourceName: hook, eventName: made}}
  triggers:
    - template:
        name: workflow
        k8s:
          operation: create
          source:
            resource:
              apiVersion: argoproj.io/v1alpha1
              kind: Workflow
              metadata: {{generateName: made-}}
              spec:
                entrypoint: wait
                arguments:
                  parameters: [{{name: what, value: nothing}}]
                templates: [{{name: wait, suspend: {{}}}}]
          parameters:
            - src: {{dependencyName: made, dataKey: body.what}}
              dest: spec.arguments.parameters.0.value
"""


async def test_a_request_becomes_one_workflow_in_the_cluster(
    argo_crds: Kube, kube_namespace: str, tmp_path: Path
):
    token = base64.b64encode(b"let-me-in\n").decode()
    secret = {"metadata": {"name": "hook"}, "data": {"token": token}}
    argo_crds.call("POST", f"/api/v1/namespaces/{kube_namespace}/secrets", secret)
    port = free_port()
    instance = Instance(
        tmp_path, MANIFESTS.format(namespace=kube_namespace, port=port), "--kubeconfig",
        str(argo_crds.kubeconfig), "--kube-context", "admin", "--kube-qps", "100",
    )  # fmt: skip
    await instance.start()
    try:
        await post(port, {"what": "coffee"})
        found = await workflows(instance, kube_namespace)
        assert argo_crds.url in instance.told()
    finally:
        await instance.close()
    [workflow] = found
    assert workflow["spec"]["arguments"]["parameters"] == [{"name": "what", "value": "coffee"}]
    assert workflow["metadata"]["labels"]["events.argoproj.io/sensor"] == "made"
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{kube_namespace}/workflows"
    assert [one["metadata"]["uid"] for one in argo_crds.call("GET", path)["items"]] == [
        workflow["metadata"]["uid"]
    ]


async def post(port: int, body: Any) -> None:
    url, headers = f"http://127.0.0.1:{port}/made", {"Authorization": "Bearer let-me-in"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, json=body) as answer:
        assert answer.status == 200, await answer.text()


async def workflows(instance: Instance, namespace: str) -> Any:
    async with asyncio.timeout(15):
        while True:
            found = await instance.get("workflows", "-n", namespace)
            if found:
                return found
            await asyncio.sleep(0.1)


LEFT = """
---
apiVersion: v1
kind: Secret
metadata: {{name: hook, namespace: {namespace}}}
stringData: {{token: let-me-in}}
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {{name: build}}
spec: {{entrypoint: {entrypoint}}}
"""


async def test_manifests_of_other_kinds_are_left_to_kubectl_and_that_is_told(
    argo_crds: Kube, kube_namespace: str, tmp_path: Path
):
    text = (MANIFESTS + LEFT).format(namespace=kube_namespace, port=free_port(), entrypoint="a")
    instance = Instance(tmp_path, text, "--kubeconfig", str(argo_crds.kubeconfig))
    told = f"not applied to the cluster: 1 WorkflowTemplate in {instance.manifests}; "
    await instance.start()
    try:
        assert instance.told().count(told) == 1
        instance.manifests.write_text(text.replace("entrypoint: a", "entrypoint: b"))
        async with asyncio.timeout(15):
            while "reloaded" not in instance.told():
                await asyncio.sleep(0.1)
        assert instance.told().count(told) == 2
    finally:
        await instance.close()
    path = "/apis/argoproj.io/v1alpha1/workflowtemplates"
    assert "build" not in {one["metadata"]["name"] for one in argo_crds.call("GET", path)["items"]}


async def test_a_context_that_does_not_exist_ends_the_command(argo_crds: Kube, tmp_path: Path):
    (tmp_path / "m.yaml").write_text(MANIFESTS.format(namespace="x", port=free_port()))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "events", "run", str(tmp_path / "m.yaml"), "--data", str(tmp_path / "data"),
        "--port", "0", "--kubeconfig", str(argo_crds.kubeconfig), "--kube-context", "nobody",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, told = await process.communicate()
    assert process.returncode not in {0, None}
    assert b"context nobody" in told
    assert b"Traceback" not in told
