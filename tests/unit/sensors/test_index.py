"""The index shows an event to every dependency that may pass, and to few others."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.api.sensor import EventDependency
from events.event import Event
from events.sensors.dependencies import Dependency, compile_dependency
from events.sensors.index import LONGEST_SCAN, Index, needle_of
from events.sensors.problems import Problems


def dependency(name: str = "d", topic: str = "a", **filters: Any) -> Dependency:
    spec = {"name": name, "eventSourceName": "src", "eventName": topic}
    operator = filters.pop("operator", None)
    if filters:
        spec["filters"] = filters
    if operator:
        spec["filtersLogicalOperator"] = operator
    return compile_dependency(EventDependency.model_validate(spec), "dependencies.0", Problems())


def data(path: str, *values: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "type": "string", "value": list(values), **more}


def event(payload: Any, topic: str = "a", raw: bytes | None = None) -> Event:
    return Event("1", "src", topic, "webhook", None, raw if raw is not None else orjson.dumps(payload))


def shown(dependencies: list[Dependency], given: Event) -> set[str]:
    index: Index[Dependency] = Index()
    for one in dependencies:
        index.add(one, one)
    found = index.candidates(given)
    assert len(found) == len({id(one) for one in found}), "shown twice"
    return {one.name for one in found}


texts = st.sampled_from(
    ["main", "ma", "in", "refs/heads/main", "a.b", "^main$", "^ma", "x", "^$", "[", "mainmain"]
)
values = st.one_of(texts, st.integers(0, 3), st.booleans(), st.none(), st.text(max_size=4))
payloads = st.one_of(
    st.dictionaries(st.sampled_from(["ref", "kind", "deep"]), values, max_size=3),
    st.builds(lambda value: {"deep": {"ref": value}}, values),
    st.lists(values, max_size=2),
)
filters = st.builds(
    lambda path, values, comparator, kind: data(path, *values, comparator=comparator, type=kind),
    st.sampled_from(["ref", "kind", "deep.ref", "missing", "deep.#", "ref|@this"]),
    st.lists(texts, min_size=1, max_size=3),
    st.sampled_from(["", "=", "!=", ">"]),
    st.sampled_from(["string", "string", "number"]),
)
made = st.builds(
    lambda items, joined, operator, context: dependency(
        data=items, dataLogicalOperator=joined, operator=operator,
        **({"context": {"type": "other"}} if context else {}),
    ),
    st.lists(filters, min_size=1, max_size=3),
    st.sampled_from(["", "and", "or"]),
    st.sampled_from(["", "and", "or"]),
    st.booleans(),
)  # fmt: skip


@given(st.lists(made, max_size=8), payloads)
def test_everything_that_passes_is_shown(made: list[Dependency], payload: Any):
    named = [one._replace(name=str(number)) for number, one in enumerate(made)]
    passing = {one.name for one in named if one.judge(event(payload)).event is not None}
    assert passing <= shown(named, event(payload))


@given(st.lists(made, max_size=8), st.binary(max_size=6))
def test_what_is_no_json_is_shown_to_whoever_tells_an_error(made: list[Dependency], raw: bytes):
    named = [one._replace(name=str(number)) for number, one in enumerate(made)]
    given = event(None, raw=raw)
    passing = {one.name for one in named if one.judge(given).event is not None}
    assert passing <= shown(named, given)


def test_an_event_without_data_is_shown_to_all():
    assert shown(
        [dependency(data=[data("ref", "^main$")])], Event("1", "src", "a", "webhook", None, None)
    ) == {"d"}


def test_other_topics_are_not_shown():
    assert shown([dependency()], event({}, topic="b")) == set()


def test_the_one_of_many_is_found_among_exact_values():
    many = [dependency(str(number), data=[data("ref", f"^v{number}$")]) for number in range(500)]
    assert shown(many, event({"ref": "v77"})) == {"77"}


def test_the_few_of_many_are_found_among_literals():
    many = [dependency(str(number), data=[data("ref", f"branch-{number:04}")]) for number in range(500)]
    assert shown(many, event({"ref": "refs/branch-0077/branch-0078"})) == {"77", "78"}


def test_a_value_too_long_to_scan_is_shown_to_all():
    many = [dependency(str(number), data=[data("ref", f"branch-{number}")]) for number in range(3)]
    assert shown(many, event({"ref": "x" * (LONGEST_SCAN + 1)})) == {"0", "1", "2"}


def test_looking_up_does_not_touch_the_dependencies_that_do_not_match():
    """The cost is counted, not timed: entries that are handed out."""
    many = [dependency(str(number), data=[data("ref", f"^v{number}$")]) for number in range(1000)]
    few = many[:10]
    for dependencies in (many, few):
        index: Index[Dependency] = Index()
        for one in dependencies:
            index.add(one, one)
        assert len(index.candidates(event({"ref": "v3"}))) == 1
        topic = index._topics["src", "a"]
        assert len(topic.paths) == 1
        assert not topic.always


def test_the_lengths_of_literals_are_kept_as_they_are_added():
    index: Index[Dependency] = Index()
    for number in range(50):
        one = dependency(str(number), data=[data("ref", "x" * (1 + number % 5))])
        index.add(one, one)
    assert index._topics["src", "a"].paths["ref"].lengths == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    "one",
    [
        dependency(),
        dependency(data=[data("ref", "^a.*")]),
        dependency(data=[data("ref", "main", comparator="!=")]),
        dependency(data=[data("deep.#.ref", "main")]),
        dependency(data=[data("ref", "main")], operator="or"),
        dependency(data=[data("ref", "main"), data("kind", "x")], dataLogicalOperator="or"),
        dependency(data=[data("ref", "main", template="{{ .Input }}")]),
        dependency(data=[{"path": "n", "type": "number", "value": ["1"]}]),
    ],
)
def test_what_cannot_be_looked_up_is_always_shown(one: Dependency):
    assert needle_of(one) is None


def test_an_exact_filter_is_preferred():
    needle = needle_of(dependency(data=[data("kind", "x"), data("ref", "^main$")]))
    assert needle is not None
    assert (needle.path, needle.exact) == ("ref", True)
