"""Servers that are built from Go modules of the public proxy, at exact versions.

Caches    module and build cache live in a folder beside the entry and go with the build: gigabytes
Modules   `go build` of main packages of a dependency, from a go.mod of our own: works for modules with
          replace lines too, and for those whose tags the proxy does not resolve
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from events.testing.servers._cache import Cached, Origin, command, program, root

GO = "1.24.0"
"""The language version of the go.mod: what the newest of the modules wants."""


class Go(Cached):
    """Programs of one module. `programs`: file name -> main package below the module."""

    def __init__(
        self, name: str, version: str, module: str, programs: Mapping[str, str], linker: str = ""
    ) -> None:
        super().__init__(name, version)
        self.module, self.programs, self.linker = module, programs, f"-s -w {linker}".strip()

    def path(self, program: str = "") -> str:
        return str(self.folder / (program or self.name))

    def build(self, folder: Path) -> None:
        program("go")
        with tempfile.TemporaryDirectory(dir=root(), prefix=".go-") as beside:
            project = Path(beside, "project")
            project.mkdir()
            (project / "go.mod").write_text(f"module build\ngo {GO}\n")
            self.prepare(project)
            for name, package in self.packages().items():
                self.go(
                    project, "build", "-trimpath", "-ldflags", self.linker, "-o", f"{folder / name}", package
                )
            self.add(project, folder)

    def packages(self) -> dict[str, str]:
        return {name: f"{self.module}/{below}".rstrip("/") for name, below in self.programs.items()}

    def prepare(self, project: Path) -> None:
        """Write what go.mod needs. Raises Unobtainable."""
        self.go(project, "get", *(f"{package}@{self.version}" for package in self.packages().values()))

    def add(self, project: Path, folder: Path) -> None:
        """Take more out of the module than its programs."""

    def go(self, project: Path, *words: str) -> str:
        """Run go with caches of its own. Raises Unobtainable."""
        caches = {"GOCACHE": str(project.parent / "cache"), "GOMODCACHE": str(project.parent / "modules")}
        return command("go", *words, cwd=project, env={**caches, **SETTINGS})


SETTINGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false -modcacherw"}


class All:
    """Several origins of one server."""

    def __init__(self, *origins: Origin) -> None:
        self.origins = origins

    def missing(self) -> str | None:
        return next((lack for one in self.origins if (lack := one.missing()) is not None), None)

    def get(self) -> None:
        for one in self.origins:
            one.get()


class Kubernetes(Go):
    """A program of k8s.io/kubernetes, whose go.mod replaces its libraries by folders of the repository."""

    def __init__(self, name: str, version: str, command_name: str) -> None:
        """`command_name`: the function of `cmd/<name>/app` that makes the command."""
        major, minor, _ = version.removeprefix("v").split(".")
        said = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
        linker = " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in said.items())
        super().__init__(name, version, "k8s.io/kubernetes", {name: ""}, linker)
        self.command_name = command_name

    def packages(self) -> dict[str, str]:
        return {self.name: "."}

    def prepare(self, project: Path) -> None:
        told = json.loads(self.go(project, "mod", "download", "-json", f"{self.module}@{self.version}"))
        libraries = re.findall(r"(k8s\.io/[a-z0-9.-]+) => \./staging", Path(told["GoMod"]).read_text())
        published = self.version.replace("v1.", "v0.", 1)
        lines = [f"replace {library} => {library} {published}" for library in sorted(set(libraries))]
        lines.append(f"require {self.module} {self.version}")
        with (project / "go.mod").open("a") as file:
            file.write("\n".join(lines) + "\n")
        (project / "main.go").write_text(MAIN.format(name=self.name, command=self.command_name))
        self.go(project, "mod", "tidy")


MAIN = """package main

import (
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/{name}/app"
)

func main() {{ os.Exit(cli.Run(app.{command}())) }}
"""
