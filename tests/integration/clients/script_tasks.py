"""What the helper processes of test_scripts run."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable

from events.errors import EvaluationError
from events.lang import gojson
from events.lang.jq import compile_jq
from events.lang.lua import compile_lua

COMPILED: list[str] = []


def prepare(spec: bytes) -> Callable[[bytes], bytes]:
    """`kind:text` to a function of a JSON payload."""
    kind, _, text = spec.decode().partition(":")
    COMPILED.append(text)
    return KINDS[kind](text)


def jq(text: str) -> Callable[[bytes], bytes]:
    program = compile_jq(text)
    return lambda payload: gojson.dumps(program.transform(json.loads(payload)))


def lua(text: str) -> Callable[[bytes], bytes]:
    script = compile_lua(text)
    return lambda payload: gojson.dumps(script.transform(json.loads(payload)))


def facts(text: str) -> Callable[[bytes], bytes]:
    """About the process."""
    return lambda payload: json.dumps({
        "pid": os.getpid(), "environment": sorted(os.environ), "compiled": COMPILED, "session": os.getsid(0),
        "modules": sorted(sys.modules), "payload": len(payload),
    }).encode()  # fmt: skip


def sleep(text: str) -> Callable[[bytes], bytes]:
    return lambda payload: time.sleep(float(text)) or payload


def noise(text: str) -> Callable[[bytes], bytes]:
    """Writes to where the frames go."""
    return lambda payload: os.write(1, b"noise") and payload


def memory(text: str) -> Callable[[bytes], bytes]:
    return lambda payload: str(len(bytearray(int(text)))).encode()


def leave(text: str) -> Callable[[bytes], bytes]:
    return lambda payload: os._exit(int(text))


def suicide(text: str) -> Callable[[bytes], bytes]:
    def run(payload: bytes) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return payload

    return run


def abort(text: str) -> Callable[[bytes], bytes]:
    return lambda payload: os.abort()


def bug(text: str) -> Callable[[bytes], bytes]:
    return lambda payload: bytes(1 // 0)


def refuse(text: str) -> Callable[[bytes], bytes]:
    def fail(payload: bytes) -> bytes:
        raise EvaluationError("refused", "the expression", "the dependency")

    return fail


KINDS: dict[str, Callable[[str], Callable[[bytes], bytes]]] = {
    "jq": jq, "lua": lua, "facts": facts, "sleep": sleep, "noise": noise, "memory": memory, "leave": leave,
    "abort": abort, "suicide": suicide, "bug": bug, "refuse": refuse,
}  # fmt: skip
