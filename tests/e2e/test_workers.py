"""Several processes on one JetStream: shared work, deaths, pauses, outages."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from events.bus._base import shard_of
from events.runtime.outage import QUIET
from events.testing.proxy import Proxy
from events.testing.servers._process import Server
from events.testing.servers.kafka import Kafka
from events.testing.servers.nats import Nats
from tests.e2e.instance import deliver
from tests.e2e.workers import LEASE, SENSORS, Counter, Team, Worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

NAMES = [f"s{number}" for number in range(SENSORS)]
ROUNDS = 10


@pytest.fixture
async def counter() -> AsyncIterator[Counter]:
    made = Counter()
    await made.start()
    yield made
    await made.stop()


ENGINES = {"nats": Nats, "kafka": Kafka}
NATS, KAFKA = (pytest.param(name, marks=pytest.mark.servers(name)) for name in ENGINES)
on_both = pytest.mark.parametrize("server", [NATS, KAFKA], indirect=True)


@pytest.fixture(params=[NATS])
def server(request: pytest.FixtureRequest, own: Callable[[Server], Server]) -> Server:
    return own(ENGINES[request.param]())


def url_of(server: Server) -> str:
    return server.url if isinstance(server, Nats) else f"kafka://127.0.0.1:{server.port}"


async def test_a_worker_whose_connection_is_black_holed_is_not_healthy_and_hears_again(
    tmp_path: Path, server: Server, counter: Counter
):
    async with Proxy(server.port) as proxy:
        team = Team(tmp_path, f"nats://127.0.0.1:{proxy.port}", counter.port)
        worker = team.add()
        await team.start()
        senders = Senders(team)
        try:
            async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
                group.create_task(senders.run(session))
                await asyncio.sleep(1)
                proxy.black_hole()
                async with asyncio.timeout(30):
                    while (await worker.state()).get("ready") is not False:
                        await asyncio.sleep(0.1)
                await proxy.heal()
                accepted = len(senders.accepted)
                await until(lambda: len(senders.accepted) > accepted + 20)
                senders.stop.set()
            await everything(team, counter, senders.accepted)
            check(counter, senders.accepted)
            async with asyncio.timeout(20):
                while not (await worker.state()).get("ready"):
                    await asyncio.sleep(0.1)
        finally:
            await team.close()


@pytest.fixture
async def team(tmp_path: Path, server: Server, counter: Counter) -> AsyncIterator[Team]:
    made = Team(tmp_path, url_of(server), counter.port)
    yield made
    await made.close()


async def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


def missing(counter: Counter, numbers: set[int]) -> list[tuple[str, int]]:
    return [
        (name, number) for name in NAMES for number in sorted(numbers) if (name, number) not in counter.ids
    ]


async def everything(team: Team, counter: Counter, numbers: set[int], seconds: float = 40.0) -> None:
    """Until all of it has reached the target."""
    try:
        await until(lambda: not missing(counter, numbers), seconds)
    except TimeoutError:
        states = [await worker.state() for worker in team.workers]
        logs = "\n".join(worker.instance.told()[-3000:] for worker in team.workers)
        left = missing(counter, numbers)
        pytest.fail(f"{len(left)} of {len(numbers) * SENSORS} are missing: {left[:20]}\n{states}\n{logs}")


def check(counter: Counter, numbers: set[int]) -> None:
    """Nothing lost, nothing made up, doubles under one id, order kept."""
    assert set(counter.ids) == {(name, number) for name in NAMES for number in numbers}
    assert all(len(set(ids)) == 1 for ids in counter.ids.values()), "a double under another id"


class Senders:
    """Numbers, several at a time."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self.accepted: set[int] = set()
        self.stop = asyncio.Event()
        self._last = 0

    async def run(self, session: aiohttp.ClientSession) -> None:
        while not self.stop.is_set():
            self._last += 1
            number = self._last
            await self._team.send(session, number)
            self.accepted.add(number)
            await asyncio.sleep(0.02)


@on_both
@pytest.mark.timeout(300)
async def test_ten_kills_under_load_lose_nothing_and_double_harmlessly(team: Team, counter: Counter):
    workers = [team.add() for _ in range(3)]
    await team.start()
    senders, chance = Senders(team), random.Random(5)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(senders.run(session))
        starting: dict[int, asyncio.Task[None]] = {}
        for number in range(ROUNDS):
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            chosen = number % len(workers)
            if chosen in starting:
                await starting[chosen]
            await workers[chosen].instance.kill()
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            starting[chosen] = group.create_task(workers[chosen].instance.start())
        senders.stop.set()
    await everything(team, counter, senders.accepted, 60)
    check(counter, senders.accepted)
    assert len(senders.accepted) > 2 * ROUNDS, "there was hardly any load"
    for worker in workers:
        assert "never retrieved" not in worker.instance.told()


@on_both
async def test_what_a_killed_worker_had_in_hand_is_done_within_twice_its_lease(team: Team, counter: Counter):
    workers = [team.add() for _ in range(2)]
    await team.start()
    await team.shared(4, 4)
    counter.hang = {(name, 1) for name in NAMES}
    async with aiohttp.ClientSession() as session:
        await team.send(session, 1)
    await asyncio.wait_for(counter.hung.wait(), 5)
    await asyncio.sleep(0.3)
    counter.hang = set()
    killed = time.monotonic()
    await workers[0].instance.kill()
    await until(lambda: any((name, 1) in counter.ids for name in NAMES), 2 * LEASE)
    before = len(counter.ids)
    assert before, "nothing of the dead one was in hand"
    assert max(counter.at.values()) - killed <= 2 * LEASE


@on_both
async def test_a_stopped_worker_hands_over_at_once(team: Team, counter: Counter):
    first, second = team.add("", "--lease", "10"), team.add("", "--lease", "10")
    await team.start()
    await team.shared(4, 4)
    assert await first.instance.terminate() == 0
    began = time.monotonic()
    while len(await second.shards()) < 8:
        await asyncio.sleep(0.02)
    assert time.monotonic() - began < 4, "it waited for the lease"
    team.workers.remove(first)
    async with aiohttp.ClientSession() as session:
        await team.send(session, 1)
    await everything(team, counter, {1})


@on_both
async def test_a_paused_worker_that_wakes_writes_nothing_and_keeps_the_order(team: Team, counter: Counter):
    first, second = team.add(), team.add()
    await team.start()
    await team.shared(4, 4)
    senders = Senders(team)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        team.workers = [second]
        group.create_task(senders.run(session))
        await asyncio.sleep(0.5)
        first.pause()
        while len(await second.shards()) < 8:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        first.resume()
        await asyncio.sleep(2.0)
        senders.stop.set()
    await everything(team, counter, senders.accepted)
    check(counter, senders.accepted)
    assert counter.numbers("s0") == sorted(senders.accepted), "strict order was lost"
    team.workers = [first, second]
    await team.shared(4, 4)


@on_both
async def test_a_bus_that_is_down_at_the_start_and_restarted_under_load(
    team: Team, counter: Counter, server: Server
):
    await asyncio.to_thread(server.stop)
    worker = team.add()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.instance.start())
        async with asyncio.timeout(15):
            while not (state := await worker.state()):
                await asyncio.sleep(0.05)
        assert state["ready"] is False
        assert await deliver_once(worker) == 503
        await asyncio.to_thread(server.start)
    senders = Senders(team)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        group.create_task(senders.run(session))
        await asyncio.sleep(QUIET + 1)  # another outage, not the end of the first one
        await asyncio.to_thread(server.stop)
        await until(lambda: told(worker).count("everything waits") == 2)
        await asyncio.to_thread(server.start)
        accepted = len(senders.accepted)
        await until(lambda: len(senders.accepted) > accepted + 20)
        senders.stop.set()
    await everything(team, counter, senders.accepted)
    check(counter, senders.accepted)
    await until(lambda: told(worker).count("works again") == 2)
    assert told(worker) == ["everything waits", "works again"] * 2, worker.instance.told()


@on_both
async def test_an_outage_that_leases_do_not_outlive_is_one_line_and_everybody_is_ready_after_it(
    team: Team, counter: Counter, server: Server
):
    workers = [team.add() for _ in range(2)]
    await team.start()
    await team.shared(4, 4)
    senders = Senders(team)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        group.create_task(senders.run(session))
        await asyncio.sleep(0.5)
        before = [len(worker.instance.told()) for worker in workers]
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(3 * LEASE)
        await asyncio.to_thread(server.start)
        accepted = len(senders.accepted)
        await until(lambda: len(senders.accepted) > accepted + 20)
        senders.stop.set()
    await everything(team, counter, senders.accepted)
    check(counter, senders.accepted)
    await team.shared(4, 4)
    for worker, start in zip(workers, before, strict=True):
        async with asyncio.timeout(20):
            while not (await worker.state())["ready"]:
                await asyncio.sleep(0.1)
        assert told(worker, start) == ["everything waits", "works again"], worker.instance.told()


def told(worker: Worker, start: int = 0) -> list[str]:
    """What a user has to read of outages: warnings, errors, and that the bus works again; in short.

    `start`: where in the log it begins.
    """
    found = []
    for line in worker.instance.told()[start:].splitlines():
        short = next((text for text in ("everything waits", "works again") if text in line), "")
        if short or line[9:].startswith(("warning:", "error:", "critical:")):
            found.append(short or line)
    return found


async def deliver_once(worker: Worker) -> int:
    """The status of one delivery, as soon as the source listens."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(10):
        while not (status := await deliver(session, worker.url, {"number": 0}, "number-0")):
            await asyncio.sleep(0.05)
    return status


async def test_calendar_ticks_once_and_moves(team: Team, counter: Counter):
    ticking = f"""
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: clock}}
spec: {{calendar: {{tick: {{interval: 1s}}}}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {{name: ticks}}
spec:
  dependencies: [{{name: tick, eventSourceName: clock, eventName: tick}}]
  triggers:
    - template:
        name: call
        http:
          url: http://127.0.0.1:{counter.port}/tick
          payload:
            - {{src: {{dependencyName: tick, dataTemplate: '{{{{ len .Input.eventTime }}}}'}}, dest: number}}
"""
    workers = [team.add(ticking) for _ in range(2)]
    await team.start()
    states = [await source_state(worker, "default/clock.tick") for worker in workers]
    assert sorted(states) == ["ready", "standby"]
    await until(lambda: len(counter.calls) >= 3)
    ticking_one = workers[states.index("ready")]
    other = workers[states.index("standby")]
    await ticking_one.instance.kill()
    async with asyncio.timeout(3 * LEASE):
        while await source_state(other, "default/clock.tick") != "ready":
            await asyncio.sleep(0.05)
    before = len(counter.calls)
    await until(lambda: len(counter.calls) >= before + 3)
    assert len(set(counter.calls)) >= len(counter.calls) - 1, "a tick came twice (but for one in hand)"


async def test_the_tools_answer_alike_at_every_worker_and_on_the_bus_itself(
    team: Team, counter: Counter, server: Server
):
    workers = [team.add() for _ in range(2)]
    await team.start()
    await team.shared(4, 4)
    counter.refused = {"s3"}
    async with aiohttp.ClientSession() as session:
        await team.send(session, 1)
    ways = [("--data", str(workers[0].instance.data)), ("--data", str(workers[1].instance.data)),
            ("--bus", url_of(server))]  # fmt: skip
    letters: list[Any] = []
    async with asyncio.timeout(30):
        while not letters:
            letters = await asked("dlq", "list", *ways[0])
    (letter,) = letters
    assert (letter["sensor"], letter["attempts"]) == ("s3", 10)
    for way in ways:
        assert await asked("dlq", "list", *way) == letters
        (account,) = await asked("explain", "number-1", *way)
        results = {one["sensor"]: one["result"] for one in account["triggers"]}
        assert results == {name: "dead_lettered" if name == "s3" else "fired" for name in NAMES}
        (event,) = await asked("get", "events", "number-1", *way)
        assert event["data"]["body"]["number"] == 1
    (stranger,) = [worker for worker in workers if 3 not in sensors_of(await worker.shards())]
    calls = len(counter.calls)
    answer = await asked("dlq", "retry", letter["firing"], "--data", str(stranger.instance.data))
    assert answer["retried"]
    await until(lambda: len(counter.calls) > calls)
    assert counter.calls[-1] == letter["firing"]
    async with asyncio.timeout(30):
        while not await asked("dlq", "list", *ways[2]):  # it has failed again
            await asyncio.sleep(0.1)
    counter.refused = set()
    assert (await asked("dlq", "retry", letter["firing"], *ways[2]))["retried"]
    async with asyncio.timeout(30):
        while await asked("dlq", "list", *ways[2]):
            await asyncio.sleep(0.1)
    assert counter.calls[-1] == letter["firing"]


def sensors_of(shards: list[int]) -> list[int]:
    """The numbers of the sensors in these shards."""
    return [number for number in range(SENSORS) if shard_of(f"s{number}", 8) in shards]


async def asked(*args: str) -> Any:
    """The JSON of an `events ...`."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "events", *args, "-o", "json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, err = await child.communicate()
    assert child.returncode == 0, err.decode()
    return json.loads(out)


async def source_state(worker: Worker, name: str) -> str:
    found = await worker.state()
    return next((str(one["state"]) for one in found.get("sources", []) if one["name"] == name), "")
