"""`events test` at the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

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
      filters: {data: [{path: ref, type: string, value: ["^main$"]}]}
  triggers:
    - template:
        name: build
        k8s:
          source:
            resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: b-}, data: {ref: ""}}
          parameters: [{src: {dependencyName: push, dataKey: ref}, dest: data.ref}]
"""
TEST = """manifests: ci.yaml
events: [{id: one, source: github, subject: push, data: {ref: main}}]
expect: [{after: one, sensor: ci, trigger: build, object: {kind: ConfigMap, data: {ref: main}}}]
"""


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "COMMANDS", tuple(dict.fromkeys((*cli.COMMANDS, "test"))))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ci.yaml").write_text(MANIFEST)
    (tmp_path / "ci.test.yaml").write_text(TEST)
    return tmp_path


def test_tests_that_pass(run: Any, folder: Path) -> None:
    done = run("test", folder)
    assert done.code == 0
    assert "✓ ci.build fired after one" in done.out
    assert "1 test, 1 of 1 expectation met" in done.out


def test_difference_is_shown_key_by_key(run: Any, folder: Path) -> None:
    (folder / "ci.test.yaml").write_text(TEST.replace("data: {ref: main}}}", "data: {ref: dev}}}"))
    done = run("test", folder, "--junit", folder / "report.xml")
    assert done.code == 1
    assert 'object.data.ref\n        - expected  "dev"\n        + got       "main"' in done.out
    assert "expected in line 3" in done.out
    root = ET.parse(folder / "report.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("1", "1")


def test_json_has_steps_and_differences(run: Any, folder: Path) -> None:
    (folder / "ci.test.yaml").write_text(TEST.replace("{ref: main}}]", "{ref: dev}}]"))
    done = run("test", folder, "-o", "json")
    (report,) = done.json
    assert (done.code, report["passed"]) == (1, False)
    assert report["steps"][0]["decisions"][0]["result"] == "filtered"
    assert report["expectations"][0]["differences"] == [
        {"path": "decision", "expected": "fired", "got": "filtered"}
    ]


def test_verbose_shows_every_decision(run: Any, folder: Path) -> None:
    assert "1. one\n         ci.build fired" in run("test", folder, "-v").out


def test_broken_test_file_is_told_with_line_and_field(run: Any, folder: Path) -> None:
    (folder / "ci.test.yaml").write_text(TEST.replace("trigger:", "tigger:"))
    done = run("test", folder)
    assert done.code == 2
    assert "ci.test.yaml:3: expect.0.tigger: is not a known field" in done.err


def test_broken_manifest_is_told(run: Any, folder: Path) -> None:
    (folder / "ci.yaml").write_text(MANIFEST.replace("eventName: push", "eventName: 5"))
    done = run("test", folder)
    assert done.code == 2
    assert "ci.yaml:8" in done.out
    assert "1 test could not run" in done.out


def test_folder_that_is_not_there(run: Any, tmp_path: Path) -> None:
    assert run("test", tmp_path / "nope").code == 2
    assert run("test", tmp_path).code == 2


def test_report_that_cannot_be_written(run: Any, folder: Path) -> None:
    done = run("test", folder, "--junit", folder / "nope" / "x.xml")
    assert (done.code, "cannot write" in done.err) == (2, True)


def test_recorded_event_comes_from_the_data_folder(run: Any, folder: Path, data: Path) -> None:
    event = {
        "specversion": "1.0", "id": "rec", "source": "github", "subject": "push", "type": "github",
        "data": {"ref": "main"},
    }  # fmt: skip
    asyncio.run(publish(data, event))
    text = TEST.replace("{id: one, source: github, subject: push, data: {ref: main}}", "{recorded: rec}")
    (folder / "ci.test.yaml").write_text(text.replace("after: one", "after: rec"))
    assert run("test", folder, "--data", data).code == 0
    (folder / "ci.test.yaml").write_text(text.replace("rec}", "gone}").replace("after: one, ", ""))
    done = run("test", folder, "--data", data)
    assert (done.code, "no event gone is recorded" in done.out) == (2, True)


async def publish(data: Path, *events: Any) -> None:
    async with open_offline(DataFolder(data)) as desk:
        await desk.publish("default", "default", orjson.loads(orjson.dumps(events)))
