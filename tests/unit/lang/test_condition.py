"""events.lang.condition: when a trigger fires."""

from __future__ import annotations

from contextlib import suppress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import ExpressionError
from events.lang.condition import MAX_DEPTH, compile_condition, minimal_sets

DEPENDENCIES = ["a", "b", "c", "dep-1", "dep_2", "x-", "é", "len", "date", "not", "in", "contains", "A1"]


@pytest.mark.parametrize(
    ("text", "names", "normalized"),
    [
        ("a", "a", "a"),
        ("a || b && c", "a b c", "a||b&&c"),
        ("(a || b) && c", "a b c", "(a||b)&&c"),
        ("((a)&&(b))", "a b", "((a)&&(b))"),
        ("b && a && b", "b a", "b&&a&&b"),
        ("\ta\n&&\r\n b\u00a0", "a b", "a&&b"),
        ("a // not b && (\n&& b", "a b", "a&&b"),
        ("/* first */ a /* || b */", "a", "a"),
        ("dep_1 && dep-2", "dep-1 dep_2", "dep-1&&dep_2"),
        ("x- || x_", "x-", "x-||x-"),
        ("é && A1", "é A1", "é&&A1"),
        ("len && date", "len date", "len&&date"),
    ],
)
def test_reads_names_and_operators(text: str, names: str, normalized: str) -> None:
    condition = compile_condition(text, DEPENDENCIES)
    assert condition.names == tuple(names.split())
    assert condition.normalized == normalized
    assert condition.source == text


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (" ", "missing before the end"),
        ("()", r"missing before '\)'"),
        ("a &&", "missing before the end"),
        ("|| a", r"missing before '\|\|'"),
        ("(a", r"or \) is missing before the end"),
        ("a)", "nothing is open"),
        ("a b", "&& or || is missing before 'b'"),
        ("(a)(b)", "&& or || is missing"),
        ("a & b", "write && for and"),
        ("a | b", r"write \|\| for or"),
        ("a and b", "write && instead of 'and'"),
        ("a or b", r"write \|\| instead of 'or'"),
        ("not a", "no negation"),
        ("!a", "no negation"),
        ("a,b", "join names"),
        ('"a"', "without quotes"),
        ("'a'", "without quotes"),
        ("a && true", "no dependency can be called 'true'"),
        ("in", "no dependency can be called"),
        ("contains", "no dependency can be called"),
        ("x && a", "declared are a, b, .*unknown dependency 'x'"),
        ("A && b", "unknown dependency 'A'"),
        ("1dep", "start with a letter"),
        ("_a", "start with a letter"),
        ("-a", "letters, digits"),
        ("a.b", "letters, digits"),
        ("a²", "letters, digits"),
        ("a + b", "letters, digits"),
        ("a /* b", "letters, digits"),
        ("a\udcff", "letters, digits"),
    ],
)
def test_says_what_is_wrong(text: str, advice: str) -> None:
    with pytest.raises(ExpressionError, match=advice):
        compile_condition(text, DEPENDENCIES)


def test_the_position_of_an_error_is_where_it_stands() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_condition("a && oops", ["a"])
    assert caught.value.position == 5


def test_names_that_dash_and_underscore_make_equal_can_only_be_used_unnamed() -> None:
    names = ["dep-1", "dep_1", "b"]
    with pytest.raises(ExpressionError, match="dep-1 and dep_1 are the same name"):
        compile_condition("dep-1 && b", names)
    assert compile_condition("b", names).names == ("b",)
    assert compile_condition(None, names).names == ("dep-1", "dep_1", "b")


@pytest.mark.parametrize("text", [None, ""])
def test_without_text_all_dependencies_are_needed(text: str | None) -> None:
    condition = compile_condition(text, ["a-b", "not", "len", "a-b"])
    assert condition.names == ("a-b", "not", "len")
    assert condition.normalized == "a-b&&not&&len"
    assert condition.holds
    assert condition.true_for({"a-b", "not", "len", "other"})
    assert not condition.true_for({"a-b", "not"})


@pytest.mark.parametrize(
    "name", ["in", "IN", "true", "false", "1a", "_a", "-a", "a.b", "a.B", "a b", "a/b", "a:b", "a²", ""]
)
def test_some_names_cannot_be_waited_for(name: str) -> None:
    with pytest.raises(ExpressionError, match="needs another name"):
        compile_condition(None, [name, "b"])


def test_without_dependencies_there_is_nothing_to_wait_for() -> None:
    with pytest.raises(ExpressionError, match="no dependency"):
        compile_condition(None, [])


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a", False),
        ("a || b", False),
        ("a && a", False),
        ("a && b", True),
        ("a || b && c", True),
        ("a && (a || b)", True),
    ],
)
def test_memory_is_needed_where_one_event_may_not_be_enough(text: str, holds: bool) -> None:
    assert compile_condition(text, DEPENDENCIES).holds is holds


def test_held_may_be_anything_that_contains_names() -> None:
    condition = compile_condition("a && (b || c)", DEPENDENCIES)
    assert condition.true_for({"a": 1, "c": 2})
    assert condition.true_for(("a", "b"))
    assert not condition.true_for(frozenset("bc"))


@pytest.mark.parametrize(
    "text", ["(" * 100_000 + "a", "(" * 20_000 + "a" + ")" * 10_000, "a&&" * 400_000 + "a", "(" * 101 + "a"]
)
def test_long_and_deep_conditions_are_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_condition(text, ["a"])


def test_conditions_may_be_nested_and_long_within_reason() -> None:
    deep = "(a&&(b||" * (MAX_DEPTH // 2) + "c" + "))" * (MAX_DEPTH // 2)
    assert compile_condition(deep, DEPENDENCIES).true_for({"a", "c"})
    assert compile_condition("||".join(["b"] * 8000 + ["a"]), DEPENDENCIES).true_for({"a"})


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        ("a", ["a"]),
        ("a || b && c", ["a", "bc"]),
        ("(a || b) && c", ["ac", "bc"]),
        ("a || a && b", ["a"]),
        ("(a || b) && (b || c)", ["b", "ac"]),
        ("a && b && a", ["ab"]),
    ],
)
def test_minimal_sets(text: str, sets: list[str]) -> None:
    assert minimal_sets(compile_condition(text, DEPENDENCIES)) == [frozenset(one) for one in sets]


def test_minimal_sets_are_bounded() -> None:
    names = [f"d{index}" for index in range(200)]
    text = "&&".join(f"(d{index}||d{index + 1})" for index in range(0, 200, 2))
    condition = compile_condition(text, names)
    found = minimal_sets(condition, limit=20)
    assert len(found) == 20
    assert all(condition.true_for(one) for one in found)


NAMES = ["a", "b", "c", "d-1", "e_2", "f"]
LEAVES = st.sampled_from(NAMES)
BLANKS = st.sampled_from(["", " ", "\n", " /* ( */ ", "// !\n"])


def joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["&&", "||"])
    plain = st.builds(lambda *words: "".join(words), parts, BLANKS, operators, parts)
    return plain | plain.map(lambda text: f"({text})")


CONDITIONS = st.recursive(LEAVES, joined, max_leaves=12)
HELD = [frozenset(chosen) for size in range(len(NAMES) + 1) for chosen in combinations(NAMES, size)]


def truth(text: str, held: frozenset[str]) -> bool:
    """Python's `and` and `or` bind as `&&` and `||` do."""
    for comment in ("/* ( */", "// !\n"):
        text = text.replace(comment, " ")
    for index, name in enumerate(NAMES):
        text = text.replace(name, f" {'TF'[name not in held]}{index} ")
    code = text.replace("&&", " and ").replace("||", " or ").replace("\n", " ")
    values = {f"{mark}{index}": mark == "T" for mark in "TF" for index in range(len(NAMES))}
    return bool(eval(code, {}, values))


@given(CONDITIONS)
def test_conditions_follow_their_truth_table(text: str) -> None:
    condition = compile_condition(text, NAMES)
    table = {held: truth(text, held) for held in HELD}
    assert {held: condition.true_for(held) for held in HELD} == table
    assert condition.holds == any(not table[frozenset({name})] for name in condition.names)


@given(CONDITIONS)
def test_the_normalized_text_means_the_same(text: str) -> None:
    condition = compile_condition(text, NAMES)
    again = compile_condition(condition.normalized, NAMES)
    assert (again.names, again.normalized, again.holds) == (
        condition.names,
        condition.normalized,
        condition.holds,
    )
    assert [again.true_for(held) for held in HELD] == [condition.true_for(held) for held in HELD]


@given(CONDITIONS)
def test_minimal_sets_are_exactly_the_smallest_true_sets(text: str) -> None:
    condition = compile_condition(text, NAMES)
    true = [held for held in HELD if condition.true_for(held)]
    assert set(minimal_sets(condition, limit=1_000)) == {
        one for one in true if not any(less < one for less in true)
    }


@given(st.text(alphabet="ab-_1&|() !,.'\"/*é\n\udcff", max_size=20))
def test_nothing_but_expression_errors_escape(text: str) -> None:
    with suppress(ExpressionError):
        condition = compile_condition(text, ["a", "b", "a-b"])
        assert condition.true_for(condition.names)
