"""The mark stands just before the first open place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from events.bus._base import Mark
from events.event import Position
from events.runtime.progress import Place, Progress


def progress(**offsets: int) -> Progress:
    return Progress(Mark("i", {int(key[1:]): value for key, value in offsets.items()}))


def test_the_mark_follows_what_was_reached_while_nothing_is_open():
    one = progress(p0=5)
    one.reach({0: 9})
    assert one.mark() == Mark("i", {0: 9})


def test_an_open_place_holds_the_mark_of_its_partition_only():
    one = progress(p0=0, p1=0)
    place = one.open(Position(0, 3))
    one.reach({0: 8, 1: 8})
    assert one.mark().offsets == {0: 2, 1: 8}
    place.count -= 1
    assert one.mark().offsets == {0: 8, 1: 8}


def test_places_of_one_position_are_one_place_and_close_together():
    one = progress(p0=0)
    first, second = one.open(Position(0, 3)), one.open(Position(0, 3))
    one.reach({0: 3})
    assert first is second
    first.count -= 1
    assert one.mark().offsets == {0: 2}
    second.count -= 1
    assert one.mark().offsets == {0: 3}
    assert one.waiting == 0


def test_passed_compares_every_partition():
    one = progress(p0=4, p1=2)
    assert one.passed(Mark("i", {0: 4, 1: 2}))
    assert not one.passed(Mark("i", {0: 4, 1: 3}))
    assert not one.passed(Mark("i", {0: 4, 2: 0}))


steps = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["open", "close", "reach"]), st.integers(0, 9)))


@given(steps)
def test_the_mark_never_passes_what_is_open_and_never_goes_back(taken: list[tuple[int, str, int]]):
    one, reached = progress(p0=0, p1=0), {0: 0, 1: 0}
    places: list[tuple[Position, Place]] = []
    before = one.mark()
    for partition, what, number in taken:
        if what == "close" and places:
            places.pop(number % len(places))[1].count -= 1
        elif what != "close":
            reached[partition] += 1 + number
            if what == "open":
                position = Position(partition, reached[partition])
                places.append((position, one.open(position)))
            one.reach(reached)
        mark = one.mark()
        expected = {
            p: min([pos.offset - 1 for pos, _ in places if pos.partition == p], default=reached[p])
            for p in reached
        }
        assert mark.offsets == expected
        assert all(mark.offsets[p] >= before.offsets[p] for p in reached)
        before = mark
