"""A pool of helper processes for work that may never end: Lua scripts and jq programs.

Promise   a job gives its result or an EvaluationError by its deadline, whatever it does; a job that is
          killed, crashes or runs out of memory fails alone, and the next one finds a fresh process
Cost      nothing before the first job; then one process, a second one under load; a compiled spec is kept
          in the process, so that per job only the payload travels
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from events.clients.script_worker import (
    HEADER,
    Answer,
    Done,
    Failed,
    OutOfMemory,
    Request,
    Settings,
    UnknownSpec,
    frame,
)
from events.errors import EvaluationError, Retryable

START_TIMEOUT: Final = 20.0
"""Seconds until a helper process has to be ready."""

_BUFFER: Final = 1 << 20  # bytes of an answer that are read ahead
_CLOSE_TIMEOUT: Final = 5.0


class Job(NamedTuple):
    """`spec` is what the pool's function compiles, `payload` what the compiled function gets."""

    spec: bytes
    payload: bytes


class ScriptPool:
    """Runs jobs in helper processes, first come, first served.

    prepare     `module:function`: compiles a spec (bytes) to a function of a payload (bytes to bytes); both
                are pure and raise EventsError only
    size        processes at most
    queue       jobs that may wait; None: no limit, `run` makes its callers wait
    memory_mib  memory that a job may take
    specs       compiled specs that a process keeps
    """

    def __init__(
        self,
        prepare: str,
        *,
        size: int = 2,
        queue: int | None = None,
        memory_mib: int = 256,
        specs: int = 1000,
    ) -> None:
        self._settings = Settings(prepare, memory_mib, specs)
        self._size, self._slots = size, asyncio.Semaphore(size)
        self._queue, self._waiting = queue, 0
        self._idle: list[_Helper] = []
        self._all: set[_Helper] = set()
        self._closed = False

    async def run(self, job: Job, timeout: float = 2.0) -> bytes:
        """The result of a job. `timeout` [s] counts from the moment when a process takes it.

        Raises EvaluationError when the job fails, in whatever way; Retryable when the pool is closed, when
        too many jobs wait, or when no helper process can be started.
        """
        if self._closed:
            raise self._closing()
        if self._queue is not None and self._slots.locked() and self._waiting >= self._queue:
            raise Retryable(f"{self._waiting} scripts wait for a helper process")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._run(job, timeout)
        finally:
            self._slots.release()

    async def _run(self, job: Job, timeout: float) -> bytes:
        """A process that was killed, perhaps before it took the job, is replaced once by another one."""
        try:
            return await self._try(job, timeout)
        except _Ended as exc:
            if exc.code != -signal.SIGKILL or self._closed:
                raise self._failure(exc) from exc
        try:
            return await self._try(job, timeout)
        except _Ended as exc:
            raise self._failure(exc) from exc

    def _failure(self, exc: _Ended) -> Retryable | EvaluationError:
        return self._closing() if self._closed else EvaluationError(str(exc))

    async def _try(self, job: Job, timeout: float) -> bytes:
        helper = await self._take()
        try:
            return await helper.exchange(job, timeout)
        finally:
            if helper.free:
                self._idle.append(helper)
            else:
                helper.kill()

    async def _take(self) -> _Helper:
        if self._closed:
            raise self._closing()
        while self._idle:
            helper = self._idle.pop()
            if helper.alive:
                return helper
        self._all = {helper for helper in self._all if not helper.gone}
        helper = await _Helper.start(self._settings)
        self._all.add(helper)
        await helper.ready()
        return helper

    def _closing(self) -> Retryable:
        return Retryable("the script helpers are being stopped")

    async def aclose(self) -> None:
        """End all processes; what runs or waits raises Retryable."""
        if self._closed:
            return
        self._closed = True
        for helper in self._all:
            helper.kill()
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            for _ in range(self._size):  # whoever runs or waits has left when all slots are free
                await self._slots.acquire()
            for helper in self._all:
                helper.kill()
                await helper.ended()


class _Ended(Exception):
    """The process ended instead of answering."""

    def __init__(self, code: int, memory_mib: int) -> None:
        super().__init__(_cause(code, memory_mib))
        self.code = code


class _Helper:
    """One process, which runs one job at a time."""

    def __init__(self, process: Process, settings: Settings) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._settings = process, settings
        self._writer, self._reader = process.stdin, process.stdout
        self._known: set[bytes] = set()
        self.free = False
        """Whether it waits for a request: nothing is under way."""

    @classmethod
    async def start(cls, settings: Settings) -> _Helper:
        """A process that starts. Raises Retryable."""
        settings = msgspec.structs.replace(settings, parent=os.getpid())
        given = msgspec.json.encode(settings).decode()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "events.clients.script_worker",
                given,
                stdin=PIPE,
                stdout=PIPE,
                env=_environment(),
                start_new_session=True,
                limit=_BUFFER,
            )
        except OSError as exc:
            raise Retryable(f"no script helper can be started: {exc}") from exc
        return cls(process, settings)

    async def ready(self) -> None:
        """Wait until it can take a job. Raises Retryable."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._read()
            self.free = True
        except (TimeoutError, _Ended) as exc:
            raise Retryable(f"the script helper does not start: {exc!r}") from exc
        finally:
            if not self.free:
                self.kill()

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._reader.at_eof()

    @property
    def gone(self) -> bool:
        return self._process.returncode is not None and self._reader.at_eof()

    def kill(self) -> None:
        """End the process and all that it may have started, at once."""
        self.free = False
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def ended(self) -> None:
        """Wait until the process and its pipes are gone."""
        await self._process.wait()
        self._writer.close()
        while not self._reader.at_eof():
            await asyncio.sleep(0)

    async def exchange(self, job: Job, timeout: float) -> bytes:
        """The result of a job. Raises EvaluationError, _Ended."""
        self.free = False
        try:
            async with asyncio.timeout(timeout):
                answer = await self._ask(job, math.ceil(timeout))
        except TimeoutError as exc:
            raise EvaluationError(f"took longer than {timeout:g} s") from exc
        if isinstance(answer, OutOfMemory):
            raise EvaluationError(f"needed more than {self._settings.memory_mib} MiB")
        self.free = True
        if isinstance(answer, Failed):
            raise EvaluationError(answer.message, answer.expression, answer.dependency)
        assert isinstance(answer, Done)
        return answer.result

    async def _ask(self, job: Job, cpu: int) -> Answer:
        digest = hashlib.blake2b(job.spec, digest_size=16).digest()
        answer: Answer = UnknownSpec()
        if digest in self._known:
            answer = await self._send(Request(digest, None, job.payload, cpu))
        if isinstance(answer, UnknownSpec):
            answer = await self._send(Request(digest, job.spec, job.payload, cpu))
            self._remember(digest)
        return answer

    def _remember(self, digest: bytes) -> None:
        if len(self._known) >= self._settings.specs:
            self._known.clear()  # the process says when it does not know one
        self._known.add(digest)

    async def _send(self, request: Request) -> Answer:
        try:
            self._writer.write(frame(request))
            await self._writer.drain()
        except ConnectionError:
            pass  # the end of its output says why
        answer: Answer = _ANSWERS.decode(await self._read())
        return answer

    async def _read(self) -> bytes:
        try:
            (size,) = HEADER.unpack(await self._reader.readexactly(HEADER.size))
            return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as exc:
            raise _Ended(await self._process.wait(), self._settings.memory_mib) from exc


_ANSWERS: Final = msgspec.msgpack.Decoder(Answer)


def _cause(code: int, memory_mib: int) -> str:
    if code == -signal.SIGXCPU:
        return "took too much processor time"
    if code < 0:
        return f"the script helper was ended by signal {-code} (its job may need more than {memory_mib} MiB)"
    return f"the script helper ended with code {code}"


def _environment() -> dict[str, str]:
    """Nothing of this process but where its modules are."""
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return {"PYTHONPATH": paths, "PYTHONUTF8": "1", "MALLOC_ARENA_MAX": "1"}
