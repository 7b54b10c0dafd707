"""k8s: every operation on a real API server, with answers that get lost."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiohttp import web

from events.aio import Group
from events.api.sensor import Sensor
from events.errors import Retryable
from events.kube._base import Conflict, Forbidden, Invalid, NotFound, Object, Ref
from events.kube.client import Client
from events.kube.login import from_kubeconfig
from events.kube.remote import RemoteObjects
from events.runtime.executor import Executor
from events.runtime.plans import TriggerPlan, compile_sensor
from events.testing.certificates import Authority
from events.testing.objects import CRD, Lossy
from events.testing.servers.argo import CRDS, served
from events.testing.servers.kubernetes import Kube
from events.testing.triggers import Rig, firing_of, parameter, rigged, serving

pytestmark = pytest.mark.servers("kubernetes")

MAP = {"apiVersion": "v1", "kind": "ConfigMap"}
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


@pytest.fixture
async def client(kube_server: Kube) -> AsyncIterator[Client]:
    client = Client(partial(from_kubeconfig, "admin", str(kube_server.kubeconfig)))
    yield client
    await client.aclose()


@pytest.fixture
def objects(client: Client) -> RemoteObjects:
    return RemoteObjects(client)


@pytest.fixture
async def rig(objects: RemoteObjects) -> AsyncIterator[Rig]:
    async with rigged(objects=objects) as rig:
        yield rig


def config(namespace: str, operation: str = "create", name: str = "settings", **given: Any) -> dict[str, Any]:
    """A trigger for a ConfigMap; `given` are members of the object and fields of the trigger."""
    fields = {
        key: given.pop(key)
        for key in ("parameters", "patchStrategy", "liveObject", "impersonate")
        if key in given
    }
    meta = {"namespace": namespace, **({"name": name} if name else {}), **given.pop("metadata", {})}
    return {"operation": operation, "source": {"resource": {**MAP, "metadata": meta, **given}}, **fields}


def ref(namespace: str, name: str = "settings") -> Ref:
    return Ref("v1", "ConfigMap", namespace, name)


async def live(objects: RemoteObjects, namespace: str) -> Object:
    found = await objects.get(ref(namespace))
    assert found is not None
    return found


async def test_create_once_for_a_firing(rig: Rig, objects: RemoteObjects, kube_namespace: str):
    raw = config(kube_namespace, name="", metadata={"generateName": "x-"}, data={"a": "1"})
    outcomes = await asyncio.gather(*(rig.run("k8s", raw) for _ in range(5)))
    assert sorted(outcome.repeated for outcome in outcomes) == [False, True, True, True, True]
    [made] = await objects.list("v1", "ConfigMap", kube_namespace)
    assert made["metadata"]["name"] == f"x-{firing_of().id[:10]}"
    assert made["metadata"]["labels"]["events-trigger/firing"] == firing_of().id
    assert outcomes[0].object == made


async def test_a_name_that_another_firing_has_taken(rig: Rig, kube_namespace: str):
    await rig.run("k8s", config(kube_namespace), event="e1")
    with pytest.raises(Conflict, match='configmaps "settings" already exists'):
        await rig.run("k8s", config(kube_namespace), event="e2")


@pytest.mark.parametrize(
    "given",
    [
        {"name": "", "metadata": {"generateName": "x-"}},
        {"operation": "update", "data": {"a": "1"}},
        {"operation": "patch", "data": {"a": "1"}},
        {"operation": "patch", "patchStrategy": "application/apply-patch+yaml", "data": {"a": "1"}},
        {"operation": "delete"},
    ],
)
async def test_an_answer_that_was_lost(
    client: Client, kube_server: Kube, kube_namespace: str, given: dict[str, Any]
):
    if given.get("operation") == "delete":
        path = f"/api/v1/namespaces/{kube_namespace}/configmaps"
        kube_server.call("POST", path, {"metadata": {"name": "settings"}})
    async with rigged(objects=Lossy(client)) as rig:
        with pytest.raises(Retryable):
            await rig.run("k8s", config(kube_namespace, **given))
        await rig.run("k8s", config(kube_namespace, **given))
    found = await RemoteObjects(client).list("v1", "ConfigMap", kube_namespace)
    assert len(found) == (given.get("operation") != "delete")


@pytest.mark.parametrize("annotations", [{}, {"a": "b"}])
@pytest.mark.parametrize(
    "given",
    [
        {
            "operation": "patch",
            "patchStrategy": "application/json-patch+json",
            "patch": [{"op": "move", "from": "/data/old", "path": "/data/new"}],
        },
        {
            "operation": "update",
            "liveObject": True,
            "parameters": [parameter("n", "data.old", operation="append")],
        },
    ],
)
async def test_what_would_add_up_is_done_once_for_a_firing(
    client: Client, kube_namespace: str, given: dict[str, Any], annotations: dict[str, str]
):
    objects = RemoteObjects(client)
    made = {**MAP, "metadata": {"name": "settings", "annotations": annotations}, "data": {"old": "1"}}
    await objects.create(made, kube_namespace)
    raw = config(kube_namespace, **given)
    async with rigged(objects=Lossy(client)) as rig:
        with pytest.raises(Retryable):
            await rig.run("k8s", raw, {"n": "2"})
        assert (await rig.run("k8s", raw, {"n": "2"})).repeated
    found = await live(objects, kube_namespace)
    assert found["data"] == ({"new": "1"} if given["operation"] == "patch" else {"old": "12"})
    assert found["metadata"]["annotations"].items() > annotations.items()


async def test_update_lays_the_object_over_the_live_one(
    rig: Rig, objects: RemoteObjects, kube_namespace: str
):
    outcome = await rig.run("k8s", config(kube_namespace, "update", data={"a": "1", "b": "2"}))
    assert outcome.object is not None
    assert outcome.object["metadata"]["labels"]["events-trigger/firing"] == firing_of().id
    await rig.run("k8s", config(kube_namespace, "update", data={"b": "3"}), event="e2")
    found = await live(objects, kube_namespace)
    assert found["data"] == {"a": "1", "b": "3"}
    assert found["metadata"]["uid"] == outcome.object["metadata"]["uid"]


async def test_a_firing_is_remembered_while_all_others_change_the_object(client: Client, kube_namespace: str):
    objects = RemoteObjects(client)
    await objects.create({**MAP, "metadata": {"name": "settings"}, "data": {"n": ""}}, kube_namespace)
    edit = parameter("n", "data.n", operation="append")
    raw = config(kube_namespace, "update", liveObject=True, parameters=[edit])
    async with rigged(objects=Lossy(client)) as rig:
        with pytest.raises(Retryable):
            await rig.run("k8s", raw, {"n": "x"}, event="lost")
        for number in range(63):
            await rig.run("k8s", raw, {"n": "."}, event=f"e{number}")
        assert (await rig.run("k8s", raw, {"n": "x"}, event="lost")).repeated
    assert (await live(objects, kube_namespace))["data"]["n"] == f"x{'.' * 63}"


@pytest.mark.parametrize("operation", ["update", "patch"])
async def test_changes_of_one_object_at_once_all_count(
    rig: Rig, objects: RemoteObjects, kube_namespace: str, operation: str
):
    """As many as a trigger has in flight."""
    await rig.run("k8s", config(kube_namespace, data={"a": "1"}))

    def raw(key: str) -> dict[str, Any]:
        if operation == "update":
            return config(kube_namespace, "update", data={key: "x"})
        operations = [{"op": "add", "path": f"/data/{key}", "value": "x"}]
        return config(kube_namespace, "patch", patchStrategy="application/json-patch+json", patch=operations)

    await asyncio.gather(*(rig.run("k8s", raw(f"k{number}"), event=f"e{number}") for number in range(64)))
    assert len((await live(objects, kube_namespace))["data"]) == 65


async def test_the_live_object_takes_the_parameters(rig: Rig, objects: RemoteObjects, kube_namespace: str):
    raw = config(
        kube_namespace,
        "update",
        liveObject=True,
        parameters=[parameter("n", "data.count", operation="append")],
    )
    with pytest.raises(NotFound):
        await rig.run("k8s", raw, {"n": "2"})
    await rig.run("k8s", config(kube_namespace, data={"count": "1", "kept": "x"}))
    await rig.run("k8s", raw, {"n": "2"}, event="e2")
    assert (await live(objects, kube_namespace))["data"] == {"count": "12", "kept": "x"}


PORTS = [{"port": 80, "name": "web"}]


@pytest.mark.parametrize(
    ("strategy", "change", "ports"),
    [
        ("", {"spec": {"ports": [{"port": 81, "name": "other"}]}}, [81]),
        (
            "application/strategic-merge-patch+json",
            {"spec": {"ports": [{"port": 81, "name": "other"}]}},
            [81, 80],
        ),
        (
            "application/json-patch+json",
            {"patch": [{"op": "replace", "path": "/spec/ports/0/port", "value": 82}]},
            [82],
        ),
        ("application/apply-patch+yaml", {"spec": {"ports": [{"port": 81, "name": "other"}]}}, [80, 81]),
    ],
)
async def test_each_patch_strategy_is_the_server_s_own(
    rig: Rig, objects: RemoteObjects, kube_namespace: str, strategy: str, change: Any, ports: list[int]
):
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": kube_namespace}}
    await objects.create({**service, "spec": {"ports": PORTS}}, kube_namespace)
    raw = {"operation": "patch", "patchStrategy": strategy, "source": {"resource": {**service, **change}}}
    await rig.run("k8s", raw)
    await rig.run("k8s", raw)
    found = await objects.get(Ref("v1", "Service", kube_namespace, "s"))
    assert found is not None
    assert [one["port"] for one in found["spec"]["ports"]] == ports


async def test_a_patch_of_what_is_not_there_creates_it(rig: Rig, objects: RemoteObjects, kube_namespace: str):
    for number, strategy in enumerate((MERGE, "application/strategic-merge-patch+json", APPLY)):
        raw = config(kube_namespace, "patch", f"p{number}", patchStrategy=strategy, data={"a": "1"})
        outcome = await rig.run("k8s", raw)
        assert outcome.object is not None
        assert outcome.object["metadata"]["labels"]["events.argoproj.io/sensor"] == "sens"


@pytest.mark.parametrize("operation", ["create", "patch"])
async def test_a_version_in_what_is_to_be_made_is_refused_at_once(
    rig: Rig, kube_namespace: str, operation: str
):
    """The server would answer 500, as if it might pass."""
    with pytest.raises(Invalid, match="resourceVersion"):
        await rig.run("k8s", config(kube_namespace, operation, metadata={"resourceVersion": "7"}))


async def test_a_cron_job_gets_a_name_that_it_can_have(rig: Rig, kube_namespace: str):
    pod = {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]}
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    meta = {"generateName": f"{'c' * 45}-", "namespace": kube_namespace}
    resource = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": spec}
    outcome = await rig.run("k8s", {"source": {"resource": resource}})
    assert (await rig.run("k8s", {"source": {"resource": resource}})).object == outcome.object


async def test_a_slow_admission_of_one_kind_delays_no_other(
    rig: Rig, objects: RemoteObjects, kube_server: Kube, kube_namespace: str, tmp_path: Path
):
    """All that a trigger has in flight may wait for a webhook."""
    authority, asked_for, release = Authority(), asyncio.Event(), asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        asked = orjson.loads(await request.read())["request"]
        asked_for.set()
        await release.wait()
        answer = {"uid": asked["uid"], "allowed": True}
        return web.json_response(
            {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
        )

    async with serving(slow, authority.server_context(tmp_path)) as url:
        config_of = {"url": url, "caBundle": b64encode(authority.cert.encode()).decode()}
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["services"]}
        where = {"matchLabels": {"kubernetes.io/metadata.name": kube_namespace}}
        webhook = {
            "name": "slow.example.com", "clientConfig": config_of, "rules": [rule], "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 20, "namespaceSelector": where,
        }  # fmt: skip
        path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
        kube_server.ensure(path, {"metadata": {"name": kube_namespace}, "webhooks": [webhook]})
        service = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}
        meta = {"generateName": "s-", "namespace": kube_namespace}
        raw = {"source": {"resource": {**service, "metadata": meta}}}
        group = Group(lambda *_: None)
        number = 100
        while not asked_for.is_set():  # until the server knows of the webhook
            group.start("probe", rig.run("k8s", raw, event=f"e{(number := number + 1)}"))
            await asyncio.sleep(0.2)
        slow_ones = [group.start("slow", rig.run("k8s", raw, event=f"e{number}")) for number in range(64)]
        await asyncio.sleep(1)
        try:
            async with asyncio.timeout(5):
                await rig.run("k8s", config(kube_namespace))
            assert not any(one.done() for one in slow_ones)
        finally:
            release.set()
            await group.finish(20)
            kube_server.call("DELETE", f"{path}/{kube_namespace}")
        assert len(await objects.list("v1", "Service", kube_namespace)) >= 64


async def test_delete_twice(rig: Rig, objects: RemoteObjects, kube_namespace: str):
    await rig.run("k8s", config(kube_namespace))
    outcomes = [await rig.run("k8s", config(kube_namespace, "delete")) for _ in range(2)]
    assert [outcome.detail.rpartition("settings ")[2] for outcome in outcomes] == ["deleted", "was not there"]
    assert await objects.get(ref(kube_namespace)) is None


async def test_the_server_s_refusals_are_told(rig: Rig, kube_namespace: str):
    for raw, kind, said in (
        (config(kube_namespace, name="Upper"), Invalid, "RFC 1123"),
        (config("nowhere"), NotFound, 'namespaces "nowhere" not found'),
        (config(kube_namespace, impersonate={"user": "nobody"}), Forbidden, 'User "nobody" cannot create'),
        (
            {"source": {"resource": {"apiVersion": "x.io/v1", "kind": "No", "metadata": {"name": "x"}}}},
            NotFound,
            "knows no kind No",
        ),
    ):
        with pytest.raises(kind, match=said):
            await rig.run("k8s", raw)


@pytest.mark.parametrize("scope", ["Namespaced", "Cluster"])
async def test_custom_kinds_are_where_their_definition_says(
    rig: Rig, objects: RemoteObjects, kube_server: Kube, kube_namespace: str, scope: str
):
    """Also one that is called as a kind of Kubernetes without a namespace."""
    group = f"g{uuid4().hex[:8]}.example.com"
    names = {"plural": "nodes", "singular": "node", "kind": "Node", "listKind": "NodeList"}
    spec = {**CRD["spec"], "group": group, "scope": scope, "names": names}
    definition = {**CRD, "metadata": {"name": f"nodes.{group}"}, "spec": spec}
    kube_server.ensure(CRDS, definition)
    await asyncio.to_thread(served, kube_server, spec)
    meta = {"name": "x", **({"namespace": kube_namespace} if scope == "Namespaced" else {})}
    node = {"apiVersion": f"{group}/v1", "kind": "Node", "metadata": meta}
    where = kube_namespace if scope == "Namespaced" else None
    for operation in ("create", "update", "patch"):
        resource = {**node, "spec": {operation: "1"}}
        await rig.run("k8s", {"operation": operation, "source": {"resource": resource}})
    [made] = await objects.list(f"{group}/v1", "Node", where)
    assert made["metadata"].get("namespace") == where
    assert made["spec"] == {"create": "1", "update": "1", "patch": "1"}
    await rig.run("k8s", {"operation": "delete", "source": {"resource": node}})
    assert await objects.list(f"{group}/v1", "Node", where) == []


async def test_acting_as_another_user(rig: Rig, objects: RemoteObjects, kube_namespace: str):
    boss = {"user": "boss", "groups": ["system:masters"]}
    for operation in ("create", "update", "patch", "delete"):
        await rig.run("k8s", config(kube_namespace, operation, data={"a": "1"}, impersonate=boss))
    assert await objects.get(ref(kube_namespace)) is None


async def test_a_policy_waits_for_labels_of_the_live_object(
    rig: Rig, objects: RemoteObjects, kube_namespace: str
):
    raw = config(kube_namespace)
    outcome = await rig.run("k8s", raw)
    executor = Executor(lambda _: rig.context())

    async def ready() -> None:
        await asyncio.sleep(0.2)
        await objects.patch(ref(kube_namespace), {"metadata": {"labels": {"phase": "done"}}})

    judged, _ = await asyncio.gather(executor.judge("default", plan_of(raw, "done"), outcome), ready())
    assert judged is None
    judged = await executor.judge("default", plan_of(raw, "never"), outcome)
    assert judged is not None
    assert "did not get the labels" in judged


async def test_a_policy_looks_as_the_user_who_acted(kube_server: Kube, kube_namespace: str):
    """The service's own account may need no other right than to impersonate."""
    path, name = "/apis/rbac.authorization.k8s.io/v1", f"impersonators-{kube_namespace}"
    rule = {"apiGroups": [""], "resources": ["users", "groups"], "verbs": ["impersonate"]}
    kube_server.ensure(f"{path}/clusterroles", {"metadata": {"name": name}, "rules": [rule]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "sender"}
    kube_server.ensure(
        f"{path}/clusterrolebindings", {"metadata": {"name": name}, "roleRef": role, "subjects": [user]}
    )
    sender = Client(partial(from_kubeconfig, "sender", str(kube_server.kubeconfig)))
    raw = config(kube_namespace, impersonate={"user": "boss", "groups": ["system:masters"]})
    async with rigged(objects=RemoteObjects(sender)) as rig:
        outcome = await rig.run("k8s", raw)
        judged = await Executor(lambda _: rig.context()).judge("default", plan_of(raw, "never"), outcome)
    await sender.aclose()
    assert judged is not None
    assert "did not get the labels" in judged


def plan_of(raw: Any, phase: str) -> TriggerPlan:
    """A trigger that wants its object labelled within about half a second."""
    backoff = {"steps": 10, "duration": "50ms", "factor": 1, "jitter": 0}
    policy = {"k8s": {"labels": {"phase": phase}, "backoff": backoff, "errorOnBackoffTimeout": True}}
    spec = {
        "dependencies": [{"name": "d", "eventSourceName": "s", "eventName": "e"}],
        "triggers": [{"template": {"name": "t", "k8s": raw}, "policy": policy}],
    }  # fmt: skip
    plan = compile_sensor(
        Sensor.model_validate({"metadata": {"name": "s", "namespace": "default"}, "spec": spec})
    )
    return plan.triggers[0]
