"""The demo: runs the quickstart, sends a signed push, and shows what happens, step by step."""

from __future__ import annotations

import asyncio
import hmac
import re
import shutil
import socket
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from events.aio import Group
from events.bus._base import EventQuery
from events.clients.http import Sessions
from events.errors import EventsError, Retryable
from events.runtime.standalone import Options, Standalone
from events.web.pages import Server

Tell = Callable[[str], None]

PORTS = {"github": 12000, "chat": 12001}
"""Ports in the quickstart's manifests; others are taken when these are in use."""

SECRET = "demo-webhook-secret"  # noqa: S105 - of the quickstart's own manifest
TOKEN = "xoxb-demo-token"  # noqa: S105


class Demo:
    """One showing. `run` returns why it failed, or an empty text."""

    def __init__(self, source: Path, options: Options, *, wait: float, stay: bool, tell: Tell) -> None:
        self._source, self._options = source, options
        self._wait, self._stay, self._tell = wait, stay, tell
        self._posted: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._tasks = Group(lambda name, error: tell(f"{name}: {error}"))
        self._failure = ""

    async def run(self) -> str:
        ports = {name: free_port(self._options.host, port) for name, port in PORTS.items()}
        folder = copy_with_ports(self._source, self._options.data.absolute() / "quickstart", ports)
        options = self._options._replace(
            paths=[str(folder)], port=free_port(self._options.host, self._options.port)
        )
        chat = Server(chat_app(self._posted))
        await chat.tcp(options.host, ports["chat"])
        instance = Standalone(options)
        instance.handle_signals()
        try:
            running = self._tasks.start("instance", instance.run())
            await self._until(instance.started.wait(), running)
            await self._show(instance, folder, ports["github"], running)
            if self._stay and not self._failure:
                await running
            instance.stop()
            await running
        finally:
            await self._tasks.aclose()
            await chat.aclose()
        return self._failure

    async def _until(self, what: Any, running: asyncio.Task[None]) -> None:
        """Wait for something, unless the instance ends first (then raise why)."""
        waiting = self._tasks.start("wait", what)
        await asyncio.wait([waiting, running], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running

    async def _show(self, instance: Standalone, folder: Path, port: int, running: asyncio.Task[None]) -> None:
        tell = self._tell
        tell(f"Running the manifests in {folder}")
        for source in instance.status()["sources"]:
            tell(f"  source  {source['name']}  {source['address'] or 'every 10 s'}")
        for sensor in instance.status()["sensors"]:
            tell(f"  sensor  {sensor['name']}  triggers {', '.join(sensor['triggers'])}")
        try:
            async with asyncio.timeout(self._wait):
                await self._push(instance, port)
                await self._tick(instance)
        except TimeoutError:
            self._failure = f"not everything happened within {self._wait:.0f} s"
        except EventsError as exc:
            self._failure = str(exc)
        if not self._failure and not running.done():
            self._next_steps(instance, port)

    async def _push(self, instance: Standalone, port: int) -> None:
        """A push to main, signed as GitHub signs it, and everything that follows from it."""
        delivery = str(uuid.uuid4())
        url = f"http://{self._options.host}:{port}/push"
        self._tell(f"\n1. GitHub sends a signed push to {url}")
        status = await deliver(url, delivery)
        if status != 200:
            raise Retryable(f"the push was answered with {status}")
        stored = await found(lambda: instance.history.events(EventQuery(id=delivery)))
        self._tell(f"   stored as event {stored[0]['id']}, answered 200")
        workflow = await found(lambda: made_by(instance, "build"))
        show_workflow(self._tell, "2. Sensor ci, trigger build, created", workflow[-1])
        message = await self._posted.get()
        self._tell(f"\n3. Sensor ci, trigger notify, posted to #{message['channel']}:\n   {message['text']}")

    async def _tick(self, instance: Standalone) -> None:
        self._tell("\n4. The calendar ticks every ten seconds ...")
        workflow = await found(lambda: made_by(instance, "report"))
        show_workflow(self._tell, "   Sensor nightly, trigger report, created", workflow[-1])

    def _next_steps(self, instance: Standalone, port: int) -> None:
        data = f"--data {relative(self._options.data)}"
        lines = [
            "\nEverything arrived. Kill this process at any moment: what was answered with 200 is not lost.",
            "Try next, in another terminal:",
            f"  events get workflows {data}",
            f"  events get events {data}",
            f"  events explain EVENT-ID {data}",
            f"  events send github --secret {SECRET} --file PUSH.json {data}",
            f"  curl -i http://{self._options.host}:{port}/push -d '{{}}'        # 401: not signed",
            f"  curl http://{self._options.host}:{instance.pages_port}/readyz",
        ]
        for line in lines if self._stay else lines[:1]:
            self._tell(line)


def relative(path: Path) -> str:
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


async def found(look: Callable[[], Any]) -> list[Any]:
    """What `look` finds, as soon as it finds anything."""
    while not (result := await look()):
        await asyncio.sleep(0.05)
    return list(result)


async def made_by(instance: Standalone, trigger: str) -> list[dict[str, Any]]:
    workflows = await instance.objects("workflows", None)
    return [one for one in workflows if one["metadata"]["name"].startswith(f"{trigger}-")]


def show_workflow(tell: Tell, text: str, workflow: dict[str, Any]) -> None:
    tell(f"\n{text} Workflow {workflow['metadata']['name']}")
    for parameter in workflow["spec"]["arguments"]["parameters"]:
        tell(f"     {parameter['name']:8} {parameter['value']}")


async def deliver(url: str, delivery: str) -> int:
    """POST the push as GitHub does; the status of the answer."""
    body = orjson.dumps(push())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/demo",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex(),
    }
    sessions = Sessions("off")
    try:
        async with sessions.get().post(url, data=body, headers=headers) as answer:
            return answer.status
    finally:
        await sessions.aclose()


def push() -> dict[str, Any]:
    """A push as GitHub describes it, with the members that matter here."""
    commit = uuid.uuid4().hex + uuid.uuid4().hex[:8]
    author = {"name": "Ada Example", "email": "ada@example.test", "username": "ada"}
    head = {
        "id": commit, "message": "Fix rounding of totals", "timestamp": "2026-01-15T09:30:00+01:00",
        "author": author, "committer": author, "added": [], "removed": [], "modified": ["shop/totals.py"],
        "url": f"https://git.example.test/acme/shop/commit/{commit}",
    }  # fmt: skip
    return {
        "ref": "refs/heads/main", "before": "0" * 40, "after": commit, "created": False, "forced": False,
        "repository": {
            "id": 186853002, "name": "shop", "full_name": "acme/shop", "private": True,
            "clone_url": "https://git.example.test/acme/shop.git", "default_branch": "main",
        },
        "pusher": {"name": "ada", "email": "ada@example.test"},
        "commits": [head], "head_commit": head,
    }  # fmt: skip


def chat_app(posted: asyncio.Queue[dict[str, Any]]) -> web.Application:
    """A stand-in for Slack's chat.postMessage that checks what Slack checks first."""

    async def post(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        message = await request.json()
        if not message.get("channel"):
            return web.json_response({"ok": False, "error": "channel_not_found"})
        if not message.get("text"):
            return web.json_response({"ok": False, "error": "no_text"})
        posted.put_nowait(message)
        return web.json_response({"ok": True, "channel": message["channel"], "ts": "1700000000.000100"})

    app = web.Application()
    app.router.add_post("/chat.postMessage", post)
    return app


def free_port(host: str, wanted: int) -> int:
    """The wanted port, or any other if it is in use."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            found_port: int = probe.getsockname()[1]
            return found_port
    raise Retryable(f"there is no free port on {host}")


def copy_with_ports(source: Path, target: Path, ports: dict[str, int]) -> Path:
    """The manifests, in the demo's own folder so that they can be edited, with the ports that are used."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file in sorted(source.glob("*.yaml")):
        text = file.read_text()
        for name, port in PORTS.items():
            text = re.sub(rf"\b{port}\b", str(ports[name]), text)
        (target / file.name).write_text(text)
    return target
