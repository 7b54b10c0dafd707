"""A slow or dead target delays only its own trigger, through a whole instance."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from events.testing.triggers import dead_port, serving
from tests.e2e.instance import Instance, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

EVENTS = 30


class Gate:
    """Notes what comes; `held` paths are answered only once the gate is open."""

    def __init__(self, *held: str) -> None:
        self.held, self.open = held, asyncio.Event()
        self.asked: Counter[str] = Counter()
        self.done: dict[str, list[int]] = {}

    async def handle(self, request: web.BaseRequest) -> web.Response:
        number = orjson.loads(await request.read())["n"]
        self.asked[request.path] += 1
        if request.path in self.held:
            await self.open.wait()
        self.done.setdefault(request.path, []).append(number)
        return web.Response()

    async def until(self, path: str, count: int) -> None:
        async with asyncio.timeout(40):
            while len(self.done.get(path, [])) < count:
                await asyncio.sleep(0.02)


def trigger(name: str, url: str, **more: Any) -> dict[str, Any]:
    payload = [{"src": {"dependencyName": "push", "dataKey": "body.n"}, "dest": "n"}]
    payload[0]["src"]["useRawData"] = True  # type: ignore[index] # of the entry above
    return {"template": {"name": name, "http": {"url": url, "payload": payload}}, **more}


def manifests(port: int, *triggers: dict[str, Any]) -> str:
    source = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "EventSource", "metadata": {"name": "hook"},
        "spec": {"webhook": {"push": {"endpoint": "/", "port": str(port), "method": "POST"}}},
    }  # fmt: skip
    sensor = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Sensor", "metadata": {"name": "fan"},
        "spec": {
            "dependencies": [{"name": "push", "eventSourceName": "hook", "eventName": "push"}],
            "triggers": list(triggers),
        },
    }  # fmt: skip
    return "---\n".join(orjson.dumps(one).decode() + "\n" for one in (source, sensor))


async def test_a_slow_and_a_dead_target_delay_nobody_else(tmp_path: Path):
    gate, port = Gate("/slow", "/wide"), free_port()
    with dead_port() as dead:
        async with serving(gate.handle) as url:
            instance = Instance(tmp_path, manifests(
                port, trigger("slow", f"{url}/slow", atLeastOnce=True), trigger("wide", f"{url}/wide"),
                trigger("dead", f"http://127.0.0.1:{dead}/"), trigger("fine", f"{url}/fine"),
                trigger("ordered", f"{url}/ordered", atLeastOnce=True),
            ))  # fmt: skip
            try:
                await instance.start()
                async with aiohttp.ClientSession() as session:
                    for number in range(EVENTS):
                        async with session.post(f"http://127.0.0.1:{port}/", json={"n": number}) as answer:
                            assert answer.status == 200
                await gate.until("/fine", EVENTS)
                await gate.until("/ordered", EVENTS)
                assert gate.done["/ordered"] == list(range(EVENTS))
                assert gate.asked["/slow"] == 1, "one at a time, and that one waits"
                assert gate.asked["/wide"] == EVENTS, "as many as come, up to maxInFlight"
                assert "/slow" not in gate.done
                gate.open.set()
                await gate.until("/slow", EVENTS)
                assert gate.done["/slow"] == list(range(EVENTS))
                results = Counter(
                    one["result"] for one in await instance.get("decisions", "--trigger", "dead")
                )
                assert results["retrying"] + results["dead_lettered"] >= EVENTS
            finally:
                await instance.close()
