"""events.lang.govaluate: expressions of filters."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import EvaluationError, ExpressionError
from events.lang.govaluate import compile_expression

VARIABLES: dict[str, Any] = {
    "a": 5.0,
    "b": "text",
    "t": True,
    "f": False,
    "n": None,
    "z": 0.0,
    "neg": -3.5,
    "big": 1e21,
    "s": "Hello World",
    "num": "12",
    "day": "2024-03-01",
    "list": [1.0, "x", None, True, [1.0], {"k": 1.0}],
    "same": [1.0, "x", None, True, [1.0], {"k": 1.0}],
    "o": {"k": [1.0, {"m": None}], "j": "x"},
    "lists": [[1.0], ["x"]],
    "my-field": "v",
    "a.b": 2.0,
    "pattern": "^H.*d$",
    "broken": "[",
    "é": 1.0,
}


def value_of(text: str) -> Any:
    return compile_expression(text).evaluate(VARIABLES)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # literals and names
        ("12", 12.0),
        (".5", 0.5),
        ("3.", 3.0),
        ("0x1F", 31.0),
        ("0x 1F", 31.0),
        ("007", 7.0),
        (r"1\e3", 1000.0),
        ("true", True),
        ("false", False),
        ("'x'", "x"),
        ('""', ""),
        (r"'it\'s \n \\'", r"it's n " + "\\"),
        ("a", 5.0),
        ("é", 1.0),
        ("[my-field]", "v"),
        ("[a.b]", 2.0),
        (r"my\-field", "v"),
        (r"t\rue", True),
        ("()", None),
        ("\u00a0 a\u2003", 5.0),
        # quotes: the one that opened a string ends it, else either one does
        ("s == \"say 'x'\"", False),
        ("'say \"x\"'", 'say "x"'),
        ("b == 'text\"", True),
        ("\"x' == 'x\"", "x' == 'x"),
        # dates
        ("'2014-01-01'", 1388534400.0),
        ("'2020-01-01T05:04:06.5+01:00' - 0", 1577851446.0),
        ("'3:04PM'", -62167164960.0),
        ("'Mon Jan  2 15:04:05 MST 2006'", 1136214245.0),
        ("'2020-02-30'", "2020-02-30"),
        ("'2020'", "2020"),
        ("day == '2024-03-01'", False),
        ("day =~ '2024-03'", True),
        # equality
        ("a == 5", True),
        ("a == '5'", False),
        ("a != '5'", True),
        ("t == 1", False),
        ("t == true", True),
        ("n == ()", True),
        ("z == ( )", False),
        ("(n == )", True),
        ("z == -0", True),
        ("list == same", True),
        ("o == o", True),
        ("list == lists", False),
        ("0 / z == 0 / z", False),
        ("a == 5 == true", True),
        # order
        ("a > 4.5", True),
        ("b < 'texts'", True),
        ("'é' > 'z'", True),
        ("1 < 2 == true", True),
        # patterns
        ("s =~ 'Wor'", True),
        ("s !~ '^W'", True),
        ("s =~ pattern", True),
        ("s =~ ('l' + 'o')", True),
        ("s =~ 'l' + 'o'", True),
        (r"num =~ '\d'", False),
        (r"num =~ '\\d'", True),
        ("false && s =~ ('[' + '')", False),
        # lists
        ("a in (1, 5)", True),
        ("a IN (1,2)", False),
        ("'x' in list", True),
        ("n in list", True),
        ("1 in list", True),
        ("(1,2)", [1.0, 2.0]),
        ("1, 2", [1.0, 2.0]),
        ("(list, 2) == list", False),
        ("((1, 2), 3)", [1.0, 2.0, 3.0]),
        ("(1, (2, 3))", [1.0, [2.0, 3.0]]),
        ("(1, 2 == 2, a)", [1.0, True, 5.0]),
        # logic
        ("t && a > 1", True),
        ("t || missing", True),
        ("f && missing", False),
        ("t || f && f", True),
        ("!t", False),
        ("! (! t)", True),
        # arithmetic
        ("1 + 2 * 3", 7.0),
        ("10 - 3 - 2", 5.0),
        ("2 ** 3 ** 2", 64.0),
        ("-2 ** 2", 4.0),
        ("10 % 3 * 2", 2.0),
        ("neg % 2", -1.5),
        ("1 / z", math.inf),
        ("-1 / z", -math.inf),
        ("1 / -z", -math.inf),
        ("-a + 2", -3.0),
        ("~a", -6.0),
        ("5 & 3 | 8 ^ 1", 8.0),
        ("1 << 4 + 1", 32.0),
        ("-1 & 255", 255.0),
        ("-8 >> 1", 9.223372036854776e18),
        ("1 << 64", 0.0),
        ("big | 0", -9.223372036854776e18),
        ("2 ** 0.5", math.sqrt(2)),
        ("z ** -1", math.inf),
        ("10 ** 400", math.inf),
        ("10 ** -400", 0.0),
        # concatenation
        ("num + 2", "122"),
        ("2 + num", "212"),
        ("b + n", "text<nil>"),
        ("b + t", "texttrue"),
        ("'' + big", "1e+21"),
        ("'' + 1234567", "1.234567e+06"),
        ("'' + list", "[1 x <nil> true [1] map[k:1]]"),
        ("(b + )", "text<nil>"),
        ("'a' + 1 + 2", "a12"),
        # ternaries
        ("t ? 1 : 2", 1.0),
        ("f ? 1 : 2", 2.0),
        ("f ? 1", None),
        ("t ? n : 2", 2.0),
        ("n ?? 'd'", "d"),
        ("n ?? n", None),
        ("z ?? 1", 0.0),
        ("(n ?? 'x') == 'x'", True),
        ("f ? 1 : f ? 2 : 3", 3.0),
        ("f ? 1 : f", False),
        # what follows a closing parenthesis and is no operator
        ("(1 == 1) 5", True),
        ("(a) b == 3", 5.0),
        ("((a) 5) + 1", 5.0),
        ("a) + (b", 5.0),
        ("(a)(b)", 5.0),
        # members of structs: JSON has none
        ("t || a.B", True),
        ("f && a.B(1) || t", False),
    ],
)
def test_values(text: str, value: Any) -> None:
    found = value_of(text)
    assert type(found) is type(value)
    assert found == value


@pytest.mark.parametrize("text", ["0 / z", "z % z", "neg ** 0.5", "neg ** 1.5", "1 / z - 1 / z", "1 / z % 2"])
def test_values_that_are_no_number(text: str) -> None:
    assert math.isnan(value_of(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("missing", "no variable 'missing'"),
        ("null", "no variable 'null'"),
        ("a.B", r"write \[a.B\]"),
        ("a.B(1)", "members"),
        ("a > '4'", "> needs two numbers or two strings, not a string"),
        ("t <= f", "not a boolean"),
        ("b - 1", "- needs two numbers, not a string"),
        ("list + 1", r"\+ needs two numbers or a string, not a list"),
        ("(n + )", "not null"),
        ("!a", "! needs booleans, not a number"),
        ("-b", "- needs a number, not a string"),
        ("~t", "~ needs a number, not a boolean"),
        ("(! )", "not null"),
        ("a && t", "&& needs booleans, not a number"),
        ("t && a", "&& needs booleans"),
        ("n || t", r"\|\| needs booleans, not null"),
        ("f || o", "not an object"),
        ("a ? 1 : 2", r"\? needs booleans"),
        ("t ? 1 : f ? 2 : 3", r"\? needs booleans, not a number"),
        ("a =~ 'x'", "=~ needs a string on its left"),
        ("b =~ 5", "=~ needs a string on its right"),
        ("day =~ '2024-03-01'", "=~ needs a string on its right, not a number"),
        ("b !~ broken", "regular expression"),
        ("b =~ ('[')", "regular expression"),
        ("a in ('x')", "a list of two or more items, not a string"),
        ("a in b", "a list of two or more items"),
    ],
)
def test_operands_of_a_wrong_kind(text: str, message: str) -> None:
    expression = compile_expression(text)
    with pytest.raises(EvaluationError, match=message) as caught:
        expression.evaluate(VARIABLES)
    assert caught.value.expression == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends where a value"),
        ("  ", "ends where a value"),
        ("a ==", "ends where a value"),
        ("a == 1 &&", "ends where a value"),
        ("(a == 1", "unbalanced"),
        ("a)", "unbalanced"),
        (") a (", "cannot begin"),
        ("a = 'x'", "write =="),
        ("a==-1", "leave a blank"),
        ("t&&!f", "leave a blank"),
        ("!!t", "unknown operator '!!'"),
        ("- -a", "an operator cannot follow a prefix"),
        ("a and t", "a variable cannot follow a variable"),
        ("not t", "a variable cannot follow a variable"),
        ("a not in (1, 2)", "a variable cannot follow a variable"),
        ("len(b)", "no function 'len'"),
        ("a.b == 1", r"write \[a.b\]"),
        ("a. == 1", "with a dot"),
        ("_a", "unknown operator '_'"),
        ("{'k': 1}", "unknown operator '{'"),
        ("@a", "unknown operator '@'"),
        ("a ]", "unknown operator ''"),
        ("'x", "' is not closed"),
        ("\"it's", '" is not closed'),
        ("[a", r"\[ is not closed"),
        ("a\\", "nothing follows the backslash"),
        ("'x\\", "nothing follows the backslash"),
        ("1e3", "a variable cannot follow a number"),
        ("1.2.3", "not a number"),
        (".", "not a number"),
        ("0xg", "hexadecimal"),
        ("0x10000000000000000", "hexadecimal"),
        ("\u0661", "not a number"),
        ("!'x'", "a string cannot follow a prefix"),
        ("1 + '2014-01-01'", "a date cannot follow an operator"),
        ("'2014-01-01' ? 1 : 2", "a ternary operator cannot follow a date"),
        ("a ? , b", "a comma"),
        (", a", "cannot begin"),
        ("a, , b", "a comma cannot follow a comma"),
        ("(a,)", r"\) cannot follow a comma"),
        ("b =~ '['", "regular expression"),
        ("b =~ '(?=x)'", "regular expression"),
    ],
)
def test_text_that_is_no_expression(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        compile_expression(text)


def test_the_position_of_an_error_is_where_it_stands() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression("a == 1 && b = 2")
    assert (caught.value.position, caught.value.expression) == (12, "a == 1 && b = 2")


def test_names_are_the_variables() -> None:
    assert compile_expression("a == 1 && [my field] in (b, c) || a.B").names == {"a", "my field", "b", "c"}
    assert compile_expression("true").names == frozenset()


def test_expressions_compare_by_source() -> None:
    assert compile_expression("a") == compile_expression("a")
    assert compile_expression("a").source == "a"


def test_go_integers_are_numbers() -> None:
    assert compile_expression("a / 2").evaluate({"a": 5}) == 2.5


def test_in_compares_deeply() -> None:
    assert (
        compile_expression("one in many").evaluate(
            {"one": {"k": [1.0]}, "many": [{"k": [2.0]}, {"k": [1.0]}]}
        )
        is True
    )
    assert compile_expression("one in many").evaluate({"one": [True], "many": [[1.0]]}) is False


def test_strings_are_ordered_by_their_bytes() -> None:
    invalid = b"\xff".decode("utf-8", "surrogateescape")
    assert compile_expression("a < b").evaluate({"a": "\U0001f600", "b": invalid}) is True
    assert compile_expression("a =~ '^.$'").evaluate({"a": invalid}) is True


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000 + "1" + ")" * 100_000,
        "(" * 10_000 + "1" + ")" * 10_000,
        "(" * 151 + "1" + ")" * 151,
        "a+(" * 80 + "1" + ")" * 80,
        "a + " * 262_144 + "a",
        "a" * 1_048_576,
    ],
)
def test_long_and_deep_expressions_are_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"longer|deeply"):
        compile_expression(text)


def test_expressions_may_be_nested_and_long_within_reason() -> None:
    assert value_of("(" * 140 + "a" + ")" * 140) == 5.0
    assert value_of("1+(" * 70 + "a" + ")" * 70) == 75.0
    assert value_of("+".join(["1"] * 10_000)) == 10_000.0
    assert value_of(f"a in ({', '.join(map(str, range(5000, 0, -1)))})") is True


def test_deep_values_are_compared_and_not_printed() -> None:
    one: list[Any] = []
    other: list[Any] = []
    for _ in range(50_000):
        one, other = [one], [other]
    variables = {"a": one, "b": other, "c": [other]}
    assert compile_expression("a == b").evaluate(variables) is True
    assert compile_expression("a == c").evaluate(variables) is False
    with pytest.raises(EvaluationError, match="deeply"):
        compile_expression("a + ''").evaluate(variables)


def test_concatenations_are_bounded() -> None:
    with pytest.raises(EvaluationError, match="more than"):
        compile_expression("a + a + a").evaluate({"a": "x" * 500_000})


NUMBERS = st.sampled_from(["1", "2.5", "z", "a", "neg", "(-2)", "0x10"])
COMPARISONS = st.builds(
    "{} {} {}".format, NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS
)


def combined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    plain = st.builds("{} {} {}".format, parts, st.sampled_from(["&&", "||"]), parts)
    return plain | plain.map("({})".format) | parts.map("!({})".format)


@given(st.recursive(COMPARISONS, combined, max_leaves=10))
def test_comparisons_and_logic_mean_what_they_mean_in_python(text: str) -> None:
    code = text.replace("&&", " and ").replace("||", " or ").replace("!(", " not (")
    assert value_of(text) is eval(code, {}, VARIABLES)


@given(st.lists(st.tuples(st.sampled_from("+-*"), NUMBERS), max_size=8))
def test_arithmetic_means_what_it_means_in_python(parts: list[tuple[str, str]]) -> None:
    text = "a" + "".join(f" {operator} {number}" for operator, number in parts)
    assert value_of(text) == eval(text, {}, VARIABLES)


@given(st.text(alphabet="ab1.0x ()[],'\"\\=!<>~&|+-*/%^?:in\n é\udcff", max_size=24))
def test_nothing_but_the_two_errors_escapes(text: str) -> None:
    with suppress(ExpressionError, EvaluationError):
        expression = compile_expression(text)
        assert expression.source == text
        expression.evaluate({"a": 1.0, "b": "x"})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)
OPERATORS = [
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "=~",
    "!~",
    "in",
    "&&",
    "||",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "&",
    "|",
    "^",
    "<<",
    ">>",
    "?",
    ":",
    "??",
    ",",
]


@given(JSON, JSON, st.sampled_from(OPERATORS))
def test_every_operator_takes_any_operands_or_refuses_them(left: Any, right: Any, operator: str) -> None:
    expression = compile_expression(f"a {operator} b")
    with suppress(EvaluationError):
        assert type(expression.evaluate({"a": left, "b": right})) in (
            type(None),
            bool,
            float,
            str,
            list,
            dict,
        )
