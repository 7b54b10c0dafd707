"""Secrets of a cluster: the API server first, then what the instance has itself."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from events.clients.secrets import LocalSecrets, Ref
from events.errors import Permanent, Retryable
from events.kube._base import Forbidden, Object
from events.kube._base import Ref as ObjectRef
from events.kube.local import LocalObjects
from events.manifest import load
from events.runtime import cluster
from events.runtime.cluster import Cluster, ClusterSecrets, Where

TOKEN = Ref("hook", "token")


class Answers(LocalObjects):
    """Answers `get` from a table, or fails."""

    def __init__(self) -> None:
        super().__init__(Path("none"))
        self.objects: dict[str, Object] = {}
        self.fails: Exception | None = None
        self.asked = 0

    async def get(self, ref: ObjectRef) -> Object | None:
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        return self.objects.get(f"{ref.kind}/{ref.namespace}/{ref.name}")


def secret(**values: str) -> Object:
    return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}}


def secrets_of(answers: Answers, **own: str) -> ClusterSecrets:
    values = {Ref("hook", key): value.encode() for key, value in own.items()}
    return ClusterSecrets(answers, "shop", LocalSecrets(lambda: values, environ={}))


async def test_the_cluster_s_value_comes_first_and_one_newline_goes():
    answers = Answers()
    answers.objects["Secret/shop/hook"] = secret(token="theirs\n\n")
    assert await secrets_of(answers, token="ours").read(TOKEN) == "theirs\n"


async def test_config_maps_are_plain_text_or_bytes():
    answers = Answers()
    answers.objects["ConfigMap/shop/hook"] = {"data": {"a": "text"}, "binaryData": {"b": "Ynl0ZXM="}}
    secrets = secrets_of(answers)
    assert await secrets.read(Ref("hook", "a", "configmap")) == "text"
    assert await secrets.read(Ref("hook", "b", "configmap")) == "bytes"


@pytest.mark.parametrize("there", [{}, {"Secret/shop/hook": secret(other="x")}])
async def test_what_the_cluster_has_not_is_looked_for_here(there: dict[str, Any]):
    answers = Answers()
    answers.objects = there
    assert await secrets_of(answers, token="ours").read(TOKEN) == "ours"
    with pytest.raises(Permanent, match="namespace shop of the cluster"):
        await secrets_of(answers).read(TOKEN)


async def test_without_the_right_to_read_secrets_ours_are_used_or_the_refusal_told():
    answers = Answers()
    answers.fails = Forbidden("secrets is forbidden")
    assert await secrets_of(answers, token="ours").read(TOKEN) == "ours"
    with pytest.raises(Permanent, match="secrets is forbidden"):
        await secrets_of(answers).read(TOKEN)


async def test_a_value_is_kept_for_a_moment_and_while_the_server_is_away(monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]
    monkeypatch.setattr(cluster.time, "monotonic", lambda: clock[0])
    answers = Answers()
    answers.objects["Secret/shop/hook"] = secret(token="old")
    secrets = secrets_of(answers)
    assert [await secrets.read(TOKEN) for _ in range(3)] == ["old"] * 3
    assert answers.asked == 1
    answers.objects["Secret/shop/hook"] = secret(token="new")
    clock[0] = cluster.FRESH + 1
    assert await secrets.read(TOKEN) == "new"
    clock[0] *= 2
    answers.fails = Retryable("away")
    assert await secrets.read(TOKEN) == "new"
    with pytest.raises(Retryable):
        await secrets.read(Ref("other", "token"))


async def test_what_is_no_base64():
    answers = Answers()
    answers.objects["Secret/shop/hook"] = {"data": {"token": "a"}}
    with pytest.raises(Permanent, match="not base64"):
        await secrets_of(answers).read(TOKEN)


# manifests of other kinds


def made(kind: str, name: str, **more: Any) -> str:
    return f"apiVersion: argoproj.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {more}\n---\n"


def leave(one: Cluster, folder: Path, caplog: pytest.LogCaptureFixture, **files: str) -> list[str]:
    """What is told when the folder looks like this."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    caplog.clear()
    one.leave(load([folder]))
    return caplog.messages


def test_what_a_local_store_would_get_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    one = Cluster(Where("shop"))
    templates = made("WorkflowTemplate", "a") + made("WorkflowTemplate", "b")
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"
    [told] = leave(one, tmp_path, caplog, pods=pod, templates=templates)
    where = f"{tmp_path}/pods.yaml, {tmp_path}/templates.yaml"
    assert told.startswith(f"not applied to the cluster: 1 Pod, 2 WorkflowTemplate in {where}; ")
    assert told.endswith(": kubectl apply -f FILE")
    bus = made("EventBus", "default", jetstream={"version": "latest"})
    assert leave(one, tmp_path, caplog, bus=bus) == [], "others of our own kinds change nothing"
    [told] = leave(one, tmp_path, caplog, templates=made("WorkflowTemplate", "a", entrypoint="main"))
    assert told.startswith(f"not applied to the cluster: 1 Pod, 1 WorkflowTemplate in {where}; ")
    assert leave(one, tmp_path, caplog, pods="", templates="") == []


def test_secrets_are_not_left_out_and_nothing_is_told_of_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """They count where the cluster has none."""
    objects = "apiVersion: v1\nkind: {}\nmetadata: {{name: x}}\n---\n"
    both = objects.format("Secret") + objects.format("ConfigMap")
    assert leave(Cluster(Where("shop")), tmp_path, caplog, both=both) == []


def test_of_many_files_some_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    files = {f"f{number}": made("Workflow", f"w{number}") for number in range(9)}
    [told] = leave(Cluster(Where("shop")), tmp_path, caplog, **files)
    assert told.startswith("not applied to the cluster: 9 Workflow in ")
    assert "f4.yaml and 4 more files; " in told
