"""What a command loads: help nothing heavy, lint no HTTP and no Kubernetes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e  # each starts a process

ROOT = Path(__file__).parents[3]

HEAVY = {
    "aiohttp",
    "pydantic",
    "yaml",
    "asyncio",
    "ssl",
    "http.client",
    "sqlite3",
    "orjson",
    "msgspec",
    "re2",
}
REMOTE = {"aiohttp", "kubernetes_asyncio", "aiobotocore", "aiokafka", "nats", "cryptography", "sqlite3"}

PROBE = """
import sys
from events.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as ended:
    code = ended.code
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""


def loaded(*args: str) -> set[str]:
    """The modules that a fresh process has after a command."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *args], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "args", [("--help",), ("run", "--help"), ("send", "github", "--help"), ("completion", "bash")]
)
def test_help_and_completion_load_nothing_heavy(args: tuple[str, ...]):
    assert not loaded(*args) & HEAVY


def test_lint_loads_no_client_library():
    found = loaded("lint", "examples/quickstart")
    assert "events.sources.github" in found
    assert not found & REMOTE
