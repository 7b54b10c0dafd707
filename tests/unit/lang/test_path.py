"""Paths on documents. Every expected value was checked against gjson v1.19.0."""

from __future__ import annotations

import pytest

from events.errors import EvaluationError, ExpressionError
from events.lang.document import Document
from events.lang.path import MISSING, Result, compile_path

SHOP = r"""{"shop": {"name": "Ebb & Flow", "open": true, "closed": false, "rating": 4.50, "till": null},
 "orders": [
  {"id": 7, "who": "ann", "paid": true, "items": ["tea", "rye bread", "jam"], "sum": 12.5},
  {"id": 8, "who": "bob", "paid": false, "items": [], "sum": 1e2},
  {"id": 9, "who": "ann", "items": ["tea"], "sum": 0, "note": null}],
 "matrix": [[1, 2], [3, [4, 5]], []],
 "app.kind": "dotted", "a*c": "star", "abc": "plain", "7": "seven", "": "nameless", "$ref": "dollar",
 "big": 12345678901234567890123, "neg": -0, "tiny": 1E-7, "esc": "tab\t \u00e9 \ud83d\ude00", "p|q": "pipe",
 "columns": {"x": [1, 2], "y": [3, 4]}, "json": "{\"in\":[1,2]}"}"""


def get(text: str | bytes, path: str) -> Result:
    return compile_path(path).get(Document(text))


def found(path: str, text: str = SHOP) -> tuple[str, str] | None:
    result = get(text, path)
    return (result.kind, result.text) if result.exists else None


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("shop.name", "String", "Ebb & Flow"),
        ("shop.open", "True", "true"),
        ("shop.closed", "False", "false"),
        ("shop.till", "Null", ""),
        ("shop.rating", "Number", "4.5"),
        ("big", "Number", "12345678901234567890123"),
        ("neg", "Number", "-0"),
        ("tiny", "Number", "0.0000001"),
        ("esc", "String", "tab\t é 😀"),
        ("orders.0.items", "JSON", '["tea", "rye bread", "jam"]'),
        ("orders.1.sum", "Number", "100"),
        ("orders.01.id", "Number", "8"),
        ("orders.18446744073709551617.id", "Number", "8"),
        ("matrix.1.1.0", "Number", "4"),
        ("7", "String", "seven"),
        ("", "String", "nameless"),
        ("$ref", "String", "dollar"),
        (r"app\.kind", "String", "dotted"),
        (r"p\|q", "String", "pipe"),
    ],
)
def test_members_and_indexes(path: str, kind: str, text: str) -> None:
    assert found(path) == (kind, text)


@pytest.mark.parametrize(
    "path",
    ["nope", "shop.nope", "shop.name.x", "orders.3", "orders.-1", "orders.+1", "orders.who", "app.kind",
     "a.b", "shop.", "shop..name", "@nope", "shop|@nope", "#", "shop.#", "orders.1#", "orders.##", "!nope"],
)  # fmt: skip
def test_missing(path: str) -> None:
    assert found(path) is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a*", "dotted"),
        ("a?c", "star"),
        (r"a\*c", "star"),
        ("ab*", "plain"),
        ("*.name", "Ebb & Flow"),
        ("*.0.who", "ann"),
        ("shop.*", "Ebb & Flow"),
        ("sh?p.ra*g", "4.5"),
        ("**bc", "plain"),
    ],
)
def test_patterns_take_the_first_member_that_leads_on(path: str, text: str) -> None:
    result = get(SHOP, path)
    assert result.text == text


def test_patterns_do_not_match_elements() -> None:
    assert found("orders.*.id") is None


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("orders.#", "Number", "3"),
        ("orders.#.who", "JSON", '["ann","bob","ann"]'),
        ("orders.#.note", "JSON", "[null]"),
        ("orders.#.nope", "JSON", "[]"),
        ("orders.#.items.#", "JSON", "[3,0,1]"),
        ("orders.#.items.#.x", "JSON", "[[],[],[]]"),
        ("matrix.#.0", "JSON", "[1,3]"),
        ("matrix.1.#", "Number", "2"),
    ],
)
def test_each_element(path: str, kind: str, text: str) -> None:
    assert found(path) == (kind, text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ('orders.#(who=="bob").id', "8"),
        ('orders.#(who="bob").id', "8"),
        ("orders.#(who==bob).id", "8"),
        ('orders.#[who=="bob"].id', "8"),
        ('orders.#( who == "ann" )#.id', "[7,9]"),
        ('orders.#(who!="ann").id', "8"),
        ("orders.#(sum>12)#.id", "[7,8]"),
        ('orders.#(sum<="12.5")#.id', "[7,9]"),
        ('orders.#(who>"ann").id', "8"),
        ('orders.#(who%"a*").id', "7"),
        ('orders.#(who!%"a*").id', "8"),
        ("orders.#(paid==true).id", "7"),
        ("orders.#(paid<true).id", "8"),
        ("orders.#(paid>false).id", "7"),
        ("orders.#(paid>=x)#.id", "[7]"),
        ("orders.#(note)#.id", "[9]"),
        ("orders.#(note==null)#.id", "[]"),
        ("orders.#(note==~null)#.id", "[7,8,9]"),
        ("orders.#(note==~*)#.id", "[9]"),
        ("orders.#(paid==~true)#.id", "[7]"),
        ("orders.#(paid!=~true)#.id", "[8,9]"),
        ("orders.#(sum==~false)#.id", "[9]"),
        ("orders.#(note==~other)#.id", "[]"),
        ('orders.#(items.#(=="jam")).id', "7"),
        ("orders.#(items.#>0)#.id", "[7,9]"),
        ('orders.0.items.#(%"* *")', "rye bread"),
        ('orders.0.items.#(!="tea")#', '["rye bread","jam"]'),
        ('orders.#(who=="eve")#', "[]"),
        ('orders.#(who=="eve")#.id|0', "[]"),
        ('orders.#(who=="ann")#.id|0', "7"),
        ('orders.#(who=="ann")#|1.id', "9"),
        ("matrix.#(#>1)#|#", "2"),
    ],
)
def test_queries(path: str, text: str) -> None:
    result = get(SHOP, path)
    assert (result.exists, result.text) == (True, text)


@pytest.mark.parametrize(
    "path", ['orders.#(who=="eve")', 'orders.#(who=="eve").id', "orders.#(who", "shop.#(name)"]
)
def test_queries_without_a_match(path: str) -> None:
    assert found(path) is None


def test_operand_may_be_escaped() -> None:
    assert found(r'#(=="a\"b\u0063")', r'["x","a\"bc"]') == ("String", 'a"bc')


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("orders|1|who", "bob"),
        ("orders.#.who|1", "bob"),
        ("orders.#.who.1", "[]"),
        ("orders.#.who|@reverse|0", "ann"),
        ("@this.shop.name", "Ebb & Flow"),
        ("columns.@keys", '["x","y"]'),
        ("columns|@values", "[[1, 2],[3, 4]]"),
        ("matrix.@keys", "[null,null,null]"),
        ("shop.name.@keys", "[null]"),
        ("missing|@keys", "[]"),
        ("columns.@reverse", '{"y":[3, 4],"x":[1, 2]}'),
        ("matrix.0.@reverse", "[2,1]"),
        ("abc.@reverse", "plain"),
        ("columns.@group", '[{"x":1,"y":3},{"x":2,"y":4}]'),
        ("matrix.@flatten", "[1, 2,3, [4, 5]]"),
        ('matrix.@flatten:{"deep":true}', "[1,2,3,4,5]"),
        ("columns.@ugly", '{"x":[1,2],"y":[3,4]}'),
        ("columns.@tostr", '{"x": [1, 2], "y": [3, 4]}'),
        ("columns.@tostr|@fromstr|y.0", "3"),
        ("json.@fromstr|in.1", "2"),
        ("json.in", ""),
        ("@dig:who", '["ann","bob","ann"]'),
        ("orders.@dig:items.0", '["tea","tea"]'),
        ("columns.@valid.x.0", "1"),
        ("orders.0.items.@pretty", '["tea", "rye bread", "jam"]\n'),
        ("columns.@pretty", '{\n  "x": [1, 2],\n  "y": [3, 4]\n}\n'),
        ('columns.@pretty:{"indent":"\\t","prefix":" ","width":0}',
         '{\n \t"x": [\n \t\t1,\n \t\t2\n \t],\n \t"y": [\n \t\t3,\n \t\t4\n \t]\n }\n'),
    ],
)  # fmt: skip
def test_pipes_and_modifiers(path: str, text: str) -> None:
    assert get(SHOP, path).text == text


def test_join_merges_objects() -> None:
    text = '[{"a":1,"b":2},5,{"a":3}]'
    assert found("@join", text) == ("JSON", '{"a":3,"b":2}')
    assert found('@join:{"preserve":true}', text) == ("JSON", '{"a":1,"b":2,"a":3}')


def test_pretty_sorts_names_then_kinds() -> None:
    text = '{"b":[{}],"a":true,"a":"x","a":2,"a":null,"\\u0041":{}}'
    assert get(text, '@pretty:{"sortKeys":true}').text == (
        '{\n  "\\u0041": {},\n  "a": null,\n  "a": 2,\n  "a": "x",\n  "a": true,\n  "b": [\n    {}\n  ]\n}\n'
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("[shop.name,nope,7]", '["Ebb & Flow","seven"]'),
        ("[]", '["nameless"]'),
        ("[nope]", "[]"),
        ("{shop.name,7}", '{"name":"Ebb & Flow","7":"seven"}'),
        ('{"n":shop.name,rate:shop.rating}', '{"n":"Ebb & Flow","rate":4.50}'),
        ("{orders.#,<x>:7}", '{"_":3,"\\u003cx\\u003e":"seven"}'),
        ("orders.#.{id,p:paid}", '[{"id":7,"p":true},{"id":8,"p":false},{"id":9}]'),
        ("orders.#.[id,sum]|1", "[8,1e2]"),
        ("[7,abc].1", "plain"),
        ("[7]abc", "plain"),
        ("[7", "nameless"),
        ('[7,!"lit",!{"a":[1]},!true]', '["seven","lit",{"a":[1]},true]'),
        ('{"l":!5}.l', "5"),
        ("nope|!3", "3"),
    ],
)
def test_multipaths_and_literals(path: str, text: str) -> None:
    assert get(SHOP, path).text == text


def test_json_lines() -> None:
    text = '{"a":1}\n{"a":2}\n["x"]\n'
    assert found("..#", text) == ("Number", "3")
    assert found("..1.a", text) == ("Number", "2")
    assert found("..#.a", text) == ("JSON", "[1,2]")
    assert found("..#(a>1)", text) == ("JSON", '{"a":2}')


def test_scalar_documents() -> None:
    assert found("@this", ' "s" ') == ("String", "s")
    assert found("a", "5") is None
    assert found("0", '"[7]"') == ("Number", "7"), "gjson looks for brackets, wherever they are"


def test_first_of_equal_names_wins() -> None:
    assert found("a", '{"a":1,"a":2}') == ("Number", "1")
    assert found("a", r'{"\u0061":1,"a":2}') == ("Number", "1")
    assert found("a.b", '{"a":5,"a":{"c":1},"a":{"b":2}}') == ("Number", "2")
    assert found("x.a", r'{"c":"\u003a","x":{"a":1,"a":2}}') == ("Number", "1"), "an escaped colon"


@pytest.mark.parametrize(
    ("raw", "text", "number", "boolean"),
    [
        ("0", "0", 0.0, False),
        ("-0", "-0", -0.0, False),
        ("-0.0", "-0", -0.0, False),
        ("1.50", "1.5", 1.5, True),
        ("1e3", "1000", 1000.0, True),
        ("25E-4", "0.0025", 0.0025, True),
        ("9007199254740993", "9007199254740993", 9007199254740992.0, True),
        ("18446744073709551616", "18446744073709551616", 1.8446744073709552e19, True),
        ("1e19", "10000000000000000000", 1e19, True),
        ("1e400", "+Inf", float("inf"), True),
        ('"1"', "1", 1.0, True),
        ('"T"', "T", 0.0, True),
        ('"1_000"', "1_000", 1000.0, False),
        ('"0x1p4"', "0x1p4", 16.0, False),
        ('" 1"', " 1", 0.0, False),
        ('"-1e999"', "-1e999", float("-inf"), False),
        ('"0x1p99999"', "0x1p99999", float("inf"), False),
        ('"\\u0054rue"', "True", 0.0, True),
        ("true", "true", 1.0, True),
        ("false", "false", 0.0, False),
        ("null", "", 0.0, False),
        ("[1]", "[1]", 0.0, False),
    ],
)
@pytest.mark.parametrize("spaces", ["", " "])
def test_result_forms(raw: str, text: str, number: float, boolean: bool, spaces: str) -> None:
    doc = Document(f'{{"v":{spaces}{raw}}}')
    path = compile_path("v")
    for result in (path.get(doc), path.scan(doc)):
        assert (result.raw, result.text, str(result.number)) == (raw, text, str(number))
        assert result.boolean is boolean


def test_missing_has_empty_forms() -> None:
    assert not MISSING.exists
    assert (MISSING.kind, MISSING.raw, MISSING.text, MISSING.number, MISSING.boolean) == (
        "Null",
        "",
        "",
        0,
        False,
    )
    assert MISSING.value() is None


def test_values_are_those_of_go() -> None:
    result = get('{"a": {"n": 1, "l": [2, 2.5, {"t": true}], "s": "x", "z": null}}', "a")
    value = result.value()
    assert value == {"n": 1.0, "l": [2.0, 2.5, {"t": True}], "s": "x", "z": None}
    assert isinstance(value["n"], float)
    assert isinstance(value["l"][0], float)


def test_value_takes_the_first_of_equal_names() -> None:
    assert get('{"a":{"x":1,"x":2,"y":["\\ud800"]}}', "a").value() == {"x": 1.0, "y": ["\ufffd"]}


def test_value_of_scalars() -> None:
    doc = Document('{"s":"x","i":3,"f":0.5,"t":true,"n":null}')
    values = [compile_path(name).get(doc).value() for name in "siftn"]
    assert values == ["x", 3.0, 0.5, True, None]
    assert isinstance(values[1], float)


def test_value_of_what_is_no_json_is_read_as_far_as_it_goes() -> None:
    assert get("[{},{}]", '@join:{"preserve":true}').value() == {}
    assert get("{}", "[!5|x]").value() == [0.0]


def test_bytes_that_are_not_utf8_survive() -> None:
    result = get(b'{"a":"\xff","b":{"c":"\xe9\xff"}}', "b.c")
    assert result.text.encode("utf-8", "surrogateescape") == b"\xe9\xff"


def test_halves_of_pairs_become_replacement_characters() -> None:
    assert found("a", r'{"a":"\ud800\u0041b\udc00"}') == ("String", "\ufffdb\ufffd")


def test_patterns_see_one_character_per_bad_byte() -> None:
    assert get(b'{"\xff\xfe":1}', "??").text == "1"
    assert get(b'{"\xff":1}', "?b").exists is False


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("*", "", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("*é", "caf\u00e9", True),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        (r"\?", "?", True),
        ("?", "", False),
        ("a\\", "a\\", False),
        ("*\\", "a\\", True),
        ("", "", True),
    ],
)
def test_glob_operator(pattern: str, text: str, fits: bool) -> None:
    from events.lang.gjson_query import pattern as compiled

    assert compiled(pattern)(text) is fits


def test_glob_work_is_bounded() -> None:
    from events.lang.gjson_query import pattern as compiled

    assert compiled("*a" * 40 + "b")("a" * 20_000) is False


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("a.b", ("a", "b")),
        ("a.0.b", ("a", 0, "b")),
        ("", ("",)),
        ("a.", ("a", "")),
        ("a-b.c d", ("a-b", "c d")),
        ("$ref.x", ("$ref", "x")),
        ("a.01", None),
        ("a.18446744073709551616", None),
        ("a.*", None),
        (r"a\.b", None),
        ("a.#", None),
        ("a.@this", None),
        ("..a", None),
        ("a|b", None),
        ("$.a", None),
    ],
)
def test_keys_are_those_of_plain_paths(path: str, keys: tuple[str | int, ...] | None) -> None:
    compiled = compile_path(path)
    assert (compiled.keys, compiled.source) == (keys, path)


def test_index_means_a_name_to_an_object() -> None:
    assert found("a.0.1", '{"a":{"0":["x","y"]}}') == ("String", "y")


def test_hash_means_a_name_to_an_object() -> None:
    assert found("a.#", '{"a":{"#":1}}') == ("Number", "1")
    assert found("a.#(b.c)", '{"a":{"#(b":{"c)":1}}}') == ("Number", "1")


def test_escapes_do_not_work_in_arrays() -> None:
    assert found(r"a.\0", '{"a":[1]}') is None
    assert found(r"a.\0", '{"a":{"0":1}}') == ("Number", "1")


def test_search_of_each_looks_into_strings() -> None:
    assert found("#.0", '["[5]",[6]]') == ("JSON", "[5,6]")


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ('{"a":1', "a", ("Number", "1")),
        ('{"a":{"b":"x"', "a.b", ("String", "x")),
        ('{"a":"open', "a", None),
        ("[1,2", "#", ("Number", "2")),
        ('[1,"open', "#", None),
        ('{"a":[1,2', "a", ("JSON", "[1,2")),
        ("junk", "a", None),
        ('[{"a', "@pretty", ("JSON", "[\n  {}\n]\n")),
        ('[[{"a":1,"b', "@dig:a", ("JSON", "[1]")),
        ("", "a", None),
        ('x {"a":1}', "a", ("Number", "1")),
    ],
)
def test_text_that_is_no_json_is_read_as_far_as_it_goes(
    text: str, path: str, expected: tuple[str, str] | None
) -> None:
    assert found(path, text) == expected


def test_deep_documents() -> None:
    deep = "[" * 50_000 + "]" * 50_000
    assert get(deep, "0.0.0").kind == "JSON"
    assert get(deep, "#").text == "1"
    assert get('{"a":' * 5000 + "1" + "}" * 5000, "a.a").kind == "JSON"
    with pytest.raises(EvaluationError, match="nested too deeply"):
        get(deep, "@this").value()
    with pytest.raises(EvaluationError, match="nested too deeply"):
        get(deep, "@pretty")


def test_paths_of_very_many_parts() -> None:
    with pytest.raises(EvaluationError, match="nested too deeply"):
        get("[1]", "|".join(["@this"] * 20_000))
    assert get("[1]", ".".join(["a"] * 20_000)).exists is False


@pytest.mark.parametrize("levels", [50, 100, 101, 130])
def test_paths_of_many_levels(levels: int) -> None:
    path = ".".join("#" * levels)
    assert get("[" * levels + "]" * levels, path).text == "[" * (levels - 1) + "0" + "]" * (levels - 1)


def test_deep_flatten_and_dig_do_not_recurse() -> None:
    deep = "[" * 5000 + "7" + "]" * 5000
    assert get(deep, '@flatten:{"deep":true}').text == "[7]"
    assert get("[" * 500 + '{"a":7}' + "]" * 500, "@dig:a").text == "[7]"


def test_jsonpath() -> None:
    assert found("$.orders[0].who") == ("String", "ann")
    assert found("$.orders[*].id") == ("JSON", "[7,8,9]")
    assert found("$.orders[?(@.sum > 12)].id") == ("JSON", "[7,8]")
    assert found("$..note") == ("Null", "")
    assert found("$.shop.rating") == ("Number", "4.5")
    assert found("$.nope") is None
    assert get("[1, 2]", "$").value() == [1.0, 2.0]


@pytest.mark.parametrize(
    "path", ["$.", "$[", "$.a[", "$.a[?(@.b =~ 'x')]", "$.a.`sub(/x/, y)`", "$.a.`split(x)`"]
)
def test_jsonpath_that_does_not_compile(path: str) -> None:
    with pytest.raises(ExpressionError):
        compile_path(path)


def test_jsonpath_needs_json() -> None:
    with pytest.raises(EvaluationError):
        get("{", "$.a")
