"""Filter expressions never cost much: nesting, loops, texts and shared structures have limits."""

from __future__ import annotations

from typing import Any

import pytest

from events.errors import EvaluationError, ExpressionError
from events.lang.exprlang import budget, compile_filter


def deep(levels: int) -> dict[str, Any]:
    top: dict[str, Any] = {}
    inner = top
    for _ in range(levels):
        inner["a"] = inner = {}
    return top


EVENT: dict[str, Any] = {
    "n": 5,
    "s": "x" * 100_000,
    "list": [{"x": number} for number in range(2000)],
    "deep": deep(20_000),
    "bad": "\ud800x\udcff",
}


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 10_000 + "1",
        "[" * 500 + "]" * 500,
        "!" * 10_000 + "true",
        "-" * 300 + "1",
        "n" + " + 1" * 5000,
        "n" + ".a" * 5000,
        "n" + " ?? n" * 5000,
        "n ** " * 500 + "1",
        "true ? " * 500 + "1" + " : 2" * 500,
        "n ?: " * 5000 + "1",
        "len(" * 500 + "s" + ")" * 500,
        "map(list, " * 200 + "1" + ")" * 200,
    ],
)
def test_deep_expressions_are_refused(expression: str) -> None:
    with pytest.raises(ExpressionError, match="nested too deeply"):
        compile_filter(expression)


def test_long_alternatives_are_no_nesting() -> None:
    assert compile_filter(" or ".join(["n == 1"] * 2000 + ["n == 5"])).passes(EVENT) is True
    assert compile_filter(" && ".join(["n == 5"] * 2000)).passes(EVENT) is True


@pytest.mark.parametrize(
    "expression",
    [
        "len(1..n * 1000000) > 0",
        "count(1..1000000, {# > 5}) > 0",
        "len(map(1..n * 150000, #)) == 750000 and len(map(1..n * 60000, #)) > 0",
        "all(list, {all(list, {true})})",
        "any(list, {list == 5})",
        "any(list, {string(list) == ''})",
        "any(list, {toJson(list) == ''})",
        "any(list, {any(list, {.x == -1})})",
        "any(list, {any(list, {s matches string(n)})})",
        'len(reduce(1..1000, #acc + #acc, "x")) > 0',
        'len(repeat(repeat("x", 100000), 100000)) > 0',
        'len(replace(s, "", s)) > 0',
        'len(join(split(s, ""), s)) > 0',
        'len(map(1..100000, sprig.repeat(100000, "x"))) > 0',
        "string(reduce(1..60, {[#acc, #acc]}, n)) == ''",
        "toJSON(reduce(1..60, {[#acc, #acc]}, n)) == ''",
        "sprig.toJson(reduce(1..60, {[#acc, #acc]}, n)) == ''",
        "reduce(1..60, {[#acc, #acc]}, n) == reduce(1..60, {[#acc, #acc]}, n)",
        'jsonpath("1", "$" + repeat(".a", 200000)) == 1',
    ],
)
def test_costly_evaluations_end_with_an_error(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MAX_STEPS", 20_000)  # the real limits take their time
    monkeypatch.setattr(budget, "MAX_TEXT", 1 << 20)
    with pytest.raises(EvaluationError, match=r"budget|too many steps"):
        compile_filter(expression).passes(EVENT)


@pytest.mark.parametrize(
    "expression",
    [
        "string(deep) == ''",
        "toJSON(deep) == ''",
        "deep == fromJSON('{}')",
        "deep in [1]",
        "string($env) == ''",
    ],
)
def test_deep_events_end_with_an_error(expression: str) -> None:
    with pytest.raises(EvaluationError, match="nested too deeply"):
        compile_filter(expression).passes(EVENT)


def test_deep_events_do_no_harm_where_they_are_not_touched() -> None:
    assert compile_filter("n == 5").passes(EVENT) is True
    assert compile_filter("deep.a.a.a != nil and len(deep) == 1").passes({**EVENT, "deep": deep(50)}) is True


@pytest.mark.parametrize(
    "call",
    [
        *(
            "upper(bad)",
            "len(bad)",
            "bad[0:1]",
            "toJSON(bad)",
            "split(bad, '')",
            "bad < 'é'",
            "indexOf(bad, 'é')",
        ),
        *("toBase64(bad)", "sort([bad, 'é'])", "bad contains 'é'", "sprig.upper(bad)", "bad matches 'x'"),
    ],
)
def test_halves_of_surrogate_pairs_do_no_harm(call: str) -> None:
    compile_filter(call).evaluate(EVENT)


def test_constants_that_cost_much_are_left_to_the_event() -> None:
    compiled = compile_filter("false ? string(reduce(1..60, {[#acc, #acc]}, 1)) == '' : n == 5")
    assert compiled.passes(EVENT) is True


def test_the_budget_counts_what_is_walked_over() -> None:
    left = budget.Budget(part=100_000)  # 10 steps
    left.walk([1, 2, {"a": 3}])
    with pytest.raises(EvaluationError, match="too many steps"):
        left.walk([1] * 10)


def test_the_memory_limit_is_upstreams() -> None:
    assert compile_filter("len(n..1000003) == 999999").passes(EVENT) is True
    with pytest.raises(EvaluationError, match="memory budget"):
        compile_filter("len(n..1000004) == 1000000").passes(EVENT)
