from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.kube._base import Invalid
from events.kube.edits import json_patch, merge_over, merge_patch

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("ab", max_size=2), VALUES, max_size=3)


@pytest.mark.parametrize(
    ("new", "old", "merged"),
    [
        ({"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
        ({"a": [1]}, {"a": [2, 3]}, {"a": [1]}),
        ({"a": None}, {"a": 1}, {"a": None}),
        ({"a": 0, "b": "", "c": False}, {"a": 1, "b": "x", "c": True}, {"a": 0, "b": "", "c": False}),
        ({"a": {}}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": {}}, {"a": 1}, {"a": {}}),
        ({"a": 1}, {"a": {"x": 1}}, {"a": 1}),
        ({}, {"a": 1}, {"a": 1}),
    ],
)
def test_merge_over(new: Any, old: Any, merged: Any):
    assert merge_over(new, old) == merged


@pytest.mark.parametrize(
    ("patch", "target", "result"),
    [  # RFC 7396, appendix A
        ({"a": "c"}, {"a": "b"}, {"a": "c"}),
        ({"b": "c"}, {"a": "b"}, {"a": "b", "b": "c"}),
        ({"a": None}, {"a": "b"}, {}),
        ({"a": None}, {"a": "b", "b": "c"}, {"b": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": ["b"]}),
        ({"a": {"b": "d", "c": None}}, {"a": {"b": "c"}}, {"a": {"b": "d"}}),
        ({"a": [1]}, {"a": [{"b": "c"}]}, {"a": [1]}),
        (["c", "d"], ["a", "b"], ["c", "d"]),
        (["c"], {"a": "b"}, ["c"]),
        (None, {"a": "foo"}, None),
        ("bar", {"a": "foo"}, "bar"),
        ({"a": 1}, {"e": None}, {"e": None, "a": 1}),
        ({"a": "b", "c": None}, [1, 2], {"a": "b"}),
        ({"a": {"bb": {"ccc": None}}}, {}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(patch: Any, target: Any, result: Any):
    assert merge_patch(patch, target) == result


@pytest.mark.parametrize(
    ("operations", "target", "result"),
    [
        ([{"op": "add", "path": "/a", "value": 1}], {}, {"a": 1}),
        ([{"op": "add", "path": "/l/1", "value": 9}], {"l": [1, 2]}, {"l": [1, 9, 2]}),
        ([{"op": "add", "path": "/l/-", "value": 9}], {"l": [1]}, {"l": [1, 9]}),
        ([{"op": "add", "path": "/l/1", "value": 9}], {"l": [1]}, {"l": [1, 9]}),
        ([{"op": "remove", "path": "/l/0"}], {"l": [1, 2]}, {"l": [2]}),
        ([{"op": "replace", "path": "/l/0", "value": 9}], {"l": [1, 2]}, {"l": [9, 2]}),
        ([{"op": "replace", "path": "", "value": {"b": 1}}], {"a": 1}, {"b": 1}),
        ([{"op": "move", "from": "/a", "path": "/b"}], {"a": 1}, {"b": 1}),
        ([{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1]}, {"a": [1], "b": [1]}),
        ([{"op": "test", "path": "/a", "value": {"x": [1.0]}}], {"a": {"x": [1]}}, {"a": {"x": [1]}}),
        ([{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/~0"}], {"a/b": 1, "~": 2}, {}),
    ],
)
def test_json_patch(operations: Any, target: Any, result: Any):
    assert json_patch(operations, target) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/none"},
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "add", "path": "/none/x", "value": 1},
        {"op": "add", "path": "/l/3", "value": 1},
        {"op": "add", "path": "/l/-1", "value": 1},
        {"op": "add", "path": "/l/01", "value": 1},
        {"op": "add", "path": "/l/ 1", "value": 1},
        {"op": "remove", "path": "/l/-"},
        {"op": "remove", "path": "/l/2"},
        {"op": "add", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
        {"op": "add", "path": "/text/x", "value": 1},
        {"op": "move", "from": "/o", "path": "/o/x"},
        {"op": "test", "path": "/one", "value": True},
        {"op": "test", "path": "/l", "value": [True, 2]},
        {"op": "explode", "path": "/a"},
        {"op": ["add"], "path": "/a", "value": 1},
        {"path": "/a"},
        "add",
        None,
    ],
)
def test_a_json_patch_that_cannot_be_applied_is_invalid_and_changes_nothing(operation: Any):
    target = {"l": [1, 2], "text": "x", "o": {}, "one": 1}
    before = copy.deepcopy(target)
    with pytest.raises(Invalid):
        json_patch([{"op": "add", "path": "/new", "value": 1}, operation], target)
    assert target == before


def test_a_json_patch_can_be_applied_again():
    operations = [{"op": "add", "path": "/a", "value": {}}, {"op": "add", "path": "/a/b", "value": 1}]
    assert json_patch(operations, {}) == json_patch(operations, {}) == {"a": {"b": 1}}
    assert operations[0]["value"] == {}


def test_what_cannot_be_applied_is_shown_shortened():
    with pytest.raises(Invalid) as caught:
        json_patch([{"op": "replace", "path": "/none", "value": "x" * 10_000}], {})
    assert len(str(caught.value)) < 300


@given(OBJECTS, OBJECTS)
def test_merging_twice_is_merging_once_and_changes_no_input(new: Any, old: Any):
    given = copy.deepcopy((new, old))
    merged = merge_over(new, old)
    assert merge_over(new, merged) == merged
    patched = merge_patch(new, old)
    assert merge_patch(new, patched) == patched
    assert (new, old) == given


POINTERS = st.text("/ab01-~", max_size=4)
NAMES = st.sampled_from(["add", "remove", "replace", "move", "copy", "test"])
OPERATIONS = st.fixed_dictionaries(
    {"op": NAMES, "path": POINTERS}, optional={"value": VALUES, "from": POINTERS}
)


@given(VALUES, st.lists(OPERATIONS, max_size=4))
def test_any_json_patch_gives_a_document_or_invalid(document: Any, operations: Any):
    before = copy.deepcopy((document, operations))
    with suppress(Invalid):
        json_patch(operations, document)
    assert (document, operations) == before
