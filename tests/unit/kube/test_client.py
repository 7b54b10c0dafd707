"""Requests about one kind are counted together."""

import pytest

from events.kube.client import collection


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/namespaces/a/configmaps/x", "/api/v1/configmaps"),
        ("/api/v1/configmaps", "/api/v1/configmaps"),
        ("/api/v1/namespaces/a", "/api/v1/namespaces"),
        ("/apis/batch/v1/namespaces/a/jobs", "/apis/batch/v1/jobs"),
        ("/apis/g/v1/clusters/x", "/apis/g/v1/clusters"),
        ("/apis/g/v1", "/apis/g/v1"),
    ],
)
def test_what_a_path_is_about(path: str, kind: str):
    assert collection(path) == kind
