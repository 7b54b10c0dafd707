"""A user's mistake ends with its exit code and one clear line, never with a traceback."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

import pytest

from events.bus.embedded_schema import SCHEMA
from events.cli import code_of, main
from events.cli._client import exit_code, understood
from events.cli._shared import Exit
from events.errors import BusUnavailable, Damaged, ManifestError, NotThere
from events.runtime.folder import DataFolder, InUse
from tests.unit.cli.conftest import Run

SEND = ("send", "event", "--source", "gh", "--subject", "push")


@pytest.mark.parametrize("command", ["run", "lint"])
def test_manifests_that_do_not_exist_are_a_usage_error(run: Run, command: str):
    found = run(command, "/nonexistent/a.yaml", "/nonexistent/b.yaml")
    assert found.code == 2
    assert found.err == f"events {command}: there is no /nonexistent/a.yaml, /nonexistent/b.yaml\n"


def test_a_broken_manifest_fails_lint_with_its_line(run: Run, tmp_path: Path):
    file = tmp_path / "bad.yaml"
    file.write_text("kind: Sensor\nspec: [")
    found = run("lint", file)
    assert found.code == 1
    assert re.match(f"{file}:[23]: error: is not YAML", found.out)
    assert "1 error, 0 warnings" in found.out


def test_warnings_fail_lint_only_when_strict(run: Run, tmp_path: Path):
    file = tmp_path / "warn.yaml"
    file.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: x}\n"
        "spec: {webhook: {a: {endpoint: /a, port: '1', method: POST, colour: red}}}\n"
    )
    assert run("lint", file).code == 0
    assert run("lint", "--strict", file).code == 1


@pytest.mark.parametrize(
    "args",
    [
        ("frobnicate",),
        ("dlq",),
        ("send",),
        ("get",),
        ("get", "events", "--limit", "0"),
        ("get", "events", "--limit", "many"),
        ("run", "x", "--port", "99999"),
        ("run", ".", "--secrets", "/nonexistent"),
        ("demo", "--exit", "--secrets", "/nonexistent"),
        ("completion", "tcsh"),
    ],
    ids=" ".join,
)
def test_usage_errors_are_exit_code_2(run: Run, args: tuple[str, ...]):
    found = run(*args)
    assert found.code == 2
    assert found.err


@pytest.mark.parametrize(
    "args", [("get", "events"), ("explain", "x"), ("dlq", "list"), ("get", "sources")], ids=" ".join
)
def test_a_data_folder_that_is_not_there_is_told_and_not_made(
    run: Run, tmp_path: Path, args: tuple[str, ...]
):
    for folder, said in ((tmp_path / "none", "does not exist"), (tmp_path, "is not a data folder")):
        found = run(*args, "--data", folder)
        assert found.code == 1
        assert f"{folder} {said}; `events run` makes one" in found.err
    assert not any(tmp_path.iterdir())


@pytest.mark.usefixtures("logging_restored")
def test_a_data_folder_that_is_a_file(run: Run, tmp_path: Path, payload: Path):
    assert run("get", "events", "--data", payload).code == 1
    found = run("run", tmp_path, "--data", payload, "--port", "0")
    assert found.code == 1
    assert f"{payload} cannot be the data folder: " in found.err


def test_a_data_folder_that_cannot_be_opened(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.open

    def refuse(path: str | Path, *args: int) -> int:
        if str(path).endswith("/lock"):
            raise PermissionError(13, "Permission denied")
        return real(path, *args)

    monkeypatch.setattr(os, "open", refuse)
    found = run("get", "events", "--data", data)
    assert found.code == 1
    assert f"{data} cannot be the data folder: Permission denied" in found.err


def test_a_folder_that_somebody_has_but_who_does_not_answer(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("events.cli._client.PATIENCE", 0.0)
    other = DataFolder(data)
    other.acquire()
    try:
        found = run("get", "events", "--data", data)
        with pytest.raises(InUse, match=f"pid {os.getpid()}"):
            DataFolder(data).acquire(patience=0)
    finally:
        other.release()
    assert found.code == 3
    assert f"nothing answers on {data}/api.sock" in found.err
    assert f"pid {os.getpid()}" in found.err


def test_a_store_of_a_newer_format_is_refused(run: Run, data: Path, payload: Path):
    assert run(*SEND, "--file", payload, "--data", data).code == 0
    (store,) = (data / "bus").glob("*.sqlite")
    with sqlite3.connect(store) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    db.close()
    found = run("get", "events", "--data", data)
    assert found.code == 1
    assert str(store) in found.err


def test_a_store_that_is_not_ours_is_refused(run: Run, data: Path):
    (data / "bus" / "default.default.sqlite").write_text("not a database, but long enough to be looked at")
    found = run("get", "events", "--data", data)
    assert found.code == 1
    assert "default.default.sqlite" in found.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("explain", "nope"), "there is no event with id nope"),
        (("get", "events", "nope"), "there is no nope among events"),
        (("get", "workflows", "nope"), "there is no nope among workflows"),
        (("get", "buses", "nope"), "there is no nope among buses"),
        (("dlq", "show", "nope"), "there is no dead letter nope"),
        (("dlq", "retry", "nope"), "there is no dead letter nope"),
    ],
)
def test_an_unknown_id_is_exit_code_1(run: Run, data: Path, args: tuple[str, ...], said: str):
    found = run(*args, "--data", data)
    assert (found.code, found.out) == (1, "")
    assert said in found.err


@pytest.mark.parametrize("what", ["sources", "sensors"])
def test_what_only_an_instance_knows_needs_one(run: Run, data: Path, what: str):
    found = run("get", what, "--data", data)
    assert found.code == 3
    assert f"none runs on {data}" in found.err


def test_a_slip_of_the_pen_is_noticed(run: Run, data: Path):
    found = run("get", "evnets", "--data", data)
    assert found.code == 2
    assert "did you mean events?" in found.err


def test_an_unknown_result_is_told_with_all_there_are(run: Run, data: Path):
    found = run("get", "decisions", "--result", "fired,lost", "--data", data)
    assert found.code == 2
    assert "no result is called lost; there are fired, waiting," in found.err


def test_send_says_what_is_wrong_with_the_file(run: Run, data: Path, tmp_path: Path):
    file = tmp_path / "p.json"
    assert run(*SEND, "--file", file, "--data", data).code == 2
    for text in ("{", "[" * 100_000, "", "\udcff"):
        file.write_bytes(text.encode(errors="surrogateescape"))
        found = run(*SEND, "--file", file, "--data", data)
        assert found.code == 2, text[:10]
        assert f"{file}: not JSON" in found.err


@pytest.mark.parametrize("text", ['{"n": 123456789012345678901234567890}', '{"s": "\\ud800"}', '{"n": NaN}'])
def test_payloads_that_cannot_be_kept_are_refused_or_stored(run: Run, data: Path, tmp_path: Path, text: str):
    file = tmp_path / "p.json"
    file.write_text(text)
    found = run(*SEND, "--file", file, "--data", data)
    assert found.code in {0, 2}


def test_send_needs_to_know_the_dependency(run: Run, data: Path, payload: Path):
    found = run("send", "event", "--file", payload, "--data", data)
    assert found.code == 2
    assert "--source and --subject" in found.err


@pytest.mark.parametrize(
    "url", ["ftp://x/", "http://", "nonsense", "http://127.0.0.1:99999/", "http://[::1/"]
)
def test_send_refuses_what_is_not_a_url(run: Run, payload: Path, url: str):
    assert run("send", "webhook", "--url", url, "--file", payload).code == 2


def test_send_refuses_headers_that_cannot_be_sent(run: Run, payload: Path):
    url = ("--url", "http://127.0.0.1:1/", "--file", payload)
    assert run("send", "github", "--delivery", "a\nb", *url).code in {2, 3}
    assert run("send", "webhook", "--token", "a\nb", *url).code in {2, 3}


def test_send_without_an_instance_says_so(run: Run, data: Path, payload: Path):
    found = run("send", "github", "--file", payload, "--data", data)
    assert found.code == 3
    assert "no instance runs on" in found.err


def test_errors_have_the_documented_exit_codes():
    assert code_of(ManifestError("x")) == 2
    assert code_of(BusUnavailable("x")) == 3
    assert code_of(NotThere("x")) == code_of(Damaged("x")) == 1
    assert [exit_code(status) for status in (400, 404, 409, 500, 503)] == [2, 1, 1, 1, 3]


@pytest.mark.parametrize(
    ("status", "text", "code", "said"),
    [
        (404, b'{"error": "there is no x"}', 1, "there is no x"),
        (400, b'{"error": "parameter x"}', 2, "parameter x"),
        (503, b'{"error": "later"}', 3, "later"),
        (500, b"500 Internal Server Error", 1, "its log says why"),
    ],
)
def test_errors_of_the_instance_are_told_as_they_are(status: int, text: bytes, code: int, said: str):
    with pytest.raises(Exit, match=said) as ended:
        understood(status, text)
    assert ended.value.code == code


def test_ctrl_c_is_exit_code_130(monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("events.cli._client.call", interrupted)
    assert main(["get", "events"]) == 130
