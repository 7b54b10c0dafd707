"""What retry makes of a failed Argo Workflow: the nodes that failed go, those around them run again.

Upstream  argo-workflows v3.6 workflow/util/util.go, FormulateRetryWorkflow

A node that ran something and failed is taken out with all that came after it; the groups that it is in are
set to Running, and the controller makes what is missing. A failure that the workflow went past (continueOn)
stays. The containers of a container set share a pod, so they go and stay with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from events.kube._base import Invalid, Object
from events.triggers._workflow_nodes import (
    FAILED,
    GROUPS,
    Chosen,
    Node,
    Nodes,
    name_of,
    nodes_of,
    phase_of,
    set_parameter,
    with_nodes,
)

COMPLETED = "workflows.argoproj.io/completed"
ARCHIVING = "workflows.argoproj.io/workflow-archiving-status"
PHASE = "workflows.argoproj.io/phase"

CONTAINER = "Container"
"""Type of the nodes of a container set, which are in the boundary of their pod."""


class Retried(NamedTuple):
    """The workflow as it runs again, and the nodes whose pods have to go first."""

    workflow: Object
    gone: frozenset[str]


def retried(
    workflow: Object,
    now: str,
    *,
    again: Chosen | None = None,
    parameters: Sequence[tuple[str, str]] = (),
) -> Retried:
    """`again`: nodes that run again although they succeeded. Raises Invalid for one that has not failed."""
    phase = phase_of(workflow)
    if phase not in FAILED and not (phase == "Succeeded" and again is not None):
        said = phase or "not started"
        raise Invalid(f"{name_of(workflow)} is {said} and cannot be retried: only Failed and Error can")
    nodes = nodes_of(workflow)
    gone = taken_out(nodes, workflow["metadata"]["name"], again)
    kept = {id_: without(node, gone) for id_, node in nodes.items() if id_ not in gone}
    for id_ in running_again(nodes, kept, gone):
        kept[id_] = restarted(kept[id_], now)
    return Retried(with_nodes(reopened(workflow, now, parameters), kept), gone)


def taken_out(nodes: Nodes, workflow: str, again: Chosen | None) -> frozenset[str]:
    """Nodes that failed or were chosen, what came after them, and exit handlers."""
    first = {pod_of(node) for node in nodes.values() if has_failed(node, nodes) or (again and again(node))}
    exits = {id_ for id_, node in nodes.items() if str(node.get("name", "")).startswith(f"{workflow}.onExit")}
    return frozenset(after(first | exits, nodes))


def pod_of(node: Node) -> str:
    """The id of the node that comes and goes with this one: of a container, its pod."""
    return str(node["boundaryID"] if node.get("type") == CONTAINER and node.get("boundaryID") else node["id"])


def has_failed(node: Node, nodes: Nodes) -> bool:
    """A node that ran something and failed, unless the workflow went on behind it. Of containers, their pod
    is asked.
    """
    if node.get("phase") not in FAILED or node.get("type") in {*GROUPS, CONTAINER}:
        return False
    tried = retry_of(node, nodes) or node
    return not succeeded_behind(tried, nodes)


def retry_of(node: Node, nodes: Nodes) -> Node | None:
    """The Retry node whose attempt this is."""
    for other in nodes.values():
        if other.get("type") == "Retry" and node.get("id") in (other.get("children") or ()):
            return other
    return None


def succeeded_behind(node: Node, nodes: Nodes) -> bool:
    """Whether something that comes after the node succeeded; its own containers do not come after it."""
    behind = [nodes[one] for one in after(node.get("children") or (), nodes)]
    return any(one.get("phase") == "Succeeded" and one.get("type") != CONTAINER for one in behind)


def after(ids: Iterable[str], nodes: Nodes) -> set[str]:
    """These nodes and all that are reached from them."""
    found: set[str] = set()
    open_ = [id_ for id_ in ids if id_ in nodes]
    while open_:
        id_ = open_.pop()
        if id_ not in found:
            found.add(id_)
            open_ += [one for one in nodes[id_].get("children") or () if one in nodes]
    return found


def running_again(nodes: Nodes, kept: Nodes, gone: frozenset[str]) -> set[str]:
    """Groups that have failed, and those that something was taken out of."""
    found = {id_ for id_, node in kept.items() if node.get("type") in GROUPS and node.get("phase") in FAILED}
    for id_ in gone:
        found |= around(nodes[id_], nodes)
    return {id_ for id_ in found if id_ in kept}


def around(node: Node, nodes: Nodes) -> set[str]:
    """The groups that a node is in: its boundaries, and the step groups that lead to it."""
    found: set[str] = set()
    open_ = [node]
    while open_:
        current = open_.pop()
        parents = [one for one, other in nodes.items() if current.get("id") in (other.get("children") or ())]
        for id_ in (*[one for one in parents if nodes[one].get("type") in GROUPS], current.get("boundaryID")):
            if id_ in nodes and id_ not in found:
                found.add(id_)
                open_.append(nodes[id_])
    return found


def without(node: Node, gone: frozenset[str]) -> Node:
    """A copy that does not lead to what was taken out."""
    links = {
        field: [id_ for id_ in node[field] if id_ not in gone]
        for field in ("children", "outboundNodes")
        if node.get(field)
    }
    return {**node, **links}


def restarted(node: Node, now: str) -> Node:
    kept = {
        key: value for key, value in node.items() if key not in {"message", "finishedAt", "outboundNodes"}
    }
    return {**kept, "phase": "Running", "startedAt": now, "finishedAt": None}


def reopened(workflow: Object, now: str, parameters: Sequence[tuple[str, str]]) -> Object:
    """The workflow around its nodes: running, not completed, not shut down."""
    meta = dict(workflow["metadata"])
    labels = {
        key: value for key, value in (meta.get("labels") or {}).items() if key not in {COMPLETED, ARCHIVING}
    }
    meta["labels"] = {**labels, PHASE: "Running"}
    status = {
        **{key: value for key, value in workflow["status"].items() if key not in {"message", "progress"}},
        "phase": "Running", "startedAt": now, "finishedAt": None, "persistentVolumeClaims": [],
        "conditions": [
            *(one for one in workflow["status"].get("conditions") or () if one.get("type") != "Completed"),
            {"type": "Completed", "status": "False"},
        ],
    }  # fmt: skip
    spec = open_spec(workflow["spec"], parameters)
    if status.get("storedWorkflowTemplateSpec"):
        status["storedWorkflowTemplateSpec"] = open_spec(status["storedWorkflowTemplateSpec"], parameters)
    return {**workflow, "metadata": meta, "spec": spec, "status": status}


def open_spec(spec: Mapping[str, Any], parameters: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Without what ended it, with other parameters."""
    kept = {key: value for key, value in spec.items() if key != "shutdown"}
    if kept.get("activeDeadlineSeconds") == 0:  # how old versions terminated
        del kept["activeDeadlineSeconds"]
    for name, value in parameters:
        set_parameter(kept, name, value)
    return kept
