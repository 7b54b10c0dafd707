"""`events render` at the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from events import cli

MANIFEST = """apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: ci}
spec:
  dependencies:
    - {name: push, eventSourceName: github, eventName: push}
    - {name: yes-please, eventSourceName: chat, eventName: approval}
  triggers:
    - template:
        name: build
        conditions: push
        k8s:
          source:
            resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: b-}, data: {ref: ""}}
          parameters: [{src: {dependencyName: push, dataKey: ref}, dest: data.ref}]
    - template:
        name: roll
        http:
          url: http://x
          payload:
            - {src: {dependencyName: push, dataKey: ref}, dest: ref}
            - {src: {dependencyName: yes-please, dataKey: by}, dest: by}
"""


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "COMMANDS", tuple(dict.fromkeys((*cli.COMMANDS, "render"))))
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text(MANIFEST)
    Path("push.json").write_text('{"ref": "main"}')
    Path("yes.json").write_bytes(
        orjson.dumps(
            {
                "specversion": "1.0", "id": "1", "source": "chat", "subject": "approval", "type": "t",
                "data": {"by": "ada"},
            }
        )
    )  # fmt: skip


def test_object_is_yaml(run: Any) -> None:
    done = run("render", "m.yaml", "--trigger", "ci.build", "-e", "push.json")
    assert done.code == 0
    found = yaml.safe_load(done.out)
    assert (found["kind"], found["data"]) == ("ConfigMap", {"ref": "main"})
    assert found["metadata"]["name"].startswith("b-")


def test_request_of_several_events(run: Any) -> None:
    done = run("render", "m.yaml", "--trigger", "ci.roll", "-e", "push=push.json", "-e", "yes.json")
    assert yaml.safe_load(done.out)["body"] == '{"ref":"main","by":"ada"}'
    assert done.err == ""


def test_json_has_kind_and_firing(run: Any) -> None:
    found = run("render", "m.yaml", "--trigger", "ci.build", "-e", "push.json", "-o", "json").json
    assert (found["kind"], found["request"]["operation"]) == ("k8s", "create")
    assert len(found["firing"]) == 26


def test_condition_that_is_not_met_is_noted(run: Any) -> None:
    text = MANIFEST.replace("dataKey: by", "dataKey: by, value: nobody")
    Path("m.yaml").write_text(text)
    done = run("render", "m.yaml", "--trigger", "ci.roll", "-e", "push.json")
    assert (done.code, "it would wait" in done.err) == (0, True)


@pytest.mark.parametrize(
    ("trigger", "event", "code", "said"),
    [
        ("ci.zzz", "push.json", 1, "there is no trigger ci.zzz: there is default/ci.build"),
        ("ci.build", "nope.json", 2, "cannot read nope.json"),
        ("ci.build", "yes.json", 1, "chat/approval is no dependency of build"),
        ("ci.build", "empty.json", 1, "cannot be rendered: dependency push: no value from dataKey 'ref'"),
        ("ci.build", "bad.json", 2, "time 'noon' is not RFC 3339"),
    ],
)
def test_what_cannot_be_rendered(run: Any, trigger: str, event: str, code: int, said: str) -> None:
    Path("empty.json").write_text("{}")
    Path("bad.json").write_text(
        '{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "noon"}'
    )
    done = run("render", "m.yaml", "--trigger", trigger, "-e", event)
    assert (done.code, said in done.err) == (code, True)
