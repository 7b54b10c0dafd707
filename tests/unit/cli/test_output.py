"""JSON of every command is JSON; text is aligned, complete, and cannot steer a terminal."""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from pathlib import Path

import pytest

from events.cli._show import clock, counted, print_rows, printable, show_json, table
from events.cli.get import DECISIONS, EVENTS, SENSORS, SOURCES
from tests.unit.cli.conftest import Run

SEND = ("send", "event", "--source", "gh", "--subject", "push", "--id", "one")
TEXT = argparse.Namespace(output="text")


def test_json_of_commands_without_an_instance(run: Run, data: Path, payload: Path):
    manifests = Path(__file__).parents[3] / "examples" / "quickstart"
    sent = run(*SEND, "--file", payload, "--data", data, "-o", "json").json
    assert sent == [{"id": "one", "source": "gh", "subject": "push", "duplicate": False}]
    (event,) = run("get", "events", "--data", data, "-o", "json").json
    assert event["data"] == {"ref": "refs/heads/main"}
    (account,) = run("explain", "one", "--data", data, "-o", "json").json
    assert account["event"]["id"] == "one"
    for what in ("decisions", "workflows", "objects"):
        assert run("get", what, "--data", data, "-o", "json").json == []
    assert run("get", "buses", "--data", data, "-o", "json").json[0]["name"] == "default/default"
    assert run("dlq", "list", "--data", data, "-o", "json").json == []
    assert run("lint", manifests, "-o", "json").json == []
    assert set(run("version", "-o", "json").json) == {"version", "python", "sqlite"}
    for shell in ("bash", "zsh", "fish"):
        assert run("completion", shell, "-o", "json").json["shell"] == shell


def test_sending_the_same_id_again_says_so(run: Run, data: Path, payload: Path):
    assert run(*SEND, "--file", payload, "--data", data).out == "one stored\n"
    assert run(*SEND, "--file", payload, "--data", data).out == "one was there already\n"


def test_a_cloud_event_in_the_file_is_sent_as_it_is(run: Run, data: Path, tmp_path: Path):
    file = tmp_path / "event.json"
    file.write_text(
        '{"specversion": "1.0", "id": "x", "source": "s", "subject": "e", "type": "t", "data": {"a": 1}}'
    )
    assert run("send", "event", "--file", file, "--data", data).out == "x stored\n"
    (event,) = run("get", "events", "x", "--data", data, "-o", "json").json
    assert (event["source"], event["subject"], event["type"]) == ("s", "e", "t")


def test_nothing_is_told_in_words(run: Run, data: Path):
    assert run("get", "events", "--data", data).out == "no events\n"
    assert run("get", "decisions", "--data", data).out == "no decisions\n"
    assert run("get", "workflows", "--data", data).out == "no workflows\n"
    assert run("dlq", "list", "--data", data).out == "no dead letters\n"


def test_columns_are_aligned_and_the_last_one_is_wrapped():
    text = table([["a", 1, "short"], ["longer", 22, "word " * 12]], ["NAME", "N", "REASON"], width=42)
    assert text.splitlines() == [
        "NAME    N   REASON",
        "a       1   short",
        "longer  22  word word word word word word",
        "            word word word word word word",
    ]


def test_nothing_is_cut_when_the_output_goes_elsewhere():
    assert table([["a", "x " * 100]], ["A", "B"]).splitlines()[1].count("x") == 100


def test_text_from_outside_cannot_steer_the_terminal():
    assert printable("a\x1b[31mb\x9b\r\tc\u202e") == "a\\x1b[31mb\\x9b\\r\\tc\\u202e"
    assert printable("plain ✓\nü") == "plain ✓\nü"
    assert "\x1b" not in table([["\x1b]0;x\x07"]], ["ID"])


def test_json_is_plain_ascii_where_the_terminal_takes_no_more(monkeypatch: pytest.MonkeyPatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    show_json({"a": "ü✓"})
    assert json.loads(raw.getvalue().decode("ascii")) == {"a": "ü✓"}


def test_times_are_local_with_the_date_only_when_it_is_not_today():
    now = time.time_ns()
    assert len(clock(now)) == len("12:34:56.789")
    assert clock(0).startswith(("1970-01-01 ", "1969-12-31 "))


def test_counts_have_a_plural():
    assert [counted(n, "error") for n in (0, 1, 2)] == ["0 errors", "1 error", "2 errors"]


def test_decisions_show_event_and_reason(capsys: pytest.CaptureFixture[str]):
    row = {
        "time_ns": time.time_ns(), "sensor": "ci", "trigger": "build", "result": "fired",
        "events": [["github", "push", "delivery-1"], ["github", "tag", "delivery-0"]],
        "reason": "Workflow/default/build-x created",
    }  # fmt: skip
    print_rows(TEXT, [row], DECISIONS)
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["TIME", "TRIGGER", "RESULT", "EVENT", "REASON"]
    assert line.split()[1:] == ["ci.build", "fired", "delivery-1", "Workflow/default/build-x", "created"]
    assert line.index("fired") == head.index("RESULT")


def test_events_sources_and_sensors_in_a_table(capsys: pytest.CaptureFixture[str]):
    event = {
        "id": "one",
        "source": "gh",
        "subject": "push",
        "stored": "2026-01-15T09:30:00.5+00:00",
        "size": 7,
    }
    print_rows(TEXT, [event], EVENTS)
    assert capsys.readouterr().out.splitlines()[1].split()[-3:] == ["gh/push", "7", "one"]
    source = {
        "name": "default/gh.push", "kind": "github", "state": "trouble", "sent": 3, "address": "http://x/",
        "reason": "cannot listen",
    }  # fmt: skip
    print_rows(TEXT, [source], SOURCES)
    assert capsys.readouterr().out.splitlines()[1] == (
        "default/gh.push  github  trouble  3     http://x/  cannot listen"
    )
    sensor = {"name": "default/ci", "bus": "default/default", "waits": {"build": "push", "both": "a && b"}}
    print_rows(TEXT, [sensor], SENSORS)
    assert capsys.readouterr().out.endswith("build when push; both when a && b\n")
