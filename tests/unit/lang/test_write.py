"""Writing into JSON text. What is expected was checked against sjson v1.2.5 unless a test says otherwise."""

from __future__ import annotations

import contextlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import EvaluationError
from events.lang.document import Document
from events.lang.path import compile_path
from events.lang.write import MAX_INDEX, compile_dest, quote

JOB = """{
  "kind": "Job", "spec": {"args": ["a", "b"], "env": [{"name": "X", "value": "1"}, {"name": "Y"}]},
  "empty": {}, "none": [], "null": null, "a.b": 1
}"""


@pytest.mark.parametrize(
    ("document", "dest", "expected"),
    [
        ('{"a":1}', "a", '{"a":"v"}'),
        ('{"a": 1 , "b":2}', "a", '{"a": "v" , "b":2}'),
        ("{}", "a.b.c", '{"a":{"b":{"c":"v"}}}'),
        ("", "a.1", '{"a":[null,"v"]}'),
        ("", "2", '[null,null,"v"]'),
        (" \n", "a", '{"a":"v"}'),
        ("5", "a", '{"a":"v"}'),
        ('"text"', "0", '["v"]'),
        ("", "-1", '{"-1":"v"}'),
        ("", "a.-1", '{"a":["v"]}'),
        ("", ":0", '{"0":"v"}'),
        ("{}", "a.:0.b", '{"a":{"0":{"b":"v"}}}'),
        ("{}", "a.:-1", '{"a":{"-1":"v"}}'),
        ('{"l":[1,2]}', "l.0", '{"l":["v",2]}'),
        ('{"l":[ 1, 2 ]}', "l.3", '{"l":[1,2,null,"v"]}'),
        ('{"l":[ 1, 2 ]}', "l.-1", '{"l":[ 1, 2 ,"v"]}'),
        ('{"l":[]}', "l.1", '{"l":[null,"v"]}'),
        ('{"l":[]}', "l.-1.x", '{"l":[{"x":"v"}]}'),
        ('{"l":[1]}', "l.:0", '{"l":["v"]}'),
        ('{"o":{}}', "o.0", '{"o":{"0":"v"}}'),
        ('{"o":{"-1":1}}', "o.-1", '{"o":{"-1":"v"}}'),
        ('{"n":null}', "n.a", '{"n":{"a":"v"}}'),
        ('{"n":null}', "n.1", '{"n":[null,"v"]}'),
        ('{"n":null}', "n.-1", '{"n":{"-1":"v"}}'),
        ('{"n":"s"}', "n.a.0", '{"n":{"a":["v"]}}'),
        ('{"a":1}', "a..b", '{"a":[{"b":"v"}]}'),
        ('{"o":{}}', "o..b", '{"o":{"":{"b":"v"}}}'),
        ("{}", r"a\.b.c", '{"a.b":{"c":"v"}}'),
        ('{"a.b":1}', r"a\.b", '{"a.b":"v"}'),
        ("{}", r"\*\#\|\@\?", '{"*#|@?":"v"}'),
        ("{}", "a\\", '{"a":"v"}'),
        ("{}", 'q"t', '{"q\\"t":"v"}'),
        ("{}", "[x].{y}", '{"[x]":{"{y}":"v"}}'),
        ('{"a":1,"a":2}', "a", '{"a":"v","a":2}'),
        ('{"\\u0061":1}', "a", '{"\\u0061":"v"}'),
        (' {"a":1} ', "b", '{"a":1,"b":"v"}'),
        (' {"a":1} ', "a", ' {"a":"v"} '),
        (' [1 , 2] ', "5", '[1,2,null,null,null,"v"]'),
        ('{"s":"}"}', "t", '{"s":"}","t":"v"}'),
        ("[[1,[2]]]", "0.1.0", '[[1,["v"]]]'),
    ],
)  # fmt: skip
def test_set(document: str, dest: str, expected: str) -> None:
    assert compile_dest(dest).set(document, "v") == expected


@pytest.mark.parametrize(
    ("dest", "old", "new"),
    [
        ("spec.env.#.name", '"X"', '"v"'),
        ('spec.env.#(name=="X").value', '"1"', '"v"'),
        ('spec.env.#(name=="Y")', '{"name": "Y"}', '"v"'),
        ("ki*", '"Job"', '"v"'),
        ("spec.?rgs.1", '"b"', '"v"'),
        ('spec.args.#(=="a")', '"a"', '"v"'),
    ],
)
def test_set_replaces_what_a_search_finds(dest: str, old: str, new: str) -> None:
    expected = JOB.replace(old, new)
    assert compile_dest(dest).set(JOB, "v") == (
        expected.replace('"Y"', '"v"') if dest.endswith("#.name") else expected
    )


def test_set_replaces_all_that_a_query_finds() -> None:
    assert compile_dest("l.#(>1)#").set('{"l":[1,2,3]}', "v") == '{"l":[1,"v","v"]}'
    assert (
        compile_dest("l.#(a)#.a").set('{"l":[{"a":1},{},{"a":[2]}]}', "v") == '{"l":[{"a":"v"},{},{"a":"v"}]}'
    )


@pytest.mark.parametrize(
    "dest",
    ["zz*", "spec.env.#.zz", 'spec.env.#(name=="Z").value', "spec.args|0", "kind|@this", "spec.@this",
     "@this", "spec.env.#", "spec.env.#.name|0"],
)  # fmt: skip
def test_search_without_a_place_changes_nothing(dest: str) -> None:
    assert compile_dest(dest).set(JOB, "v") == JOB


@pytest.mark.parametrize(
    ("document", "dest"),
    [("{}", ""), ("[1]", "a"), ("[1]", "-2"), ("[1]", ":-1"), ('{"l":[]}', "l.x.y"), ('{"l":[]}', "l.1x")],
)
def test_refused(document: str, dest: str) -> None:
    with pytest.raises(EvaluationError):
        compile_dest(dest).set(document, "v")


def test_raw_values_are_not_checked() -> None:
    assert compile_dest("a").set_raw('{"a":1}', "not json") == '{"a":not json}'
    assert compile_dest("a.0").set_raw("", '{"x": 1}') == '{"a":[{"x": 1}]}'


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain <a> & b", '"plain <a> & b"'),
        ("é<", '"é\\u003c"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("a\\b", '"a\\\\b"'),
        ("\b\f\n\r\t\x00\x1f", '"\\b\\f\\n\\r\\t\\u0000\\u001f"'),
        ("\x7f<", '"\x7f<"'),
        ("\u2028\u2029", '"\\u2028\\u2029"'),
        ("\udcff", '"\\ufffd"'),
        ("", '""'),
    ],
)
def test_strings_are_spelled_as_upstream(text: str, quoted: str) -> None:
    assert quote(text) == quoted
    assert compile_dest("a").set("", text) == f'{{"a":{quoted}}}'


@pytest.mark.parametrize(
    ("document", "dest", "expected"),
    [
        ('{"a":"[1,2]"}', "a.0", '{"a":["v"]}'),
        ('[{"a":[{"b":1}]}]', "#.a.#.b", '[{"a":[{"b":1}]}]'),
        (' {"a":1}', "@this", ' {"a":1}'),
    ],
)
def test_documents_that_upstream_breaks_stay_whole(document: str, dest: str, expected: str) -> None:
    assert compile_dest(dest).set(document, "v") == expected


@pytest.mark.parametrize("dest", [f"{MAX_INDEX + 1}", "a.99999999999999999999", "l." + "9" * 5000])
def test_indexes_far_beyond_the_end_are_refused(dest: str) -> None:
    with pytest.raises(EvaluationError, match="index beyond"):
        compile_dest(dest).set('{"l":[]}' if dest[0] != "1" else "[]", "v")


def test_leading_zeros_count_for_nothing() -> None:
    assert compile_dest("l.00000000000001").set('{"l":[]}', "v") == '{"l":[null,"v"]}'


def test_dests_and_documents_of_great_depth() -> None:
    assert compile_dest(".".join("a" * 5000)).set("", "v").count("{") == 5000
    deep = '{"a":' * 500 + "1" + "}" * 500
    assert compile_dest(".".join("a" * 500)).set(deep, "v") == deep.replace("1", '"v"')
    with pytest.raises(EvaluationError, match="nested too deeply"):
        compile_dest("|".join(["@this"] * 20_000)).set("{}", "v")


_names = st.text('abz\u00e9 "<_-:', min_size=1, max_size=4).filter(
    lambda name: name[0] != ":" and name != "-1"
)
_trees = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(_names, _trees, max_size=3),
    st.lists(_names | st.integers(0, 4), min_size=1, max_size=4),
    st.text(),
)
def test_what_was_set_is_found(tree: dict[str, object], keys: list[str | int], value: str) -> None:
    document = orjson.dumps(tree).decode()
    dest = ".".join(map(str, keys))
    try:
        written = compile_dest(dest).set(document, value)
    except EvaluationError:
        return  # a name in an array
    result = compile_path(dest).get(Document(written))
    assert (result.kind, result.text) == ("String", value)


@given(st.text(), st.text(), st.text())
def test_nothing_but_evaluation_errors_escapes(document: str, dest: str, value: str) -> None:
    compiled = compile_dest(dest)
    for put in (compiled.set, compiled.set_raw):
        with contextlib.suppress(EvaluationError):
            assert isinstance(put(document, value), str)
