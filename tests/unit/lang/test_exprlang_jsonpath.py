"""JSONPath of the filter function `jsonpath`, with values measured on evilmonkeyinc/jsonpath 0.8.1."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.errors import EvaluationError
from events.lang.exprlang import compile_filter

STORE = {
    "book": [
        {"category": "ref", "title": "S", "price": 8.95},
        {"category": "fic", "title": "T", "price": 12.99, "tags": ["a", "b"]},
        {"category": "fic", "isbn": "0-5", "price": 22, "x": None, "n": 0},
    ],
    "bicycle": {"color": "red", "price": 19.95, "length": 3},
    "k": [1, 2, 3, [4, 5], "x", None, True],
    "it's": 1,
    "max": 10,
}
EVENT = {"doc": json.dumps(STORE)}


def query(path: str) -> Any:
    return compile_filter(f"jsonpath(doc, {json.dumps(path)})").evaluate(EVENT)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.max", 10.0),
        ("$['bicycle'].color", "red"),
        ("$['bicycle']['color']", "red"),
        ("$['it\\'s']", 1.0),
        ("$.book[0].title", "S"),
        ("$.book[-1].isbn", "0-5"),
        ("$.book.length", 3),
        ("$.bicycle.length", 3.0),
        ("$.book[(@.length-1)].isbn", "0-5"),
        ("$.book[*].title", ["S", "T"]),
        ("$.book[*].isbn", ["0-5"]),
        ("$..title", ["S", "T"]),
        ("$.k[0,2]", [1.0, 3.0]),
        ("$['max','k']", [10.0, [1.0, 2.0, 3.0, [4.0, 5.0], "x", None, True]]),
        ("$.k[1:3]", [2.0, 3.0]),
        ("$.k[:2]", [1.0, 2.0]),
        ("$.k[-2:]", [None, True]),
        ("$.k[::3]", [1.0, [4.0, 5.0], True]),
        ("$.k[2::-1]", [True, None, "x", [4.0, 5.0], 3.0]),
        ("$.k[1:4][0]", 2.0),
        ("$.book[?(@.price > 10)].price", [12.99, 22.0]),
        ("$.book[?(@.price > 10)][0].price", 12.99),
        ("$.book[?(@.price < $.max)].title", ["S"]),
        ("$.book[?(@.category == 'fic' && @.isbn)].price", []),
        ("$.book[?(@.isbn)].price", [22.0]),
        ("$.book[?(@.n)].price", []),
        ("$.book[?(@.title =~ '^S')].price", [8.95]),
        ("$.book[?(@.x == nil)].isbn", ["0-5"]),
        ("$.book[?(@.price in [22, 8.95])].price", [8.95, 22.0]),
        ("$.book[?(@.category in ['ref'])].price", []),
    ],
)
def test_paths_lead_to_values(path: str, expected: Any) -> None:
    found = query(path)
    assert found == expected


@pytest.mark.parametrize(
    "path",
    [
        *("", "max", "$max", "$.nope", "$.max.x", "$.k[9]", "$.k['a']", "$.book[0]['nope']", "$.k[", "$[]"),
        *("$.k[a]", "$.k[::0]", "$.k[1:2:3:4]", "$.k[0,'a']", "$.max[*]", "$.book[?()]", "$.book[?(@[)]"),
        "$.max.length",
    ],
)
def test_a_path_that_leads_nowhere_is_an_error(path: str) -> None:
    with pytest.raises(EvaluationError):
        query(path)


def test_paths_and_texts_can_come_with_the_event() -> None:
    event = {**EVENT, "path": "$.max"}
    assert compile_filter("jsonpath(doc, path)").evaluate(event) == 10.0
    with pytest.raises(EvaluationError):
        compile_filter("jsonpath(doc, path)").evaluate({**EVENT, "path": "nope"})
    with pytest.raises(EvaluationError):
        compile_filter('jsonpath("{", "$")').evaluate(event)


def test_a_division_by_zero_is_an_error_even_in_a_filter() -> None:
    with pytest.raises(EvaluationError, match="divide by zero"):
        query("$.k[?(1 % 0 == 1)]")


def test_parentheses_that_upstream_cannot_read_are_an_error() -> None:
    with pytest.raises(EvaluationError, match="parentheses"):
        query("$.book[?((@.price > 10 || @.isbn))]")
