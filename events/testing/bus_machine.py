"""A state machine that takes any bus through random steps, beside a simple model of it.

What is compared: every answer, what a reader that follows all the while sees, and at the end everything that
can be read, loaded and found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from events.bus._base import Bus, Changes, Cursor, DecisionQuery, EventQuery, Lease, Reader, ShardState
from events.errors import Fenced
from events.event import FINAL, FIRED, WAITING, Decision, Delivery, EventKey
from events.testing.bus_harness import (
    FOREIGN,
    OTHER,
    TOPIC,
    Handles,
    Harness,
    Seen,
    beginning,
    event,
    reaches,
    read_all,
)

T = TypeVar("T")

TOPICS = [TOPIC, OTHER, FOREIGN]
FOLLOWED = [TOPIC, FOREIGN]

batches = st.lists(st.tuples(st.integers(0, 25), st.sampled_from(TOPICS)), max_size=6)
keys = st.sampled_from(["a", "b", "c"])
values = st.binary(max_size=3)
shards = st.integers(0, 1)


class Shard:
    """The model of one shard."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.old: list[int] = []
        self.state = ShardState(None, {}, set())
        self.blobs: dict[str, bytes] = {}
        self.decisions: list[Decision] = []


class BusMachine(RuleBasedStateMachine):
    """One log, one handle at a time, one reader."""

    def __init__(self, harness: Harness, waived: Mapping[str, str]) -> None:
        super().__init__()
        self.harness, self.waived = harness, waived
        self.runner = asyncio.Runner()
        self.opened = Handles(harness, waived)
        self.accepted: dict[EventKey, str] = {}
        self.cursors: dict[str, bytes] = {}
        self.shards = [Shard(), Shard()]
        self.known: list[Delivery] = []
        self.time = 0
        self.bus: Bus
        self.reader: Reader
        self.run(self._start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        async def limited() -> T:
            async with asyncio.timeout(self.harness.patience):
                return await work

        return self.runner.run(limited())

    async def _start(self) -> None:
        await self.harness.start()
        self.bus = await self.opened.open()
        self.start = beginning(await self.bus.head())
        self.seen = Seen(self.start)
        self.reader = await self.bus.read(FOLLOWED, self.start)

    # steps

    @rule(batch=batches, cursor=st.none() | st.tuples(keys, values))
    def publish(self, batch: list[tuple[int, tuple[str, str]]], cursor: tuple[str, bytes] | None) -> None:
        published = [event(f"{number}", topic, data=b"%d" % self.time) for number, topic in batch]
        new = [one.key for one in published]
        if "dedupe" in self.waived:
            assume(len(set(new)) == len(new) and not self.accepted.keys() & set(new))
        stored = self.run(self.bus.publish(published, None if cursor is None else Cursor(*cursor)))
        for one, answer in zip(published, stored, strict=True):
            assert answer.duplicate == (one.key in self.accepted)
            self.accepted.setdefault(one.key, f"{self.time}")
        self.time += 1
        if cursor is not None:
            self.cursors[cursor[0]] = cursor[1]

    @rule()
    def read(self) -> None:
        head = self.run(self.bus.head())
        if not reaches(self.seen.reached, head):
            self.seen.take(self.run(self.reader.next()))

    @rule(shard=shards)
    def take(self, shard: int) -> None:
        model = self.shards[shard]
        if model.lease is not None:
            self.bus = self.run(self.harness.rival(self.bus, model.lease))
        lease = self.run(self.bus.lease(f"shard/{shard}", ttl=2.0))
        if model.lease is not None:
            self.run(model.lease.lost.wait())
            model.old.append(model.lease.epoch)
        assert not lease.lost.is_set()
        assert lease.epoch > max(model.old, default=-1)
        model.lease = lease
        assert self.run(self.bus.load(shard)) == model.state

    @precondition(lambda self: any(model.lease for model in self.shards))
    @rule(
        shard=shards,
        records=st.dictionaries(keys, st.none() | values),
        blobs=st.dictionaries(keys, values),
        dropped=st.lists(keys, max_size=1),
        move=st.booleans(),
        decided=st.lists(st.tuples(st.integers(0, 50), st.sampled_from([FIRED, WAITING])), max_size=3),
    )
    def commit(
        self,
        shard: int,
        records: dict[str, bytes | None],
        blobs: dict[str, bytes],
        dropped: list[str],
        move: bool,
        decided: list[tuple[int, str]],
    ) -> None:
        model = self.shards[shard]
        assume(model.lease is not None)
        assert model.lease is not None
        made = [
            self._decision(self.known[n % len(self.known)], result) for n, result in decided if self.known
        ]
        mark = self.run(self.bus.head()) if move else None
        changes = Changes(blobs, records, made, mark, dropped)
        self.run(self.bus.commit(shard, model.lease.epoch, changes))
        self._note(model, changes)

    def _decision(self, about: Delivery, result: str) -> Decision:
        self.time += 1
        return Decision(
            sensor="s",
            trigger="t",
            result=result,
            events=[about.event.key],
            position=about.position,
            time_ns=self.time,
            firing=f"firing{self.time}",
        )

    def _note(self, model: Shard, changes: Changes) -> None:
        model.blobs |= changes.blobs
        for key in changes.drop_blobs:
            model.blobs.pop(key, None)
        kept = model.state.records | changes.records
        model.state.records = {key: value for key, value in kept.items() if value is not None}
        model.decisions += changes.decisions
        mark = model.state.mark = changes.mark or model.state.mark
        model.state.done = {
            decision.firing or ""
            for decision in model.decisions
            if decision.result in FINAL and (mark is None or not mark.covers(decision.position))
        }

    @rule(shard=shards)
    def commit_late(self, shard: int) -> None:
        model = self.shards[shard]
        for epoch in model.old:
            try:
                self.run(self.bus.commit(shard, epoch, Changes({"a": b"late"}, {"a": b"late"})))
            except Fenced:
                continue
            raise AssertionError(f"epoch {epoch} is long over")

    @rule()
    def look(self) -> None:
        """Learn what lies where, for decisions about it."""
        self.known = self.run(read_all(self.bus, TOPICS, patience=self.harness.patience)).deliveries

    @precondition(lambda self: "restart" not in self.waived)
    @rule(crash=st.booleans())
    def restart(self, crash: bool) -> None:
        self.run(self.reader.aclose())
        self.bus = self.run(self.opened.again(self.bus, crash=crash))
        self.seen = Seen(self.start)
        self.reader = self.run(self.bus.read(FOLLOWED, self.start))
        for model in self.shards:
            if model.lease is not None:
                self.run(model.lease.lost.wait())
                model.old.append(model.lease.epoch)
                model.lease = None

    @rule(number=st.integers(0, 25))
    def find(self, number: int) -> None:
        found = self.run(self.bus.find_events(EventQuery(id=f"{number}")))
        assert {one.event.key for one in found} == {key for key in self.accepted if key.id == f"{number}"}

    # the end

    def teardown(self) -> None:
        try:
            self.run(self._compare())
        finally:
            self.run(self._stop())
            self.runner.close()

    async def _compare(self) -> None:
        while not reaches(self.seen.reached, await self.bus.head()):
            self.seen.take(await self.reader.next())
        followed = [key for key in self.accepted if (key.source, key.subject) in FOLLOWED]
        self._compare_log(self.seen, followed)
        self._compare_log(await read_all(self.bus, TOPICS), list(self.accepted))
        for name, value in self.cursors.items():
            assert await self.bus.cursor(name) == value
        for shard, model in enumerate(self.shards):
            assert await self.bus.load(shard) == model.state
            for key in ("a", "b", "c"):
                assert await self.bus.blob(shard, key) == model.blobs.get(key)
        found = await self.bus.find_decisions(DecisionQuery(limit=1000))
        made = [decision for model in self.shards for decision in model.decisions]
        assert found == sorted(made, key=lambda decision: -decision.time_ns)

    def _compare_log(self, seen: Seen, expected: list[EventKey]) -> None:
        data = {one.event.key: one.event.data for one in seen.deliveries}
        assert data == {key: self.accepted[key].encode() for key in expected}
        assert len(data) == len(seen.deliveries), "an event came twice"
        if "topic order" not in self.waived:
            for topic in TOPICS:
                order = [one.event.key for one in seen.deliveries if one.event.key[:2] == topic]
                assert order == [key for key in expected if key[:2] == topic]

    async def _stop(self) -> None:
        await self.reader.aclose()
        await self.opened.close()
        await self.harness.stop()


def run_machine(make: Callable[[], Harness], waived: Mapping[str, str], examples: int, steps: int) -> None:
    """Run the machine on a new log for each example."""

    class Machine(BusMachine):
        def __init__(self) -> None:
            super().__init__(make(), waived)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
