"""Where the programs of the test servers come from, and the folder that keeps them between runs.

Folder    ${XDG_CACHE_HOME:-~/.cache}/events-test-servers/<name>-<version>
Entries   made in a folder beside and renamed, under a lock: whole or not there, built once
Kinds     Pip (beside this Python), Apt (Debian packages, unpacked: no root, nothing installed), Maven
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
import sysconfig
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from events.errors import shorten

ANSI = re.compile(r"\x1b\[[0-9;]*m")
ALLOWED = 3600.0
"""Seconds that one command may take: a Kubernetes API server is minutes of compiling on a free machine."""


class Unobtainable(Exception):
    """A server cannot be had on this machine; the text says why."""


class Origin(Protocol):
    """Where a server comes from."""

    def missing(self) -> str | None:
        """Why it is not there now; None when it is. Fast, starts nothing."""

    def get(self) -> None:
        """Fetch or build it. Raises Unobtainable."""


@dataclass(frozen=True)
class Pip:
    """A module or a program that `pip install -e .[dev]` brings."""

    package: str
    module: str = ""
    program: str = ""

    def missing(self) -> str | None:
        there = find_spec(self.module) if self.module else self.path()
        return None if there else f"pip install {self.package}"

    def get(self) -> None:
        if reason := self.missing():
            raise Unobtainable(reason)

    def path(self) -> str | None:
        return shutil.which(self.program, path=sysconfig.get_path("scripts")) or shutil.which(self.program)


class Cached(ABC):
    """Something that is made once and kept."""

    def __init__(self, name: str, version: str) -> None:
        self.name, self.version = name, version

    @property
    def folder(self) -> Path:
        return root() / f"{self.name}-{self.version}"

    def missing(self) -> str | None:
        if self.folder.is_dir():
            return None
        return f"{self.folder} is not there: python -m events.testing.servers {self.name}"

    def get(self) -> None:
        root().mkdir(parents=True, exist_ok=True)
        with locked(root() / f"{self.name}.lock"):
            if self.missing() is not None:
                self._make()

    def _make(self) -> None:
        with tempfile.TemporaryDirectory(dir=root(), prefix=f".{self.name}-") as beside:
            made = Path(beside, "made")
            made.mkdir()
            self.build(made)
            made.rename(self.folder)

    @abstractmethod
    def build(self, folder: Path) -> None:
        """Fill the folder, which is renamed afterwards. Raises Unobtainable."""


class Apt(Cached):
    """A package of this Debian or its kin with the dependencies that this machine lacks, unpacked."""

    def __init__(self, name: str, package: str) -> None:
        super().__init__(name, release())
        self.package = package

    def build(self, folder: Path) -> None:
        program("apt-get")
        with tempfile.TemporaryDirectory(dir=root(), prefix=".apt-") as packages:
            command("apt-get", "download", "-qq", *self._closure(), cwd=Path(packages))
            for package in sorted(Path(packages).glob("*.deb")):
                command("dpkg", "-x", str(package), str(folder), cwd=folder)

    def _closure(self) -> list[str]:
        listed = command(
            "apt-get", "install", "--print-uris", "--reinstall", "-qq", "-y", "--no-install-recommends",
            "-o", "Debug::NoLocking=1", self.package, cwd=root(),
        )  # fmt: skip
        return [line.split()[1].partition("_")[0] for line in listed.splitlines() if line.startswith("'")]

    def path(self, program: str) -> str:
        """The whole path of a program, given as `usr/bin/...`."""
        return str(self.folder / program)

    def environ(self) -> dict[str, str]:
        """Where its programs and libraries are looked for first."""
        libraries = self.folder / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
        programs = f"{self.folder}/usr/bin:{self.folder}/usr/sbin:{os.environ.get('PATH', '')}"
        return {"LD_LIBRARY_PATH": str(libraries), "PATH": programs}


class Maven(Cached):
    """Java libraries with all that they need, in one folder. Artifacts are `group:name:version`."""

    def __init__(self, name: str, version: str, *artifacts: str) -> None:
        super().__init__(name, version)
        self.artifacts = artifacts

    def build(self, folder: Path) -> None:
        program("java")
        with tempfile.TemporaryDirectory(dir=root(), prefix=".pom-") as project:
            Path(project, "pom.xml").write_text(self._pom())
            command(
                program("mvn"), "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder}",
                cwd=Path(project),
            )  # fmt: skip

    def _pom(self) -> str:
        wanted = "".join(
            "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
            .format(*artifact.split(":"))
            for artifact in self.artifacts
        )  # fmt: skip
        return (
            '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            "<groupId>test</groupId><artifactId>servers</artifactId><version>1</version>"
            f"<dependencies>{wanted}</dependencies></project>"
        )

    def java(self, main: str, *options: str) -> list[str]:
        """The command that runs a main class, tuned for a quick start and not for a long life."""
        quick = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        return [program("java"), *quick, *options, "-cp", f"{self.folder}/*", main]


def root() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "events-test-servers")


def release() -> str:
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")
    except OSError:  # not Linux
        return "unknown"


def program(name: str) -> str:
    """The path of a program that fetches, builds or runs. Raises Unobtainable."""
    path = shutil.which(name)
    if path is None:
        raise Unobtainable(f"it needs the program {name}")
    return path


def command(*words: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """What it printed. Raises Unobtainable with the end of what it complained about."""
    try:
        done = subprocess.run(
            words, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=True,
            stdin=subprocess.DEVNULL, timeout=ALLOWED,
        )  # fmt: skip
    except subprocess.CalledProcessError as exc:
        told = shorten(ANSI.sub("", exc.stderr + exc.stdout), 500)
        raise Unobtainable(f"{' '.join(words[:3])} has failed: {told}") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise Unobtainable(f"{' '.join(words[:3])}: {exc}") from exc
    return done.stdout


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time; the lock goes with the process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
