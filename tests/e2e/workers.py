"""Several `events run` on one bus, each with its own data folder, and a target that counts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from events.testing.github import github_source
from tests.e2e.instance import SECRET, Instance, deliver, free_port

SENSORS = 8
LEASE = 2.0


class Counter:
    """An HTTP target: which firing ids came for each (sensor, number), and when the first one did."""

    def __init__(self) -> None:
        self.ids: dict[tuple[str, int], list[str]] = defaultdict(list)
        self.at: dict[tuple[str, int], float] = {}
        self.hang: set[tuple[str, int]] = set()
        """What is not answered."""
        self.refused: set[str] = set()
        """Sensors whose calls are answered with 500."""
        self.hung = asyncio.Event()
        self.calls: list[str] = []
        """Firing ids of everything, in the order in which it came."""
        self.port = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/{sensor}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _take(self, request: web.Request) -> web.Response:
        key = (request.match_info["sensor"], int(json.loads(await request.read())["number"]))
        self.calls.append(request.headers["Idempotency-Key"])
        if key in self.hang:
            self.hung.set()
            await asyncio.Event().wait()
        self.at.setdefault(key, time.monotonic())
        self.ids[key].append(request.headers["Idempotency-Key"])
        return web.Response(status=500 if key[0] in self.refused else 200)

    async def stop(self) -> None:
        await self._runner.cleanup()

    def numbers(self, sensor: str) -> list[int]:
        """In the order of their first arrival."""
        return [number for name, number in sorted(self.at, key=self.at.__getitem__) if name == sensor]

    @property
    def doubles(self) -> int:
        return sum(len(ids) - 1 for ids in self.ids.values())


class Team:
    """Workers on one bus."""

    def __init__(self, folder: Path, url: str, target: int) -> None:
        self._folder, self._url, self._target = folder, url, target
        self.workers: list[Worker] = []
        self._next = 0

    def add(self, more: str = "", *options: str) -> Worker:
        folder = self._folder / f"w{len(self.workers)}"
        folder.mkdir()
        port = free_port()
        given = ("--bus", self._url, "--lease", f"{LEASE:g}", *options)
        worker = Worker(Instance(folder, manifests(port, self._target, more), *given), port)
        self.workers.append(worker)
        return worker

    async def start(self) -> None:
        await asyncio.gather(*(worker.instance.start() for worker in self.workers))

    async def send(self, session: aiohttp.ClientSession, number: int) -> None:
        """Until one of them has accepted it, as GitHub redelivers."""
        while True:
            self._next += 1
            worker = self.workers[self._next % len(self.workers)]
            status = await deliver(session, worker.url, {"number": number}, f"number-{number}")
            if status == 200:
                return
            await asyncio.sleep(0.02)

    async def shared(self, *parts: int, seconds: float = 20.0) -> None:
        """Until the shards are shared out in these parts."""
        async with asyncio.timeout(seconds):
            while sorted([len(await worker.shards()) for worker in self.workers]) != sorted(parts):
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        for worker in self.workers:
            await worker.instance.close()


class Worker:
    """One process."""

    def __init__(self, instance: Instance, port: int) -> None:
        self.instance, self.port = instance, port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/number"

    async def state(self) -> dict[str, Any]:
        """What /readyz says; empty when nobody answers."""
        _, text = await self.instance.page("/readyz")
        return json.loads(text) if text else {}

    async def shards(self) -> list[int]:
        """Those that it holds."""
        found = await self.state()
        return found["buses"][0]["shards"] if found.get("buses") else []

    def pause(self) -> None:
        os.kill(self.instance.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.instance.pid, signal.SIGCONT)


def manifests(port: int, target: int, more: str = "") -> str:
    """A github source, and sensors that call the target; one of them strictly in order."""
    return f"""{github_source("gh", SECRET, port, "number")}
{"".join(calling(f"s{number}", target, ordered=number == 0) for number in range(SENSORS))}
{more}
"""


def calling(name: str, target: int, *, ordered: bool = False) -> str:
    """Calls the target until it answers with 200, ten times at the most."""
    return f"""
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {{name: {name}}}
spec:
  dependencies:
    - {{name: number, eventSourceName: gh, eventName: number}}
  triggers:
    - {"atLeastOnce: true" if ordered else "parameters: []"}
      retryStrategy: {{steps: 10, duration: 100ms}}
      policy: {{status: {{allow: [200]}}}}
      template:
        name: call
        http:
          url: http://127.0.0.1:{target}/{name}
          timeout: 60
          payload:
            - {{src: {{dependencyName: number, dataKey: body.number, useRawData: true}}, dest: number}}
"""
