"""The embedded bus loses and doubles nothing that it acknowledged, whenever its process is killed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import runpy
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from events.bus._base import DecisionQuery, EventQuery
from events.bus.embedded import EmbeddedBus
from events.event import FINAL, Decision, Delivery, Position

pytestmark = pytest.mark.e2e

CHILD = Path(__file__).with_name("crashing.py")
CHILD_MODULE = runpy.run_path(str(CHILD))
STEPS: list[str] = list(CHILD_MODULE["STEPS"])
ROUNDS = 20
PATIENCE = 20.0


class Acknowledged:
    """What the killed processes had been told."""

    def __init__(self) -> None:
        self.offsets: dict[str, int] = {}
        self.cursors: dict[str, int] = {}
        self.fired: set[str] = set()
        self.commit = self.mark = self.epoch = 0

    def take(self, line: str) -> None:
        what, *words = line.split()
        if what == "published":
            self.offsets |= {name: int(at) for name, _, at in (word.partition("=") for word in words)}
        elif what == "cursor":
            self.cursors[words[0]] = int(words[1])
        elif what == "ready":
            assert int(words[0]) > self.epoch, "an epoch was given twice"
            self.epoch = int(words[0])
        else:
            self.commit, self.mark = int(words[0]), max(self.mark, int(words[1]))
            self.fired |= set(words[2:])


def run_until_killed(path: Path, name: str, seconds: float, step: str | None = None) -> list[str]:
    """Start the child; kill it after so many seconds of work, or wait for it to kill itself at the step."""
    command = [sys.executable, str(CHILD), str(path), name, *([step] if step else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        output, end = bytearray(), time.monotonic() + PATIENCE
        while select.select([child.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
            chunk = os.read(child.stdout.fileno(), 1 << 16)
            if not chunk:
                break
            if not output and step is None:
                end = time.monotonic() + seconds
            output += chunk
            if time.monotonic() >= end:
                break
        child.kill()
        output += child.stdout.read()
        errors = child.stderr.read().decode()
        killed_at_step = time.monotonic() < end
    assert child.returncode == -signal.SIGKILL, errors
    assert step is None or killed_at_step, f"never came to the step: {step}"
    return output.decode().rpartition("\n")[0].splitlines()


async def verify(path: Path, known: Acknowledged) -> None:
    bus = EmbeddedBus(path, "default/default")
    await bus.open()
    try:
        log = await bus.find_events(EventQuery(newest_first=False, limit=10**6))
        assert_events(log, known)
        await assert_cursors(bus, known)
        await assert_state(bus, log, known)
    finally:
        await bus.aclose()


def assert_events(log: list[Delivery], known: Acknowledged) -> None:
    """Nothing acknowledged is missing behind the oldest event, nothing is there twice, order is kept."""
    ids = [one.event.id for one in log]
    assert len(ids) == len(set(ids)), "an event is there twice"
    assert [one.position for one in log] == sorted(one.position for one in log)
    for one in log:
        data = one.event.data or b""
        assert len(data) in (300, 30_000)
        assert data == CHILD_MODULE["content"](one.event.id, len(data)), "the payload of another event"
    groups: dict[str, list[str]] = {}
    for name in ids:
        groups.setdefault(name.rsplit("/", 2)[0], []).append(name)
    first = ids[0].rsplit("/", 2)[0] if ids else ""
    for group, parts in groups.items():
        count = int(parts[0].rsplit("/", 1)[1])
        whole = [f"{group}/{part}/{count}" for part in range(count)]
        assert parts == whole or group == first, "a publish is there in part, or out of order"
    newest: dict[str, int] = {}
    for group in groups:
        worker, number = group.rsplit("/", 1)
        assert newest.get(worker, 0) < int(number), "out of order"
        newest[worker] = int(number)
    places = {one.event.id: one.position.offset for one in log}
    floor = log[0].position.offset if log else 1
    for name, offset in known.offsets.items():
        assert places.get(name) == offset or offset < floor, f"{name} was acknowledged and is missing"


async def assert_cursors(bus: EmbeddedBus, known: Acknowledged) -> None:
    for name, number in known.cursors.items():
        stored = await bus.cursor(name)
        assert stored is not None
        assert int(stored) >= number, "a cursor went back"


async def assert_state(bus: EmbeddedBus, log: list[Delivery], known: Acknowledged) -> None:
    """The last commit is there as a whole, no mark went back, no firing that is done is forgotten."""
    state = await bus.load(0)
    mark = state.mark.offsets[0] if state.mark else 0
    assert mark >= known.mark, "a mark was lost"
    assert not log or log[0].position.offset <= mark + 1, "an event above the mark was discarded"
    record = json.loads(state.records.get("commit", b'{"number": 0, "decided": []}'))
    assert record["number"] >= known.commit, "a commit was lost"
    assert await bus.blob(0, "commit") in (b"%d" % record["number"], None if not record["number"] else b"")
    decisions = await bus.find_decisions(DecisionQuery(limit=10**6))
    assert_last_commit(record, decisions, log)
    places = {one.event.id: one.position for one in log}
    above = {name for name in known.fired if places.get(name, Position(0, 0)).offset > mark}
    assert above <= state.done, "a firing that was done is forgotten"
    assert state.done == {
        one.firing for one in decisions if one.result in FINAL and one.position.offset > mark
    }


def assert_last_commit(
    record: dict[str, list[str] | int], decisions: list[Decision], log: list[Delivery]
) -> None:
    number, kept = record["number"], {one.event.id for one in log}
    assert all(int(one.reason) <= int(str(number)) for one in decisions), "a commit is there in part"
    last = {one.firing for one in decisions if one.reason == f"{number}"}
    decided = record["decided"]
    assert isinstance(decided, list)
    assert {name for name in decided if name in kept} <= last <= set(decided)


@pytest.mark.timeout(120)
def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    known, chance = Acknowledged(), random.Random(1)
    for number in range(ROUNDS):
        lines = run_until_killed(tmp_path / "bus.db", f"{number}", chance.uniform(0.0, 0.4))
        for line in lines:
            known.take(line)
        asyncio.run(verify(tmp_path / "bus.db", known))
    assert len(known.offsets) > 500
    assert known.commit > 20
    assert known.mark > 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_nothing_acknowledged_is_lost(tmp_path: Path, step: str) -> None:
    known = Acknowledged()
    for number, at in enumerate((step, None)):
        for line in run_until_killed(tmp_path / "bus.db", f"{number}", 0.1, at):
            known.take(line)
        asyncio.run(verify(tmp_path / "bus.db", known))
