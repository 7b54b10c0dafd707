"""Lua scripts: sandbox, limits, rewriting; results beside gopher-lua's are in test_lua_measured."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.errors import EvaluationError, ExpressionError, MissingExtra
from events.lang import gojson
from events.lang.lua import compile_lua
from events.lang.lua.source import rewrite

EVENT = {"a": "x", "l": [1, 2, None, [3], {"k": None, "m": [True]}], "n": 5, "nul": None, "e": {}, "s": "é"}


def result(script: str, data: Any = EVENT) -> Any:
    return compile_lua(script).transform(data)


# --- Filters and transforms -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "passes"),
    [
        ("return event.a == 'x'", True),
        ("return false, true", True),
        ("return true, false", False),
        ("return 1", False),
        ("return 'true'", False),
        ("return nil", False),
        ("return", False),
        ("x = 1", False),
        ("", False),
        ("return true, ('a'):match('b')", True),  # gopher-lua: no value where nothing matches
    ],
)
def test_only_true_as_the_last_value_passes(script: str, passes: bool):
    assert compile_lua(script).filter(EVENT) is passes


def test_null_is_an_empty_object():
    assert compile_lua("return next(event) == nil").filter(None) is True


@pytest.mark.parametrize("data", [[1], "s", 5])
def test_only_objects_are_taken(data: Any):
    with pytest.raises(EvaluationError, match="no JSON object"):
        compile_lua("return true").filter(data)


def test_nulls_and_arrays_in_arrays_are_dropped_on_the_way_in():
    assert result("return {l = event.l, none = event.nul == nil}") == {
        "l": [1, 2, {"m": [True]}],
        "none": True,
    }


@pytest.mark.parametrize(
    "script", ["return 's'", "return 5", "return nil", "return", "return {}, true", "x = 1"]
)
def test_a_transform_has_to_return_a_table(script: str):
    with pytest.raises(EvaluationError, match="no table"):
        result(script)


@pytest.mark.parametrize(
    "script",
    [
        "return {x = 0/0}",
        "return {x = 1/0}",
        "return {f = print}",
        "return {c = coroutine.create(print)}",
        "local t = {} t.t = t return t",
        "local t = {} for i = 1, 2000 do t = {t} end return t",
    ],
)
def test_what_json_does_not_have_is_an_error(script: str):
    with pytest.raises(EvaluationError):
        result(script)


def test_the_longest_text_of_a_number_is_exact():
    assert result("return {s = event.id .. '', n = event.id}", {"id": 9007199254740993}) == {
        "s": "9007199254740992",
        "n": 9007199254740992,
    }


def test_bytes_that_are_not_utf8_are_kept_until_they_are_written():
    new = result("return {s = event.s .. string.char(255)}")
    assert new == {"s": "é\udcff"}
    assert gojson.dumps(new) == '{"s":"é\\ufffd"}'.encode()


def test_the_event_is_not_changed():
    data = {"a": {"b": [1]}}
    assert result("event.a.b[1] = 2 event.c = 3 return event", data) == {"a": {"b": [2]}, "c": 3}
    assert data == {"a": {"b": [1]}}


def test_runs_share_nothing():
    script = compile_lua(
        "local fresh = seen == nil and string.seen == nil and ('').seen == nil\n"
        "seen = true string.seen = true string.upper = nil table.insert = nil return fresh"
    )
    assert [script.filter({}) for _ in range(3)] == [True, True, True]


def test_time_is_an_argument():
    script = compile_lua("return {t = os.time(), d = os.date('!%Y-%m-%d'), y = os.date('*t').year}")
    assert script.transform({}, 1_700_000_000.9) == {"t": 1_700_000_000, "d": "2023-11-14", "y": 2023}
    with pytest.raises(EvaluationError, match="time is not known"):
        script.transform({})


def test_random_numbers_follow_the_seed():
    script = compile_lua("return {math.random(1000000), math.random(1000000)}")
    assert script.transform({}, seed=1) == script.transform({}, seed=1)
    assert script.transform({}, seed=1) != script.transform({}, seed=2)


# --- Errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        "return 7 // 2",
        "if x then",
        "return }",
        "x = = 1",
        "local a <const> = 1",
        "'",
        "[[",
        "end",
        "goto nowhere",
    ],
)
def test_what_is_no_lua_does_not_compile(script: str):
    with pytest.raises(ExpressionError) as caught:
        compile_lua(script)
    assert caught.value.expression == script


def test_a_script_cannot_leave_the_function_around_it():
    with pytest.raises(ExpressionError):
        compile_lua("end, function(...) return true")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("error('boom')", "<string>:1: boom"),
        ("\n\nerror('boom')", "<string>:3: boom"),
        ("error('boom', 0)", "boom"),
        ("error({})", "error"),
        ("return event.nope.x", "index"),
        ("undefined()", "call"),
        ("return 1 < 'x'", "compare"),
    ],
)
def test_run_time_errors(script: str, message: str):
    with pytest.raises(EvaluationError) as caught:
        compile_lua(script).filter(EVENT)
    assert message in caught.value.message
    assert caught.value.expression == script


def test_without_lupa_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "lupa.lua51", None)
    with pytest.raises(MissingExtra, match=r"\[lua\]"):
        compile_lua("return true")


# --- Sandbox --------------------------------------------------------------------------------------


def test_globals():
    listed = result("local names = {} for name in pairs(_G) do names[#names + 1] = name end return names")
    assert sorted(listed) == sorted([
        "_G", "_GOPHER_LUA_VERSION", "_VERSION", "assert", "collectgarbage", "coroutine", "error", "event",
        "getfenv", "getmetatable", "ipairs", "math", "next", "os", "pairs", "pcall", "print", "rawequal",
        "rawget", "rawset", "select", "setfenv", "setmetatable", "string", "table", "tonumber", "tostring",
        "type", "unpack", "xpcall",
    ])  # fmt: skip


@pytest.mark.parametrize("engine", ["", "goto go ::go:: "])
@pytest.mark.parametrize(
    "name",
    [
        "python", "io", "package", "require", "module", "debug", "load", "loadstring", "loadfile", "dofile",
        "newproxy", "bit32", "os.execute", "os.getenv", "os.exit", "os.remove", "os.tmpname", "string.dump",
        "getfenv and getfenv(string.format).io", "getfenv and getfenv(tostring).python",
        "getmetatable(string.format)", "getmetatable(print)",
    ],
)  # fmt: skip
def test_what_is_not_safe_is_not_there(engine: str, name: str):
    assert compile_lua(f"{engine}return ({name}) == nil").filter(EVENT) is True


def test_print_writes_nothing(capfd: pytest.CaptureFixture[str]):
    assert compile_lua("print('x', event) return true").filter(EVENT)
    assert capfd.readouterr().out == ""


def test_no_python_object_reaches_a_script():
    script = """
        local found = {}
        local function look(value, depth)
          if type(value) == "userdata" then found[#found + 1] = tostring(value) end
          if type(value) == "table" and depth < 5 then
            for key, item in pairs(value) do look(key, depth + 1) look(item, depth + 1) end
          end
        end
        look(_G, 0)
        for _, call in pairs({tostring, tonumber, string.format, string.upper, os.date, os.time}) do
          look({pcall(call, {})}, 0) look({pcall(call, "é%", 1e308, {})}, 0) look({pcall(call)}, 0)
        end
        return setmetatable(found, {__is_array = true})
    """
    assert compile_lua(script).transform(EVENT, 1.0) == []


@pytest.mark.parametrize(
    "script",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "while true do coroutine.resume(coroutine.create(function() for i = 1, 5000 do end end)) end",
        "xpcall(function() while true do end end, function() while true do end end)",
        "local function f() return f() end f()",
        "local t = setmetatable({}, {__index = function(t, k) while true do end end}) return t.x",
        "return ('x'):gsub('x', function() while true do end end)",
        "table.sort({1, 2, 3}, function() while true do end end)",
        "local s = ('x'):rep(1000000) while true do s:find('y') end",
        "while true do ('x'):rep(1000000) end",
        "goto a ::a:: while true do end",
        "goto a ::a:: setmetatable({}, {__gc = function() while true do end end}) while true do end",
    ],
)
def test_loops_end(script: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("events.lang.lua.MAX_STEPS", 5_000_000)
    with pytest.raises(EvaluationError, match="too many instructions"):
        compile_lua(script).filter(EVENT)


def test_finalizers_never_run():
    script = "goto a ::a:: setmetatable({}, {__gc = function() while true do end end}) return true"
    assert compile_lua(script).filter(EVENT) is True


@pytest.mark.parametrize(
    "script",
    [
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local t = {} while true do t = {t, {}} end",
        "return {[60000000] = 1}",
        "local c = {} while true do c[#c + 1] = coroutine.create(print) end",
    ],
)
def test_memory_is_bounded(script: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("events.lang.lua.MAX_MEMORY", 8 << 20)
    with pytest.raises(EvaluationError, match="more than 8 MiB"):
        result(script)


@pytest.mark.parametrize(
    "script",
    [
        "local function f() f() end f()",
        "return string.format('%99999999d', 1) .. string.format('%999999d', 1):rep(10)",
        "return unpack({}, 1, 1e8)",
        "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]",
    ],
)
def test_other_excesses_are_errors(script: str):
    with pytest.raises(EvaluationError):
        result(script)


# --- Rewriting ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("return a .. b", "return __text( a) .. __text( b)"),
        ("return 'a' .. \"b\" .. [[c]]", "return 'a' .. __text( \"b\" .. [[c]])"),
        ("x = f(a..1){b..c} -- d..e", "x = f( __text(a).. __text(1)){ __text(b).. __text(c)} -- d..e"),
        ("return -a^2 .. #b + 1 == c", "return __text( -a^2) .. __text( #b + 1) == c"),
        ("if a..b then return c end", "if __text( a).. __text(b) then return c end"),
        ("local f = function(...) return ... end", "local f = function(...) return ... end"),
        (";;x = 1;; y = 2;", "x = 1; y = 2;"),
        (r"return '\u00e9\n\\\'\065'", r"return 'u00e9\n\\\'\065'"),
        ("--[==[ a..b ]==] return [=[x..y]=]", "--[==[ a..b ]==] return [=[x..y]=]"),
    ],
)
def test_rewriting(script: str, text: str):
    assert rewrite(script).text == text


def test_lines_keep_their_numbers():
    script = "local a = 1\n\nreturn a\n .. 'b'\n .. c(\n)"
    assert rewrite(script).text.count("\n") == script.count("\n")


@pytest.mark.parametrize(
    ("script", "needed"), [("goto a ::a::", True), ("::a::", True), ("x = 'goto' -- goto", False)]
)
def test_goto_is_found(script: str, needed: bool):
    assert rewrite(script).has_goto is needed


PIECES = """
a b.c f( ) { } [ ] = , ; .. + - * ^ == ~= and or not # nil true 1 0x1F 2.5 'x' "y" [[z]] -- if then else
elseif end while do for in repeat until function return local break goto :: : ... event string.rep
pcall( error(
"""


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES.split()), max_size=15), st.sampled_from([{}, EVENT]))
def test_nothing_but_the_two_errors_escapes(pieces: list[str], data: Any):
    with contextlib.suppress(ExpressionError, EvaluationError):
        gojson.dumps(compile_lua("\n".join(pieces)).transform(data, 1.0))


@settings(max_examples=200)
@given(st.text())
def test_any_text_compiles_or_is_an_expression_error(script: str):
    with contextlib.suppress(ExpressionError):
        compile_lua(script)


json_objects = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
        lambda inner: st.dictionaries(st.text(min_size=1, max_size=4), inner, min_size=1, max_size=3),
        max_leaves=10,
    ),
    min_size=1,
)


@given(json_objects)
def test_objects_without_arrays_come_back_as_they_went(data: dict[str, Any]):
    assert result("return event", data) == data
