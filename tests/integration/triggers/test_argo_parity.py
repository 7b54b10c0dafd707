"""What our edits make of a workflow, compared with what the real `argo` program makes of it.

No controller acts on these workflows: their nodes, pods among them, are written by hand.
"""

from __future__ import annotations

import asyncio
import copy
import subprocess
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from events.kube._base import Object, Ref
from events.kube.client import Client
from events.kube.login import from_kubeconfig
from events.kube.remote import RemoteObjects
from events.testing.servers.argo import PROGRAMS
from events.testing.servers.kubernetes import Kube
from events.testing.triggers import rigged

pytestmark = pytest.mark.servers("argo")

API = "argoproj.io/v1alpha1"
PREFIX = "workflows.argoproj.io"
TIME = "2026-01-01T00:00:00Z"

Tree = tuple[str, str, str, list[Any]]
"""(display name, type, phase, children)"""


def pod(name: str, phase: str, *children: Any) -> Tree:
    return (name, "Pod", phase, list(children))


STEPS: Tree = (
    "", "Steps", "Failed", [("[0]", "StepGroup", "Succeeded", [
        pod("a", "Succeeded", ("[1]", "StepGroup", "Failed", [pod("b", "Failed"), pod("c", "Succeeded")])),
    ])],
)  # fmt: skip
DAG: Tree = ("", "DAG", "Failed", [
    pod("a", "Succeeded", pod("b", "Failed", ("d", "Skipped", "Omitted", []))),
    pod("c", "Succeeded"),
])  # fmt: skip
NESTED: Tree = ("", "DAG", "Failed", [
    ("inner", "Steps", "Failed", [
        ("[0]", "StepGroup", "Failed", [pod("x", "Error"), pod("y", "Succeeded")]),
    ]),
    pod("c", "Succeeded"),
])  # fmt: skip
ATTEMPTS: Tree = ("", "DAG", "Failed", [
    ("a", "Retry", "Failed", [pod("a(0)", "Failed"), pod("a(1)", "Failed")]), pod("c", "Succeeded"),
])  # fmt: skip
SINGLE: Tree = pod("", "Failed")
WAIT: Tree = ("wait", "Suspend", "Failed", [])
ENDED: Tree = ("", "Steps", "Failed", [("[0]", "StepGroup", "Failed", [WAIT])])
SUCCEEDED_LATER: Tree = ("", "DAG", "Failed", [
    ("a", "Retry", "Succeeded", [pod("a(0)", "Failed"), pod("a(1)", "Succeeded")]), pod("c", "Failed"),
])  # fmt: skip


def containers(*phases: str) -> list[Tree]:
    return [(f"c{number}", "Container", phase, []) for number, phase in enumerate(phases)]


CONTAINER_SET: Tree = ("", "Steps", "Failed", [
    ("[0]", "StepGroup", "Failed", [("a", "Pod", "Failed", containers("Succeeded", "Failed"))]),
])  # fmt: skip
CONTAINER_SET_LATER: Tree = ("", "DAG", "Failed", [
    ("a", "Retry", "Succeeded", [
        ("a(0)", "Pod", "Failed", containers("Succeeded", "Failed")),
        ("a(1)", "Pod", "Succeeded", containers("Succeeded", "Succeeded")),
    ]),
    pod("c", "Failed"),
])  # fmt: skip
TREES = {
    "steps": STEPS, "dag": DAG, "nested": NESTED, "attempts": ATTEMPTS, "later": SUCCEEDED_LATER,
    "single": SINGLE, "ended": ENDED, "container set": CONTAINER_SET,
    "container set later": CONTAINER_SET_LATER,
}  # fmt: skip
CONTINUED: Tree = ("", "Steps", "Failed", [("[0]", "StepGroup", "Succeeded", [
    pod("a", "Failed", ("[1]", "StepGroup", "Failed", [pod("b", "Succeeded"), pod("c", "Failed")])),
])])  # fmt: skip


def nodes_of(name: str, tree: Tree) -> dict[str, Any]:
    """The status of a workflow of that name with these nodes."""
    from events.triggers._workflow_nodes import node_id

    found: dict[str, Any] = {}

    def add(tree: Tree, path: str, boundary: str | None, attempt: bool) -> str:
        display, kind, phase, children = tree
        full = f"{path}.{display}" if display and not display.startswith("[") else f"{path}{display}"
        id_ = node_id(name, full)
        whole = kind in {"Steps", "DAG"} or any(child[1] == "Container" for child in children)
        inner = id_ if whole else boundary
        flags: dict[str, Any] = {"nodeFlag": {"retried": True}} if attempt else {}
        found[id_] = {
            "id": id_, "name": full, "displayName": display or name, "type": kind, "phase": phase,
            "templateName": "t", "templateScope": f"local/{name}", "startedAt": TIME, "finishedAt": TIME,
            **flags, **({"boundaryID": boundary} if boundary else {}),
            **({"message": "no"} if phase == "Failed" else {}),
        }  # fmt: skip
        links = [
            add(
                child,
                full if whole or kind == "Retry" else path,
                inner,
                kind == "Retry" or (attempt and whole),
            )
            for child in children
        ]
        if links:
            found[id_]["children"] = links
        return id_

    add(tree, name, None, False)
    return found


def finished(name: str, namespace: str, tree: Tree, phase: str = "Failed", **spec: Any) -> Object:
    ended = phase in {"Failed", "Error", "Succeeded"}
    labels = {
        "workflows.argoproj.io/phase": phase,
        "workflows.argoproj.io/completed": str(ended).lower(),
        "team": "x",
    }
    return {
        "apiVersion": API, "kind": "Workflow",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "entrypoint": "t", "templates": [{"name": "t", "container": {"image": "x"}}],
            "arguments": {"parameters": [{"name": "p", "value": "1"}]}, **spec,
        },
        "status": {
            "phase": phase, "message": "no", "startedAt": TIME, "finishedAt": TIME if ended else None,
            "nodes": nodes_of(name, tree), "conditions": [{"type": "Completed", "status": str(ended)}],
        },
    }  # fmt: skip


@pytest.fixture
async def objects(argo_crds: Kube) -> AsyncIterator[RemoteObjects]:
    client = Client(partial(from_kubeconfig, "admin", str(argo_crds.kubeconfig)))
    yield RemoteObjects(client)
    await client.aclose()


async def argo(kube: Kube, namespace: str, *words: str) -> None:
    command = [PROGRAMS.path("argo"), "--kubeconfig", str(kube.kubeconfig), "-n", namespace, *words]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


async def both(
    kube: Kube, objects: RemoteObjects, tree: Tree, operation: str, *args: str, **given: Any
) -> tuple[Object, Object]:
    """The workflow after our operation and after argo's, made comparable."""
    results = []
    for who in ("ours", "argo"):
        where = kube.namespace(f"t-{uuid4().hex[:12]}")
        await objects.create(finished("wf", where, tree, **given), where)
        if who == "argo":
            await argo(kube, where, operation, "wf", *args)
        else:
            named = {"apiVersion": API, "kind": "Workflow", "metadata": {"name": "wf", "namespace": where}}
            async with rigged(objects=objects) as rig:
                await rig.run(
                    "argoWorkflow", {"operation": operation, "source": {"resource": named}, "args": [*args]}
                )
        found = await objects.list(API, "Workflow", where)
        newest = next(one for one in found if one["metadata"]["name"] != "wf" or operation != "resubmit")
        results.append(comparable(newest))
    return results[0], results[1]


OURS = ("events-trigger/", "events.argoproj.io/")
EMPTY = (None, "", [], {})


def comparable(found: Object) -> Object:
    """Without times, identities and our own labels, and with one name for all new workflows."""
    from events.triggers._workflow_nodes import node_id

    found = copy.deepcopy(found)
    name = found["metadata"]["name"]
    meta = {
        field: {k: v for k, v in (found["metadata"].get(field) or {}).items() if not k.startswith(OURS)}
        for field in ("labels", "annotations")
    }
    meta["labels"].pop("workflows.argoproj.io/creator", None)
    status = found.get("status") or {}
    nodes = status.pop("nodes", None) or {}
    ids = {id_: node_id("wf", node["name"].replace(name, "wf", 1)) for id_, node in nodes.items()}
    kept = {}
    for id_, node in nodes.items():
        kept[ids[id_]] = clean({
            **node, "id": ids[id_], "name": node["name"].replace(name, "wf", 1),
            "startedAt": None, "finishedAt": bool(node.get("finishedAt")),
            "children": sorted(ids[one] for one in node.get("children") or () if one in ids),
            "outboundNodes": [], "boundaryID": ids.get(node.get("boundaryID"), node.get("boundaryID")),
        })  # fmt: skip
    return clean(
        {
            "meta": meta,
            "spec": drop(found["spec"]),
            "status": clean({**status, "startedAt": None}),
            "nodes": kept,
        }
    )


def clean(value: dict[str, Any]) -> dict[str, Any]:
    return {key: one for key, one in value.items() if one not in EMPTY}


def drop(value: Any) -> Any:
    """Without empty members, which the program's types write out."""
    if isinstance(value, dict):
        return clean({key: drop(one) for key, one in value.items()})
    return [drop(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("tree", sorted(TREES.keys() - {"ended"}))
async def test_retry(argo_crds: Kube, objects: RemoteObjects, tree: str):
    ours, theirs = await both(argo_crds, objects, TREES[tree], "retry", shutdown="Stop")
    assert ours == theirs


async def test_retry_of_a_suspended_node_that_was_stopped_differs(argo_crds: Kube, objects: RemoteObjects):
    """The program leaves such a node as it is, and the controller fails the workflow again at once."""
    ours, theirs = await both(argo_crds, objects, ENDED, "retry")
    assert {one["displayName"] for one in theirs["nodes"].values()} == {"wf", "[0]", "wait"}
    assert {one["displayName"]: one["phase"] for one in ours["nodes"].values()} == {
        "wf": "Running", "[0]": "Running",
    }  # fmt: skip


async def test_retry_with_parameters(argo_crds: Kube, objects: RemoteObjects):
    ours, theirs = await both(argo_crds, objects, DAG, "retry", "-p", "p=2")
    assert ours == theirs
    assert ours["spec"]["arguments"]["parameters"] == [{"name": "p", "value": "2"}]


async def test_retry_past_a_failure_that_did_not_count(argo_crds: Kube, objects: RemoteObjects):
    ours, theirs = await both(argo_crds, objects, CONTINUED, "retry")
    assert ours == theirs


@pytest.mark.parametrize(("tree", "chosen"), [("dag", "c"), ("container set", "c0"), ("attempts", "a")])
async def test_retry_of_chosen_nodes(argo_crds: Kube, objects: RemoteObjects, tree: str, chosen: str):
    args = ("--restart-successful", "--node-field-selector", f"displayName={chosen}")
    ours, theirs = await both(argo_crds, objects, TREES[tree], "retry", *args)
    assert ours == theirs


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize("args", [(), ("--memoized",)])
async def test_resubmit(argo_crds: Kube, objects: RemoteObjects, tree: str, args: tuple[str, ...]):
    ours, theirs = await both(argo_crds, objects, TREES[tree], "resubmit", *args, shutdown="Terminate")
    assert ours == theirs


SUSPENDED: Tree = (
    "",
    "Steps",
    "Running",
    [("[0]", "StepGroup", "Running", [("wait", "Suspend", "Running", [])])],
)


@pytest.mark.parametrize(
    ("operation", "args", "spec"),
    [
        ("suspend", (), {}), ("suspend", (), {"suspend": True}),
        ("resume", (), {}), ("resume", (), {"suspend": True}),
        ("resume", ("--node-field-selector", "displayName=wait"), {"suspend": True}), ("stop", (), {}),
        ("stop", ("--node-field-selector", "phase=Running", "--message", "m"), {}), ("terminate", (), {}),
    ],
)  # fmt: skip
async def test_changes(
    argo_crds: Kube, objects: RemoteObjects, operation: str, args: tuple[str, ...], spec: dict[str, Any]
):
    ours, theirs = await both(argo_crds, objects, SUSPENDED, operation, *args, phase="Running", **spec)
    assert ours == theirs


async def test_pods_of_nodes_that_run_again_are_deleted(
    argo_crds: Kube, objects: RemoteObjects, tmp_path: Path
):
    namespace = argo_crds.namespace(f"t-{uuid4().hex[:12]}")
    made = await objects.create(finished("wf", namespace, DAG), namespace)
    for id_, node in made["status"]["nodes"].items():
        if node["type"] == "Pod":
            meta = {
                "name": f"pod-{node['displayName']}", "labels": {"workflows.argoproj.io/workflow": "wf"},
                "annotations": {"workflows.argoproj.io/node-id": id_},
            }  # fmt: skip
            spec = {"containers": [{"name": "main", "image": "x"}]}
            await objects.create(
                {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}, namespace
            )
    named = {"apiVersion": API, "kind": "Workflow", "metadata": {"name": "wf", "namespace": namespace}}
    async with rigged(objects=objects) as rig:
        await rig.run("argoWorkflow", {"operation": "retry", "source": {"resource": named}})
    left = [one["metadata"]["name"] for one in await objects.list("v1", "Pod", namespace)]
    assert left == ["pod-a", "pod-c"]
    assert await objects.get(Ref("v1", "Pod", namespace, "pod-b")) is None
