"""Sprig functions for lists, dicts, defaults and types."""

from __future__ import annotations

import math
from typing import Any

import pytest

from events.errors import EvaluationError
from events.lang.govalue import GoInt64, GoLists, GoNilList, GoStringMap, GoStrings, type_name
from events.lang.sprig import FUNCTIONS, MUTATING, table
from tests.unit.lang.sprig_cases import ERROR, check

# name, arguments, result; what Go 1.26 with Sprig 3.3.0 gives
CASES: list[tuple[str, tuple[Any, ...], Any]] = [
    ("list", (1, "a", None), [1, "a", None]),
    ("tuple", (), []),
    ("append", (["a"], 2), ["a", 2]),
    ("push", ([], None), [None]),
    ("prepend", (["a"], "b"), ["b", "a"]),
    ("append", ("a", 1), ERROR),
    ("append", (None, 1), ERROR),
    ("concat", (["a"], GoStrings(["b"])), ["a", "b"]),
    ("concat", (), GoNilList()),
    ("concat", (["a"], None), ERROR),
    ("first", (["a", "b"],), "a"),
    ("first", ([],), None),
    ("first", ("ab",), ERROR),
    ("last", (["a", "b"],), "b"),
    ("mustLast", (None,), ERROR),
    ("rest", (["a", "b"],), ["b"]),
    ("rest", ([],), GoNilList()),
    ("initial", (["a", "b"],), ["a"]),
    ("initial", ([],), GoNilList()),
    ("reverse", (["a", 1.0],), [1.0, "a"]),
    ("compact", (["", 0.0, None, "x", [], False],), ["x"]),
    ("uniq", (["a", "b", "a", 1.0, 1, True, [1.0], [1.0]],), ["a", "b", 1.0, 1, True, [1.0]]),
    ("uniq", (GoStrings(["a", "a"]),), ["a"]),
    ("without", (["a", "b", 1.0], "a", 1), ["b", 1.0]),
    ("without", (["a", 1.0], 1.0), ["a"]),
    ("has", ("a", ["b", "a"]), True),
    ("has", (1, [1.0]), False),
    ("has", ({"a": 1.0}, [{"a": 1.0}]), True),
    ("has", ("a", None), False),
    ("has", ("a", "abc"), ERROR),
    ("slice", (["a", "b", "c"], 1, 2), ["b"]),
    ("slice", (["a", "b", "c"], "1"), ["b", "c"]),
    ("slice", (GoStrings(["a", "b"]), 0, 1), GoStrings(["a"])),
    ("slice", ([],), None),
    ("slice", (["a"], 2), ERROR),
    ("slice", (["a", "b"], 1, 0), ERROR),
    ("slice", ("abc", 1), ERROR),
    ("chunk", (2, ["a", "b", "c"]), GoLists([["a", "b"], ["c"]])),
    ("chunk", (3, []), GoLists([])),
    ("chunk", (0, ["a"]), ERROR),
    ("chunk", (-1, ["a", "b", "c"]), ERROR),
    ("chunk", (-9, ["a", "b"]), GoLists([])),
    ("chunk", (-9, ["a"]), GoLists([["a"]])),
    ("sortAlpha", (["b", "a", 1.0, None],), GoStrings(["1", "a", "b"])),
    ("sortAlpha", ("x",), GoStrings(["x"])),
    ("sortAlpha", (None,), GoStrings(["<nil>"])),
    ("dict", ("a", 1, "b", 2), {"a": 1, "b": 2}),
    ("dict", ("a",), {"a": ""}),
    ("dict", (1, 2), {"1": 2}),
    ("dict", (), {}),
    ("get", ({"a": 1.0}, "a"), 1.0),
    ("get", ({}, "a"), ""),
    ("get", (None, "a"), ""),
    ("set", ({"a": 1.0}, "b", 2), {"a": 1.0, "b": 2}),
    ("set", (None, "b", 2), ERROR),
    ("unset", ({"a": 1.0, "b": None}, "a"), {"b": None}),
    ("hasKey", ({"a": None}, "a"), True),
    ("get", (GoStringMap({"a": "b"}), "a"), ERROR),
    ("pluck", ("a", {"a": 1.0}, {}, {"a": None}), [1.0, None]),
    ("pick", ({"a": 1.0, "b": 2.0}, "a", "z"), {"a": 1.0}),
    ("omit", ({"a": 1.0, "b": 2.0}, "a", "z"), {"b": 2.0}),
    ("keys", ({"b": 1.0}, {"a": 1.0}), GoStrings(["b", "a"])),
    ("keys", (), GoStrings([])),
    ("values", ({"a": 1.0},), [1.0]),
    ("dig", ("a", "b", "d", {"a": {"b": 1.0}}), 1.0),
    ("dig", ("a", "z", "d", {"a": {}}), "d"),
    ("dig", ("a", "b", "d", {"a": 1.0}), ERROR),
    ("dig", ("a", "d", None), ERROR),
    ("dig", ("a", {}), ERROR),
    ("dig", (1, "d", {}), ERROR),
    (
        "merge",
        ({"a": 1.0, "n": {"x": 1.0}}, {"a": 2.0, "b": 3.0, "n": {"x": 9.0, "y": 2.0}}),
        {"a": 1.0, "b": 3.0, "n": {"x": 1.0, "y": 2.0}},
    ),
    (
        "merge",
        ({"a": 0.0, "l": ["a"]}, {"a": 2.0, "l": ["b"], "m": ["c"], "n": None}),
        {"a": 2.0, "l": ["a"], "m": ["c"]},
    ),
    ("merge", (None, {"a": 1.0}), {"a": 1.0}),
    (
        "mergeOverwrite",
        ({"a": 1.0, "n": {"x": 1.0}}, {"a": "", "n": {"y": 2.0}}, {"b": None}),
        {"a": "", "b": None, "n": {"x": 1.0, "y": 2.0}},
    ),
    ("mergeOverwrite", ({"d": {"x": 1.0}, "l": ["a"]}, {"d": "s", "l": []}), {"d": "s", "l": []}),
    ("mustMergeOverwrite", ({"a": {}}, {"a": {"b": 1.0}}), {"a": {"b": 1.0}}),
    ("default", ("d", ""), "d"),
    ("default", ("d", 0.0), "d"),
    ("default", ("d", False), "d"),
    ("default", ("d", []), "d"),
    ("default", ("d", "v"), "v"),
    ("default", ("d",), "d"),
    ("default", ("d", math.nan), math.nan),
    ("empty", (None,), True),
    ("empty", ({},), True),
    ("empty", ("0",), False),
    ("coalesce", (0, "", None, "x"), "x"),
    ("coalesce", (), None),
    ("all", (1, "a"), True),
    ("all", (1, ""), False),
    ("all", (), True),
    ("any", (0, "a"), True),
    ("any", (), False),
    ("ternary", ("y", "n", True), "y"),
    ("ternary", ("y", "n", False), "n"),
    ("ternary", ("y", "n", 1), ERROR),
    ("fail", ("reason",), ERROR),
    ("typeOf", (None,), "<nil>"),
    ("typeOf", (1.0,), "float64"),
    ("typeOf", (1,), "int"),
    ("typeOf", ([],), "[]interface {}"),
    ("typeOf", ({},), "map[string]interface {}"),
    ("typeOf", (GoInt64(1),), "int64"),
    ("typeIs", ("float64", 1.0), True),
    ("typeIsLike", ("string", "a"), True),
    ("kindOf", ({},), "map"),
    ("kindOf", (None,), "invalid"),
    ("kindIs", ("slice", []), True),
    ("deepEqual", (["a"], ["a"]), True),
    ("deepEqual", (["a"], GoStrings(["a"])), False),
    ("deepEqual", ([], GoNilList()), False),
    ("deepEqual", (1, 1.0), False),
    ("deepEqual", (None, None), True),
    ("deepCopy", ({"a": [1.0, None]},), {"a": [1.0, None]}),
    ("deepCopy", (None,), ERROR),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), CASES)
def test_gives_what_go_gives(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    check(name, arguments, expected)


def test_mutating_functions_change_their_first_argument() -> None:
    assert set(MUTATING) == {"set", "unset", "merge", "mustMerge", "mergeOverwrite", "mustMergeOverwrite"}
    changed: dict[str, Any] = {"a": 1.0}
    assert FUNCTIONS["set"](changed, "b", 2.0) is changed
    assert FUNCTIONS["unset"](changed, "a") is changed
    assert FUNCTIONS["merge"](changed, {"b": 9.0, "c": {"d": 3.0}}) is changed
    assert FUNCTIONS["mergeOverwrite"](changed, {"b": 4.0, "c": {"e": 5.0}}) is changed
    assert changed == {"b": 4.0, "c": {"d": 3.0, "e": 5.0}}


@pytest.mark.parametrize(
    "name", ["append", "prepend", "reverse", "compact", "uniq", "rest", "initial", "deepCopy"]
)
def test_list_functions_leave_the_list_as_it_is(name: str) -> None:
    items = ["b", "", "a", "b"]
    extra = ("x",) if name in ("append", "prepend") else ()
    result = FUNCTIONS[name](items, *extra)
    assert items == ["b", "", "a", "b"]
    assert result is not items


def test_deep_copies_share_nothing() -> None:
    tree: dict[str, Any] = {"a": [{"b": 1.0}], "s": GoStrings(["x"])}
    copy = FUNCTIONS["deepCopy"](tree)
    assert copy == tree
    assert type_name(copy["s"]) == "[]string"
    assert copy["a"] is not tree["a"]
    assert copy["a"][0] is not tree["a"][0]


def test_keys_and_values_come_in_the_order_of_bytes() -> None:
    source = {"\U00010000": 1.0, "\uffff": 2.0, "\udcff": 3.0, "a": 4.0}
    assert FUNCTIONS["keys"](source) == ["a", "\uffff", "\U00010000", "\udcff"]
    assert FUNCTIONS["values"](source) == [4.0, 2.0, 1.0, 3.0]


def doubled(depth: int) -> dict[str, Any]:
    """A small tree that unfolds to 2**depth parts."""
    tree: dict[str, Any] = {}
    for _ in range(depth):
        tree = {"a": tree, "b": tree}
    return tree


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("deepEqual", (doubled(60), doubled(60))),
        ("has", (doubled(60), [doubled(60)])),
        ("uniq", ([doubled(60)],)),
        ("without", ([doubled(60)], 1)),
        ("deepCopy", (doubled(60),)),
        ("merge", ({}, doubled(60))),
    ],
)
def test_values_that_unfold_without_bound_are_refused(
    name: str, arguments: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MAX_ELEMENTS", 10_000)
    with pytest.raises(EvaluationError, match="more than 10000 parts"):
        FUNCTIONS[name](*arguments)
