"""What suspend, resume, stop and terminate make of an Argo Workflow: plain functions on objects.

Upstream  argo-workflows v3.6 workflow/util/util.go (what `argo suspend`, `resume`, `stop`, `terminate` do)
"""

from __future__ import annotations

from events.errors import Permanent
from events.kube._base import Invalid, Object
from events.triggers._workflow_nodes import (
    ENDED,
    Chosen,
    Node,
    everything,
    name_of,
    nodes_of,
    phase_of,
    with_nodes,
)


def suspended(workflow: Object) -> Object:
    """Raises Invalid for a workflow that is over."""
    return with_spec(running(workflow, "suspended"), suspend=True)


def shut_down(workflow: Object, how: str) -> Object:
    """`how`: Stop (exit handlers run) or Terminate. Raises Invalid for a workflow that is over."""
    return with_spec(running(workflow, "stopped" if how == "Stop" else "terminated"), shutdown=how)


def resumed(workflow: Object, now: str, chosen: Chosen | None = None) -> Object:
    """Suspended nodes are done; without a selector the workflow itself goes on too.

    Raises Permanent when nothing is chosen, or when a node waits for a value that has no default.
    """
    workflow = running(workflow, "resumed")
    if chosen is not None:
        return ended_nodes(workflow, chosen, "Succeeded", now)
    spec = {key: value for key, value in workflow["spec"].items() if key != "suspend"}
    return ended_nodes({**workflow, "spec": spec}, everything, "Succeeded", now, needed=False)


def failed_nodes(workflow: Object, now: str, chosen: Chosen, message: str) -> Object:
    """`stop` with a selector: suspended nodes fail, the workflow goes on from there."""
    return ended_nodes(running(workflow, "stopped"), chosen, "Failed", now, message)


def ended_nodes(
    workflow: Object, chosen: Chosen, phase: str, now: str, message: str = "", *, needed: bool = True
) -> Object:
    nodes = nodes_of(workflow)
    waiting = [id_ for id_, node in nodes.items() if waits(node) and chosen(node)]
    if needed and not waiting:
        raise Permanent(f"{name_of(workflow)} has no suspended node that the selector chooses")
    for id_ in waiting:
        node = nodes[id_] | {"phase": phase, "finishedAt": now}
        nodes[id_] = with_defaults(node) if phase == "Succeeded" else node
        if message:
            nodes[id_]["message"] = message
    return with_nodes(workflow, nodes) if waiting else workflow


def waits(node: Node) -> bool:
    return node.get("type") == "Suspend" and node.get("phase") == "Running"


def with_defaults(node: Node) -> Node:
    """Output parameters that nobody supplied take their defaults. Raises Permanent without one."""
    outputs = node.get("outputs") or {}
    filled = []
    for one in outputs.get("parameters") or ():
        source = one.get("valueFrom") or {}
        if "supplied" not in source:
            filled.append(one)
            continue
        if "default" not in source:
            raise Permanent(f"node {node.get('displayName')}: output {one.get('name')!r} has no value yet")
        filled.append({**{k: v for k, v in one.items() if k != "valueFrom"}, "value": source["default"]})
    return {**node, "outputs": {**outputs, "parameters": filled}} if filled else node


def running(workflow: Object, what: str) -> Object:
    """Raises Invalid for a workflow that is over."""
    if phase_of(workflow) in ENDED:
        raise Invalid(f"{name_of(workflow)} is {phase_of(workflow)} and cannot be {what}")
    return workflow


def with_spec(workflow: Object, **fields: object) -> Object:
    return {**workflow, "spec": {**workflow["spec"], **fields}}
