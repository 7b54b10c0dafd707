"""Fixtures of all tests: strictness about leftovers, options, paths."""

from __future__ import annotations

import gc
import logging
import os
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says nothing on a busy machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

pytest.register_assert_rewrite("events.testing")  # contract suites: failures as readable as in tests
pytest_plugins = ["events.testing.servers.fixtures"]

ROOT = Path(__file__).resolve().parent.parent
SERVERS = tomllib.loads((ROOT / "tests" / "servers.toml").read_text())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-servers", action="store_true", help="a server that cannot be had fails its tests"
    )
    parser.addoption("--rewrite-golden", action="store_true", help="write golden files anew; review the diff")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Thousands of tests are collected, and none of them is garbage: looking for some doubles the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose server is missing; with --require-servers fail it where CI needs that server."""
    from events.testing.servers import missing  # not before its assertions are rewritten

    for name in sorted({name for mark in item.iter_markers("servers") for name in mark.args}):
        server, lack = SERVERS[name], missing(name)
        if lack is None:
            continue
        reason = f"{name} is not there (needs {', '.join(server['needs'])}): {lack}"
        if item.config.getoption("--require-servers") and server["required"]:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Manifests of other projects, as test input; not part of this project."""
    folder = Path(os.environ.get("EVENTS_CORPUS", ROOT.parent / "shared" / "corpus"))
    if not folder.is_dir():
        pytest.skip(f"no corpus at {folder}: set EVENTS_CORPUS")
    return folder


@pytest.fixture(autouse=True)
def no_leftover_threads() -> Iterator[None]:
    """Threads that a test starts end with it (those of the event loop's own pool may wait for reuse)."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in set(threading.enumerate()) - before if not pooled(thread)]
    for thread in left:
        thread.join(2.0)
    alive = [thread.name for thread in left if thread.is_alive()]
    assert not alive, f"threads left behind: {alive}"


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """For tests that set up the log of a process: what they write to is closed afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("events")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level = before[0], before[1]
    ours.setLevel(before[2])


def pooled(thread: threading.Thread) -> bool:
    return thread.name.startswith(POOLED)


POOLED = ("ThreadPoolExecutor", "asyncio_", "asyncio-waitpid", "pytest_timeout", "execnet")
