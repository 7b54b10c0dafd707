"""A process that publishes, reads and commits without end, and says on stdout what was acknowledged.

    python crashing.py PATH ROUND [STEP]

It ends when it is killed: by its parent at any moment, or by itself at a named step (see STEPS).
Lines: `published ID=OFFSET...`, `cursor NUMBER`, `committed NUMBER OFFSET FIRING...`, `ready EPOCH`.
Events are called ROUND/WORKER/NUMBER/PART/PARTS; commit NUMBER writes its number and firings into the record
`commit`, its number into the blob `commit`, and as reason into each of its decisions.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from events.bus import embedded_schema
from events.bus._base import Changes, Cursor, Mark
from events.bus.embedded import EmbeddedBus
from events.bus.embedded_segments import Segments
from events.bus.retention import Retention
from events.clients import sqlite_threads
from events.event import FIRED, WAITING, Decision, Event

SMALL, LARGE = 300, 30_000
RETENTION = Retention(max_bytes=6 << 20)
DISCARDING = ("events discarded", "segments to be removed", "segments removed", "sizes noted")
"""Steps that need a log at its limit; at all others nothing is ever discarded."""
WORKERS = 6
TOPICS = [("orders", "incoming"), ("orders", "outgoing")]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Killing(sqlite3.Connection):
    """Ends the process just before or after the n-th statement that begins so."""

    statement, after, left = "none", False, 0

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        hit = sql.startswith(self.statement) and self._count()
        if hit and not self.after:
            die()
        cursor = super().execute(sql, *values)
        if hit:
            die()
        return cursor

    @classmethod
    def _count(cls) -> bool:
        cls.left -= 1
        return cls.left == 0


def at_statement(statement: str, after: bool, nth: int) -> Callable[[], None]:
    def arrange() -> None:
        Killing.statement, Killing.after, Killing.left = statement, after, nth
        connect: Any = sqlite3.connect
        vars(sqlite3)["connect"] = lambda *args, **given: connect(*args, factory=Killing, **given)

    return arrange


def at_call(owner: Any, name: str, after: bool, nth: int = 1) -> Callable[[], None]:
    def arrange() -> None:
        real, left = getattr(owner, name), [nth]

        def call(*args: Any, **given: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and not after:
                die()
            result = real(*args, **given)
            if left[0] == 0:
                die()
            return result

        setattr(owner, name, call)

    return arrange


STEPS: dict[str, Callable[[], None]] = {
    "file made, not in place": at_call(Path, "rename", after=False),
    "file in place, folder not synced": at_call(Path, "rename", after=True),
    "file made, nothing published": at_call(embedded_schema, "create", after=True),
    "transaction begun": at_statement("BEGIN IMMEDIATE", after=True, nth=40),
    "before events": at_statement("INSERT INTO events", after=False, nth=50),
    "after events": at_statement("INSERT INTO events", after=True, nth=50),
    "after the cursor": at_statement("INSERT INTO cursors", after=True, nth=30),
    "segment written, not synced": at_call(os, "fdatasync", after=False, nth=5),
    "segment synced": at_call(os, "fdatasync", after=True, nth=5),
    "payload rows": at_statement("INSERT INTO payloads", after=True, nth=5),
    "lease taken, not committed": at_statement("INSERT INTO epochs", after=True, nth=1),
    "after records": at_statement("INSERT INTO records", after=True, nth=15),
    "after decisions": at_statement("INSERT INTO decisions", after=True, nth=15),
    "after the mark": at_statement("INSERT OR REPLACE INTO marks", after=True, nth=15),
    "before commit": at_statement("COMMIT", after=False, nth=60),
    "committed, nobody told": at_statement("COMMIT", after=True, nth=60),
    "events discarded": at_statement("DELETE FROM events", after=True, nth=2),
    "segments to be removed": at_call(Segments, "drop_before", after=False, nth=4),
    "segments removed": at_call(Segments, "drop_before", after=True, nth=4),
    "before the checkpoint": at_statement("PRAGMA wal_checkpoint", after=False, nth=2),
    "after the checkpoint": at_statement("PRAGMA wal_checkpoint", after=True, nth=2),
    "sizes noted": at_statement("UPDATE log", after=True, nth=3),
}


def content(name: str, size: int) -> bytes:
    """What an event of this name carries."""
    return (name.encode() * (size // len(name) + 1))[:size]


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def publish_on(bus: EmbeddedBus, name: str, chance: random.Random) -> None:
    """Batches of one to four events, some large, some published twice."""
    number = 0
    while True:
        number += 1
        parts = chance.randint(1, 4)
        size = LARGE if chance.random() < 0.3 else SMALL
        names = [f"{name}/{number}/{part}/{parts}" for part in range(parts)]
        batch = [Event(one, *chance.choice(TOPICS), "t", None, content(one, size)) for one in names]
        with_cursor = number % 5 == 0
        stored = await bus.publish(batch, Cursor(name, b"%d" % number) if with_cursor else None)
        assert not any(one.duplicate for one in stored)
        places = [one.position.offset for one in stored if one.position is not None]
        say("published", *(f"{event.id}={at}" for event, at in zip(batch, places, strict=True)))
        if with_cursor:
            say("cursor", name, number)
        if chance.random() < 0.1:
            assert all(one.duplicate for one in await bus.publish(batch))


async def commit_on(bus: EmbeddedBus, epoch: int, chance: random.Random) -> None:
    """Follow the log; decide about some events; move the mark now and then."""
    state = await bus.load(0)
    head = await bus.head()
    mark = state.mark or Mark(head.incarnation, {0: 0})
    number = json.loads(state.records.get("commit", b'{"number": 0}'))["number"]
    reader = await bus.read(TOPICS, mark)
    while True:
        batch = await reader.next()
        number += 1
        about = [one for one in batch.deliveries if chance.random() < 0.3]
        made = [
            Decision(
                sensor="s", trigger="t", result=FIRED if chance.random() < 0.8 else WAITING,
                events=[one.event.key], position=one.position, time_ns=number, firing=one.event.id,
                reason=f"{number}",
            )
            for one in about
        ]  # fmt: skip
        moved = chance.random() < 0.6
        if moved:
            mark = Mark(mark.incarnation, mark.offsets | batch.reached)
        decided = [one.firing for one in made]
        record = json.dumps({"number": number, "decided": decided}).encode()
        changes = Changes(
            blobs={"commit": b"%d" % number, f"blob{number % 7}": os.urandom(2000)},
            records={
                "commit": record,
                f"record{number % 9}": b"%d" % number,
                f"record{(number - 4) % 9}": None,
            },
            decisions=made,
            mark=mark if moved else None,
        )
        await bus.commit(0, epoch, changes)
        final = [one.firing for one in made if one.result == FIRED]
        say("committed", number, mark.offsets[0] if moved else 0, *final)


async def main(path: Path, name: str, retention: Retention) -> None:
    chance = random.Random(f"{name}{path}")
    bus = EmbeddedBus(path, "default/default", retention=retention)
    await bus.open()
    lease = await bus.lease("shard/0")
    say("ready", lease.epoch)
    async with asyncio.TaskGroup() as group:
        for worker in range(WORKERS):
            group.create_task(publish_on(bus, f"{name}/{worker}", chance))
        group.create_task(commit_on(bus, lease.epoch, chance))


if __name__ == "__main__":
    vars(sqlite_threads).update(CHECKPOINT_SECONDS=0.05, CHECKPOINT_BYTES=200_000, WAL_LIMIT=2 << 20)
    step = sys.argv[3] if len(sys.argv) > 3 else ""
    if step:
        STEPS[step]()
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], RETENTION if step in DISCARDING else Retention()))
