from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import EvaluationError
from events.lang.gofmt import (
    NO_VALUE,
    Format,
    format_float,
    quote,
    sprint,
    sprint_all,
    sprintf,
    sprintln,
)
from events.lang.govalue import (
    GoInt64,
    GoInts,
    GoNilList,
    GoNilMap,
    GoObject,
    GoStringMap,
    GoStrings,
    GoUint8,
    GoUint64,
    byte_length,
    canonical,
    from_bytes,
    kind_name,
    to_bytes,
    type_name,
)

# The expected texts of this file are what Go 1.26 prints for the same values.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<nil>"),
        (NO_VALUE, "<no value>"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (GoInt64(-7), "-7"),
        ("h\u00e9", "h\u00e9"),
        (3.0, "3"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (999999.0, "999999"),
        (1000000.0, "1e+06"),
        (1234567.0, "1.234567e+06"),
        (-1e21, "-1e+21"),
        (5e-324, "5e-324"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (1 + 2j, "(1+2i)"),
        ([], "[]"),
        (["a", 1e6, None, [True]], "[a 1e+06 <nil> [true]]"),
        ({"b": 2.0, "a": None, "é": "x"}, "map[a:<nil> b:2 é:x]"),
        ({}, "map[]"),
        (GoStrings(["x", "y"]), "[x y]"),
        (GoNilList(), "[]"),
        (GoStringMap(_0="a"), "map[_0:a]"),
    ],
)
def test_sprint_prints_values_as_percent_v(value: Any, text: str) -> None:
    assert sprint(value) == text
    assert value is NO_VALUE or sprintf("%v", value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], ""),
        (["a", "b"], "ab"),
        ([1, 2], "1 2"),
        ([1, "a", 2, 3], "1a2 3"),
        ([None, None, "x", None], "<nil> <nil>x<nil>"),
    ],
)
def test_sprint_all_separates_neighbours_that_are_no_strings(values: list[Any], text: str) -> None:
    assert sprint_all(values) == text


def test_sprintln_separates_all_values() -> None:
    assert sprintln(["a", "b", 1]) == "a b 1\n"


@pytest.mark.parametrize(
    ("value", "verb", "precision", "text"),
    [
        (3.0, "g", -1, "3"),
        (1e6, "f", -1, "1000000"),
        (1e21, "f", -1, "1000000000000000000000"),
        (0.000001234, "f", -1, "0.000001234"),
        (123456.5, "e", -1, "1.234565e+05"),
        (123456.5, "E", 2, "1.23E+05"),
        (2.5, "f", 0, "2"),
        (3.5, "f", 0, "4"),
        (100000.0, "g", 3, "1e+05"),
        (0.0, "e", -1, "0e+00"),
        (-0.0, "g", -1, "-0"),
        (1e100, "G", -1, "1E+100"),
        (3.5, "x", -1, "0x1.cp+01"),
        (1.0, "x", 3, "0x1.000p+00"),
        (1.999, "X", 0, "0X1P+01"),
        (0.0, "x", -1, "0x0p+00"),
        (1.0, "b", -1, "4503599627370496p-52"),
        (math.inf, "f", 2, "+Inf"),
        (math.nan, "e", -1, "NaN"),
    ],
)
def test_format_float_writes_as_strconv(value: float, verb: str, precision: int, text: str) -> None:
    assert format_float(value, verb, precision) == text


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("%05.2f|%q|%x|%v", [3.14159, "a", "hi", ["b", "a", "c"]], '03.14|"a"|6869|[b a c]'),
        ("%d", [8.0], "%!d(float64=8)"),
        ("%s", [8], "%!s(int=8)"),
        ("%s", [None], "%!s(<nil>)"),
        ("%d", [["a", 1]], "[%!d(string=a) 1]"),
        ("%t", [True], "true"),
        ("%d", [True], "%!d(bool=true)"),
        ("%5d|%-5d|%05d|%+d|% d", [1, 2, 3, 4, 5], "    1|2    |00003|+4| 5"),
        ("%x|%X|%#x|%o|%#o|%O|%b|%#b", [255, 255, 255, 8, 8, 8, 5, 5], "ff|FF|0xff|10|010|0o10|101|0b101"),
        ("%.3d|%.0d|", [5, 0], "005||"),
        ("%x", [-255], "-ff"),
        ("%x", [GoUint64(2**64 - 1)], "ffffffffffffffff"),
        ("%c|%q|%U|%#U", [0x65E5, 0x65E5, 0x65E5, 0x65E5], "日|'日'|U+65E5|U+65E5 '日'"),
        ("%c", [-1], "\ufffd"),
        ("%6.2f|%-8.1e|%+.1f|%g", [3.14159, 1234.5, 2.0, 1e21], "  3.14|1.2e+03 |+2.0|1e+21"),
        ("%08.3f|% f", [-3.14159, 1.0], "-003.142| 1.000000"),
        ("%#g|%#.3x", [1.0, 1.0], "1.00000|0x1.000p+00"),
        ("%6v|%06v", [math.inf, -math.inf], "  +Inf|  -Inf"),
        ("%5s|%-5s|%.2s|%05s", ["é", "é", "日本語", "ab"], "    é|é    |日本|000ab"),
        ("%q|%+q|%#q", ['a"\n\x00', "é", "raw"], '"a\\"\\n\\x00"|"\\u00e9"|`raw`'),
        ("% x|%#x|% #X", ["hi", "hi", "hi"], "68 69|0x6869|0X68 0X69"),
        ("%v|%+v|%#v", [["a"], {"k": 1}, ["a", None]], '[a]|map[k:1]|[]interface {}{"a", interface {}(nil)}'),
        ("%#v|%#v", [{"a": 1.0}, GoNilMap()], 'map[string]interface {}{"a":1}|map[string]interface {}(nil)'),
        ("%T %T %T %T", [1, 1.0, GoInt64(1), None], "int float64 int64 <nil>"),
        ("%[2]s %[1]s", ["a", "b"], "b a"),
        ("%[3]d", [1], "%!d(BADINDEX)"),
        ("%[x]d", [1], "%!d(BADINDEX)"),
        ("%*d|%-*d|", [4, 1, 4, 2], "   1|2   |"),
        ("%.*f", [2, 3.14159], "3.14"),
        ("%*d", ["a", 1], "%!(BADWIDTH)1"),
        ("%.*d", [-1, 1], "%!(BADPREC)1"),
        ("%d %d", [1], "1 %!d(MISSING)"),
        ("%d", [1, "x", None], "1%!(EXTRA string=x, <nil>)"),
        ("%", [], "%!(NOVERB)"),
        ("100%%", [], "100%"),
        ("%y", [1], "%!y(int=1)"),
        ("%w", [["a"]], "%!w([]interface {}=[a])"),
        ("%p", [1], "%!p(int=1)"),
        ("%d", [GoUint8(200)], "200"),
        ("%v", [GoInts([1, 2])], "[1 2]"),
        ("%99999999d", [1], "%!(NOVERB)%!(EXTRA int=1)"),
    ],
)
def test_sprintf_prints_as_go(text: str, arguments: list[Any], expected: str) -> None:
    assert sprintf(text, *arguments) == expected


def test_a_parsed_format_can_be_used_again() -> None:
    known = Format("%s=%d;")
    assert [known.render(("a", 1)), known.render(("b", 2.0))] == ["a=1;", "b=%!d(float64=2);"]


class Version(GoObject):
    go_type, go_kind = "*x.Version", "ptr"

    def go_text(self) -> str:
        return "1.2"


class Pair(GoObject):
    go_type = "x.Pair"

    def go_fields(self) -> dict[str, Any]:
        return {"Cert": "c", "Key": None}


def test_objects_print_by_their_method_or_by_their_fields() -> None:
    assert sprintf("%v|%q|%x|%d", Version(), Version(), Version(), 1) == '1.2|"1.2"|312e32|1'
    assert sprintf("%v|%+v|%#v", Pair(), Pair(), Pair()) == (
        '{c <nil>}|{Cert:c Key:<nil>}|x.Pair{Cert:"c", Key:interface {}(nil)}'
    )
    assert sprint([Version()]) == "[1.2]"


def test_bytes_that_are_not_utf8_are_kept_and_count_as_one_character() -> None:
    lone = from_bytes(b"\xff")
    assert sprintf("%3s|%q|%x", lone, lone, lone) == f"  {lone}|" + '"\\xff"|ff'
    assert to_bytes(sprintf("%s", lone)) == b"\xff"


def test_pieces_of_a_character_become_the_character_again() -> None:
    joined = sprintf("%s%s", from_bytes(b"\xc3"), from_bytes(b"\xa9"))
    assert joined == "é"
    assert canonical(from_bytes(b"\xc3") + from_bytes(b"\xa9")) == "é"
    assert byte_length("é") == 2


def test_surrogates_that_stand_for_no_byte_become_replacement_characters() -> None:
    assert to_bytes("\ud800\udcff\udfff") == b"\xef\xbf\xbd\xff\xef\xbf\xbd"


@pytest.mark.parametrize("text", ["%4000000d%4000000d", "%.5000000f", "%5000000v"])
def test_text_beyond_the_limit_is_an_error(text: str) -> None:
    with pytest.raises(EvaluationError, match="longer"):
        sprintf(text, 1.0, 1.0)


def test_values_that_share_parts_many_times_are_refused_and_not_printed_for_ever() -> None:
    value: list[Any] = ["x" * 1000]
    for _ in range(60):
        value = [value, value]
    with pytest.raises(EvaluationError, match="longer"):
        sprint(value)


def test_values_nested_too_deeply_are_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(EvaluationError, match="deeply"):
        sprint(value)


def test_a_python_object_that_is_no_go_value_is_refused() -> None:
    with pytest.raises(EvaluationError, match="no Go value: object"):
        sprint(object())


def test_types_and_kinds_have_their_go_names() -> None:
    assert [type_name(value) for value in (None, 1, 1.0, "", [], {}, GoStrings(), Version())] == [
        "<nil>", "int", "float64", "string", "[]interface {}", "map[string]interface {}", "[]string",
        "*x.Version",
    ]  # fmt: skip
    assert [kind_name(value) for value in (None, True, GoInt64(1), GoStringMap(), Pair(), Version())] == [
        "invalid", "bool", "int64", "map", "struct", "ptr"
    ]  # fmt: skip


class Spelled(float):
    """A float that remembers its text, as some decoders make them."""


def test_a_subclass_counts_as_the_type_below_it() -> None:
    assert (type_name(Spelled(1)), kind_name(Spelled(1)), sprint(Spelled(1e6))) == (
        "float64",
        "float64",
        "1e+06",
    )


def test_quote_escapes_what_go_does_not_print() -> None:
    assert quote('é"\u200b\U0001f600\x7f') == '"é\\"\\u200b\U0001f600\\x7f"'
    assert quote("é\U0001f600", ascii_only=True) == '"\\u00e9\\U0001f600"'


TEXT = st.text(st.characters(), max_size=8) | st.binary(max_size=8).map(from_bytes)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.builds(GoUint8, st.integers(0, 255))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
FORMATS = TEXT | st.text("%[]*.0123456789+-# vTtdboOqxXUeEfgGscpw", max_size=20)


@given(FORMATS, st.lists(VALUES, max_size=4))
def test_sprintf_gives_text_or_an_evaluation_error(text: str, arguments: list[Any]) -> None:
    with suppress(EvaluationError):
        assert isinstance(sprintf(text, *arguments), str)


@given(VALUES)
def test_sprint_gives_canonical_text(value: Any) -> None:
    text = sprint(value)
    assert isinstance(value, str) or canonical(text) == text


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from("efg"))
def test_shortest_floats_read_back_as_themselves(value: float, verb: str) -> None:
    assert float(format_float(value, verb)) == value


@given(st.binary())
def test_bytes_survive_the_way_through_text(data: bytes) -> None:
    assert to_bytes(from_bytes(data)) == data
