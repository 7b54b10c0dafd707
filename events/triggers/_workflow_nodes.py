"""The nodes of an Argo Workflow's status: found, read and written. Plain functions on objects.

Upstream  argo-workflows v3.6 workflow/util/util.go, workflow/packer
"""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from events.errors import EvaluationError, ExpressionError, Permanent
from events.kube._base import Object

Node = dict[str, Any]
Nodes = dict[str, Node]
"""By id."""

GROUPS = frozenset({"Steps", "StepGroup", "DAG", "TaskGroup", "Retry"})
"""Types of nodes that run nothing themselves."""

FAILED = frozenset({"Failed", "Error"})
ENDED = frozenset({"Succeeded", "Failed", "Error"})
"""Phases of a workflow that is over."""

UNPACKED = 64 << 20
"""Bytes of unpacked nodes: an object of 1.5 MB could hold a thousand times that."""


def phase_of(workflow: Object) -> str:
    return str((workflow.get("status") or {}).get("phase") or "")


def name_of(workflow: Object) -> str:
    """`Workflow/ci/build`, for messages."""
    meta = workflow["metadata"]
    return "/".join(part for part in ("Workflow", meta.get("namespace"), meta.get("name")) if part)


def nodes_of(workflow: Object) -> Nodes:
    """Copies of the nodes, unpacked. Raises Permanent for nodes that are kept in a database."""
    status = workflow.get("status") or {}
    if status.get("offloadNodeStatusVersion"):
        raise Permanent(
            f"{name_of(workflow)} keeps its nodes in the workflow-controller's database: use the Argo server"
        )
    packed = status.get("compressedNodes")
    found: Nodes = unpacked(workflow, packed) if packed else (status.get("nodes") or {})
    return {id_: dict(node) for id_, node in found.items()}


def unpacked(workflow: Object, packed: str) -> Nodes:
    try:
        engine = zlib.decompressobj(16 + zlib.MAX_WBITS)
        text = engine.decompress(base64.b64decode(packed), UNPACKED)
        found: Nodes = orjson.loads(text)
    except (binascii.Error, zlib.error, ValueError) as exc:
        raise Permanent(f"{name_of(workflow)}: its compressed nodes cannot be read: {exc}") from exc
    return found


def with_nodes(workflow: Object, nodes: Nodes) -> Object:
    """A copy with these nodes, packed if they were."""
    status = dict(workflow.get("status") or {})
    if status.get("compressedNodes"):
        status["compressedNodes"] = base64.b64encode(gzip.compress(orjson.dumps(nodes))).decode()
    else:
        status["nodes"] = nodes
    return {**workflow, "status": status}


def node_id(workflow: str, name: str) -> str:
    """The id that the controller gives to a node of that name (FNV-1a, 32 bits)."""
    if name == workflow:
        return workflow
    number = 2166136261
    for byte in name.encode():
        number = (number ^ byte) * 16777619 & 0xFFFFFFFF
    return f"{workflow}-{number}"


Chosen = Callable[[Node], bool]


def everything(_: Node) -> bool:
    return True


def compile_selector(text: str) -> Chosen:
    """`--node-field-selector`: `displayName=approve,phase!=Failed`. Raises ExpressionError."""
    tests = [requirement(part, text) for part in text.split(",")]

    def chosen(node: Node) -> bool:
        fields = fields_of(node)
        return all((fields.get(key, "") == value) == equal for key, equal, value in tests)

    return chosen


def requirement(part: str, text: str) -> tuple[str, bool, str]:
    key, sign, value = part.partition("=")
    if not sign or not key.strip("!"):
        raise ExpressionError("a node field selector compares with =, == or !=", text)
    return key.removesuffix("!").strip(), not key.endswith("!"), value.removeprefix("=").strip()


def fields_of(node: Node) -> Mapping[str, str]:
    """What a node field selector can ask for."""
    ref = node.get("templateRef") or {}
    fields = {field: str(node.get(field) or "") for field in ("displayName", "phase", "name", "id")}
    fields["templateName"] = str(node.get("templateName") or ref.get("template") or "")
    fields |= {f"templateRef.{field}": str(ref.get(field) or "") for field in ("name", "template")}
    for one in (node.get("inputs") or {}).get("parameters") or ():
        fields[f"inputs.parameters.{one.get('name')}.value"] = str(one.get("value", ""))
    return fields


def as_map(value: Any, field: str) -> dict[str, Any]:
    """Raises EvaluationError."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise EvaluationError(f"{field} is not a map")
    return value


def set_parameter(spec: dict[str, Any], name: str, value: str) -> None:
    """Where the parameter is: in the workflow's arguments, replaced in its place or added."""
    arguments = dict(as_map(spec.get("arguments"), "spec.arguments"))
    given = arguments.get("parameters") or []
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise EvaluationError("spec.arguments.parameters is not a list of maps")
    new = {"name": name, "value": value}
    kept = [new if item.get("name") == name else item for item in given]
    arguments["parameters"] = kept if new in kept else [*kept, new]
    spec["arguments"] = arguments
