"""Kinds and their resource names, for when no API server can be asked (discovery).

Upstream  guesses English plurals for every kind and takes five kinds for cluster-scoped
"""

from __future__ import annotations

IRREGULAR = {"endpoints": "endpoints", "eventbus": "eventbus"}
"""lower-case kind -> resource, where the English rule is wrong."""

CLUSTER_SCOPED = frozenset(
    {
        "APIService", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding",
        "ClusterWorkflowTemplate", "CSIDriver", "CSINode", "CustomResourceDefinition", "FlowSchema",
        "IngressClass", "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume",
        "PriorityClass", "PriorityLevelConfiguration", "RuntimeClass", "StorageClass",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    }
)  # fmt: skip
"""Kinds without a namespace in Kubernetes itself and in Argo Workflows."""

OWN_GROUPS = (".k8s.io", "argoproj.io")
"""How their groups end, beside those without a dot."""


def resource_name(kind: str) -> str:
    """`networkpolicies` for NetworkPolicy."""
    word = kind.lower()
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith("y") and word[-2:-1] not in set("aeiou"):
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word + "s"


def namespaced(kind: str, api_version: str = "v1") -> bool:
    """Custom kinds lie in namespaces, whatever they are called: `Node` of longhorn.io is no Node."""
    group, slash, _ = api_version.partition("/")
    own = not slash or "." not in group or group.endswith(OWN_GROUPS)
    return not (own and kind in CLUSTER_SCOPED)


def names(kind: str) -> frozenset[str]:
    """What a user may call a kind: `workflow`, `workflows`, `Workflow`."""
    return frozenset({kind, kind.lower(), resource_name(kind)})
