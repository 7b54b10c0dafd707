"""Which of the waiting firings is next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.event import TRIGGER_ROLE, Firing, Position
from events.runtime.jobs import Job
from events.runtime.turns import turns
from events.testing.sensors import event, plan_of, sensor, trigger

PLAN = plan_of(sensor(trigger("a"))).triggers[0]


def job(partition: int, offset: int, due_ns: int = 0) -> Job:
    name = f"f{partition}-{offset}"
    firing = Firing(name, "default", "s", "t", {"a": event("a1")}, 1, TRIGGER_ROLE)
    made = Job(PLAN, firing, Position(partition, offset), None)
    made.due_ns = due_ns
    return made


def test_without_order_it_goes_by_time_then_by_coming():
    jobs = [job(0, 1, 30), job(0, 2, 10), job(1, 1, 10), job(0, 3)]
    waiting = turns(jobs, ordered=False)
    assert [one.id for one in waiting] == ["f0-3", "f0-2", "f1-1", "f0-1"]
    assert [waiting.pop().id for _ in jobs] == ["f0-3", "f0-2", "f1-1", "f0-1"]


def test_a_busy_partition_holds_up_no_other_one():
    waiting = turns([job(0, number) for number in range(1, 4)], ordered=True)
    waiting.push(job(7, 100))
    waiting.push(job(0, 4))
    assert [waiting.pop().id for _ in range(5)] == ["f0-1", "f0-2", "f0-3", "f7-100", "f0-4"]


def test_one_that_comes_back_goes_first_again():
    waiting = turns([job(0, 1), job(1, 1), job(0, 2)], ordered=True)
    first = waiting.pop()
    waiting.push(first)
    assert waiting.first() is first
    assert len(waiting) == 3


@pytest.mark.parametrize("ordered", [True, False])
def test_nothing_waits(ordered: bool):
    waiting = turns((), ordered=ordered)
    assert (waiting.first(), len(waiting), list(waiting)) == (None, 0, [])
    with pytest.raises(IndexError):
        waiting.pop()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), unique=True))
def test_each_partition_is_in_order_and_nothing_is_lost(places: list[tuple[int, int]]):
    waiting = turns([job(*place) for place in places], ordered=True)
    out = [waiting.pop().position for _ in range(len(waiting))]
    assert sorted(out) == sorted(places)
    for partition in range(4):
        mine = [position.offset for position in out if position.partition == partition]
        assert mine == sorted(mine)
