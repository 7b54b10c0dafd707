"""The pool of helper processes, with real processes: deadlines, limits, crashes, no orphans."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from events.clients.scripts import Job, ScriptPool
from events.errors import EvaluationError, Retryable

HERE = Path(__file__).parent
PREPARE = "script_tasks:prepare"
EVENT = b'{"a":1}'


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


@contextlib.asynccontextmanager
async def pool_of(**settings: Any) -> AsyncIterator[ScriptPool]:
    pool = ScriptPool(PREPARE, **{"size": 1, **settings})
    try:
        yield pool
    finally:
        await pool.aclose()


def job(spec: str, payload: bytes = EVENT) -> Job:
    return Job(spec.encode(), payload)


async def facts(pool: ScriptPool, spec: str = "facts:") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await pool.run(job(spec)))
    return found


async def works(pool: ScriptPool) -> bool:
    return await pool.run(job("jq:.b = 2")) == b'{"a":1,"b":2}'


def lives(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        await asyncio.sleep(0.02)
    return holds()


# --- Jobs -----------------------------------------------------------------------------------------


async def test_jobs_of_all_kinds():
    async with pool_of() as pool:
        assert await pool.run(job("jq:.b = 2")) == b'{"a":1,"b":2}'
        assert await pool.run(job("lua:event.b = 2 return event")) == b'{"a":1,"b":2}'
        assert (
            await pool.run(job("jq:{n: (.a | length)}", b'{"a":"%s"}' % (b"x" * 3_000_000)))
            == b'{"n":3000000}'
        )
        assert len(await pool.run(job('jq:{s: ("x" * 3000000)}'))) == 3_000_008


async def test_nothing_is_started_before_the_first_job():
    async with pool_of() as pool:
        before = children()
        await asyncio.sleep(0.05)
        assert children() == before
        await works(pool)
        assert len(children() - before) == 1


def children() -> set[int]:
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return {int(pid) for pid in listed.split()}


async def test_a_spec_is_compiled_once():
    async with pool_of() as pool:
        for _ in range(3):
            await works(pool)
        assert (await facts(pool))["compiled"] == [".b = 2", ""]


async def test_a_dropped_spec_is_sent_again():
    async with pool_of(specs=2) as pool:
        for spec in ("jq:{x: 1}", "jq:{x: 2}", "jq:{x: 3}", "jq:{x: 1}"):
            assert await pool.run(job(spec)) == b'{"x":%s}' % spec[-2:-1].encode()
        assert (await facts(pool))["compiled"] == ["{x: 1}", "{x: 2}", "{x: 3}", "{x: 1}", ""]


async def test_errors_of_a_job_keep_their_parts():
    async with pool_of() as pool:
        with pytest.raises(EvaluationError) as caught:
            await pool.run(job("refuse:"))
        error = caught.value
        assert (error.message, error.expression, error.dependency) == (
            "refused",
            "the expression",
            "the dependency",
        )
        pid = (await facts(pool))["pid"]
        for spec, message in [
            ("jq:.a.b", "expected an object"),
            ("jq:{", "unexpected end"),
            ("bug:", "ZeroDivision"),
        ]:
            with pytest.raises(EvaluationError, match=message):
                await pool.run(job(spec))
        assert (await facts(pool))["pid"] == pid


async def test_a_hundred_jobs_at_once():
    async with pool_of(size=2) as pool:
        results = await asyncio.gather(*(pool.run(job(f"jq:.n = {n % 7}")) for n in range(100)))
        assert results == [b'{"a":1,"n":%d}' % (n % 7) for n in range(100)]
        assert len(pool._all) <= 2


async def test_jobs_run_in_the_order_of_their_coming():
    order: list[int] = []

    async def one(number: int) -> None:
        await pool.run(job("sleep:0.01"))
        order.append(number)

    async with pool_of() as pool, asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(one(number))
    assert order == list(range(10))


async def test_waiting_does_not_count_towards_the_deadline():
    async with pool_of() as pool:
        await works(pool)
        results = await asyncio.gather(*(pool.run(job("sleep:0.2"), 0.7) for _ in range(5)))
        assert results == [EVENT] * 5


async def test_a_full_queue_is_said():
    async with pool_of(queue=2) as pool, asyncio.TaskGroup() as group:
        await works(pool)
        for _ in range(3):
            group.create_task(pool.run(job("sleep:0.1")))
        await asyncio.sleep(0)
        with pytest.raises(Retryable, match="wait"):
            await pool.run(job("jq:."))


# --- The process ----------------------------------------------------------------------------------


async def test_a_process_knows_nothing_of_its_parent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET", "x")
    async with pool_of() as pool:
        about = await facts(pool)
    assert set(about["environment"]) <= {"PYTHONPATH", "PYTHONUTF8", "MALLOC_ARENA_MAX", "LC_CTYPE"}
    assert about["session"] == about["pid"]
    assert not {"aiohttp", "pydantic"} & set(about["modules"])


async def test_what_a_job_prints_goes_nowhere():
    async with pool_of() as pool:
        assert await pool.run(job("noise:")) == EVENT
        assert await works(pool)


# --- What goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        "lua:return {x = (('a'):rep(40)):find(('a?'):rep(40) .. ('a'):rep(40) .. 'b')}",
        "lua:return {x = (('a'):rep(100000)):find('.-.-.-.-b')}",
        "jq:[range(1e12)]",
        "jq:def f: ., (. | f); {x: [f]}",
        "jq:{x: last(repeat(1))}",
        "jq:{x: last(range(1e18))}",
        "jq:{x: (0 | until(false; . + 1))}",
        "sleep:60",
    ],
)
async def test_what_never_ends_is_ended(spec: str):
    async with pool_of() as pool:
        await works(pool)
        with pytest.raises(EvaluationError, match=r"longer than 0\.4 s|more than 256 MiB"):
            await pool.run(job(spec), 0.4)
        assert await works(pool)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("lua:while true do pcall(function() while true do end end) end", "too many instructions"),
        ("lua:local s = 'x' while true do s = s .. s end", "more than 64 MiB"),
        ("lua:return {x = ('x'):rep(1e9)}", "Lua"),
        ("jq:def f: f; f", "too deeply"),
        ("jq:def f: [f]; f", "too deeply"),
        ('jq:{x: ("x" * 1e9)}', "more than 256 MiB"),
        ('jq:{x: (reduce range(1e9) as $i ("x"; . + .))}', "more than 256 MiB"),
        ("jq:{x: ([limit(1e8; repeat(1.5)) | [.]] | length)}", "more than 256 MiB"),
        ("memory:400000000", "more than 256 MiB"),
        ("leave:3", "ended with code 3"),
        ("abort:", "signal 6"),
    ],
)
async def test_what_needs_too_much_fails_alone(spec: str, message: str):
    async with pool_of() as pool:
        with pytest.raises(EvaluationError, match=message):
            await pool.run(job(spec), 20.0)
        assert await works(pool)


async def test_deep_recursion_is_possible():
    async with pool_of() as pool:
        program = "jq:def f: if . > 3000 then . else . + 1 | f end; {x: (0 | f)}"
        assert await pool.run(job(program)) == b'{"x":3001}'


async def test_a_job_whose_process_is_killed_is_tried_once_more():
    async with pool_of(size=1) as pool:
        pid = (await facts(pool))["pid"]
        running = asyncio.gather(pool.run(job("sleep:1"), 20))
        await asyncio.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        await running
        assert await works(pool)


async def test_a_job_that_kills_two_processes_fails():
    async with pool_of(size=1) as pool:
        with pytest.raises(EvaluationError, match="signal 9"):
            await pool.run(job("suicide:"), 10)
        assert await works(pool)


async def test_a_process_killed_between_jobs_fails_none():
    async with pool_of() as pool:
        pid = (await facts(pool))["pid"]
        os.kill(pid, signal.SIGKILL)
        assert await until(lambda: not lives(pid))
        assert await works(pool)


async def test_a_cancelled_job_ends_its_process():
    async with pool_of() as pool:
        pid = (await facts(pool))["pid"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await pool.run(job("sleep:30"), 60)
        assert await until(lambda: not lives(pid))
        assert await works(pool)


async def test_a_job_that_fails_does_not_disturb_the_others():
    specs = ["jq:.b = 2", "leave:1", "jq:.b = 2", "sleep:30", "jq:.b = 2", "memory:400000000", "jq:.b = 2"]
    async with pool_of(size=2) as pool:
        results = await asyncio.gather(
            *(pool.run(job(spec), 1.0) for spec in specs * 2), return_exceptions=True
        )
    fine = [result == b'{"a":1,"b":2}' for result in results]
    assert fine == [True, False] * 3 + [True] + [True, False] * 3 + [True]


async def test_a_function_that_cannot_be_imported_is_said():
    pool = ScriptPool("no.such.module:prepare")
    with pytest.raises(Retryable, match="does not start"):
        await pool.run(job("jq:."))
    await pool.aclose()


# --- The end --------------------------------------------------------------------------------------


async def test_closing_with_a_job_under_way_leaves_no_process():
    pool = ScriptPool(PREPARE, size=2)
    pids = {
        json.loads(found)["pid"]
        for found in await asyncio.gather(*(pool.run(job("facts:")) for _ in range(8)))
    }
    running = asyncio.gather(*(pool.run(job("sleep:30"), 60) for _ in range(4)), return_exceptions=True)
    await asyncio.sleep(0.1)
    await pool.aclose()
    assert [type(error) for error in await running] == [Retryable] * 4
    assert not any(map(lives, pids))
    with pytest.raises(Retryable, match="being stopped"):
        await pool.run(job("jq:."))
    await pool.aclose()


async def test_closing_while_a_process_starts_leaves_no_process():
    pool, before = ScriptPool(PREPARE), children()
    starting = asyncio.gather(pool.run(job("jq:.")), return_exceptions=True)
    await asyncio.sleep(0.02)
    await pool.aclose()
    assert isinstance((await starting)[0], Retryable)
    assert await until(lambda: children() <= before)


@pytest.mark.parametrize("busy", [False, True])
def test_no_process_outlives_its_parent(busy: bool):
    program = textwrap.dedent(f"""
        import asyncio, json, os, signal, sys
        sys.path.insert(0, {str(HERE)!r})
        from events.clients.scripts import Job, ScriptPool

        async def main():
            pool = ScriptPool({PREPARE!r}, size=1)
            print(json.loads(await pool.run(Job(b"facts:", b"")))["pid"], flush=True)
            running = asyncio.gather(pool.run(Job(b"sleep:60", b""), 60)) if {busy} else None
            await asyncio.sleep(0.2)
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    end = time.monotonic() + 5
    while lives(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not lives(pid)
