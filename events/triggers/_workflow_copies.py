"""New Argo Workflows from what is there: from templates and cron workflows, and a workflow once more.

Upstream  argo-workflows v3.6 workflow/common/convert.go, workflow/util/util.go FormulateResubmitWorkflow
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from events.kube._base import Invalid, Object
from events.triggers._workflow_nodes import FAILED, Node, Nodes, name_of, node_id, nodes_of, phase_of
from events.triggers._workflow_retry import ARCHIVING, COMPLETED, PHASE, open_spec, succeeded_behind

PREFIX = "workflows.argoproj.io"
OWN = frozenset(
    {COMPLETED, ARCHIVING, PHASE}
    | {f"{PREFIX}/{name}" for name in ("creator", "creator-email", "creator-preferred-username")}
)
"""Labels that belong to one run."""

FROM = ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")
"""Kinds that a workflow can be made from."""


def new(source: Object, meta: Mapping[str, Any], spec: Mapping[str, Any]) -> Object:
    """A workflow beside `source`."""
    name = source["metadata"]["name"]
    given = {"generateName": f"{name}-", "namespace": source["metadata"].get("namespace"), **meta}
    kept = {key: value for key, value in given.items() if value}
    return {"apiVersion": source["apiVersion"], "kind": "Workflow", "metadata": kept, "spec": dict(spec)}


def made_from(source: Object, now: str) -> Object:
    """A workflow from a template, a cron workflow or another workflow. Raises Invalid for other kinds."""
    kind = source["kind"]
    if kind == "Workflow":
        return once_more(source)
    if kind == "CronWorkflow":
        return from_cron(source, now)
    if kind not in FROM:
        raise Invalid(f"submit-from takes {', '.join(FROM)}, not {kind}")
    name, cluster = source["metadata"]["name"], kind == "ClusterWorkflowTemplate"
    ref = {"name": name, **({"clusterScope": True} if cluster else {})}
    label = f"{PREFIX}/{'cluster-workflow-template' if cluster else 'workflow-template'}"
    return new(source, {"labels": {label: name}}, {"workflowTemplateRef": ref})


def from_cron(cron: Object, now: str) -> Object:
    """As if it were due now; the cron workflow owns it, so it counts in its history limits."""
    meta, spec = cron["metadata"], cron.get("spec") or {}
    extra = spec.get("workflowMetadata") or {}
    labels = {f"{PREFIX}/cron-workflow": meta["name"], **(extra.get("labels") or {})}
    instance = f"{PREFIX}/controller-instanceid"
    if instance in (meta.get("labels") or {}):
        labels[instance] = meta["labels"][instance]
    owner = {
        "apiVersion": cron["apiVersion"], "kind": "CronWorkflow", "name": meta["name"],
        "uid": meta.get("uid"), "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    annotations = {f"{PREFIX}/scheduled-time": now, **(extra.get("annotations") or {})}
    made = {"labels": labels, "annotations": annotations, "finalizers": extra.get("finalizers")}
    return new(cron, {**made, "ownerReferences": [owner]}, spec.get("workflowSpec") or {})


def once_more(workflow: Object, parameters: Sequence[tuple[str, str]] = ()) -> Object:
    """The same spec, labels and annotations in a new workflow."""
    meta = workflow["metadata"]
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key not in OWN}
    labels = {key: value for key, value in labels.items() if not ours(key)}
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if not ours(key)}
    made = {
        "generateName": meta.get("generateName") or f"{meta['name']}-",
        "labels": {**labels, f"{PREFIX}/resubmitted-from-workflow": meta["name"]},
        "annotations": annotations,
        "ownerReferences": meta.get("ownerReferences"),
    }
    return new(workflow, made, open_spec(workflow["spec"], parameters))


def ours(key: str) -> bool:
    return key.startswith("events-trigger/")


def memoized(old: Object, fresh: Object, now: str) -> Object:
    """`fresh`, which has its name, with what succeeded in `old`, which has to have failed. Raises Invalid."""
    if phase_of(old) not in FAILED:
        raise Invalid(f"{name_of(old)} is {phase_of(old)}: only Failed and Error can be resubmitted memoized")
    names = (old["metadata"]["name"], fresh["metadata"]["name"])
    nodes, made = nodes_of(old), {}
    for node in nodes.values():
        if not str(node.get("name", "")).startswith(f"{names[0]}.onExit"):
            copied = copy_of(node, nodes, names, now)
            if copied is not None:
                made[copied["id"]] = copied
    status = {"nodes": made, "conditions": [{"type": "Completed", "status": "False"}]}
    stored = old["status"].get("storedTemplates")
    return {**fresh, "status": {**status, **({"storedTemplates": stored} if stored else {})}}


def copy_of(node: Node, nodes: Nodes, names: tuple[str, str], now: str) -> Node | None:
    """The node in the new workflow; None: it is made anew there."""
    copied = renamed(node, nodes, names)
    ran = node.get("type") == "Pod"
    if ran and node.get("phase") not in FAILED:
        done = {"phase": "Skipped", "type": "Skipped", "message": f"original pod: {node['id']}"}
        return {**copied, **done, "startedAt": now, "finishedAt": now}
    if node.get("type") == "Skipped" and not succeeded_behind(node, nodes):
        return None
    at = None if ran else now
    pending = {key: value for key, value in copied.items() if key != "message"}
    return {**pending, "phase": "Pending", "startedAt": at, "finishedAt": at}


def renamed(node: Node, nodes: Nodes, names: tuple[str, str]) -> Node:
    """A copy whose name, id and links are those of the new workflow."""
    old, new_name = names

    def name(text: str) -> str:
        return new_name + text.removeprefix(old) if text.startswith(old) else text

    def link(id_: str) -> str:
        return node_id(new_name, name(str(nodes[id_]["name"]))) if id_ in nodes else id_

    links: dict[str, Any] = {
        field: [link(one) for one in node[field]]
        for field in ("children", "outboundNodes")
        if node.get(field)
    }
    if node.get("boundaryID"):
        links["boundaryID"] = link(node["boundaryID"])
    own = name(str(node["name"]))
    return {**node, **links, "name": own, "id": node_id(new_name, own)}
