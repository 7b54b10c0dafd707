"""Filters: what the vectors do not say; combination against an obvious model; nothing unlisted is raised."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.errors import EvaluationError
from events.event import Event
from events.sensors.filters import anchored_literal, compile_filters
from events.sensors.problems import Problems
from events.testing.conformance._events import event_of, filters_of

TRUE = {"path": "k", "type": "string", "value": ["v"]}
FALSE = {"path": "n", "type": "number", "value": ["99"]}
ERROR = {"path": "missing", "type": "string", "value": ["x"]}
OUTCOME = {0: False, 1: True, 2: None}


def test_event() -> Event:
    return event_of({"type": "webhook", "source": "s"}, '{"k":"v","n":5}')


test_event.__test__ = False  # type: ignore[attr-defined]


def verdict(filters: dict[str, Any], operator: str = "", event: Event | None = None) -> bool | None:
    """True, False, or None for an error."""
    compiled = compile_filters(filters_of(filters), operator, "filters", Problems())
    assert compiled is not None
    try:
        return compiled.test(event or test_event())
    except EvaluationError:
        return None


def model_of_list(values: list[bool | None], operator: str) -> bool | None:
    """Upstream's words, step by step."""
    errors = False
    for value in values:
        if operator == "or":
            if value is True:
                return True
            errors = errors or value is None
        elif value is not True:
            return value
    if operator != "or":
        return True
    return None if errors else False


@settings(max_examples=200)
@given(st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=5), st.sampled_from(["", "and", "or"]))
def test_lists_are_joined_as_the_model_says(kinds: list[int], operator: str):
    chosen = [(FALSE, TRUE, ERROR)[kind] for kind in kinds]
    expected = model_of_list([OUTCOME[kind] for kind in kinds], operator)
    assert verdict({"data": chosen, "dataLogicalOperator": operator}) is expected


def model_of_kinds(values: list[bool | None], operator: str) -> bool | None:
    if operator == "or":
        return True if True in values else None if None in values else False
    return None if None in values else all(values)


@settings(max_examples=200)
@given(
    st.sampled_from([0, 1, 2]),
    st.sampled_from([0, 1]),
    st.sampled_from([0, 1, 2]),
    st.sampled_from(["", "and", "or"]),
)
def test_kinds_are_joined_as_the_model_says(data: int, context: int, exprs: int, operator: str):
    filters = {
        "data": [(FALSE, TRUE, ERROR)[data]],
        "context": {"type": "webhook" if context else "calendar"},
        "exprs": [
            (
                {"expr": "n == 1", "fields": [{"path": "n", "name": "n"}]},
                {"expr": "n == 5", "fields": [{"path": "n", "name": "n"}]},
                {"expr": "n == 5", "fields": [{"path": "nope", "name": "n"}]},
            )[exprs]
        ],
    }
    expected = model_of_kinds([OUTCOME[exprs], OUTCOME[data], OUTCOME[context]], operator)
    assert verdict(filters, operator) is expected


VALUES = st.text("main^$.*[]()\\| -_1é", max_size=8)


@settings(max_examples=300)
@given(VALUES, st.text("main-_1é \n", max_size=12))
def test_literals_need_no_engine_and_mean_the_same(pattern: str, text: str):
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        expected: bool | None = re2.compile(pattern, options=options).search(text) is not None
    except re2.error:
        expected = None
    import json

    event = event_of({}, json.dumps({"k": text}))
    assert verdict({"data": [{"path": "k", "type": "string", "value": [pattern]}]}, event=event) is expected


def test_anchored_literals_are_told_apart():
    assert anchored_literal("^main$") == "main"
    assert anchored_literal("^$") == ""
    assert [anchored_literal(text) for text in ("main", "^main", "^ma.n$", "^", "$", "^a$b$")] == [None] * 6


def test_what_does_not_compile_is_a_problem_and_an_error_at_every_event():
    problems = Problems()
    given_ = filters_of(
        {"data": [{"path": "k", "type": "strings", "value": ["v"]}], "time": {"start": "x", "stop": "y"}}
    )
    compiled = compile_filters(given_, "", "dependencies.0.filters", problems)
    assert [problem.field for problem in problems] == [
        "dependencies.0.filters.data.0.type",
        "dependencies.0.filters.time",
    ]
    assert compiled is not None
    with pytest.raises(EvaluationError):
        compiled.test(test_event())


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_no_payload_raises_anything_else(data: bytes):
    event = Event("1", "s", "e", "t", None, data)
    filters = {
        "data": [
            {"path": "a.#(b==1)#.c", "type": "string", "value": ["x"], "template": "{{ .Input | upper }}"},
            {"path": "@this", "type": "number", "value": ["1"], "comparator": "<"},
        ],
        "dataLogicalOperator": "or",
        "exprs": [
            {"expr": "a =~ 'x' || b > 1", "fields": [{"path": "a", "name": "a"}, {"path": "b", "name": "b"}]}
        ],
    }
    assert verdict(filters, "or", event) in {True, False, None}


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"k":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"k":' + b"9" * 100_000 + b"}",
        b'{"k":1,"k":2}',
        b'{"k":"' + b"x" * 1_048_576 + b'"}',
        b'{"k":"\xff\xfe"}',
        b'{"k":"\\ud800"}',
        b"",
        b"\x00",
    ],
    ids=[
        "deep list",
        "deep object",
        "huge number",
        "duplicate",
        "1 MiB",
        "no UTF-8",
        "half pair",
        "empty",
        "nul",
    ],
)
def test_hostile_payloads_are_judged_or_are_errors(data: bytes):
    event = Event("1", "s", "e", "t", None, data)
    filters = {
        "data": [
            {"path": "k", "type": "string", "value": ["(a*)*b|^x+y$"]},
            {"path": "k.k.k", "type": "number", "value": ["1"]},
        ],
        "dataLogicalOperator": "or",
    }
    assert verdict(filters, "", event) in {True, False, None}
