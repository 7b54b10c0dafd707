"""argoWorkflow: every operation on a real API server, with the real workflow-controller at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from events.errors import Retryable
from events.event import Outcome
from events.kube._base import Invalid, NotFound, Object, Ref
from events.kube.client import Client
from events.kube.login import from_kubeconfig
from events.kube.remote import RemoteObjects
from events.testing.objects import Lossy
from events.testing.servers.argo import Controller, lint
from events.testing.triggers import Rig, compiled, firing_of, rigged

pytestmark = pytest.mark.servers("argo")

API = "argoproj.io/v1alpha1"
APPROVE = {"name": "approve", "suspend": {}}
WAIT = {"name": "wait", "suspend": {"duration": "1"}}


@pytest.fixture
async def objects(argo_controller: Controller) -> AsyncIterator[RemoteObjects]:
    client = Client(partial(from_kubeconfig, "admin", str(argo_controller.kube.kubeconfig)))
    yield RemoteObjects(client)
    await client.aclose()


@pytest.fixture
async def rig(objects: RemoteObjects) -> AsyncIterator[Rig]:
    async with rigged(objects=objects) as rig:
        yield rig


@pytest.fixture
def namespace(argo_controller: Controller) -> str:
    return argo_controller.namespace


def workflow(namespace: str, *templates: Any, entrypoint: str | None = None, **spec: Any) -> Object:
    """A new name for every workflow: the controller's namespace is shared."""
    return {
        "apiVersion": API, "kind": "Workflow",
        "metadata": {"name": f"w-{uuid4().hex[:8]}", "namespace": namespace},
        "spec": {"entrypoint": entrypoint or templates[0]["name"], "templates": list(templates), **spec},
    }  # fmt: skip


def named(obj: Object) -> Object:
    """Only what names an object."""
    meta = {key: obj["metadata"][key] for key in ("name", "namespace") if key in obj["metadata"]}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta}


async def run(rig: Rig, operation: str, obj: Object, *args: str, event: str | None = None) -> Outcome:
    raw = {"operation": operation, "source": {"resource": obj}, "args": list(args)}
    return await rig.run("argoWorkflow", raw, event=event or uuid4().hex)


async def until(objects: RemoteObjects, obj: Object, met: Callable[[Object], Any]) -> Object:
    """The workflow once the condition is met."""
    meta = obj["metadata"]
    found: Object | None = None
    try:
        async with asyncio.timeout(20):
            while True:
                found = await objects.get(Ref(API, "Workflow", meta["namespace"], meta["name"]))
                if found is not None and met(found):
                    return found
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"it did not come to that: {found}")


def phase(name: str) -> Callable[[Object], bool]:
    return lambda found: found.get("status", {}).get("phase") == name


def node(found: Object, name: str) -> Any:
    nodes = found.get("status", {}).get("nodes") or {}
    return next((one for one in nodes.values() if one["displayName"] == name), None)


def waiting(found: Object) -> bool:
    nodes = (found.get("status", {}).get("nodes") or {}).values()
    return any(one["type"] == "Suspend" and one["phase"] == "Running" for one in nodes)


async def submitted(rig: Rig, objects: RemoteObjects, obj: Object, met: Callable[[Object], Any]) -> Object:
    outcome = await run(rig, "submit", obj)
    assert outcome.object is not None
    assert lint(outcome.object) == []
    return await until(objects, outcome.object, met)


async def test_submit_runs_to_its_end(rig: Rig, objects: RemoteObjects, namespace: str):
    found = await submitted(rig, objects, workflow(namespace, WAIT), phase("Succeeded"))
    assert found["metadata"]["labels"]["events.argoproj.io/trigger"] == "trig"


async def test_suspend_and_resume(rig: Rig, objects: RemoteObjects, namespace: str):
    steps = {
        "name": "main",
        "steps": [[{"name": "one", "template": "wait"}], [{"name": "two", "template": "wait"}]],
    }
    slow = {**WAIT, "suspend": {"duration": "4"}}
    made = await submitted(rig, objects, workflow(namespace, steps, slow), waiting)
    await run(rig, "suspend", named(made))
    await asyncio.sleep(4.5)  # longer than the step lasts
    found = await until(objects, made, lambda one: one["spec"].get("suspend"))
    assert node(found, "one")["phase"] == "Running"
    assert found["status"]["phase"] == "Running"
    assert node(found, "two") is None
    await run(rig, "resume", named(made))
    found = await until(objects, made, phase("Succeeded"))
    assert "suspend" not in found["spec"]


async def test_resume_of_a_suspended_node(rig: Rig, objects: RemoteObjects, namespace: str):
    made = await submitted(rig, objects, workflow(namespace, APPROVE), waiting)
    outcome = await run(rig, "resume", named(made), event="e")
    assert not outcome.repeated
    await until(objects, made, phase("Succeeded"))
    assert (await run(rig, "resume", named(made), event="e")).repeated
    with pytest.raises(Invalid, match="is Succeeded and cannot be resumed"):
        await run(rig, "resume", named(made))


async def test_a_repeated_resume_does_not_release_the_next_node(
    rig: Rig, objects: RemoteObjects, namespace: str
):
    steps = {
        "name": "main",
        "steps": [[{"name": "one", "template": "approve"}], [{"name": "two", "template": "approve"}]],
    }
    made = await submitted(rig, objects, workflow(namespace, steps, APPROVE), waiting)
    await run(rig, "resume", named(made), event="e")
    await until(objects, made, lambda one: node(one, "two") and waiting(one))
    assert (await run(rig, "resume", named(made), event="e")).repeated
    await run(rig, "resume", named(made), "--node-field-selector", "displayName=two")
    await until(objects, made, phase("Succeeded"))


async def test_stop_runs_the_exit_handler_and_terminate_does_not(
    rig: Rig, objects: RemoteObjects, namespace: str
):
    for operation, handled in (("stop", True), ("terminate", False)):
        made = await submitted(rig, objects, workflow(namespace, APPROVE, WAIT, onExit="wait"), waiting)
        await run(rig, operation, named(made))
        found = await until(objects, made, phase("Failed"))
        names = [one["name"] for one in found["status"]["nodes"].values()]
        assert (f"{made['metadata']['name']}.onExit" in names) == handled
        with pytest.raises(Invalid, match="is Failed and cannot be"):
            await run(rig, operation, named(made))


async def test_stop_of_one_node_fails_it_with_the_message(rig: Rig, objects: RemoteObjects, namespace: str):
    made = await submitted(rig, objects, workflow(namespace, APPROVE), waiting)
    selector = f"displayName={made['metadata']['name']}"
    await run(rig, "stop", named(made), "--node-field-selector", selector, "--message", "no")
    found = await until(objects, made, phase("Failed"))
    assert node(found, made["metadata"]["name"])["message"] == "no"


async def test_retry_runs_only_what_failed_again(rig: Rig, objects: RemoteObjects, namespace: str):
    steps = {
        "name": "main",
        "steps": [[{"name": "one", "template": "wait"}], [{"name": "two", "template": "approve"}]],
    }
    made = await submitted(
        rig, objects, workflow(namespace, steps, WAIT, APPROVE), lambda one: node(one, "two")
    )
    await run(rig, "stop", named(made), "--node-field-selector", "displayName=two", "--message", "no")
    failed = await until(objects, made, phase("Failed"))
    await run(rig, "retry", named(made), event="e")
    again = await until(objects, made, waiting)
    assert again["status"]["phase"] == "Running"
    assert "workflows.argoproj.io/completed" not in again["metadata"]["labels"]
    assert node(again, "one") == node(failed, "one")
    assert node(again, "two")["startedAt"] >= node(failed, "two")["finishedAt"]
    assert (await run(rig, "retry", named(made), event="e")).repeated
    await run(rig, "resume", named(made))
    await until(objects, made, phase("Succeeded"))
    with pytest.raises(Invalid, match="is Succeeded and cannot be retried"):
        await run(rig, "retry", named(made))


async def test_retry_of_tasks_and_of_what_was_terminated(rig: Rig, objects: RemoteObjects, namespace: str):
    tasks = [
        {"name": "a", "template": "wait"}, {"name": "b", "template": "approve", "dependencies": ["a"]},
        {"name": "c", "template": "approve"}, {"name": "d", "template": "wait", "dependencies": ["b", "c"]},
    ]  # fmt: skip
    dag = {"name": "main", "dag": {"tasks": tasks}}
    made = await submitted(
        rig, objects, workflow(namespace, dag, WAIT, APPROVE), lambda one: node(one, "b") and node(one, "c")
    )
    await run(rig, "terminate", named(made))
    await until(objects, made, phase("Failed"))
    await run(rig, "retry", named(made))
    again = await until(objects, made, lambda one: waiting(one) and node(one, "b") and node(one, "c"))
    assert "shutdown" not in again["spec"]
    assert node(again, "a")["phase"] == "Succeeded"
    await run(rig, "resume", named(made))
    await until(objects, made, phase("Succeeded"))


async def test_retry_starts_a_retry_strategy_over(rig: Rig, objects: RemoteObjects, namespace: str):
    template = {"name": "main", "suspend": {}, "retryStrategy": {"limit": "0"}}
    made = await submitted(rig, objects, workflow(namespace, template), waiting)
    await run(rig, "stop", named(made), "--node-field-selector", "phase=Running")
    await until(objects, made, phase("Failed"))
    await run(rig, "retry", named(made))
    await until(objects, made, waiting)
    await run(rig, "resume", named(made))
    await until(objects, made, phase("Succeeded"))


async def test_retry_with_another_parameter_mends_what_failed(
    rig: Rig, objects: RemoteObjects, namespace: str
):
    what = {"arguments": {"parameters": [{"name": "until", "value": "never"}]}}
    template = {"name": "main", "suspend": {"duration": "{{workflow.parameters.until}}"}}
    made = await submitted(rig, objects, workflow(namespace, template, **what), phase("Error"))
    await run(rig, "retry", named(made), "-p", "until=1")
    found = await until(objects, made, phase("Succeeded"))
    assert found["spec"]["arguments"]["parameters"] == [{"name": "until", "value": "1"}]


async def test_resubmit_makes_one_new_workflow_for_a_firing(rig: Rig, objects: RemoteObjects, namespace: str):
    made = await submitted(rig, objects, workflow(namespace, WAIT), phase("Succeeded"))
    outcome = await run(rig, "resubmit", named(made), event="e")
    again = await run(rig, "resubmit", named(made), event="e")
    assert outcome.object is not None
    assert again.repeated
    meta = outcome.object["metadata"]
    assert meta["name"] == f"{made['metadata']['name']}-{firing_of(event='e').id[:10]}"
    assert meta["labels"]["workflows.argoproj.io/resubmitted-from-workflow"] == made["metadata"]["name"]
    assert meta["labels"]["events-trigger/firing"] == firing_of(event="e").id
    assert lint(outcome.object) == []
    await until(objects, outcome.object, phase("Succeeded"))


async def test_resubmit_memoized_keeps_what_succeeded(rig: Rig, objects: RemoteObjects, namespace: str):
    steps = {
        "name": "main",
        "steps": [[{"name": "one", "template": "wait"}], [{"name": "two", "template": "approve"}]],
    }
    made = await submitted(
        rig, objects, workflow(namespace, steps, WAIT, APPROVE), lambda one: node(one, "two")
    )
    with pytest.raises(Invalid, match="is Running: only Failed and Error"):
        await run(rig, "resubmit", named(made), "--memoized")
    await run(rig, "stop", named(made), "--node-field-selector", "displayName=two")
    await until(objects, made, phase("Failed"))
    outcome = await run(rig, "resubmit", named(made), "--memoized")
    assert outcome.object is not None
    found = await until(
        objects, outcome.object, lambda one: (node(one, "two") or {}).get("phase") == "Running"
    )
    assert found["metadata"]["name"] != made["metadata"]["name"]
    await run(rig, "resume", named(found))
    await until(objects, found, phase("Succeeded"))


@pytest.mark.parametrize("kind", ["Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"])
async def test_submit_from(rig: Rig, objects: RemoteObjects, namespace: str, kind: str):
    spec = {**workflow(namespace, WAIT)["spec"], "arguments": {"parameters": [{"name": "a", "value": "1"}]}}
    source = workflow(namespace, WAIT) | {"kind": kind, "spec": spec}
    if kind == "CronWorkflow":
        source["spec"] = {
            "schedule": "0 0 1 1 *",
            "workflowSpec": spec,
            "workflowMetadata": {"labels": {"x": "y"}},
        }
    if kind == "ClusterWorkflowTemplate":
        source["metadata"].pop("namespace")
    with pytest.raises(NotFound, match=f"{kind}/.* not found"):
        await run(rig, "submit-from", named(source))
    await objects.create(source, namespace)
    wanted = named(source) | {"spec": {"arguments": {"parameters": [{"name": "a", "value": "2"}]}}}
    if kind == "ClusterWorkflowTemplate":
        outcome = await fire_in(rig, namespace, wanted)
    else:
        outcome = await run(rig, "submit-from", wanted, "-l", "team=shop", event="e")
        assert (await run(rig, "submit-from", wanted, "-l", "team=shop", event="e")).repeated
        assert outcome.object is not None
        assert outcome.object["metadata"]["labels"]["team"] == "shop"
    made = outcome.object
    assert made is not None
    assert made["metadata"]["name"].startswith(f"{source['metadata']['name']}-")
    assert made["spec"]["arguments"]["parameters"] == [{"name": "a", "value": "2"}]
    if kind == "CronWorkflow":
        assert made["metadata"]["labels"]["x"] == "y"
        assert made["metadata"]["ownerReferences"][0]["kind"] == "CronWorkflow"
    checked = [made, source] if kind.endswith("Template") else [made]
    assert lint(*checked) == []
    if kind != "ClusterWorkflowTemplate":  # the controller of one namespace sees no cluster templates
        await until(objects, made, phase("Succeeded"))


async def fire_in(rig: Rig, namespace: str, obj: Object) -> Outcome:
    """As a sensor in this namespace."""
    raw = {"operation": "submit-from", "source": {"resource": obj}}
    firing = msgspec.structs.replace(firing_of(event=uuid4().hex), namespace=namespace)
    return await rig.fire("argoWorkflow", compiled("argoWorkflow", raw)(firing), firing.id)


@pytest.mark.parametrize("operation", ["suspend", "resume", "stop", "terminate", "retry", "resubmit"])
async def test_a_workflow_that_is_not_there(rig: Rig, namespace: str, operation: str):
    with pytest.raises(NotFound, match=f"Workflow/{namespace}/w-.* not found"):
        await run(rig, operation, named(workflow(namespace, WAIT)))


@pytest.mark.parametrize("operation", ["submit", "submit-from", "resubmit", "suspend", "resume", "stop"])
async def test_an_answer_that_was_lost(objects: RemoteObjects, namespace: str, operation: str):
    made = workflow(namespace, APPROVE)
    if operation != "submit":
        await objects.create(made, namespace)
        await until(objects, made, waiting)
    async with rigged(objects=Lossy(objects._client)) as rig:
        given = made if operation == "submit" else named(made)
        with pytest.raises(Retryable):
            await run(rig, operation, given, event=operation)
        assert (await run(rig, operation, given, event=operation)).repeated
    found = await objects.list(API, "Workflow", namespace)
    copies = [one for one in found if one["metadata"]["name"].startswith(made["metadata"]["name"])]
    assert len(copies) == (2 if operation in {"submit-from", "resubmit"} else 1)
