"""Lua scripts, as gopher-lua (github.com/yuin/gopher-lua) runs them for Argo Events.

Engine    the C library of Lua 5.1 (lupa); Lua 5.2 for scripts with `goto`
Input     the global `event`, made from the event's data: null members and elements and arrays directly in
          arrays are dropped, arrays count from 1
Output    the last value that the script returns
Sandbox   no files, processes, modules, bytecode, Python; bounded memory and number of instructions. One call
          into C (a pattern that backtracks) can outlast these: a helper process ends it with its deadline
Differs   `pairs` and `next` go in the engine's order, `#` of a table with holes may be another border,
          patterns are those of C Lua 5.1, messages of run-time errors are the engine's; the zone is UTC
"""

from __future__ import annotations

import importlib
import json
from functools import cache
from typing import Any, Final

import orjson

from events.errors import EvaluationError, ExpressionError, MissingExtra
from events.lang.lua import host
from events.lang.lua.prelude import PRELUDE
from events.lang.lua.source import TEXT, rewrite

__all__ = ["LuaScript", "compile_lua"]

MAX_MEMORY: Final = 64 << 20
"""Bytes that one evaluation may hold within Lua."""
MAX_STEPS: Final = 200_000_000
"""Instructions that one evaluation may run."""


class LuaScript:
    """A compiled script."""

    __slots__ = ("_code", "_engine", "source")

    def __init__(self, source: str, code: bytes, engine: str) -> None:
        self.source, self._code, self._engine = source, code, engine

    def filter(self, data: Any, now: float | None = None, seed: int = 0) -> bool:
        """Whether the script returns true for decoded JSON: an object, or None for an empty one.

        `now` is seconds since 1970 (without it `os.time` is an error), `seed` starts `math.random`.
        Raises EvaluationError.
        """
        return self._run(0, data, now, seed) is True

    def transform(self, data: Any, now: float | None = None, seed: int = 0) -> Any:
        """The table that the script returns, as JSON values. Arguments and errors as for `filter`."""
        return _decoded(self._run(1, data, now, seed))

    def _run(self, mode: int, data: Any, now: float | None, seed: int) -> Any:
        """Runs the script in an engine of its own, as a filter (mode 0) or a transform (1)."""
        if data is not None and not isinstance(data, dict):
            raise EvaluationError("Lua: the event's data is no JSON object", self.source)
        lua = _lua(self._engine)
        try:
            runtime = _runtime(lua)
            text, *modes = runtime.compile(_prelude(self._engine))(_host(runtime, now), MAX_STEPS, seed)
            body = runtime.compile(self._code)(text)
            return modes[mode](body, runtime.table_from(_members(data or {}), recursive=True))
        except (lua.LuaMemoryError, MemoryError) as exc:
            message = f"Lua: the script needed more than {MAX_MEMORY >> 20} MiB"
            raise EvaluationError(message, self.source) from exc
        except lua.LuaError as exc:
            raise EvaluationError(f"Lua: {_message(exc)}", self.source) from exc
        except (RecursionError, OverflowError) as exc:
            raise EvaluationError("Lua: the event's data is too deep or large", self.source) from exc


def compile_lua(source: str) -> LuaScript:
    """Compile a script. Raises ExpressionError; MissingExtra where lupa is not installed."""
    text, has_goto = rewrite(source)
    engine = "lupa.lua52" if has_goto else "lupa.lua51"
    chunk = host.to_bytes(f"local {TEXT} = ... return function(...) {text}\nend")
    lua = _lua(engine)
    try:
        return LuaScript(source, _code(lua, chunk, b"=<string>"), engine)
    except lua.LuaError as exc:
        raise ExpressionError(f"the Lua script does not compile: {_message(exc)}", source) from exc


def _lua(engine: str) -> Any:
    try:
        return importlib.import_module(engine)
    except ImportError as exc:
        raise MissingExtra("a Lua script", "lua") from exc


def _code(lua: Any, chunk: bytes, name: bytes) -> bytes:
    """The engine's bytecode of source text."""
    runtime = _runtime(lua)
    code: bytes = runtime.eval(b"string.dump")(runtime.compile(chunk, name=name))
    return code


@cache
def _prelude(engine: str) -> bytes:
    return _code(_lua(engine), PRELUDE.encode(), b"=lua")


def _runtime(lua: Any) -> Any:
    """An engine that knows nothing of Python; strings are bytes."""
    return lua.LuaRuntime(
        encoding=None,
        unpack_returned_tuples=False,
        register_eval=False,
        register_builtins=False,
        attribute_filter=_no_attributes,
        max_memory=MAX_MEMORY,
    )


def _no_attributes(owner: object, name: str, is_setting: bool) -> str:
    raise AttributeError("Lua scripts cannot look into Python")


def _host(runtime: Any, now: float | None) -> Any:
    return runtime.table_from({**host.FUNCTIONS, b"now": now} if now is not None else host.FUNCTIONS)


def _members(data: dict[str, Any]) -> dict[bytes, Any]:
    """An object for Lua: strings as bytes, numbers as doubles, without null."""
    return {host.to_bytes(key): _value(item) for key, item in data.items() if item is not None}


def _value(item: Any) -> Any:
    if isinstance(item, str):
        return host.to_bytes(item)
    if isinstance(item, dict):
        return _members(item)
    if isinstance(item, list):
        return [_value(element) for element in item if not (element is None or isinstance(element, list))]
    return item if isinstance(item, bool) else float(item)


def _decoded(text: bytes) -> Any:
    """The result as JSON values; bytes that are not UTF-8 are lone surrogates."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(host.to_text(text))


def _message(error: Exception) -> str:
    """The message of a Lua error; what is no text says nothing."""
    text = error.args[0] if error.args else ""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return str(text).partition("\nstack traceback:")[0].removeprefix("error loading code: ") or "error"
