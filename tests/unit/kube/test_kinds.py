from __future__ import annotations

import pytest

from events.kube.kinds import names, namespaced, resource_name


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("Pod", "pods"),
        ("Workflow", "workflows"),
        ("EventBus", "eventbus"),
        ("Endpoints", "endpoints"),
        ("Ingress", "ingresses"),
        ("NetworkPolicy", "networkpolicies"),
        ("Gateway", "gateways"),
        ("StorageClass", "storageclasses"),
        ("Box", "boxes"),
        ("Batch", "batches"),
        ("Mesh", "meshes"),
    ],
)
def test_resource_names(kind: str, resource: str):
    assert resource_name(kind) == resource


@pytest.mark.parametrize(
    ("kind", "inside"),
    [
        ("Pod", True),
        ("Workflow", True),
        ("ClusterRole", False),
        ("Namespace", False),
        ("PersistentVolume", False),
        ("PersistentVolumeClaim", True),
        ("ClusterWorkflowTemplate", False),
        ("StorageClass", False),
    ],
)
def test_which_kinds_lie_in_a_namespace(kind: str, inside: bool):
    assert namespaced(kind) is inside


@pytest.mark.parametrize(
    ("api_version", "inside"),
    [
        ("v1", False),
        ("storage.k8s.io/v1", False),
        ("argoproj.io/v1alpha1", False),
        ("apps/v1", False),
        ("longhorn.io/v1beta2", True),
    ],
)
def test_custom_kinds_may_be_called_as_others_are(api_version: str, inside: bool):
    assert namespaced("Node", api_version) is inside


def test_what_a_user_may_call_a_kind():
    assert names("Workflow") == {"Workflow", "workflow", "workflows"}
