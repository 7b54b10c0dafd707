"""argo: the real `argo lint`, and the real workflow-controller on an API server.

Nodes     there are none, so no template with a container ever runs: use suspend templates, and ones that fail
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
from pathlib import Path
from typing import Any

import yaml

from events.testing.servers._go import All, Go
from events.testing.servers._process import Server
from events.testing.servers.kubernetes import PROGRAMS as KUBERNETES
from events.testing.servers.kubernetes import Kube

MODULE = "github.com/argoproj/argo-workflows/v3"
COMMANDS = {"argo": "cmd/argo", "workflow-controller": "cmd/workflow-controller"}


class ArgoWorkflows(Go):
    """Both programs and the module's CustomResourceDefinitions."""

    def add(self, project: Path, folder: Path) -> None:
        module = Path(self.go(project, "list", "-m", "-f", "{{.Dir}}", self.module).strip())
        shutil.copytree(module / "manifests" / "base" / "crds" / "minimal", folder / "crds")


PROGRAMS = ArgoWorkflows("argo-workflows", "v3.6.10", MODULE, COMMANDS)
WITH_SERVER = All(KUBERNETES, PROGRAMS)

SETTINGS = {"metricsConfig": "enabled: false\n", "telemetryConfig": "enabled: false\n"}
"""Its pages would be on fixed ports, which two workers cannot both have."""

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def lint(*objects: Any) -> list[str]:
    """What `argo lint --offline` finds in objects that may refer to each other; nothing when all is well."""
    with tempfile.TemporaryDirectory() as folder:
        for number, obj in enumerate(objects):
            Path(folder, f"{number}.yaml").write_text(json.dumps(obj))
        words = [PROGRAMS.path("argo"), "lint", "--offline", "-o", "simple", folder]
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode == 0:
        return []
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]


def install_crds(kube: Kube) -> None:
    """Make the kinds of Argo Workflows known, and wait until the server serves them."""
    found = [yaml.safe_load(file.read_text()) for file in sorted((PROGRAMS.folder / "crds").glob("*.yaml"))]
    for crd in found:
        if crd.get("kind") == "CustomResourceDefinition":
            kube.ensure(CRDS, crd)
            served(kube, crd["spec"])


def established(kube: Kube, name: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        conditions = kube.call("GET", f"{CRDS}/{name}").get("status", {}).get("conditions")
        if any(one["type"] == "Established" and one["status"] == "True" for one in conditions or ()):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{name} is not established")


def served(kube: Kube, spec: dict[str, Any]) -> None:
    """Wait until objects of the kind can be listed: at first there is no such path, then a 429."""
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    deadline = time.monotonic() + 10
    while True:
        try:
            kube.call("GET", path)
        except urllib.error.HTTPError as exc:
            if exc.code not in (404, 429) or time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(0.05)


class Controller(Server):
    """Acts on the workflows of one namespace, which it makes.

    Its health page wants port 6060, which nothing can change; a second controller goes on without.
    """

    name = "workflow-controller"
    origin = PROGRAMS

    def __init__(self, kube: Kube, namespace: str) -> None:
        super().__init__()
        self.kube, self.namespace = kube, namespace

    def configure(self) -> None:
        install_crds(self.kube)
        self.kube.ensure("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        settings = {"metadata": {"name": "workflow-controller-configmap"}, "data": SETTINGS}
        self.kube.ensure(f"/api/v1/namespaces/{self.namespace}/configmaps", settings)

    def command(self) -> list[str]:
        return [
            PROGRAMS.path("workflow-controller"), "--kubeconfig", str(self.kube.kubeconfig), "--namespaced",
            "--namespace", self.namespace, "--managed-namespace", self.namespace, "--executor-image", "none",
        ]  # fmt: skip

    def environ(self) -> dict[str, str]:
        return {"LEADER_ELECTION_DISABLE": "true", "TASK_RESULT_TIMEOUT_DURATION": "1s"}

    def ready(self) -> bool:
        return "Manager initialized successfully" in self.new_log
