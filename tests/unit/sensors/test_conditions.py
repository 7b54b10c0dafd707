"""Conditions with memory: the newest of each, all that is held, and then nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from events.lang.condition import compile_condition
from events.sensors.conditions import step

TEXTS = ["a && b", "a && b && c", "(a && b) || c", "a && (b || c)", "(a || b) && (b || c)"]


def test_a_condition_without_and_fires_at_once_with_that_event_alone():
    condition = compile_condition("a || b", "abc")
    taken = step(condition, {}, "b", 7)
    assert (taken.held, taken.chosen) == ({}, {"b": 7})


def test_the_newest_event_of_a_dependency_is_held():
    condition = compile_condition("a && b", "ab")
    first = step(condition, {}, "a", 1)
    second = step(condition, first.held, "a", 2)
    assert (second.held, second.chosen) == ({"a": 2}, None)
    third = step(condition, second.held, "b", 3)
    assert (third.held, third.chosen) == ({}, {"a": 2, "b": 3})


def test_what_was_not_needed_is_taken_too():
    condition = compile_condition("(a && b) || c", "abc")
    taken = step(condition, {"a": 1}, "c", 2)
    assert (taken.held, taken.chosen) == ({}, {"a": 1, "c": 2})


@given(st.sampled_from(TEXTS), st.lists(st.sampled_from("abc"), max_size=30))
def test_every_event_is_held_replaced_or_taken_once(text: str, names: list[str]):
    condition = compile_condition(text, "abc")
    held, gone = {}, []
    for number, name in enumerate(name for name in names if name in condition.names):
        before = held
        taken = step(condition, before, name, number)
        held = taken.held
        if taken.chosen is None:
            gone += [before[name]] if name in before else []
            assert not condition.true_for(held)
        else:
            gone += list(taken.chosen.values()) + ([before[name]] if name in before else [])
            assert taken.chosen == {**before, name: number}
            assert held == {}
    count = sum(name in condition.names for name in names)
    assert sorted([*gone, *held.values()]) == list(range(count))
