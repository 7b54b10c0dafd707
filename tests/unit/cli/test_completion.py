"""Completion, tried in the shells themselves where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from events.cli import COMMANDS, build
from events.cli.completion import bash, fish, levels, zsh

pytestmark = pytest.mark.e2e  # each starts a shell

SCRIPTS = {"bash": bash, "zsh": zsh, "fish": fish}

COMPLETE = """
source "$1"; shift
complete -p events >/dev/null || exit 9
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_events
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(tmp_path: Path):
    """What bash offers for the last of some words."""
    script = tmp_path / "events.bash"
    script.write_text(bash(build()))
    (tmp_path / "payload.json").write_text("{}")

    def offered(*words: str) -> list[str]:
        done = subprocess.run(
            ["bash", "--norc", "-uc", COMPLETE, "-", str(script), "events", *words],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout.split()

    return offered


def test_commands(complete):
    assert complete("") == list(COMMANDS)
    assert complete("ex") == ["explain"]


def test_subcommands_options_and_values(complete):
    assert complete("dlq", "")[:3] == ["list", "show", "retry"]
    assert complete("dlq", "retry", "--r") == ["--render"]
    assert complete("send", "github", "--del") == ["--delivery"]
    assert complete("run", "--durability", "") == ["power", "process"]
    assert complete("get", "events", "-o", "") == ["text", "json"]
    assert complete("get", "dec") == ["decisions"]
    assert complete("completion", "f") == ["fish"]


def test_files_where_a_path_is_wanted(complete):
    assert "payload.json" in complete("lint", "")
    assert complete("send", "github", "--file", "pay") == ["payload.json"]
    assert complete("explain", "pay") == []


def test_every_command_has_its_level():
    names = {" ".join(level.words) for level in levels(build())}
    assert {*COMMANDS, "send github", "dlq retry"} <= names


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_valid(shell: str, tmp_path: Path):
    text = SCRIPTS[shell](build())
    assert all(name in text for name in COMMANDS)
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(text)
    subprocess.run([shell, "-n", str(script)], check=True, capture_output=True)
