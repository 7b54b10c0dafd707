"""`events run` as a process, and a sender and a target beside it."""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import signal
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import yaml
from aiohttp import web

from events.testing.github import github_source
from events.testing.servers import free_port, missing
from events.testing.servers.argo import lint

SECRET = "e2e-secret"


class Instance:
    """One data folder; `start` and `kill` as often as wanted."""

    def __init__(self, folder: Path, manifests: str, *options: str) -> None:
        self.folder, self.data = folder, folder / "data"
        self.manifests = folder / "manifests.yaml"
        self.manifests.write_text(manifests)
        self.pages = free_port()
        self.options = options
        self.process: asyncio.subprocess.Process | None = None
        self.log = folder / "log"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def told(self) -> str:
        """The log so far."""
        return self.log.read_text() if self.log.exists() else ""

    async def start(self) -> None:
        """Until /readyz says so."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "events", "run", str(self.manifests), "--data", str(self.data),
                "--port", str(self.pages), "--log-format", "text", *self.options,
                stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        try:
            async with asyncio.timeout(20):
                while not await self.ready():
                    assert self.process.returncode is None, self.log.read_text()
                    await asyncio.sleep(0.02)
        except TimeoutError as exc:
            _, page = await self.page("/readyz")
            raise AssertionError(f"not ready after 20 s: {page}\n{self.told()[-3000:]}") from exc

    async def ready(self) -> bool:
        return (await self.page("/readyz"))[0] == 200

    async def page(self, path: str) -> tuple[int, str]:
        """Status and text of a page; status 0 when nobody answers."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(
                    f"http://127.0.0.1:{self.pages}{path}", timeout=aiohttp.ClientTimeout(total=5)
                ) as answer,
            ):
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return 0, ""

    async def close(self) -> None:
        """For fixtures: nothing is left running."""
        if self.process is not None:
            await self._end(signal.SIGKILL)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """SIGTERM; the exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            os.kill(self.pid, number)
        async with asyncio.timeout(30):
            return await self.process.wait()

    async def tool(self, *args: str) -> tuple[int, str, str]:
        """An `events` command on this data folder: exit code, stdout, stderr."""
        return await self.command(*args, "--data", str(self.data))

    async def command(self, *args: str) -> tuple[int, str, str]:
        """Any `events` command: exit code, stdout, stderr."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "events", *args,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            out, err = await child.communicate()
        finally:
            if child.returncode is None:  # the test was ended meanwhile
                child.kill()
                await child.wait()
        return child.returncode or 0, out.decode(), err.decode()

    async def get(self, *args: str) -> Any:
        """The JSON of an `events get ...`."""
        code, out, err = await self.tool("get", *args, "--output", "json", "--limit", "100000")
        assert code == 0, err
        found = json.loads(out)
        if args[0] == "workflows":
            await asyncio.to_thread(check_workflows, found, self.templates())
        return found

    def templates(self) -> list[Any]:
        """WorkflowTemplates among the manifests."""
        documents = yaml.safe_load_all(self.manifests.read_text())
        return [one for one in documents if one and one.get("kind") == "WorkflowTemplate"]


def check_workflows(found: list[Any], templates: list[Any]) -> None:
    """Every Workflow that a test sees is one that Argo Workflows takes, as far as it can be asked."""
    if found and missing("argo") is None:
        told = lint(*map(placeless, [*found, *templates]))
        assert not told, told


def placeless(obj: dict[str, Any]) -> dict[str, Any]:
    """Without its namespace: a manifest may have left it out, a stored object has one."""
    kept = {key: value for key, value in obj["metadata"].items() if key != "namespace"}
    return {**obj, "metadata": kept}


class Target:
    """An HTTP target that remembers which ids came with which number."""

    def __init__(self) -> None:
        self.ids: dict[Any, list[str]] = defaultdict(list)
        self.status = 200
        self.delay = 0.0

    async def start(self) -> int:
        app = web.Application()
        app.router.add_post("/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def _take(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        await asyncio.sleep(self.delay)
        self.ids[body["number"]].append(request.headers["Idempotency-Key"])
        return web.Response(status=self.status)

    async def stop(self) -> None:
        await self._runner.cleanup()


class Scene(NamedTuple):
    """An instance that is not started yet, its target, and the port of its github source."""

    instance: Instance
    target: Target
    port: int


async def deliver(session: aiohttp.ClientSession, url: str, body: dict[str, Any], delivery: str) -> int:
    """A signed GitHub delivery; the status, 0 when nobody answered."""
    data = json.dumps(body).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": "sha256=" + hmac.digest(SECRET.encode(), data, "sha256").hex(),
    }
    try:
        async with session.post(
            url, data=data, headers=headers, timeout=aiohttp.ClientTimeout(total=10)
        ) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError, ConnectionError):
        return 0


def manifests(port: int, target: int, more: str = "") -> str:
    """A github source with events number, a and b, and a sensor for each kind of effect."""
    return f"""{github_source("gh", SECRET, port, "number", "a", "b")}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {{name: effects}}
spec:
  dependencies:
    - {{name: number, eventSourceName: gh, eventName: number}}
  triggers:
    - template:
        name: object
        k8s:
          operation: create
          source:
            resource:
              apiVersion: v1
              kind: ConfigMap
              metadata: {{generateName: number-}}
              data: {{number: ""}}
          parameters:
            - {{src: {{dependencyName: number, dataKey: body.number}}, dest: data.number}}
    - template:
        name: call
        http:
          url: http://127.0.0.1:{target}/
          payload:
            - {{src: {{dependencyName: number, dataKey: body.number, useRawData: true}}, dest: number}}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {{name: pairs}}
spec:
  dependencies:
    - {{name: a, eventSourceName: gh, eventName: a}}
    - {{name: b, eventSourceName: gh, eventName: b}}
  triggers:
    - template:
        name: pair
        conditions: a && b
        k8s:
          operation: create
          source:
            resource:
              apiVersion: v1
              kind: Pair
              metadata: {{generateName: pair-}}
              data: {{a: "", b: ""}}
          parameters:
            - {{src: {{dependencyName: a, dataKey: body.number}}, dest: data.a}}
            - {{src: {{dependencyName: b, dataKey: body.number}}, dest: data.b}}
{more}
"""
