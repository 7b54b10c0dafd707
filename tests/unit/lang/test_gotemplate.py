from __future__ import annotations

import copy
import random
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import EvaluationError, ExpressionError
from events.lang.gotemplate import MAX_STEPS, Env, compile_template
from events.lang.govalue import from_bytes, to_bytes

# The expected texts of this file are what Go 1.26 prints for the same templates.

INPUT: dict[str, Any] = {
    "s": "hello",
    "u": "Héllo",
    "l": ["b", "a", "c"],
    "m": {"k": "v", "z": 1.0, "nul": None},
    "f": 3.7,
    "i": 8.0,
    "big": 12345678.0,
    "e": "",
    "t": True,
    "nul": None,
    "el": [],
    "ln": [None, 1.0, "x"],
    "lm": [{"a": 1.0}, {}],
    "my-key": "dashed",
}


def env() -> Env:
    return Env(datetime(2024, 1, 1, tzinfo=UTC), random.Random(1))


def render(template: str, given: Any = None) -> str:
    return compile_template(template).render({"Input": INPUT if given is None else given}, env())


TEXT = [
    ("", ""),
    ("plain", "plain"),
    ("{{ .Input.s }}", "hello"),
    ("a {{- 1 -}} b", "a1b"),
    ("a {{- /* c */ -}} b", "ab"),
    ("a {{/* c */}} b", "a  b"),
    ("a\n{{- if .Input.t }}\n  b\n{{- end }}\nc", "a\n  b\nc"),
    ("{{- 1}}{{-1}}{{1 -}}  ", "1-11"),
    ("}}{{1}}", "}}1"),
    ('{{"}}"}}', "}}"),
    ("{{\n.Input.s\n}}", "hello"),
    ('{{"a" | print "b" | print "c"}}', "cba"),
    ("{{1 | }}", "1"),
]

LITERALS = [
    ("{{1_000}} {{0x1F}} {{0b11}} {{0o17}} {{017}}", "1000 31 3 15 15"),
    ("{{1e3}} {{0x1p4}} {{.5}} {{5.}} {{1_0.5}} {{1e6}}", "1000 16 0.5 5 10.5 1e+06"),
    ("{{+5}} {{-5}} {{-0}} {{9223372036854775807}}", "5 -5 0 9223372036854775807"),
    ('{{printf "%T %T %T %T %T" 1 1.0 1e3 0x1e -0x1e}}', "int float64 float64 int float64"),
    (r"{{'a'}} {{'\n'}} {{'\x41'}} {{'\''}} {{'é'}} {{'\377'}}", "97 10 65 39 233 255"),
    ("{{1i}} {{1+2i}} {{-1-2i}}", "(0+1i) (1+2i) (-1-2i)"),
    (r'{{"\a\t\\\"\101\x41\u00e9\U0001F600"}}', '\a\t\\"AAé\U0001f600'),
    (r'{{`\n"`}}{{true}}{{false}}', '\\n"truefalse'),
    ("{{`a\r\nb`}}", "a\nb"),
]

FIELDS = [
    ("{{.Input.nope}} {{.Input.nope.x.y}}", "<no value> <no value>"),
    ("{{.Input.nul}} {{(.Input.nul).x}} {{$x := .Input.nul}}{{$x.y}}", "<no value> <no value> <no value>"),
    ("{{.Input.m}} {{.Input.ln}}", "map[k:v nul:<nil> z:1] [<nil> 1 x]"),
    ("{{print .Input.nul}} {{print nil}} {{printf `%v` .Input.nope}}", "<nil> <nil> <nil>"),
    ("{{.Input.big}} {{.Input.f}} {{print .Input.i}}", "1.2345678e+07 3.7 8"),
    ("{{(.Input.m).k}}{{(index .Input.lm 0).a}}{{$.Input.s}}", "v1hello"),
    ("{{.Input.nope 1}}", "ERROR"),
    ("{{.Input.nope.x 1}} {{1 | .Input.nope.x}}", "<no value> <no value>"),
    ('{{index .Input "my-key"}}', "dashed"),
    ("{{.Input.nul.x}}", "ERROR"),
    ("{{.Input.s.x}}", "ERROR"),
    ("{{.Input.l.x}}", "ERROR"),
    ("{{.Input.f.x}}", "ERROR"),
    ("{{.Input.s 1}}", "ERROR"),
    ("{{1 | .Input.s}}", "ERROR"),
    ("{{(1).x}}", "ERROR"),
    ("{{nil}}", "ERROR"),
    ("{{(1) 2}}", "ERROR"),
    ("{{1 2}}", "ERROR"),
]

CONTROL = [
    ("{{if .Input.e}}y{{else if .Input.t}}t{{else}}n{{end}}", "t"),
    ("{{if $x := .Input.e}}{{$x}}{{else if $y := .Input.s}}{{$x}}{{$y}}{{end}}", "hello"),
    ("{{with .Input.e}}a{{else with .Input.s}}{{.}}{{else}}c{{end}}", "hello"),
    ("{{with $x := .Input.m}}{{$x.k}}{{.z}}{{$.Input.s}}{{end}}", "v1hello"),
    ("{{range .Input.l}}{{.}},{{end}}", "b,a,c,"),
    ("{{range $k, $v := .Input.m}}{{$k}}={{$v}};{{end}}", "k=v;nul=<no value>;z=1;"),
    ("{{range $i, $v := .Input.ln}}{{$i}}{{$v}};{{end}}", "0<no value>;11;2x;"),
    ("{{range 3}}{{.}}{{end}}{{range $i := 2}}{{$i}}{{end}}{{range -1}}x{{else}}e{{end}}", "01201e"),
    ("{{range .Input.el}}x{{else}}e{{end}}{{range .Input.nope}}x{{else}}n{{end}}", "en"),
    ('{{range .Input.l}}{{if eq . "a"}}{{break}}{{end}}{{.}}{{end}}', "b"),
    ('{{range .Input.l}}{{if eq . "a"}}{{continue}}{{end}}{{.}}{{end}}', "bc"),
    ("{{range 2}}{{range $.Input.el}}{{else}}{{break}}{{end}}x{{end}}", "xx"),
    ("{{range 2}}{{range $.Input.el}}{{else}}{{continue}}{{end}}x{{end}}", ""),
    ("{{range $i, $e := .Input.el}}{{else}}{{$e}}{{$i}}{{end}}", "[][]"),
    ("{{range .Input.s}}x{{end}}", "ERROR"),
    ("{{range .Input.i}}x{{end}}", "ERROR"),
    ("{{range $i, $j := 3}}x{{end}}", "ERROR"),
    ("{{range .Input.ln}}{{.x}}{{end}}", "ERROR"),
]

VARIABLES = [
    ("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
    ("{{$x := 1}}{{if true}}{{$x = 2}}{{$x}}{{end}}{{$x}}", "22"),
    ('{{$s := ""}}{{range .Input.l}}{{$s = print $s .}}{{end}}{{$s}}', "bac"),
    ("{{$x := 0}}{{range $x = .Input.l}}{{end}}{{$x}}", "c"),
    ("{{$x := 0}}{{range $x = .Input.el}}{{end}}{{$x}}", "[]"),
    ("{{$x := 0}}{{if false}}{{$x := 1}}{{else}}{{$x}}{{end}}", "0"),
    ("{{print ($x := 1) $x}}", "1 1"),
    ("{{$ = 1}}{{$}}{{.Input.s}}", "1hello"),
    ("{{if false}}{{$x := 1}}{{else}}{{$x}}{{end}}", "ERROR"),
    ("{{and false ($x := 1)}}{{$x}}", "ERROR"),
    ("{{$x = 1}}", "ERROR"),
]

TEMPLATES = [
    ('{{define "a"}}[{{.}}]{{end}}{{template "a"}}{{template "a" .Input.s}}', "[<no value>][hello]"),
    ('{{define "a"}}{{$.k}}{{end}}{{template "a" .Input.m}}', "v"),
    (
        '{{define "r"}}{{if .}}{{index . 0}}{{template "r" (rest .)}}{{end}}{{end}}{{template "r" .Input.l}}',
        "bac",
    ),
    ('{{block "b" .Input}}{{.s}}{{end}}{{template "b" .Input.m}}', "hello<no value>"),
    ('{{template "a" $y := 1}}{{$y}}{{define "a"}}<{{.}}>{{end}}', "<1>1"),
    ('{{define "a"}}x{{end}}{{define "a"}} {{end}}{{template "a"}}', "x"),
    ('{{define "a"}} {{end}}{{define "a"}}x{{end}}{{template "a"}}', "x"),
    ('{{template "missing"}}', "ERROR"),
    ('{{if false}}{{template "missing"}}{{end}}ok', "ok"),
    ('{{define "a"}}{{template "a"}}{{end}}{{template "a"}}', "ERROR"),
]

FUNCTIONS = [
    ("{{and 1 0 2}}|{{or 0 `` `z`}}|{{not 0}}", "0|z|true"),
    ('{{and 0 (fail "x")}}{{or 1 (fail "x")}}{{1 | and 0}}{{0 | or 1}}', "0101"),
    ("{{eq 1 2 1}} {{eq .Input.i 8.0}} {{ne `a` `b`}} {{eq .Input.nope nil}}", "true true true true"),
    ("{{eq nil 1}} {{eq .Input.l nil}} {{eq (rest (list)) nil}}", "false false true"),
    ("{{lt 1 2}} {{le `a` `a`}} {{gt 2.5 .Input.f}} {{ge 2 2}}", "true true false true"),
    ("{{eq (index `abc` 1) 98}} {{gt -1 (index `abc` 1)}}", "true false"),
    ("{{len .Input.u}} {{len .Input.l}} {{len .Input.m}}", "6 3 3"),
    ("{{index .Input.l 1}} {{index .Input.s 1}} {{index .Input `nope`}}", "a 101 <no value>"),
    ('{{(split "," "a,b")._1}}{{(split "," "a")._9}}{{index (split "," "a") "_9"}}', "b<no value>"),
    (
        "{{html \"<a href='x'>&\\x00\"}} {{html .Input.nul}}",
        "&lt;a href=&#39;x&#39;&gt;&amp;\ufffd &lt;no value&gt;",
    ),
    (r'{{js "it\'s" | len}}', "COMPILE"),
    ('{{js "<b> \\"q\\" = \\\\ \\n é \\u2028"}}', '\\u003Cb\\u003E \\"q\\" \\u003D \\\\ \\u000A é \\u2028'),
    ('{{urlquery "a b&c=é~"}} {{urlquery 1 "x"}}', "a+b%26c%3D%C3%A9~ 1x"),
    ("{{print 1 2 `a` `b` 3 4}}|{{println `a` 1}}", "1 2a b3 4|a 1\n".replace("a b", "ab")),
    ("{{printf `%d %s` .Input.i nil}}", "%!d(float64=8) %!s(<nil>)"),
    ("{{`x` | printf `%s-%s` `y`}}", "y-x"),
    ("{{printf .Input.s}}", "hello"),
    ("{{trunc 2 `abc`}}{{trunc 2.0 `abc`}}{{trunc 0x2 `abc`}}", "ababab"),
    ("{{keys .Input.nope}}{{keys nil}}{{keys (.Input.nul)}}", "[][][]"),
    (
        "{{$t := toDate `2006-01-02` `2024-02-29`}}{{$t.Year}} {{($t.AddDate 0 1 0.0).Format `Jan 2`}}",
        "2024 Mar 29",
    ),
    ("{{`Jan` | (now).Format}}", "Jan"),
    ("{{(semver `1.2.3`).Minor}} {{now.Year}}", "2 2024"),
    ("{{eq .Input.i 8}}", "ERROR"),
    ("{{eq .Input.l .Input.l}}", "ERROR"),
    ("{{eq `a` `b` 1}}", "ERROR"),
    ("{{eq 1}}", "ERROR"),
    ("{{lt true false}}", "ERROR"),
    ("{{lt nil 1}}", "ERROR"),
    ("{{lt 1 2.0}}", "ERROR"),
    ("{{len 3}}", "ERROR"),
    ("{{len .Input.nul}}", "ERROR"),
    ("{{index .Input.l 3}}", "ERROR"),
    ("{{index .Input.l -1}}", "ERROR"),
    ("{{index .Input.l .Input.i}}", "ERROR"),
    ("{{index .Input 1}}", "ERROR"),
    ("{{index nil}}", "ERROR"),
    ("{{index .Input `nul` `x`}}", "ERROR"),
    ("{{index .Input.f 1}}", "ERROR"),
    ("{{call .Input.s}}", "ERROR"),
    ("{{and}}", "ERROR"),
    ("{{not 1 2}}", "ERROR"),
    ("{{upper 5}}", "ERROR"),
    ("{{upper .Input.nul}}", "ERROR"),
    ("{{upper .Input.nope}}", "ERROR"),
    ("{{upper `a` `b`}}", "ERROR"),
    ("{{trunc 2.5 `abc`}}", "ERROR"),
    ("{{trunc `2` `abc`}}", "ERROR"),
    ("{{trunc .Input.i `abc`}}", "ERROR"),
    ("{{trunc (add 1 1) `abc`}}", "ERROR"),
    ("{{keys .Input.nul}}", "ERROR"),
    ("{{keys (split `,` `a`)}}", "ERROR"),
    ("{{ternary 1 2 `x`}}", "ERROR"),
    ("{{print 9223372036854775808}}", "ERROR"),
    ("{{now.Year 1}}", "ERROR"),
    ("{{now.Nope}}", "ERROR"),
    ('{{fail "boom"}}', "ERROR"),
    ("{{if false}}{{upper 5}}{{nil}}{{upper}}{{fail `x`}}{{end}}ok", "ok"),
]

INVALID_WORDS = """
{{ {{1 {{1} {{(1}} {{1)}} {{()}} {{1,2}} {{end}} {{else}} {{break}} {{$x}} {{$x=1}} {{bad}} {{.a-b}} {{.1a}}
{{..}} {{"a".x}} {{nil.x}} {{true.x}} {{08}} {{1__0}} {{0x1.8}} {{1e400}} {{18446744073709551616}} {{1a}}
{{1.2.3}} {{1+2}} {{"a {{"\\q"}} {{"\\ud800"}} {{"\\400"}} {{"\\'"}} {{`a {{''}} {{'ab'}} {{'a {{#}}
{{template}} {{if {{1}}}}{{"""
INVALID = [
    *INVALID_WORDS.split(),
    "{{ }}",
    "{{| 1}}",
    "{{1 | 2}}",
    "{{1 | .}}",
    "{{if}}{{end}}",
    "{{if 1}}",
    "{{if 1}}{{else}}{{else}}{{end}}",
    "{{if 1}}{{else with 1}}{{end}}",
    "{{with 1}}{{else if 1}}{{end}}",
    "{{range 1}}{{else if 1}}{{end}}",
    "{{range .x}}{{else}}{{break}}{{end}}",
    '{{range 1}}{{block "a" .}}{{break}}{{end}}{{end}}',
    '{{$x := 1}}{{define "a"}}{{$x}}{{end}}',
    "{{with $x := 1}}{{end}}{{$x}}",
    "{{$x, $y := 1}}",
    "{{range $a, $b, $c := .l}}{{end}}",
    "{{range $a, 1}}{{end}}",
    "{{$x: = 1}}",
    "{{\u00a0}}",
    "{{/* c",
    "{{/* c */ 1}}",
    "{{ /* c */ }}",
    "{{define a}}x{{end}}",
    '{{define "a"}}',
    "{{template a}}",
    '{{template "a" 1',
    '{{block "b"}}{{end}}',
    '{{define "a"}}x{{end}}{{define "a"}}y{{end}}',
    '{{if true}}{{define "a"}}x{{end}}{{end}}',
    '{{define "param"}}x{{end}}y',
]


@pytest.mark.parametrize(
    ("template", "expected"),
    [*TEXT, *LITERALS, *FIELDS, *CONTROL, *VARIABLES, *TEMPLATES, *FUNCTIONS],
)
def test_a_template_gives_what_go_gives(template: str, expected: str) -> None:
    if expected == "COMPILE":
        with pytest.raises(ExpressionError):
            compile_template(template)
    elif expected == "ERROR":
        known = compile_template(template)
        with pytest.raises(EvaluationError):
            known.render({"Input": INPUT}, env())
    else:
        assert render(template) == expected


@pytest.mark.parametrize("template", INVALID)
def test_bad_syntax_is_an_error_with_a_position_inside_the_template(template: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template(template)
    assert caught.value.expression == template
    assert caught.value.position is not None
    assert 0 <= caught.value.position <= len(template)


def test_the_position_is_that_of_the_unknown_name() -> None:
    with pytest.raises(ExpressionError, match="'nosuch' not defined") as caught:
        compile_template("line\n{{ upper nosuch }}")
    assert caught.value.position == 14


def test_a_failing_evaluation_names_function_and_template() -> None:
    with pytest.raises(EvaluationError, match="upper: float64 where string is expected") as caught:
        render("{{ upper .Input.f }}")
    assert caught.value.expression == "{{ upper .Input.f }}"


def test_a_definition_with_the_name_of_the_main_template_takes_its_place() -> None:
    assert render('{{define "param"}}x{{end}}') == "x"


def test_bytes_that_are_not_utf8_pass_through() -> None:
    assert to_bytes(render(r'{{"\xff"}}{{"\xc3"}}{{"\xa9"}}')) == b"\xff\xc3\xa9"
    assert render(r'{{"\xc3"}}{{"\xa9"}}') == "é"
    assert to_bytes(render(from_bytes(b'\xfe{{"\xfe"}}{{`\xfe`}}'))) == b"\xfe\xef\xbf\xbd\xfe"


def test_data_is_not_changed_by_functions_that_change_their_argument() -> None:
    data = {"Input": {"m": {"k": "v"}, "l": [{"a": 1.0}]}}
    before = copy.deepcopy(data)
    known = compile_template(
        '{{$x := set .Input.m "n" 1}}{{.Input.m}}{{range .Input.l}}{{unset . "a"}}{{end}}'
    )
    assert [known.render(data, env()) for _ in range(2)] == ["map[k:v n:1]map[]"] * 2
    assert data == before


def test_a_nil_map_given_to_a_function_is_a_new_one_each_time() -> None:
    known = compile_template("{{keys nil}}{{keys .Input.nope}}")
    assert [known.render({"Input": {}}, env()) for _ in range(2)] == ["[][]", "[][]"]


def test_rendering_again_with_the_same_environment_gives_the_same() -> None:
    known = compile_template("{{uuidv4}} {{now}} {{randAlphaNum 8}}")
    assert known.render({}, env()) == known.render({}, env())


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{{ .Input.body.name }}", ("Input", "body", "name")),
        ("{{- .a -}}", ("a",)),
        ("x{{ .a }}", None),
        ("{{ .a }} ", None),
        ("{{ . }}", None),
        ("{{ .a | upper }}", None),
        ("{{ .a 1 }}", None),
        ("{{ $.a }}", None),
        ("{{ $x := .a }}", None),
        ("", None),
    ],
)
def test_only_a_template_that_is_one_path_has_a_plain_path(
    template: str, path: tuple[str, ...] | None
) -> None:
    assert compile_template(template).plain_path == path


@pytest.mark.parametrize(
    "template",
    [
        "{{range 10000000}}{{end}}",
        "{{range until 1000000}}{{range until 1000000}}{{end}}{{end}}",
        '{{$x := repeat 1000000 "a"}}{{range 1000000}}{{$y := sha256sum $x}}{{end}}',
        '{{range 1000}}{{$x := derivePassword 1 "long" "p" "u" "s" | sha1sum}}{{end}}',
        '{{define "a"}}{{template "a"}}{{template "a"}}{{end}}{{template "a"}}',
        '{{len (repeat 4000000 "a")}}' * 100,
        "{{len (list" + ' (repeat 4000000 "a")' * 100 + ")}}",
    ],
)
def test_endless_work_is_refused(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.lang.gotemplate.run.MAX_STEPS", MAX_STEPS // 10)
    with pytest.raises(EvaluationError, match=r"steps|deeply"):
        render(template)


@pytest.mark.parametrize(
    "template",
    [
        '{{range 1000}}{{repeat 100000 "abc"}}{{end}}',
        '{{repeat 3000000 "a"}}{{repeat 3000000 "a"}}',
        '{{$s := "aa"}}{{range 100}}{{$s = print $s $s}}{{end}}',
        "{{$l := list (repeat 9999 `x`)}}{{range until 60}}{{$l = list $l $l}}{{end}}{{$l}}",
    ],
)
def test_endless_output_is_refused(template: str) -> None:
    with pytest.raises(EvaluationError, match="longer"):
        render(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}",
        "{{if 1}}" * 5000 + "{{end}}" * 5000,
        "{{" + "print (" * 3000 + "1" + ")" * 3000 + "}}",
    ],
)
def test_deep_nesting_of_a_template_is_an_error_and_no_crash(template: str) -> None:
    with pytest.raises((ExpressionError, EvaluationError), match="deeply"):
        render(template)


def test_a_long_chain_of_else_is_no_deep_nesting() -> None:
    assert render("{{if false}}a" + "{{else if false}}b" * 3000 + "{{else}}z{{end}}") == "z"


def test_deeply_nested_data_is_an_error_and_no_crash() -> None:
    data: Any = []
    for _ in range(100_000):
        data = [data]
    with pytest.raises(EvaluationError, match="deeply"):
        render("{{ .Input }}", data)
    with pytest.raises(EvaluationError, match="deeply"):
        render('{{ $x := set (dict) "a" 1 }}{{ .Input }}', data)


def test_the_budget_of_steps_is_that_of_one_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.lang.gotemplate.run.MAX_STEPS", 300)
    known = compile_template("{{range 90}}{{upper `a`}}{{end}}")
    assert [known.render({}, env()) for _ in range(4)] == ["A" * 90] * 4
    with pytest.raises(EvaluationError, match="steps"):
        compile_template("{{range 110}}{{upper `a`}}{{end}}").render({}, env())


WORD_LIST = """
{{ }} {{- | ( ) $x $ := = , . .Input .s .l .nul nil true 1 2.5 'a' "a" `b` if else end {{end}} range with
break continue define template block print printf "%d%v" index len eq and or list dict upper now set keys text
é \udcff /* */ 0x _ i"""
NAME_LIST = """
print printf index len eq lt and or not list dict upper toJson set get first add default html js call
now.Format trunc"""
WORDS = st.sampled_from(WORD_LIST.split())
NAMES = st.sampled_from(NAME_LIST.split())
OPERANDS = st.sampled_from(["1", '"a"', "nil", ".", ".Input.s", ".Input.l", ".Input.nul", ".Input.m.k", "$"])
COMMANDS = st.builds(
    lambda name, operands: " ".join([name, *operands]), NAMES, st.lists(OPERANDS, max_size=3)
)
ACTIONS = st.builds(
    lambda first, others: "{{" + " | ".join([first, *others]) + "}}",
    COMMANDS | OPERANDS,
    st.lists(COMMANDS, max_size=2),
)
BLOCKS = st.recursive(
    ACTIONS,
    lambda inner: st.builds(
        lambda word, operand, body, other: f"{{{{{word} {operand}}}}}{body}{{{{else}}}}{other}{{{{end}}}}",
        st.sampled_from(["if", "with", "range", "range $i, $e :="]),
        OPERANDS,
        inner,
        inner,
    ),
    max_leaves=4,
)


@given(
    st.text()
    | st.lists(WORDS, max_size=12).map("".join)
    | st.text("{}|() $.'\"`\\x0123eib_-+:=,/*\n", max_size=20)
)
def test_any_text_compiles_or_is_an_expression_error(text: str) -> None:
    for template in (text, "{{" + text + "}}"):
        with suppress(ExpressionError):
            assert compile_template(template).source == template


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("slkm"), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(BLOCKS, max_size=2).map("".join), JSON)
def test_a_compiled_template_renders_or_is_an_evaluation_error(template: str, given_: Any) -> None:
    known = compile_template(template)
    with suppress(EvaluationError):
        assert isinstance(known.render({"Input": given_}, env()), str)
