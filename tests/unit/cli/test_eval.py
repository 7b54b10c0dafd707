"""`events eval` at the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from events import cli


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "COMMANDS", tuple(dict.fromkeys((*cli.COMMANDS, "eval"))))


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["--path", "ref"], "text: refs/heads/main\n"),
        (["--expr", "ref =~ 'main$'"], "bool: true\n"),
        (["--expr", "r == 'x'", "--field", "r=ref"], "bool: false\n"),
        (["--template", "{{ .Input.ref | upper }}"], "text: REFS/HEADS/MAIN\n"),
        (["--source-filter", "ref"], "text: refs/heads/main\n"),
        (["--jq", "{r: .ref}"], 'object: {\n  "r": "refs/heads/main"\n}\n'),
        (["--lua", "return event.ref ~= nil"], "bool: true\n"),
    ],
)
def test_value_with_its_kind(run: Any, payload: Path, arguments: list[str], out: str) -> None:
    done = run("eval", *arguments, "--event", payload)
    assert (done.code, done.out) == (0, out)


def test_cloud_event_gives_its_data(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "e.json"
    file.write_text('{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":1}}')
    assert run("eval", "--path", "a", "-e", file, "-o", "json").json == {"kind": "number", "value": 1}


def test_without_an_event_the_payload_is_empty(run: Any) -> None:
    assert run("eval", "--expr", "1 + 1").out == "number: 2\n"


def test_place_of_a_fault_is_marked(run: Any) -> None:
    done = run("eval", "--source-filter", "a ==\n  b +")
    assert done.code == 2
    assert done.err.splitlines()[1:] == ["    b +", "       ^"]
    found = run("eval", "--source-filter", "a ==", "-o", "json").json
    assert (found["position"], "unexpected end" in found["error"]) == (4, True)


def test_path_that_finds_nothing_fails(run: Any, payload: Path) -> None:
    done = run("eval", "--path", "nope", "-e", payload)
    assert (done.code, "nothing at this path" in done.err) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--path", "a", "--expr", "b"],
        ["--expr", "a", "--field", "nope"],
        ["--path", "a", "-e", "no.json"],
    ],
)
def test_usage(run: Any, arguments: list[str]) -> None:
    assert run("eval", *arguments).code == 2
