"""Grouping, order, a bus that is away, and backpressure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from events.bus._base import Bus, Changes, Lease, Mark
from events.errors import BusUnavailable, Fenced
from events.event import FIRED, Decision, Event, Position
from events.runtime import recorder as module
from events.runtime.progress import Progress
from events.runtime.recorder import Recorder
from events.runtime.records import decode
from events.testing.sensors import event
from events.testing.virtual import run_virtual


class FakeBus:
    """Takes commits, slowly or not at all."""

    name = "default/default"
    max_event_bytes = 1 << 20

    def __init__(self) -> None:
        self.commits: list[Changes] = []
        self.errors: list[Exception] = []
        self.seconds = 0.0

    async def commit(self, shard: int, epoch: int, changes: Changes) -> None:
        await asyncio.sleep(self.seconds)
        if self.errors:
            raise self.errors.pop(0)
        self.commits.append(changes)


class FakeLease:
    epoch = 1


def scene(body: Callable[[FakeBus, Recorder, Progress], Awaitable[None]]) -> None:
    """Run the body beside a recorder at work."""

    async def main() -> None:
        bus, progress = FakeBus(), Progress(Mark("i", {0: 0}))
        recorder = Recorder(cast(Bus, bus), 0, cast(Lease, FakeLease()), progress)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(recorder.run())
            await body(bus, recorder, progress)
            running.cancel()

    run_virtual(main())


def decision(name: str) -> Decision:
    return Decision(
        sensor="s", trigger="t", result=FIRED, events=[], position=Position(0, 1), time_ns=1, firing=name
    )


def test_what_is_noted_together_goes_into_one_commit():
    async def body(bus: FakeBus, recorder: Recorder, _: Progress) -> None:
        for name in "abc":
            recorder.note(decision=decision(name), records={name: b"1"})
        await recorder.flush()
        (changes,) = bus.commits
        assert [one.firing for one in changes.decisions] == ["a", "b", "c"]
        assert changes.records == {"a": b"1", "b": b"1", "c": b"1"}

    scene(body)


def test_what_is_noted_during_a_commit_goes_into_the_next():
    async def body(bus: FakeBus, recorder: Recorder, _: Progress) -> None:
        bus.seconds = 1.0
        recorder.note(records={"a": b"1"}, then=lambda: None)
        await asyncio.sleep(0.5)
        recorder.note(records={"b": b"1"})
        await recorder.flush()
        assert [set(changes.records) for changes in bus.commits] == [{"a"}, {"b"}]

    scene(body)


def test_the_last_word_on_a_record_counts_and_comes_last():
    async def body(bus: FakeBus, recorder: Recorder, _: Progress) -> None:
        recorder.note(records={"condition": b"1"})
        recorder.note(records={"parked": b"1", "condition": b"2"})
        await recorder.flush()
        assert list(bus.commits[0].records.items()) == [("parked", b"1"), ("condition", b"2")]

    scene(body)


def test_a_blob_that_is_dropped_and_written_again_is_kept():
    async def body(bus: FakeBus, recorder: Recorder, _: Progress) -> None:
        recorder.note(blobs={"x": b"1", "y": b"1"}, drop_blobs=["z"])
        recorder.note(drop_blobs=["x", "y"])
        recorder.note(blobs={"x": b"2"})
        await recorder.flush()
        (changes,) = bus.commits
        assert changes.blobs == {"x": b"2"}
        assert sorted(changes.drop_blobs) == ["y", "z"]

    scene(body)


def test_a_record_that_is_made_late_is_made_once_a_commit_after_the_last_note():
    async def body(bus: FakeBus, recorder: Recorder, _: Progress) -> None:
        made: list[bytes] = []
        state = b"1"

        def make() -> bytes:
            made.append(state)
            return state

        recorder.note(records={"condition": make})
        state = b"2"
        recorder.note(records={"condition": make})
        await recorder.flush()
        bus.seconds = 1.0
        state = b"3"
        recorder.note(records={"condition": make}, then=lambda: None)
        await asyncio.sleep(0.5)
        state = b"4"
        recorder.note(records={"condition": make})
        await recorder.flush()
        assert [changes.records["condition"] for changes in bus.commits] == made == [b"2", b"3", b"4"]

    scene(body)


def test_what_was_held_and_taken_between_two_commits_is_not_written():
    async def body(bus: FakeBus, recorder: Recorder, _: Progress) -> None:
        recorder.again = False
        recorder.note(held={"x": event("x1"), "y": event("y1")})
        recorder.note(drop_blobs=["x"])
        await recorder.flush()
        recorder.note(drop_blobs=["y"])
        await recorder.flush()
        first, second = bus.commits
        assert (set(first.blobs), list(first.drop_blobs)) == ({"y"}, [])
        assert decode(first.blobs["y"], Event, "y").id == "y1"
        assert (dict(second.blobs), list(second.drop_blobs)) == ({}, ["y"])

    scene(body)


def test_what_a_former_owner_may_have_written_is_dropped_all_the_same():
    async def body(bus: FakeBus, recorder: Recorder, _: Progress) -> None:
        recorder.note(held={"x": event("x1")})
        recorder.note(drop_blobs=["x"])
        await recorder.flush()
        (changes,) = bus.commits
        assert (dict(changes.blobs), list(changes.drop_blobs)) == ({}, ["x"])

    scene(body)


def test_the_mark_passes_a_place_in_the_commit_that_closes_it():
    async def body(bus: FakeBus, recorder: Recorder, progress: Progress) -> None:
        place = progress.open(Position(0, 1))
        progress.reach({0: 5})
        await recorder.flush()
        recorder.note(decision=decision("a"), closes=place)
        await recorder.flush()
        first, second = bus.commits
        assert (first.mark, first.decisions) == (Mark("i", {0: 0}), [])
        assert second.mark == Mark("i", {0: 5})
        assert len(second.decisions) == 1

    scene(body)


def test_a_mark_that_moved_is_committed_without_notes_and_one_that_did_not_is_not():
    async def body(bus: FakeBus, _: Recorder, progress: Progress) -> None:
        progress.reach({0: 5})
        await asyncio.sleep(10)
        assert [changes.mark for changes in bus.commits] == [Mark("i", {0: 5})]

    scene(body)


def test_a_bus_that_is_away_is_tried_again_with_the_same_changes():
    async def body(bus: FakeBus, recorder: Recorder, _: Progress) -> None:
        bus.errors = [BusUnavailable("away")] * 3
        recorder.note(records={"a": b"1"})
        await recorder.flush()
        assert len(bus.commits) == 1
        assert bus.commits[0].records == {"a": b"1"}

    scene(body)


def test_then_runs_only_once_it_is_stored():
    async def body(bus: FakeBus, recorder: Recorder, _: Progress) -> None:
        bus.errors = [BusUnavailable("away")]
        stored: list[int] = []
        recorder.note(records={"a": b"1"}, then=lambda: stored.append(len(bus.commits)))
        await asyncio.sleep(0)
        assert not stored
        await recorder.flush()
        assert stored == [1]

    scene(body)


def test_fenced_ends_it():
    async def body(bus: FakeBus, recorder: Recorder, _: Progress) -> None:
        bus.errors = [Fenced("somebody else")]
        recorder.note(records={"a": b"1"})
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup) as caught:
        scene(body)
    assert caught.group_contains(Fenced)


@pytest.mark.parametrize("full", [{"FULL": 5}, {"FULL_BYTES": 5}])
def test_the_reader_waits_while_too_much_waits_for_a_commit(
    full: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    for name, value in full.items():
        monkeypatch.setattr(module, name, value)

    async def body(bus: FakeBus, recorder: Recorder, _: Progress) -> None:
        bus.errors = [BusUnavailable("away")]
        await recorder.room()
        for number in range(5):
            recorder.note(blobs={str(number): b"x"})
        async with asyncio.timeout(60):
            await recorder.room()
        assert len(bus.commits) == 1

    scene(body)
