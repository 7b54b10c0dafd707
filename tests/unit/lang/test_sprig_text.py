"""Sprig functions for strings."""

from __future__ import annotations

from typing import Any

import pytest

from events.errors import EvaluationError
from events.lang.govalue import GoInt64, GoStringMap, GoStrings
from events.lang.sprig import FUNCTIONS
from tests.unit.lang.sprig_cases import ERROR, check

# name, arguments, result; what Go 1.26 with Sprig 3.3.0 gives
CASES: list[tuple[str, tuple[Any, ...], Any]] = [
    ("hello", (), "Hello!"),
    ("upper", ("straße",), "STRAßE"),
    ("lower", ("ΑΣİ",), "ασi"),
    ("trunc", (5, "hello world"), "hello"),
    ("trunc", (-5, "hello world"), "world"),
    ("trunc", (2, "Héllo"), "H\udcc3"),
    ("trunc", (0, "abc"), ""),
    ("trunc", (-9, "abc"), "abc"),
    ("trunc", (9, "abc"), "abc"),
    ("substr", (0, 5, "hello world"), "hello"),
    ("substr", (6, -1, "hello world"), "world"),
    ("substr", (-1, 5, "hello world"), "hello"),
    ("substr", (2, 99, "hello"), "llo"),
    ("substr", (3, 2, "hello"), ERROR),
    ("substr", (-1, -1, "hello"), ERROR),
    ("substr", (9, -1, "hello"), ERROR),
    ("abbrev", (5, "hello world"), "he..."),
    ("abbrev", (3, "hello world"), "hello world"),
    ("abbrev", (20, "hello world"), "hello world"),
    ("abbrevboth", (5, 10, "1234 5678 9123"), "...5678..."),
    ("abbrevboth", (0, 8, "hello world"), "hello..."),
    ("abbrevboth", (6, 7, "hello world"), "...w..."),
    ("abbrevboth", (9, 9, "hello world etc"), "...ld etc"),
    ("trim", (" \t x y \xa0\u2003",), "x y"),
    ("trim", ("\x1cx\x1c",), "\x1cx\x1c"),
    ("trimAll", ("$-", "$-5.00-$"), "5.00"),
    ("trimall", ("", "  a"), "  a"),
    ("trimSuffix", ("-", "a--"), "a-"),
    ("trimPrefix", ("ab", "abab"), "ab"),
    ("contains", ("", "abc"), True),
    ("contains", ("bc", "abc"), True),
    ("hasPrefix", ("ab", "abc"), True),
    ("hasSuffix", ("bc", "abd"), False),
    ("repeat", (3, "ab"), "ababab"),
    ("repeat", (0, "ab"), ""),
    ("repeat", (-1, "ab"), ERROR),
    ("replace", ("a", "bb", "banana"), "bbbnbbnbb"),
    ("replace", ("", "-", "añb"), "-a-ñ-b-"),
    ("indent", (2, "a\nb\n"), "  a\n  b\n  "),
    ("nindent", (3, "a\nb"), "\n   a\n   b"),
    ("indent", (-1, "a"), ERROR),
    ("wrap", (5, "a bb ccc dddd longword x"), "a bb\nccc\ndddd\nlongword\nx"),
    ("wrap", (0, "a b"), "a\nb"),
    ("wrapWith", (4, "|", "a bb longword x"), "a bb|long|word|x"),
    ("wrapWith", (4, "", "abcdefgh"), "abcd\nefgh"),
    ("plural", ("one", "many", 1), "one"),
    ("plural", ("one", "many", 0), "many"),
    ("plural", ("one", "many", -1), "many"),
    ("toString", (None,), "<nil>"),
    ("toString", (1000000.0,), "1e+06"),
    ("toString", (1234567.0,), "1.234567e+06"),
    ("toString", ([1.0, "a", None],), "[1 a <nil>]"),
    ("toString", ({"a": [True], "b": 1.0},), "map[a:[true] b:1]"),
    ("toStrings", (None,), GoStrings([])),
    ("toStrings", ("a",), GoStrings(["a"])),
    ("toStrings", ([1.0, None, "x"],), GoStrings(["1", "x"])),
    ("toStrings", (3,), GoStrings(["3"])),
    ("quote", ("a", 1, None, 'b"c\n'), '"a" "1" "b\\"c\\n"'),
    ("quote", (), ""),
    ("squote", ("a", None, 2.5), "'a' '2.5'"),
    ("cat", ("a", None, 2, "b"), "a 2 b"),
    ("cat", (), ""),
    ("join", ("-", ["a", 1.0, None, True]), "a-1-true"),
    ("join", (",", "abc"), "abc"),
    ("join", (",", None), ""),
    ("join", ("-", {"a": 1.0}), "map[a:1]"),
    ("splitList", (",", "a,,b"), GoStrings(["a", "", "b"])),
    ("splitList", ("", "héy"), GoStrings(["h", "é", "y"])),
    ("splitList", (",", ""), GoStrings([""])),
    ("split", (".", "a.b"), GoStringMap({"_0": "a", "_1": "b"})),
    ("splitn", (".", 2, "a.b.c"), GoStringMap({"_0": "a", "_1": "b.c"})),
    ("splitn", (".", 0, "a.b"), GoStringMap({})),
    ("splitn", ("", 2, "abc"), GoStringMap({"_0": "a", "_1": "bc"})),
    ("snakecase", ("FirstName",), "first_name"),
    ("snakecase", ("HTTPServer",), "http_server"),
    ("snakecase", ("http2xx",), "http_2xx"),
    ("snakecase", ("Bld4Floor3rd",), "bld4_floor_3rd"),
    ("snakecase", ("GO PATH-x",), "go_path_x"),
    ("snakecase", ("a.bC",), "a.b_c"),
    ("snakecase", ("ÉtéÀB",), "été_àb"),
    ("snakecase", ("",), ""),
    ("kebabcase", ("FirstName_Second 3rd",), "first-name-second-3rd"),
    ("kebabcase", ("NoHTTPS",), "no-https"),
    ("kebabcase", ("日本X",), "日本-x"),
    ("camelcase", ("http_server",), "HttpServer"),
    ("camelcase", ("_complex__case_",), "_Complex_Case_"),
    ("camelcase", ("GOLANG is-great",), "GolangIsGreat"),
    ("camelcase", ("__",), "___"),
    ("camelcase", ("a",), "A"),
    ("title", ("hello wörld-foo_bar it's",), "Hello Wörld-Foo_bar It'S"),
    ("title", ("ǆx ßa",), "ǅx ßa"),
    ("untitle", ("Hello World",), "hello world"),
    ("untitle", ("ÉA",), "éA"),
    ("swapcase", ("This Is A.Test ß",), "tHIS iS a.tEST ß"),
    ("swapcase", ("ab ǅ",), "AB ǆ"),
    ("initials", ("John Doe",), "JD"),
    ("initials", ("é à",), "ÃÃ"),
    ("nospace", (" a b ",), "ab"),
    ("nospace", ("é b",), "Ã©b"),
    ("nospace", ("éb",), "éb"),
    ("upper", (3,), ERROR),
    ("trunc", ("2", "abc"), ERROR),
    ("trunc", (2.0, "abc"), ERROR),
    ("repeat", (GoInt64(2), "a"), ERROR),
    ("upper", (), ERROR),
    ("join", ("-",), ERROR),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), CASES)
def test_gives_what_go_gives(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    check(name, arguments, expected)


def test_trim_all_takes_the_replacement_character_for_any_broken_byte() -> None:
    assert FUNCTIONS["trimAll"]("\ufffd", "\udcff\udc80a\ufffd") == "a"


def test_names_keep_bytes_that_are_no_text() -> None:
    assert FUNCTIONS["snakecase"]("a\udcffb") == "a\udcffb"
    assert FUNCTIONS["snakecase"]("a\udcffB") == "a_\ufffdb"
    assert FUNCTIONS["camelcase"]("a\udcff") == "A\ufffd"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("repeat", (1 << 40, "ab")),
        ("indent", (1 << 30, "a")),
        ("nindent", (1 << 22, "a\nb")),
        ("replace", ("", "x" * 3000, "y" * 3000)),
        ("wrapWith", (1, "x" * 3000, "y" * 3000)),
        ("join", ("x" * 3000, ["y"] * 3000)),
        ("splitList", ("", "x" * 1_000_001)),
        ("split", (",", "," * 1_000_001)),
    ],
)
def test_results_without_bound_are_refused(name: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(EvaluationError, match=r"would (be longer|have more)"):
        FUNCTIONS[name](*arguments)


def test_splitn_bounds_its_pieces_by_the_count() -> None:
    assert FUNCTIONS["splitn"](",", 2, "," * 1_500_000)["_0"] == ""
