"""Partial matches and differences, key by key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.tools.trial.compare import ABSENT, Difference, changes, missing_parts
from events.tools.trial.difftext import lines_of, shown

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ({}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}),
        ({"a": None}, {}),
        ({"a": [{"n": 1}]}, {"a": [{"n": 1, "m": 2}]}),
        ({"a": {"1": "y"}}, {"a": ["x", "y"]}),
        ({"body": {"n": 1}}, {"body": '{"n": 1, "m": 2}'}),
        ({"a": 1}, {"a": 1.0}),
    ],
)
def test_part_that_is_there_has_no_differences(wanted: Any, got: Any) -> None:
    assert missing_parts(wanted, got) == []


@pytest.mark.parametrize(
    ("wanted", "got", "difference"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, Difference("a.b", 1, 2)),
        ({"a": {"b": 1}}, {"a": {}}, Difference("a.b", 1, ABSENT)),
        ({"a": None}, {"a": 1}, Difference("a", None, 1)),
        ({"a": ["x"]}, {"a": ["x", "y"]}, Difference("a.1", ABSENT, "y")),
        ({"a": ["x", "y"]}, {"a": ["x"]}, Difference("a.1", "y", ABSENT)),
        ({"a": True}, {"a": 1}, Difference("a", True, 1)),
        ({"a": {"b": 1}}, {"a": "no JSON"}, Difference("a", {"b": 1}, "no JSON")),
        ({"a": "1"}, {"a": 1}, Difference("a", "1", 1)),
    ],
)
def test_part_that_is_missing_is_told_with_its_path(wanted: Any, got: Any, difference: Difference) -> None:
    assert missing_parts(wanted, got) == [difference]


def test_two_bodies_in_json_are_compared_inside() -> None:
    assert changes({"body": '{"n":1,"m":2}'}, {"body": '{"n":1,"m":3}'}) == [Difference("body.m", 2, 3)]


@given(JSON)
def test_everything_holds_itself(value: Any) -> None:
    assert missing_parts(value, value) == []
    assert changes(value, value) == []


@given(JSON, JSON)
def test_changes_are_the_same_both_ways(one: Any, other: Any) -> None:
    back = [(d.path, d.got, d.wanted) for d in changes(other, one)]
    assert sorted(map(repr, back)) == sorted(repr(tuple(d)) for d in changes(one, other))


def test_documents_that_nest_too_deeply_differ() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert changes(deep, [deep]) != []
    assert missing_parts(deep, [deep]) != []


def test_difference_is_shown_in_three_lines() -> None:
    lines = list(lines_of([Difference("a.b", "x", ABSENT)]))
    assert lines == ["a.b", '  - expected  "x"', "  + got       (nothing)"]


def test_long_value_is_cut() -> None:
    assert len(shown("x" * 10_000)) == 200
