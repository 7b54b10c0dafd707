"""What is measured, as processes: `events run` with pushes and Sensors, the plain handler, the sink."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.load import SECRET, cpu_seconds, generate, process
from events.testing.github import github_source
from events.testing.servers import free_port

CONNECTIONS = 64


class Server(NamedTuple):
    """A process and the port on which it takes pushes."""

    pid: int
    port: int


def source(port: int) -> str:
    return github_source("github", SECRET, port, "push")


def sensor(name: str, branch: str, sink: int) -> str:
    """One data filter, two parameters, one HTTP trigger; the sink reads the due time from X-Due."""
    return f"""
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {{name: {name}}}
spec:
  dependencies:
  - name: push
    eventSourceName: github
    eventName: push
    filters: {{data: [{{path: body.ref, type: string, value: ["^refs/heads/{branch}$"]}}]}}
  triggers:
  - template:
      name: call
      http:
        url: http://127.0.0.1:{sink}/
        payload:
        - {{src: {{dependencyName: push, dataKey: body.after}}, dest: commit}}
        - {{src: {{dependencyName: push, dataKey: body.repository.full_name}}, dest: repository}}
        dynamicHeaders:
        - {{src: {{dependencyName: push, dataKey: body.X-GitHub-Delivery}}, dest: X-Due}}
"""


@contextmanager
def product(manifests: str, port: int, *options: str) -> Iterator[Server]:
    """`events run` on a new data folder, events as durable as a power cut asks for."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "manifests.yaml").write_text(manifests)
        command = [sys.executable, "-m", "events", "run", f"{folder}/manifests.yaml"]
        command += ["--data", f"{folder}/data", "--port", "0", "--durability", "power", *options]
        with process(*command, port=port) as pid:
            yield Server(pid, port)


@contextmanager
def plain() -> Iterator[Server]:
    """The aiohttp handler that checks the HMAC and nothing more."""
    port = free_port()
    with process(sys.executable, "-m", "benchmarks.servers", "plain", str(port), port=port) as pid:
        yield Server(pid, port)


@contextmanager
def sink() -> Iterator[int]:
    """The target of HTTP triggers, beside the load generator; gives its port."""
    port = free_port()
    with process(sys.executable, "-m", "benchmarks.servers", "sink", str(port), port=port, cpu=1):
        yield port


def received(port: int, count: int, seconds: float = 60.0) -> dict[str, Any]:
    """What the sink has, as soon as it has so many. Raises TimeoutError when they do not come."""
    deadline = time.monotonic() + seconds
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            found: dict[str, Any] = json.load(answer)
        if found["count"] >= count:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{count} events were accepted, {found['count']} arrived in {seconds:.0f} s")
        time.sleep(0.1)


def forget(port: int) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", method="DELETE")
    urllib.request.urlopen(request).close()


def push(server: Server, requests: int) -> dict[str, Any]:
    """So many pushes as fast as they are accepted. Raises RuntimeError unless all were."""
    done = generate(port=server.port, path="/push", connections=CONNECTIONS, requests=requests)
    return accepted(done, requests)


def accepted(done: dict[str, Any], requests: int) -> dict[str, Any]:
    if done["statuses"] != {"200": requests}:
        raise RuntimeError(f"not all of {requests} requests were accepted: {done['statuses']}")
    return done


def cost(server: Server, requests: int, target: int | None = None) -> float:
    """Seconds of CPU per push; with a target, until every one has arrived there."""
    if target is not None:
        forget(target)
    before = cpu_seconds(server.pid)
    push(server, requests)
    if target is not None:
        received(target, requests)
    return (cpu_seconds(server.pid) - before) / requests
