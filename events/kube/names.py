"""What the API server demands of names and labels.

Spec      kubernetes.io: Object Names and IDs; Labels and Selectors. RFC 1123
"""

from __future__ import annotations

import re
from typing import Any

from events.kube._base import Invalid

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
NAME_LIMIT, LABEL_LIMIT = 253, 63

LABEL_NAMED = frozenset({"Namespace", "Service"})
PATH_NAMED = frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})
"""Kinds whose names only have to fit into a path, as `system:node`."""


def check_object(obj: Any) -> None:
    """Raises Invalid for what the API server refuses, whatever the kind."""
    if not isinstance(obj, dict):
        raise Invalid("not an object")
    for field in ("apiVersion", "kind"):
        if not isinstance(obj.get(field), str) or not obj[field]:
            raise Invalid(f"the object has no {field}")
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        raise Invalid(f"{obj['kind']}: metadata is missing")
    check_name(obj["kind"], metadata)
    check_map(obj["kind"], "labels", metadata.get("labels"))
    check_map(obj["kind"], "annotations", metadata.get("annotations"))


def check_name(kind: str, metadata: dict[str, Any]) -> None:
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        raise Invalid(f"{kind}: metadata.name or generateName is required")
    if not good_name(kind, name):
        raise Invalid(
            f"{kind} {name!r}: metadata.name has to be a lower case RFC 1123 subdomain "
            "(letters, digits, '-' and '.', at most 253 characters)"
        )
    namespace = metadata.get("namespace")
    if namespace and not (isinstance(namespace, str) and label(namespace)):
        raise Invalid(f"{kind} {name!r}: {namespace!r} is not the name of a namespace")


def good_name(kind: str, name: str) -> bool:
    if kind in PATH_NAMED:
        return name not in {".", ".."} and not {"/", "%"} & set(name)
    if kind in LABEL_NAMED:
        return label(name)
    return len(name) <= NAME_LIMIT and SUBDOMAIN.fullmatch(name) is not None


def label(text: str) -> bool:
    return len(text) <= LABEL_LIMIT and LABEL.fullmatch(text) is not None


def check_map(kind: str, field: str, values: Any) -> None:
    if values is None:
        return
    if not isinstance(values, dict):
        raise Invalid(f"{kind}: metadata.{field} is not a map")
    for key, value in values.items():
        check_key(kind, field, key)
        if not isinstance(value, str):
            raise Invalid(f"{kind}: metadata.{field}[{key}] is not text")
        if field == "labels" and not label_value(value):
            raise Invalid(f"{kind}: metadata.labels[{key}]: {value!r} is not a label value")


def check_key(kind: str, field: str, key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    good = len(name) <= LABEL_LIMIT and LABEL_NAME.fullmatch(name) is not None
    if slash:
        good = good and len(prefix) <= NAME_LIMIT and SUBDOMAIN.fullmatch(prefix) is not None
    if not good:
        raise Invalid(f"{kind}: metadata.{field}: {key!r} is not a qualified name")


def label_value(text: str) -> bool:
    """Whether the text may stand as the value of a label."""
    return not text or (len(text) <= LABEL_LIMIT and LABEL_NAME.fullmatch(text) is not None)


def as_label(text: str) -> str:
    """The text, made fit for a label's value: other characters become `-`, ends are trimmed."""
    kept = re.sub(r"[^-A-Za-z0-9_.]", "-", text)[:LABEL_LIMIT]
    return kept.strip("-_.")
