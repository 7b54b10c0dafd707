"""The helper process of `events.clients.scripts`: runs pure functions, one job after the other.

Started   as `python -m events.clients.script_worker SETTINGS`, detached from the terminal, with an
          environment that holds nothing of the parent's
Frames    4 bytes of length (big endian), then msgpack: Ready once, then Request in and Answer out
Limits    memory (RLIMIT_AS above what the start took), processor time per job; the parent keeps the deadline
Ends      at the end of its input, when its parent dies, or after a job that ran out of memory
"""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import signal
import struct
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO, Final

import msgspec

from events.errors import EvaluationError, EventsError

Prepare = Callable[[bytes], Callable[[bytes], bytes]]
"""Compiles a spec to the function of a payload. Both are pure and raise EventsError only."""

HEADER: Final = struct.Struct(">I")
STACK_BYTES: Final = 64 << 20
"""Of the thread that works: scripts may recurse deeply."""

_RECURSION: Final = 20_000  # Python calls, at up to 3 KiB of C stack each
_SET_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG


class Settings(msgspec.Struct):
    """How a worker is to run. `specs`: compiled ones that are kept; `parent`: process id."""

    prepare: str  # module:function
    memory_mib: int
    specs: int
    parent: int = 0


class Request(msgspec.Struct, array_like=True):
    """One job. `digest` names the spec, which is sent only when the worker does not know it yet."""

    digest: bytes
    spec: bytes | None
    payload: bytes
    cpu: int
    """Seconds of processor time that the job may take: a second line of defence."""


class Done(msgspec.Struct, array_like=True, tag=0):
    result: bytes


class Failed(msgspec.Struct, array_like=True, tag=1):
    """The job raised: the parts of the EvaluationError that the parent raises."""

    message: str
    expression: str | None = None
    dependency: str | None = None


class UnknownSpec(msgspec.Struct, array_like=True, tag=2):
    """The request has to be sent again, with the spec."""


class OutOfMemory(msgspec.Struct, array_like=True, tag=3):
    """The job needed more memory than there is; the worker ends."""


Answer = Done | Failed | UnknownSpec | OutOfMemory


class Worker:
    """The function that compiles specs, and what it made of them; the least recently used goes first."""

    def __init__(self, settings: Settings) -> None:
        self._prepare = find(settings.prepare)
        self._specs: OrderedDict[bytes, Callable[[bytes], bytes]] = OrderedDict()
        self._room = settings.specs

    def answer(self, request: Request) -> Answer:
        try:
            function = self._function(request)
            return UnknownSpec() if function is None else Done(function(request.payload))
        except EvaluationError as exc:
            if type(exc.__cause__) is MemoryError:  # not one of an engine with a limit of its own
                return OutOfMemory()
            return Failed(exc.message, exc.expression, exc.dependency)
        except EventsError as exc:
            return Failed(str(exc))
        except MemoryError:
            return OutOfMemory()
        except Exception as exc:  # noqa: BLE001 - a supervisor: one job's bug must not end the others
            return Failed(f"internal error: {exc!r}")

    def _function(self, request: Request) -> Callable[[bytes], bytes] | None:
        key = request.digest
        if key in self._specs:
            self._specs.move_to_end(key)
            return self._specs[key]
        if request.spec is None:
            return None
        function = self._specs[key] = self._prepare(request.spec)
        if len(self._specs) > self._room:
            self._specs.popitem(last=False)
        return function


def find(path: str) -> Prepare:
    """The function that `module:name` stands for."""
    module, _, name = path.partition(":")
    found: Prepare = getattr(importlib.import_module(module), name)
    return found


# --- Frames ---------------------------------------------------------------------------------------


def frame(message: Any) -> bytes:
    body = msgspec.msgpack.encode(message)
    return HEADER.pack(len(body)) + body


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next message, or None at the end of the input."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (size,) = HEADER.unpack(header)
    body = stream.read(size)
    return body if len(body) == size else None


# --- Process --------------------------------------------------------------------------------------


def serve(worker: Worker, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the input ends or memory is short."""
    decoder = msgspec.msgpack.Decoder(Request)
    sink.write(frame({}))
    while (body := read_frame(source)) is not None:
        request = decoder.decode(body)
        limit_processor(request.cpu)
        answer = worker.answer(request)
        sink.write(frame(answer))
        if isinstance(answer, OutOfMemory):
            return


def limit_memory(mib: int) -> None:
    """Allow the process `mib` MiB beyond what it has now."""
    soft = address_space() + (mib << 20)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def address_space() -> int:
    """Bytes of address space in use; 0 where the system does not say."""
    try:
        with open("/proc/self/statm") as statm:  # noqa: PTH123 - before anything else is imported
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def limit_processor(seconds: int) -> None:
    """Let SIGXCPU end the process when it has used so much more processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends (Linux), and end now if it already has."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def private_output() -> BinaryIO:
    """The pipe to the parent; what anybody prints goes nowhere from now on."""
    sink = os.fdopen(os.dup(1), "wb", buffering=0)
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - as above
        os.dup2(nothing.fileno(), 1)
    return sink


def main() -> None:
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    die_with(settings.parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    sink = private_output()
    worker = Worker(settings)

    def work() -> None:
        limit_memory(settings.memory_mib)
        serve(worker, sys.stdin.buffer, sink)

    sys.setrecursionlimit(_RECURSION)
    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
