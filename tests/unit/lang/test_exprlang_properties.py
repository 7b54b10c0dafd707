"""Properties of filter expressions that hold for any text and any event."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from events.errors import EvaluationError, ExpressionError
from events.lang.exprlang import compile_filter
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.jsonpath import Path
from events.lang.exprlang.lexer import EOF, tokenize
from events.lang.gofmt import sprint

WORDS = (
    *(
        "a",
        "b.c",
        "l",
        "s",
        "n",
        "$env",
        "1",
        "2.5",
        "0x1F",
        '"x"',
        "'é'",
        "true",
        "nil",
        "#",
        ".a",
        "#index",
        "#acc",
    ),
    *(
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        ";",
        "?",
        "??",
        "?.",
        "..",
        ".",
        "|",
        "+",
        "-",
        "*",
        "/",
        "%",
        "**",
    ),
    *("==", "!=", "<", ">=", "and", "or", "not", "in", "contains", "matches", "let", "x", "=", "&&", "!"),
    *(
        "len(",
        "all(l, ",
        "map(l, ",
        "filter(l, ",
        "reduce(l, ",
        "sort(",
        "string(",
        "toJSON(",
        "split(s, ",
        "int(",
    ),
    *(
        "date(",
        "duration(",
        "first(",
        "groupBy(l, ",
        "sprig.add(",
        "sprig.list(",
        "jsonpath(s, ",
        "get(",
        "sum(",
    ),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
EVENTS = st.dictionaries(st.sampled_from(["a", "b", "l", "s", "n", "a.b", "a-b", "x.y.z", "", "."]), JSON)


def outcome(expression: str, event: Any) -> Any:
    """What comes of it; anything but the two declared errors escapes."""
    try:
        value = compile_filter(expression).evaluate(event)
    except (ExpressionError, EvaluationError) as exc:
        return type(exc)
    return sprint(value)


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), EVENTS)
@settings(max_examples=150)
def test_any_words_and_any_event(expression: str, event: dict[str, Any]) -> None:
    """No other errors; integers and equal floats give the same; the event stays as it is."""
    before = copy.deepcopy(event)
    assert outcome(expression, event) == outcome(expression, with_floats(event))
    assert event == before


def with_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: with_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_floats(item) for item in value]
    return float(value) if type(value) is int else value


@given(st.text(max_size=40))
@settings(max_examples=120)
def test_no_characters_raise_other_errors(text: str) -> None:
    outcome(text, {})


@given(st.text())
def test_a_quoted_text_is_itself(text: str) -> None:
    quoted = "".join(f"\\U{ord(char):08x}" for char in text if not "\ud800" <= char <= "\udfff")
    assert compile_filter(f'"{quoted}"').evaluate({}) == "".join(
        c for c in text if not "\ud800" <= c <= "\udfff"
    )


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_tokens_follow_each_other_in_the_text(words: list[str]) -> None:
    text = " ".join(words)
    positions = [token.position for token in tokenize(text)]
    assert positions == sorted(set(positions))
    assert positions[-1] == len(text)
    assert tokenize(text)[-1].kind is EOF


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_loops_agree_with_python(numbers: list[float]) -> None:
    event = {"l": numbers}
    positive = [number for number in numbers if number > 0]
    assert compile_filter("filter(l, # > 0)").evaluate(event) == positive
    assert compile_filter("count(l, # > 0)").evaluate(event) == len(positive)
    assert compile_filter("all(l, # > 0)").evaluate(event) == (len(positive) == len(numbers))
    assert compile_filter("any(l, # > 0)").evaluate(event) == bool(positive)
    assert compile_filter("find(l, # > 0)").evaluate(event) == (positive[0] if positive else None)
    assert compile_filter("sort(l)").evaluate(event) == sorted(numbers)


@given(st.text(), st.integers(-20, 20), st.integers(-20, 20))
def test_strings_are_cut_by_bytes(text: str, start: int, stop: int) -> None:
    data = text.encode("utf-8", "replace").decode()
    cut = compile_filter(f"s[{start}:{stop}]").evaluate({"s": data})
    low, high = (max(len(data.encode()) + end, 0) if end < 0 else end for end in (start, stop))
    assert cut.encode("utf-8", "surrogateescape") == data.encode()[min(low, high) : high]


@given(st.text(alphabet="$@.[]()'\"*?,:0123 -+=<>&|!~abnil", max_size=30), JSON)
@settings(max_examples=120)
def test_no_json_path_raises_other_errors(path: str, document: Any) -> None:
    with suppress(EvaluationError):
        Path("$" + path).query(Budget(), with_floats(document))
