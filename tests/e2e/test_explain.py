"""`events explain` and `events get` on a running instance, for everything that can become of an event."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.testing.servers import free_port
from tests.e2e.instance import Instance

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

MANIFESTS = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: in}}
spec:
  webhook:
    a: {{endpoint: /a, port: "{port}", method: POST}}
    b: {{endpoint: /b, port: "{port}", method: POST}}
    alone: {{endpoint: /alone, port: "{port}", method: POST}}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {{name: s}}
spec:
  dependencies:
    - name: a
      eventSourceName: in
      eventName: a
      filters:
        data:
          - {{path: body.ref, type: string, value: [main]}}
    - {{name: b, eventSourceName: in, eventName: b}}
    - name: sized
      eventSourceName: in
      eventName: a
      filters:
        exprs:
          - expr: size > 5
            fields: [{{name: size, path: body.size}}]
  triggers:
    - template: {{name: logs, conditions: a, log: {{}}}}
    - template: {{name: both, conditions: a && b, log: {{}}}}
    - template: {{name: sized, conditions: sized, log: {{}}}}
    - template:
        name: calls
        conditions: a
        http: {{url: "http://127.0.0.1:{closed}/"}}
      retryStrategy: {{steps: 2, duration: 50ms}}
"""


class Told:
    """Sends events and asks what became of them."""

    def __init__(self, instance: Instance, port: int, folder: Path) -> None:
        self.instance, self._port, self._folder = instance, port, folder

    async def send(self, path: str, body: object) -> str:
        """The id of the event."""
        file = self._folder / "body.json"
        file.write_text(json.dumps(body))
        url = f"http://127.0.0.1:{self._port}/{path}"
        code, _, err = await self.instance.tool("send", "webhook", "--url", url, "--file", str(file))
        assert code == 0, err
        event: str = (await self.instance.get("events"))[0]["id"]
        return event

    async def explain(self, event: str, until: str) -> str:
        """The text, as soon as it holds something."""
        text = ""
        async with asyncio.timeout(20):
            while until not in text:
                code, text, err = await self.instance.tool("explain", event)
                assert (code, err) == (0, "")
        return text


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Told]:
    port = free_port()
    instance = Instance(tmp_path, MANIFESTS.format(port=port, closed=free_port()))
    await instance.start()
    yield Told(instance, port, tmp_path)
    await instance.close()


async def test_an_event_that_fires_waits_and_becomes_a_dead_letter(told: Told):
    event = await told.send("a", {"ref": "main", "size": 9})
    text = await told.explain(event, "✗ s.calls dead_lettered")
    assert re.match(rf"event {event}\n  from    in/a \(webhook\), \d+ bytes\n  stored  \d", text)
    assert "\n✓ s.logs fired: " in text
    assert '\n      ✓ data.0 body.ref: found "main", wanted string = main\n' in text
    assert "\n… s.both waiting: waits for b\n" in text
    assert re.search(r"retrying, attempt 1: .+\n.+dead_lettered, attempt 2: ", text)
    letters = (await told.instance.tool("dlq", "list"))[1].splitlines()
    assert letters[0].split() == ["FIRING", "TRIGGER", "SINCE", "ATTEMPTS", "ERROR"]
    assert f"firing {letters[1].split()[0]}:" in text
    decisions = (await told.instance.tool("get", "decisions", "--trigger", "calls"))[1]
    assert f"dead_lettered  {event}  POST http" in decisions


async def test_an_event_that_is_filtered(told: Told):
    text = await told.explain(await told.send("a", {"ref": "dev", "size": 3}), "s.logs filtered")
    assert "✗ s.logs filtered: data.0 body.ref: found 'dev', wanted string = main\n" in text
    assert '      ✗ data.0 body.ref: found "dev", wanted string = main\n' in text
    assert "✗ s.sized filtered: exprs.0 size > 5: " in text


async def test_an_event_that_cannot_be_evaluated(told: Told):
    text = await told.explain(await told.send("a", {"ref": "main", "size": "big"}), "s.sized filter_error")
    assert re.search(r"✗ s\.sized filter_error: .+size > 5", text)
    assert re.search(r"      ! exprs\.0 size > 5.*\n          .*size > 5", text)


async def test_a_near_miss_gets_a_hint(told: Told):
    text = await told.explain(await told.send("a", {"Ref": "main", "size": 3}), "s.logs")
    assert "      hint: body.ref does not exist, but body.Ref does, in another spelling\n" in text


async def test_an_event_that_nobody_waits_for(told: Told):
    text = await told.explain(await told.send("alone", {}), "no sensor")
    assert text.endswith("\n\nno sensor has a dependency on in/alone\n")
