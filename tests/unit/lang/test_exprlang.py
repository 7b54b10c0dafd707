"""Filter expressions of event sources: results, errors, the environment."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from events.errors import EvaluationError, ExpressionError
from events.lang.exprlang import compile_filter

PUSH: dict[str, Any] = {
    "headers": {"X-Event": ["push"], "Accept": ["text/html", "*/*"]},
    "body": {
        "id": 4,
        "name": "Joe",
        "ok": True,
        "nil": None,
        "tags": ["a", "b", "c"],
        "nums": [3, 1, 2],
        "items": [{"sku": "A", "qty": 2, "price": 5}, {"sku": "B", "qty": 0, "price": 7.5}],
        "my-key": "dashed",
        "json": '{"k": [1, 2]}',
    },
}


class Env:
    now = datetime(2024, 6, 1, 12, tzinfo=UTC)
    random = Random(1)


def passes(expression: str, data: Any = PUSH) -> bool:
    return compile_filter(expression).passes(data)


def value(expression: str, data: Any = PUSH) -> Any:
    return compile_filter(expression).evaluate(data)


def failure(expression: str, data: Any = PUSH) -> EvaluationError:
    compiled = compile_filter(expression)
    with pytest.raises(EvaluationError) as caught:
        compiled.passes(data)
    return caught.value


def refusal(expression: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compile_filter(expression)
    return caught.value


# --- Results


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('body.name == "Joe" and body.id > 3', True),
        ('headers["X-Event"][0] in ["push", "tag"]', True),
        ('"push" in headers["X-Event"]', True),
        ('body.name not in ["Joe", "Ann"]', False),
        ('body["my-key"] == "dashed"', True),
        ("body.id > 9 ? true : body.ok", True),
        ("body.missing?.deeper == nil", True),
        ("any(body.items, {.qty > 1 and .sku startsWith 'A'})", True),
        ("body.items | filter(.qty > 0) | len() == 1", True),
        ('body.name matches "^J.e$"', True),
        ("body.nums == [3.0, 1.0, 2.0]", True),
        ("body.nums == [3, 1, 2]", False),
        ("body.id in 1..5", True),
        ('duration("90s").Minutes() == 1.5', True),
        ("let n = body.id; n * n == 16", True),
    ],
)
def test_a_filter_tells_whether_the_event_passes(expression: str, expected: bool) -> None:
    assert passes(expression) is expected


def test_a_result_that_is_no_bool_is_an_error() -> None:
    assert "no bool" in failure("body.id").message
    assert "no bool" in failure("body.nil").message


def test_the_source_is_kept() -> None:
    assert compile_filter("body.ok").source == "body.ok"


# --- The event


@pytest.mark.parametrize("data", [[], "text", 1, 1.5, True])
def test_an_event_that_is_no_object_cannot_be_judged(data: Any) -> None:
    assert "no JSON object" in failure("true", data).message


def test_null_is_an_event_without_variables() -> None:
    assert passes("a == nil", None) is True


def test_dashes_in_top_level_keys_are_underscores() -> None:
    assert value("a_b", {"a-b": 1}) == 1.0
    assert value("a.b_c", {"a": {"b-c": 1}}) is None


def test_a_key_with_underscores_wins_over_a_rewritten_one() -> None:
    assert value("a_b", {"a_b": 1, "a-b": 2}) == 1.0
    assert value("a_b", {"a-b": 2, "a_b": 1}) == 1.0


def test_dotted_keys_are_nested_maps() -> None:
    assert value("a.b + a.c.d", {"a.b": 1, "a.c.d": 2}) == 3.0
    assert value('$env["a.b"]', {"a.b": 1}) is None


def test_a_key_that_is_a_dotted_prefix_of_another_is_dropped() -> None:
    assert value("[a.b, a.c]", {"a": {"b": 1}, "a.c": 2}) == [None, 2.0]


def test_integers_of_the_event_count_as_floats() -> None:
    assert type(value("body.id")) is float
    assert value("type(body.id)") == "float"
    assert value("body.nums") == [3.0, 1.0, 2.0]
    assert all(type(item) is float for item in value("body.nums"))
    assert "int" not in failure("body.id % 2 == 0").message.replace("float64 % int", "")


def test_integers_beyond_float_precision_are_rounded() -> None:
    assert passes("n == 9007199254740992", {"n": 9007199254740993}) is True


def test_an_integer_beyond_every_float_cannot_be_judged() -> None:
    assert "too large" in failure("n == 1", {"n": 10**400}).message


def test_events_and_constants_are_never_changed() -> None:
    before = copy.deepcopy(PUSH)
    for _ in range(2):
        assert value('sprig.set(body, "extra", 1).extra') == 1
        assert value('sprig.set({"a": 1}, "b", 2)') == {"a": 1, "b": 2}
        assert value('sprig.unset(body, "id").id') is None
        value("sort(body.nums)")
    assert before == PUSH


# --- The environment


def test_functions_of_argo_events_are_there() -> None:
    assert value('asInt("42")') == 42
    assert value('asFloat("1.5")') == 1.5
    assert value("toJson(body.nums)") == "[3,1,2]"
    assert value('jsonpath(body.json, "$.k[1]")') == 2.0
    assert value('sprig.upper("a")') == "A"


def test_functions_hide_keys_of_the_same_name() -> None:
    assert value("asInt(sprig.atoi('1'))", {"asInt": 5, "sprig": 6}) == 1


def test_builtins_hide_keys_of_the_same_name() -> None:
    assert refusal("len == 3").position is not None
    assert passes("$env.x == 3", {"x": 3}) is True


def test_the_process_environment_is_out_of_reach() -> None:
    assert "cannot be called" in failure('sprig.env("HOME") == ""').message
    assert "cannot be called" in failure('sprig.expandenv("$HOME") == ""').message


def test_now_needs_an_environment() -> None:
    assert compile_filter("now().Year() == 2024", Env()).passes({}) is True
    assert compile_filter("sprig.now().Year() == 2024", Env()).passes({}) is True
    assert "not available" in failure("now().Year() == 2024", {}).message
    assert "not available" in failure("sprig.now().Year() == 2024", {}).message


def test_functions_take_no_other_types_than_declared() -> None:
    assert "float64 as string" in failure("sprig.upper(body.id) == ''").message
    assert "float64 as int" in failure("sprig.trunc(body.id, 'abc') == ''").message
    assert "<nil> as string" in failure("sprig.upper(body.nil) == ''").message


# --- Errors


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("", 0),
        ("body. .id", 6),
        ("body.name == `Joe`", 13),
        ("1 +", 3),
        ("(1", 2),
        ("a b", 2),
        ('x == "open', 5),
        ('"a\\q"', 0),
        ("1a", 0),
        ("/* open", 0),
        ("# > 1", 0),
        ("true && /* c */ ?", 16),
        ("all(x)", 5),
        ("99999999999999999999", 0),
        ("let len = 1; len", 4),
    ],
)
def test_wrong_text_is_refused_where_it_is_wrong(expression: str, position: int) -> None:
    assert refusal(expression).position == position
    assert refusal(expression).expression == expression


@pytest.mark.parametrize(
    "expression",
    [
        "not nil",
        "nil ? 1 : 2",
        '1 + "a"',
        'true || 1 + "a" == 2',
        '1 in ["a"]',
        'body.name matches "["',
        "len(1)",
        "trim(1)",
        "upper('a', 'b')",
        "map(1..3, nil)",
        "filter(1, true)",
        "all([1], 5)",
        'duration("1s").Foo()',
        "a ?? 1 + 2",
        "7 % 0",
    ],
)
def test_what_cannot_be_right_for_any_event_is_refused(expression: str) -> None:
    assert refusal(expression).message


@pytest.mark.parametrize(
    "expression",
    [
        "body.nil.x == 1",
        "body.tags[5] == 1",
        "body.id % 2 == 0",
        "body.id and true",
        "body.id ? true : false",
        'body.id in {"4": 1}',
        'body.id in ["4"]',
        "body..id",
        'body.name matches "[" + ""',
        "any(body.nil, true)",
        'fromJSON("{") == 1',
        'jsonpath(body.json, "$.nope") == nil',
        "findIndex(body.nums, # > 5) == 2",
        "(body.ok ? body.id : 1) == 4 and (body.nil == nil ? 1 : 2) == body.nil.x",
        "foo() == 1",
    ],
)
def test_what_upstream_cannot_judge_is_an_error(expression: str) -> None:
    assert failure(expression).expression == expression


def test_errors_do_not_appear_where_nothing_is_evaluated() -> None:
    assert passes("body.ok or body.nil.x") is True
    assert passes("body.nil.x and false") is False
    assert passes('false and sprig.upper(1 + "a") == ""') is False


# --- Upstream's oddities that expressions can depend on


def test_literal_conditions_hand_on_the_other_side() -> None:
    assert value("true and body.id") == 4.0
    assert value("string(body.ok and body.id)") == "4"


def test_a_mapped_filter_counts_from_the_filtered_list() -> None:
    assert value("map(filter([5, 6, 7], # > 5), #index)") == [1, 2]


def test_the_first_hit_ends_a_filter() -> None:
    assert value('filter([1, "x"], # > 0)[0]') == 1
    assert "cannot" not in failure('filter([1, "x"], # > 0)[1] == 1').message


def test_a_search_from_the_end_has_its_value_on_either_side() -> None:
    """Upstream leaves values on its stack here, so that `2 == findLast(...)` compares true with the hit."""
    assert passes("2 == findLast([1, 2], # == 2)") is True
    assert passes("nil == findLast([1, 2], # == 3)") is True
    assert value("[7, filter([5, 6], # > 1)[-1]]") == [7, 6]


def test_an_ended_chain_leaves_its_neighbours_alone() -> None:
    """Upstream compares the argument 1 with nil here."""
    assert passes("nil == body.missing?.call(1)") is True


def test_a_not_before_a_looser_operator_is_lost() -> None:
    assert value("1 + 2 not in [3]") is True


@pytest.mark.parametrize("text", ["true // c", "/* c */ true", "true\n//c\n"])
def test_comments_are_skipped(text: str) -> None:
    assert passes(text) is True


def test_json_text_of_events_needs_no_special_types() -> None:
    assert passes("a.b[0].c == 'x'", json.loads('{"a": {"b": [{"c": "x"}]}}')) is True
