"""One jq program or Lua script in a helper process, with a deadline: a call into C can outlast every hook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from events.clients.scripts import Job, ScriptPool
from events.errors import EvaluationError

SECONDS = 2.0
"""How long a script may run."""

PREPARE = "events.tools.trial.script:prepare"


class Script(msgspec.Struct):
    """What the helper process compiles. `language`: jq or lua."""

    language: str
    source: str


class Given(msgspec.Struct):
    """What the script gets. `now`: seconds since 1970."""

    data: Any
    now: float


def run_script(script: Script, given: Given) -> Any:
    """The value that the script gives. Raises ExpressionError, EvaluationError, Retryable."""
    compiled(script)  # here, where an error still has its position
    job = Job(msgspec.json.encode(script), msgspec.json.encode(given))

    async def run() -> bytes:
        pool = ScriptPool(PREPARE, size=1)
        try:
            return await pool.run(job, SECONDS)
        finally:
            await pool.aclose()

    return msgspec.json.decode(asyncio.run(run()))


def prepare(spec: bytes) -> Callable[[bytes], bytes]:
    """Runs in the helper process. Raises ExpressionError; the function raises EvaluationError."""
    run = compiled(msgspec.json.decode(spec, type=Script))

    def answer(payload: bytes) -> bytes:
        given = msgspec.json.decode(payload, type=Given)
        return msgspec.json.encode(run(given.data, given.now))

    return answer


def compiled(script: Script) -> Callable[[Any, float], Any]:
    """Raises ExpressionError."""
    if script.language == "jq":
        from events.lang.jq import compile_jq

        return compile_jq(script.source).transform
    return compiled_lua(script.source)


def compiled_lua(source: str) -> Callable[[Any, float], Any]:
    """As a transform, and as a filter where the script returns no table."""
    from events.lang.lua import compile_lua

    script = compile_lua(source)

    def run(data: Any, now: float) -> Any:
        try:
            return script.transform(data, now)
        except EvaluationError:
            return script.filter(data, now)

    return run
