"""`events simulate` at the command line."""

from __future__ import annotations

import asyncio
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import orjson
import pytest

from events import cli
from events.runtime.folder import DataFolder
from events.runtime.offline import open_offline

MANIFEST = """apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: ci}
spec:
  dependencies:
    - name: push
      eventSourceName: github
      eventName: push
      filters: {data: [{path: ref, type: string, value: ["main"]}]}
  triggers:
    - template:
        name: tell
        slack: {channel: builds, message: hello, slackToken: {name: slack, key: token}}
"""


def event(name: str, ref: str) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": name, "source": "github", "subject": "push", "type": "github",
        "time": "2026-01-15T09:00:00Z", "data": {"ref": ref},
    }  # fmt: skip


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "COMMANDS", tuple(dict.fromkeys((*cli.COMMANDS, "simulate", "get"))))


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "ci.yaml"
    file.write_text(MANIFEST)
    return file


@pytest.fixture
def given(tmp_path: Path) -> Path:
    file = tmp_path / "events.json"
    file.write_bytes(orjson.dumps([event("one", "main"), event("two", "dev")]))
    return file


@pytest.fixture
def history(data: Path) -> Path:
    async def publish() -> None:
        async with open_offline(DataFolder(data)) as desk:
            await desk.publish("default", "default", [event("one", "main"), event("two", "dev")])

    asyncio.run(publish())
    return data


def test_what_would_fire_is_shown_with_secrets_as_references(run: Any, manifest: Path, given: Path) -> None:
    done = run("simulate", manifest, "--events", given)
    assert done.code == 0
    assert "✓ ci.tell fired" in done.out
    assert "token:\n        name: slack\n        key: token" in done.out
    assert "✗ ci.tell filtered: data.0: ref: wanted string = main, found 'dev'" in done.out
    assert "ci.tell  1      1" in done.out
    assert "2 events, nothing was sent" in done.out


def test_brief_leaves_requests_out_and_explain_adds_steps(run: Any, manifest: Path, given: Path) -> None:
    done = run("simulate", manifest, "--events", given, "--brief", "--explain")
    assert "token:" not in done.out
    assert '✓ data.0 ref: found "main"' in done.out


def test_json_has_requests_steps_and_a_summary(run: Any, manifest: Path, given: Path) -> None:
    found = run("simulate", manifest, "--events", given, "--explain", "-o", "json").json
    assert [one["decisions"][0]["result"] for one in found["events"]] == ["fired", "filtered"]
    assert found["events"][0]["decisions"][0]["request"]["token"]["name"] == "slack"
    assert found["events"][1]["steps"]["ci"]["push"][0]["verdict"] == "reject"
    assert found["summary"] == {"ci.tell": {"fired": 1, "filtered": 1}}


def test_json_lines_from_standard_input(run: Any, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"\n".join(orjson.dumps(event(str(number), "main")) for number in range(3))
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(text)))
    assert "3 events" in run("simulate", manifest, "--events", "-").out


def test_history_of_a_data_folder(run: Any, manifest: Path, history: Path) -> None:
    found = run("simulate", manifest, "--from", history, "-o", "json").json
    assert [one["id"] for one in found["events"]] == ["one", "two"]
    newest = run("simulate", manifest, "--from", history, "--limit", "1", "-o", "json").json
    assert [one["id"] for one in newest["events"]] == ["two"]
    assert "no trigger" not in run("simulate", manifest, "--from", history, "--source", "zzz").out


def test_output_of_get_events_is_understood(run: Any, manifest: Path, history: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(run("get", "events", "--data", history, "-o", "json").out)
    found = run("simulate", manifest, "--events", tmp_path / "rows.json", "-o", "json").json
    assert [one["id"] for one in found["events"]] == ["one", "two"]


def test_comparison_shows_what_changes(run: Any, manifest: Path, given: Path, tmp_path: Path) -> None:
    old = tmp_path / "old" / "ci.yaml"
    old.parent.mkdir()
    old.write_text(MANIFEST.replace('"main"', '"dev"'))
    done = run("simulate", manifest, "--events", given, "--against", old, "--check")
    assert done.code == 1
    assert "+ ci.tell added  event one (github/push)" in done.out
    assert "- ci.tell removed  event two (github/push)\n    before  fired" in done.out
    assert "2 events: 1 added, 1 removed" in done.out


def test_changed_request_is_shown_by_path(run: Any, manifest: Path, given: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.yml"
    old.write_text(MANIFEST.replace("hello", "goodbye"))
    done = run("simulate", manifest, "--events", given, "--against", old)
    assert done.code == 0
    assert 'message.text\n      - before  "goodbye"\n      + now     "hello"' in done.out
    found = run("simulate", manifest, "--events", given, "--against", old, "-o", "json").json
    assert found["summary"] == {"changed": 1}
    assert found["changes"][0]["differences"] == [
        {"path": "message.text", "before": "goodbye", "now": "hello"}
    ]


def test_same_manifests_change_nothing(run: Any, manifest: Path, given: Path) -> None:
    done = run("simulate", manifest, "--events", given, "--against", manifest, "--check")
    assert (done.code, "no decision changes" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "give events"),
        (["--events", "nope.json"], 2, "cannot read"),
        (["--from", "nope"], 1, "does not exist"),
        (["--against", "nope", "--events", "x"], 2, "there is no nope"),
    ],
)
def test_usage(
    run: Any, manifest: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(manifest.parent)
    done = run("simulate", manifest, *arguments)
    assert (done.code, said in done.err) == (code, True)


def test_events_that_are_none(run: Any, manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('[{"a": 1}]')
    done = run("simulate", manifest, "--events", tmp_path / "bad.json")
    assert (done.code, "event 1 is not a CloudEvent" in done.err) == (2, True)
