"""What conditions hold, and what is written of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from events.event import Delivery, Event, Position
from events.lang.condition import compile_condition
from events.runtime.memory import Memory
from events.runtime.records import ConditionRecord, decode, encode, stripped
from events.testing.sensors import event

BOTH = compile_condition("a && b", "ab")


def found(name: str, offset: int, stored_ns: int = 0) -> Delivery:
    return Delivery(event(name), Position(0, offset), stored_ns)


def offer(memory: Memory, name: str, offset: int, stored_ns: int = 0, condition: object = BOTH):
    delivery = found(name, offset, stored_ns)
    return memory.offer(condition, [(name[0], delivery.event)], delivery)  # type: ignore[arg-type]


def test_a_held_event_is_written_once_and_dropped_when_it_is_taken():
    memory = Memory("s", "t")
    first = offer(memory, "a1", 1)
    assert (list(first.blobs), first.drops, first.chosen) == (["held/s/t/a/0-1"], [], [])
    second = offer(memory, "b1", 2)
    assert (second.blobs, second.drops) == ({}, ["held/s/t/a/0-1"])
    assert {name: held.event.id for name, held in second.chosen[0].items()} == {"a": "a1", "b": "b1"}
    assert memory.held == {}


def test_a_newer_event_takes_the_place_of_the_held_one():
    memory = Memory("s", "t")
    offer(memory, "a1", 1)
    pending = offer(memory, "a2", 2)
    assert (list(pending.blobs), pending.drops) == (["held/s/t/a/0-2"], ["held/s/t/a/0-1"])


def test_an_event_at_the_same_offset_of_another_log_is_written_all_the_same():
    memory = Memory("s", "t")
    offer(memory, "a1", 1)
    memory.applied = {}
    pending = offer(memory, "a2", 1)
    assert pending.blobs["held/s/t/a/0-1"].id == "a2"
    assert pending.drops == []


def test_one_event_may_pass_two_dependencies():
    memory, delivery = Memory("s", "t"), found("x1", 1)
    pending = memory.offer(BOTH, [("a", delivery.event), ("b", delivery.event)], delivery)
    assert set(pending.chosen[0]) == {"a", "b"}
    assert (pending.blobs, pending.drops) == ({}, [])


def test_what_was_applied_is_known_per_partition():
    memory = Memory("s", "t")
    assert not memory.applied_already(Position(0, 0))
    offer(memory, "a1", 4)
    assert memory.applied_already(Position(0, 4))
    assert not memory.applied_already(Position(0, 5))
    assert not memory.applied_already(Position(1, 1))


def test_forgetting_gives_what_is_gone_and_its_blobs():
    memory = Memory("s", "t")
    offer(memory, "a1", 1, 100)
    assert memory.forget_before(100) == ({}, [])
    gone, blobs = memory.forget_before(101)
    assert ([held.event.id for held in gone.values()], blobs) == (["a1"], ["held/s/t/a/0-1"])
    assert memory.forget() == ({}, [])


names = st.lists(st.sampled_from("abc"), max_size=25)


@given(names, st.sampled_from(["a && b", "(a && b) || c", "a && b && c"]), st.integers(0, 25))
def test_a_successor_goes_on_from_what_is_stored(kinds: list[str], text: str, until: int):
    """Blobs and record are all that is needed, at every point."""
    condition = compile_condition(text, "abc")
    memory, blobs, stored = Memory("s", "t"), dict[str, bytes](), None
    fired: list[set[str]] = []
    for number, kind in enumerate(kinds):
        if kind not in condition.names:
            continue
        if number == until and stored is not None:
            record = decode(stored, ConditionRecord, "")
            events = {name: decode(blobs[ref.blob], Event, ref.blob) for name, ref in record.held.items()}
            memory = Memory("s", "t")
            memory.restore(record, events)
        pending = offer(memory, f"{kind}{number}", number, condition=condition)
        blobs |= {key: encode(stripped(held)) for key, held in pending.blobs.items()}
        for key in pending.drops:
            del blobs[key]
        stored = memory.record()
        assert set(blobs) == {held.blob for held in memory.held.values()}
        fired += [{held.event.id for held in chosen.values()} for chosen in pending.chosen]
    assert fired == plainly(condition, kinds)


def plainly(condition, kinds: list[str]) -> list[set[str]]:  # type: ignore[no-untyped-def]
    held: dict[str, str] = {}
    fired = []
    for number, kind in enumerate(kinds):
        if kind in condition.names:
            held[kind] = f"{kind}{number}"
            if condition.true_for(held):
                fired.append(set(held.values()))
                held = {}
    return fired
