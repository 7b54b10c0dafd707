"""jq programs: what the table of measured outputs (test_jq_measured) does not show."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.errors import EvaluationError, ExpressionError
from events.lang import gojson
from events.lang.jq import NotAnObject, compile_jq

PUSH = {
    "ref": "refs/heads/main",
    "size": 12345678901234567,
    "commits": [{"id": "a1", "n": 1, "by": {"name": "Mira"}}, {"id": "b2", "n": 2.0, "by": None}],
}


def text(program: str, data: Any = PUSH) -> str:
    return gojson.dumps(compile_jq(program).transform(data)).decode()


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("{ref}", '{"ref":"refs/heads/main"}'),
        ("{id: .commits[0].id, last: .commits[-1].n}", '{"id":"a1","last":2}'),
        ('{branch: (.ref | sub("refs/heads/"; ""))}', '{"branch":"main"}'),
        ("{size}", '{"size":12345678901234568}'),
        ("{x: (.size + 1)}", '{"x":12345678901234568}'),
        ("{x: 9007199254740993}", '{"x":9007199254740993}'),
        ("{by: [.commits[].by.name]}", '{"by":["Mira",null]}'),
        (".commits | map({(.id): .n}) | add", '{"a1":1,"b2":2}'),
        ("del(.commits) | .size = 1", '{"ref":"refs/heads/main","size":1}'),
        ("first({a: 1}, error)", '{"a":1}'),
        ("{a: 1}, {b: 2}", '{"a":1}'),
        ('{n: ("59.90" | fromjson), m: ("59.90" | fromjson + 0)}', '{"m":59.9,"n":59.90}'),
    ],
)
def test_transform(program: str, expected: str):
    assert text(program) == expected


def test_null_is_an_empty_object():
    assert compile_jq(".a = 1").transform(None) == {"a": 1}


@pytest.mark.parametrize("data", [[1], "s", 5, True])
def test_only_objects_are_transformed(data: Any):
    with pytest.raises(EvaluationError, match="no JSON object"):
        compile_jq(".").transform(data)


@pytest.mark.parametrize("program", [".commits", ".ref", "1", "null", "empty, 1"])
def test_the_first_output_has_to_be_an_object(program: str):
    with pytest.raises(NotAnObject):
        compile_jq(program).transform(PUSH)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("empty", "no output"),
        ('error("boom")', "error: boom"),
        ("error({a: 1})", 'error: {"a":1}'),
        (".ref.x", 'expected an object but got: string ("refs/heads/main")'),
        ("halt", "halted"),
        ("try halt catch {}", "halted"),
        ("{a: (1 / 0)}", "cannot divide number"),
        ('{a: ("x" | test("(?<=a)b"))}', "invalid regular expression"),
        ('{a: ("x" | test("(a)\\\\1"))}', "invalid regular expression"),
        ("def f: [f]; f", "nested too deeply"),
        ("{a: now}", "`now` is not known"),
        ("try {a: now} catch {}", "`now` is not known"),
    ],
)
def test_run_time_errors(program: str, message: str):
    with pytest.raises(EvaluationError) as caught:
        compile_jq(program).transform(PUSH)
    assert message in caught.value.message
    assert caught.value.expression == program


@pytest.mark.parametrize(
    ("program", "position"),
    [
        ("", 0),
        (".a.", 3),
        ("{a", 2),
        ("1 == 2 == 3", 7),
        ("{x: $x}", 4),
        ("{x: nope(1)}", 4),
        ("{x: debug}", 4),
        ("input", 0),
        ("1 | inputs", 4),
        ("break $out", 0),
        ("$__loc__", 0),
        ('"\\(1"', 4),
        ("def f: 1;", 9),
    ],
)
def test_errors_in_the_text_have_an_offset(program: str, position: int):
    with pytest.raises(ExpressionError) as caught:
        compile_jq(program)
    assert caught.value.position == position


@pytest.mark.parametrize(
    "program", ['import "a" as a; .', 'include "a"; .', "(" * 5000, "[" * 400 + "]" * 400]
)
def test_what_cannot_be_compiled(program: str):
    with pytest.raises(ExpressionError):
        compile_jq(program)


def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET", "x")
    program = "{a: $ENV.SECRET, b: env.SECRET, c: ($ENV | length), d: (env | keys)}"
    assert compile_jq(program).transform({}) == {"a": None, "b": None, "c": 0, "d": []}


def test_now_is_an_argument():
    program = compile_jq("{t: now, d: (now | todate)}")
    assert program.transform({}, 1_700_000_000.5) == {"t": 1_700_000_000.5, "d": "2023-11-14T22:13:20Z"}


def test_the_event_is_not_changed():
    data = {"a": {"b": [1, {"c": 2}]}}
    compile_jq(".a.b[1].c = 9 | .a.b[0] |= empty | del(.a.x) | .. |= .").transform(data)
    assert data == {"a": {"b": [1, {"c": 2}]}}


def test_one_program_can_run_many_times():
    program = compile_jq("reduce range(3) as $i (.; .n += $i)")
    assert [program.transform({"n": n})["n"] for n in range(3)] == [3, 4, 5]


def test_updates_copy_a_container_once():
    size = 20_000
    changed = compile_jq(".l[] |= . + 1").transform({"l": list(range(size))})
    assert changed["l"][-1] == size


@pytest.mark.parametrize(
    "program",
    [
        "{x: (0 | until(. >= 50000; . + 1))}",
        "{x: last(0 | while(. <= 50000; . + 1))}",
        "{x: last(limit(50001; 0 | recurse(. + 1)))}",
        "{x: (reduce range(50000) as $i (0; . + 1))}",
        "{x: ([limit(50000; repeat(1))] | add)}",
        "{x: last(range(50001))}",
        "{x: ([range(50000)] | length)}",
        "{x: ([foreach range(50000) as $i (0; . + 1)] | last)}",
    ],
)
def test_long_loops_need_no_stack(program: str):
    assert compile_jq(program).transform({}) == {"x": 50000}


def test_a_lazy_source_is_not_drained():
    program = """def f($x): $x;
        {a: first(range(1; infinite)), b: first(f(range(1; infinite))), c: any(1, error("x"); .)}"""
    assert compile_jq(program).transform({}) == {"a": 1, "b": 1, "c": True}


def test_alternatives_of_a_pattern_bind_all_names():
    program = '.["v"] as {a: $x, b: $y} ?// [$x, $z] | {x: $x, y: $y, z: $z}'
    assert compile_jq(program).transform({"v": [1, 2]}) == {"x": 1, "y": None, "z": 2}
    assert compile_jq(program).transform({"v": {"a": 1, "b": 2}}) == {"x": 1, "y": 2, "z": None}


def test_builtins_lists_names_with_arity():
    listed = compile_jq("{b: builtins}").transform({})["b"]
    assert {"map/1", "sub/3", "now/0", "paths/1", "range/3"} <= set(listed)
    assert not [name for name in listed if name.startswith(("@", "_"))]


PIECES = """
. .. .a .b? .[0] [] {} ( ) [ ] { } | , ; : // //= |= += == < and or not 1 2.5 -1 "a" "\\(.)" null true if then
elif else end try catch reduce foreach as $x label $f break def f : empty error map( select( path( recurse
limit( first( keys length add tojson fromjson tostring split( test( sub( getpath( del( @csv ?// walk( range(
to_entries min_by( $ENV now strftime( strptime( gmtime splits( infinite nan tonumber implode
"""


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from(PIECES.split()), max_size=12),
    st.sampled_from([{}, PUSH, {"a": [1, "x", None], "b": {"c": "é\udc80"}}]),
)
def test_nothing_but_the_two_errors_escapes(pieces: list[str], data: Any):
    program = " ".join(pieces)
    with contextlib.suppress(ExpressionError, EvaluationError):
        gojson.dumps(compile_jq(f"first({program}), {program}").transform(data, 1.0))


@settings(max_examples=300)
@given(st.text())
def test_any_text_compiles_or_is_an_expression_error(program: str):
    with contextlib.suppress(ExpressionError):
        compile_jq(program)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_laws_that_hold_for_every_value(value: Any):
    program = compile_jq(
        """.v as $v | {
            identity: ($v == $v),
            stream: (fromstream($v | tostream) == $v),
            paths: (reduce ($v | paths(type != "object" and type != "array")) as $p
                (true; . and ([$v | getpath($p)] | length == 1))),
            rebuilt: ($v | reduce (paths as $p | [$p, getpath($p)]) as [$p, $x] ($v; setpath($p; $x)) == $v),
            sorted: ([$v, $v, null] | sort | .[0] == null),
            walked: ($v | walk(.) == $v),
            deleted: ($v | del(.. | select(false)) == $v),
            updated: ($v | (.. |= .) == $v),
            entries: ($v | if type == "object" then with_entries(.) == $v else true end)
        }"""
    )
    results = program.transform({"v": value})
    assert {name for name, holds in results.items() if holds is not True} == set()
