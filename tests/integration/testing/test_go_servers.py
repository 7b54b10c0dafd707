"""Servers that are built from Go modules: each does what the tests need it for."""

from __future__ import annotations

import time
import urllib.error
from typing import Any

import pytest

from events.testing.servers.argo import Controller, lint
from events.testing.servers.kubernetes import Kube
from events.testing.servers.minio import Minio

WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/{}/workflows"


def workflow(entrypoint: str) -> dict[str, Any]:
    template = {"name": "wait", "suspend": {"duration": "1s"}}
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "w-"},
        "spec": {"entrypoint": entrypoint, "templates": [template]},
    }  # fmt: skip


@pytest.mark.servers("minio")
async def test_minio_keeps_objects(minio_server: Minio):
    from aiobotocore.session import get_session

    made = get_session().create_client(
        "s3", endpoint_url=minio_server.url, region_name=minio_server.region,
        aws_access_key_id=minio_server.user, aws_secret_access_key=minio_server.password,
    )  # fmt: skip
    async with made as s3:
        await s3.create_bucket(Bucket="smoke")
        await s3.put_object(Bucket="smoke", Key="a b", Body=b"text")
        assert [one["Key"] for one in (await s3.list_objects_v2(Bucket="smoke"))["Contents"]] == ["a b"]


@pytest.mark.servers("kubernetes")
def test_the_api_server_keeps_objects_and_tells_users_apart(kube_server: Kube, kube_namespace: str):
    path = f"/api/v1/namespaces/{kube_namespace}/configmaps"
    kube_server.call("POST", path, {"metadata": {"name": "x"}, "data": {"a": "1"}})
    assert kube_server.call("GET", f"{path}/x")["data"] == {"a": "1"}
    with pytest.raises(urllib.error.HTTPError, match="403"):
        kube_server.call("GET", f"{path}/x", user="viewer")


@pytest.mark.servers("argo")
def test_lint_tells_good_workflows_from_bad_ones():
    assert lint(workflow("wait")) == []
    assert "undefined" in " ".join(lint(workflow("nothing")))
    assert "unknown field" in " ".join(lint({**workflow("wait"), "specs": {}}))


@pytest.mark.servers("argo")
def test_the_controller_runs_workflows(argo_controller: Controller):
    kube, path = argo_controller.kube, WORKFLOWS.format(argo_controller.namespace)
    name = kube.call("POST", path, workflow("wait"))["metadata"]["name"]
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        phase = kube.call("GET", f"{path}/{name}").get("status", {}).get("phase")
        if phase == "Succeeded":
            return
        time.sleep(0.1)
    pytest.fail(f"the workflow is {phase}: {argo_controller.log}")
