"""Workers that die, sleep, stop and lose their bus at random times: what holds whatever happens.

The seed chooses what happens when; how far the processes are at that moment is never the same.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from events.bus._base import Bus
from events.clients.secrets import LocalSecrets
from events.runtime.engines import Means, make, of_url
from events.runtime.history import parked
from events.testing.github import github_source
from events.testing.servers._process import Server
from tests.e2e.instance import SECRET, deliver, free_port
from tests.e2e.test_workers import ENGINES, Senders, everything, missing, on_both, until, url_of
from tests.e2e.workers import LEASE, Counter, Team, Worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SEED = 7
SECONDS = 12.0
PAIRS = ("pair", "strictpair")


@pytest.fixture
def server(request: pytest.FixtureRequest, own: Callable[[Server], Server]) -> Server:
    return own(ENGINES[request.param]())


@pytest.fixture
async def scene(tmp_path: Path, server: Server) -> AsyncIterator[Scene]:
    counter = Counter()
    await counter.start()
    counter.refused = {"dead"}
    made = Scene(Team(tmp_path, url_of(server), counter.port), counter, server)
    yield made
    for worker in made.team.workers:
        worker.resume()
    await made.team.close()
    await counter.stop()


class Scene:
    """Three workers, what is sent to them, and what happens to them."""

    def __init__(self, team: Team, counter: Counter, server: Server) -> None:
        self.team, self.counter, self.server = team, counter, server
        self.chance = random.Random(SEED)
        self.ports: list[int] = []
        self.pairs: list[int] = []
        self.over = asyncio.Event()

    async def start(self) -> None:
        for _ in range(3):
            self.ports.append(free_port())
            self.team.add(manifests(self.ports[-1], self.counter.port))
        await self.team.start()

    async def couple(self, session: aiohttp.ClientSession) -> None:
        """Pairs, one after the other: each has its effect before the next one is sent."""
        while not self.over.is_set():
            number = len(self.pairs) + 1
            for half in ("left", "right"):
                await self._send(session, half, number)
                await asyncio.sleep(self.chance.uniform(0, 0.1))
            self.pairs.append(number)
            await until(lambda number=number: all((name, number) in self.counter.ids for name in PAIRS), 60)

    async def _send(self, session: aiohttp.ClientSession, half: str, number: int) -> None:
        at = number
        while True:
            url = f"http://127.0.0.1:{self.ports[at % len(self.ports)]}/{half}"
            if await deliver(session, url, {"number": number}, f"{half}-{number}") == 200:
                return
            at += 1
            await asyncio.sleep(0.05)

    async def trouble(self) -> None:
        happens = [self._kill, self._stop, self._pause, self._restart]
        until_then = time.monotonic() + SECONDS
        while time.monotonic() < until_then:
            await asyncio.sleep(self.chance.uniform(0.2, 1.0))
            await self.chance.choice(happens)(self.chance.choice(self.team.workers))
        self.over.set()

    async def _kill(self, worker: Worker) -> None:
        await worker.instance.kill()
        await worker.instance.start()

    async def _stop(self, worker: Worker) -> None:
        assert await worker.instance.terminate() == 0
        await worker.instance.start()

    async def _pause(self, worker: Worker) -> None:
        worker.pause()
        await asyncio.sleep(self.chance.uniform(0.2, 2 * LEASE))
        worker.resume()

    async def _restart(self, _: Worker) -> None:
        await asyncio.to_thread(self.server.stop)
        await asyncio.sleep(self.chance.choice([0.0, 1.0]))
        await asyncio.to_thread(self.server.start)


def manifests(port: int, target: int) -> str:
    number, pair = [("gh", "number")], [("halves", "left"), ("halves", "right")]
    again = "retryStrategy: {steps: 10, duration: 100ms}"
    return "\n".join([
        "---", github_source("halves", SECRET, port, "left", "right"),
        calling("pair", target, pair, again),
        calling("strictpair", target, pair, "atLeastOnce: true", again),
        calling("once", target, number, "atLeastOnce: false"),
        calling("dead", target, number, "retryStrategy: {steps: 2, duration: 50ms}"),
    ])  # fmt: skip


def calling(name: str, target: int, events: list[tuple[str, str]], *settings: str) -> str:
    """A sensor that tells the target the number of the last of these events, when all have come."""
    names = [event for _, event in events]
    wanted = [
        f"    - {{name: {event}, eventSourceName: {source}, eventName: {event}}}" for source, event in events
    ]
    lines = [f"      {setting}" for setting in settings]
    return "\n".join([
        "---", "apiVersion: argoproj.io/v1alpha1", "kind: Sensor", f"metadata: {{name: {name}}}", "spec:",
        "  dependencies:", *wanted, "  triggers:", "    - policy: {status: {allow: [200]}}", *lines,
        "      template:", "        name: call", f"        conditions: {' && '.join(names)}",
        "        http:", f"          url: http://127.0.0.1:{target}/{name}", "          payload:",
        *(f"            - {{src: {{dependencyName: {one}, dataKey: body.number, useRawData: true}}, dest: "
          f"{'number' if one == names[-1] else one}}}" for one in names),
    ])  # fmt: skip


@on_both
async def test_nothing_is_lost_or_stuck_whatever_happens_to_workers_and_bus(scene: Scene):
    await scene.start()
    senders = Senders(scene.team)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        group.create_task(senders.run(session))
        group.create_task(scene.couple(session))
        await scene.trouble()
        senders.stop.set()
    counter, accepted = scene.counter, senders.accepted
    await everything(scene.team, counter, accepted, 60)
    assert missing(counter, accepted) == []
    assert all(len(set(ids)) == 1 for ids in counter.ids.values()), "a double under another id"
    assert counter.numbers("s0") == sorted(accepted), "strict order was lost"
    for name in PAIRS:
        assert counter.numbers(name) == scene.pairs, "halves were lost or exchanged"
    assert all(len(counter.ids["once", number]) <= 1 for number in accepted), "at most once, twice"
    assert len(accepted) > 50, "there was hardly any load"
    await settled(scene, {("dead", number) for number in accepted})


async def settled(scene: Scene, dead: set[tuple[str, int]]) -> None:
    """Nothing waits any more but the dead letters, and every mark is at the end of the log."""
    letters = {counted for key in dead for counted in scene.counter.ids[key][:1]}
    means = Means(None, lambda _: LocalSecrets(dict), create=False)
    bus = make(of_url(url_of(scene.server)), "default", "default", means)
    await bus.open()
    try:
        async with asyncio.timeout(30):
            while (left := await unfinished(bus, letters)) != "":
                await asyncio.sleep(0.2)
    except TimeoutError:
        pytest.fail(left)
    finally:
        await bus.aclose()
    assert {(name, number) for name, number in scene.counter.ids if name == "dead"} == dead


async def unfinished(bus: Bus, letters: set[str]) -> str:
    """What is not as it should be in the end."""
    found = await parked(bus)
    waiting = [(firing, record) for _, firing, record in found if record.due_ns is not None]
    if waiting:
        return f"parked: {waiting[:3]}"
    if (there := {firing for _, firing, _ in found}) != letters:
        return f"dead letters: {len(there - letters)} too many, {len(letters - there)} missing"
    head = await bus.head()
    behind = [shard for shard in range(bus.shards) if (await bus.load(shard)).mark not in (head, None)]
    return f"shards {behind} are behind {head}" if behind else ""
