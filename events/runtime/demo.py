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
from events.bus._base import DecisionQuery, EventQuery
from events.clients.http import Sessions
from events.errors import EventsError, Permanent, Retryable
from events.event import FINAL, FIRED, Decision
from events.runtime.standalone import Options, Standalone
from events.web.pages import Server

Tell = Callable[[str], None]

LOCAL = "127.0.0.1"
PORTS = {"github": 12000, "chat": 12001}
"""Ports in the quickstart's manifests; others are taken when these are in use."""

SECRET = "demo-webhook-secret"  # noqa: S105 - of the quickstart's own manifest
TOKEN = "xoxb-demo-token"  # noqa: S105 - of the stand-in for Slack


class Demo:
    """One showing. `run` returns why it failed, or an empty text."""

    def __init__(
        self,
        source: Path,
        options: Options,
        *,
        wait: float,
        stay: bool,
        tell: Tell,
        done: Callable[[dict[str, Any]], None],
    ) -> None:
        """`wait`: seconds for everything; `stay`: serve on afterwards; `done` gets all that was shown."""
        self._source, self._options = source, options
        self._wait, self._stay, self._tell, self._done = wait, stay, tell, done
        self._posted: list[dict[str, Any]] = []
        self._tasks = Group(lambda name, error: None)  # all of them are awaited
        self._shown: dict[str, Any] = {}
        self._step = "nothing"

    async def run(self) -> str:
        """Raises EventsError when the instance cannot start."""
        chat = Server(chat_app(self._posted))
        try:
            folder = self._manifests(await chat.tcp(LOCAL, free_port(LOCAL, PORTS["chat"])))
            page = free_port(self._options.host, self._options.port)
            options = self._options._replace(paths=[str(folder)], port=page)
            return await self._run(Standalone(options), folder)
        finally:
            await self._tasks.aclose()
            await chat.aclose()

    def _manifests(self, chat: int) -> Path:
        """A copy in the demo's own folder, so that it can be edited. Raises Permanent."""
        ports = {"github": free_port(self._options.host, PORTS["github"]), "chat": chat}
        target = self._options.data.absolute() / "quickstart"
        try:
            copy_with_ports(self._source, target, ports)
        except OSError as exc:
            raise Permanent(f"cannot write {target}: {exc.strerror}") from exc
        return target

    async def _run(self, instance: Standalone, folder: Path) -> str:
        instance.handle_signals()
        running = self._tasks.start("instance", instance.run())
        showing = self._tasks.start("showing", self._show(instance, folder))
        await asyncio.wait([running, showing], return_when=asyncio.FIRST_COMPLETED)
        if not showing.done() or instance.draining:
            await running  # raises why it could not start
            return "stopped before everything had happened"
        failure: str = await showing
        if not (self._stay and not failure):
            instance.stop()
        await running
        return failure

    async def _show(self, instance: Standalone, folder: Path) -> str:
        await instance.started.wait()
        self._introduce(instance.status(), folder)
        try:
            async with asyncio.timeout(self._wait):
                await self._push(instance)
                await self._tick(instance)
        except TimeoutError:
            return f"not everything happened within {self._wait:.0f} s; the last thing was: {self._step}"
        except EventsError as exc:
            return str(exc)
        self._done(self._shown)
        self._next_steps(instance)
        return ""

    def _introduce(self, status: dict[str, Any], folder: Path) -> None:
        self._shown = {"manifests": str(folder), "data": status["data"], "pages": status["pages"]}
        self._tell(f"Running the manifests in {folder}")
        for source in status["sources"]:
            self._tell(f"  source  {source['name']}  {source['address'] or 'every 10 s'}")
            if source["kind"] == "github":
                self._shown["url"] = source["address"]
        for sensor in status["sensors"]:
            self._tell(f"  sensor  {sensor['name']}  triggers {', '.join(sensor['triggers'])}")

    async def _push(self, instance: Standalone) -> None:
        """A push to main, signed as GitHub signs it, and everything that follows from it."""
        url, delivery, body = self._shown["url"], str(uuid.uuid4()), push()
        self._tell(f"\n1. GitHub sends a signed push to {url}")
        status = await deliver(url, delivery, orjson.dumps(body))
        if status != 200:
            raise Retryable(f"the push was answered with {status}")
        await found(lambda: instance.history.events(EventQuery(id=delivery)))
        self._tell(f"   stored as event {delivery}, answered 200")
        workflow = await self._workflow(instance, delivery, "build")
        self._shown |= {"event": delivery, "workflow": workflow}
        show_workflow(self._tell, "2. Sensor ci, trigger build, created", workflow)
        await self._effect(instance, delivery, "notify")
        message = next(one for one in reversed(self._posted) if body["after"][:7] in one["text"])
        self._shown["message"] = message
        self._tell(f"\n3. Sensor ci, trigger notify, posted to #{message['channel']}:\n   {message['text']}")

    async def _tick(self, instance: Standalone) -> None:
        self._tell("\n4. The calendar ticks every ten seconds ...")
        self._step = "waiting for the calendar"
        query = EventQuery(source="calendar", since_ns=instance.now_ns())
        tick = (await found(lambda: instance.history.events(query)))[0]["id"]
        workflow = await self._workflow(instance, tick, "report")
        self._shown |= {"tick": tick, "report": workflow}
        show_workflow(self._tell, "   Sensor nightly, trigger report, created", workflow)

    async def _workflow(self, instance: Standalone, event: str, trigger: str) -> dict[str, Any]:
        """The Workflow that a trigger made of an event; not one of an earlier run."""
        link = (await self._effect(instance, event, trigger)).link or ""
        name = link.rpartition("/")[2]
        workflows = await instance.objects("workflows", None)
        return next(one for one in workflows if one["metadata"]["name"] == name)

    async def _effect(self, instance: Standalone, event: str, trigger: str) -> Decision:
        """Waits until the trigger has fired. Raises Permanent when that was given up."""
        query = DecisionQuery(event_id=event, trigger=trigger)
        self._step = f"trigger {trigger} has not fired"
        while True:
            for one in await instance.history.decisions(query):
                if one.result == FIRED:
                    return one
                self._step = f"trigger {trigger} {one.result}: {one.reason}"
                if one.result in FINAL:
                    raise Permanent(self._step)
                break
            await asyncio.sleep(0.05)

    def _next_steps(self, instance: Standalone) -> None:
        self._tell(
            "\nEverything arrived. Kill this process at any moment: what was answered with 200 is not lost."
        )
        if self._stay:
            sample = instance.folder.path / "push.json"
            sample.write_bytes(orjson.dumps(push(), option=orjson.OPT_INDENT_2))
            data = f"--data {relative(self._options.data)}"
            for line in (
                "Try next, in another terminal:",
                f"  events get workflows {data}",
                f"  events get events {data}",
                f"  events explain {self._shown['event']} {data}",
                f"  events send github --secret {SECRET} --file {relative(sample)} {data}",
                f"  curl -i {self._shown['url']} -d '{{}}'        # 401: not signed",
                f"  curl {self._shown['pages']}/readyz",
            ):
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


def show_workflow(tell: Tell, text: str, workflow: dict[str, Any]) -> None:
    tell(f"\n{text} Workflow {workflow['metadata']['name']}")
    for parameter in workflow["spec"]["arguments"]["parameters"]:
        tell(f"     {parameter['name']:8} {parameter['value']}")


async def deliver(url: str, delivery: str, body: bytes) -> int:
    """POST the push as GitHub does; the status of the answer."""
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


def chat_app(posted: list[dict[str, Any]]) -> web.Application:
    """A stand-in for Slack's chat.postMessage that checks what Slack checks first."""

    async def post(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        message = await request.json()
        if not message.get("channel"):
            return web.json_response({"ok": False, "error": "channel_not_found"})
        if not message.get("text"):
            return web.json_response({"ok": False, "error": "no_text"})
        posted.append(message)
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


def copy_with_ports(source: Path, target: Path, ports: dict[str, int]) -> None:
    """The manifests with the ports that are used. Raises OSError."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file in sorted(source.glob("*.yaml")):
        text = file.read_text()
        for name, port in PORTS.items():
            text = re.sub(rf"\b{port}\b", str(ports[name]), text)
        (target / file.name).write_text(text)
