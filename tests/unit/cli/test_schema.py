"""`events schema` at the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from events import cli


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "COMMANDS", tuple(dict.fromkeys((*cli.COMMANDS, "schema"))))


@pytest.mark.parametrize("kind", ["Sensor", "sensor", "sensors", "EventBus", "eventbuses", "EventSource"])
def test_schema_of_a_kind_describes_its_fields(run: Any, kind: str) -> None:
    found = run("schema", kind).json
    top = found["$defs"][found["$ref"].rpartition("/")[2]]
    assert {"apiVersion", "kind", "metadata", "spec"} <= top["properties"].keys()
    assert all(field["description"] for field in top["properties"].values())


def test_folder_gets_all_kinds_and_one_for_mixed_files(run: Any, tmp_path: Path) -> None:
    done = run("schema", "--out", tmp_path / "new" / "schemas", "-o", "json")
    names = [Path(name).name for name in done.json]
    assert names == ["eventsource.json", "sensor.json", "eventbus.json", "events.json"]
    for name in done.json:
        assert json.loads(Path(name).read_text())["$defs"]


def test_schema_of_all_refers_to_definitions_that_are_there(run: Any) -> None:
    found = run("schema", "events").json
    kinds = [rule["if"]["properties"]["kind"]["const"] for rule in found["allOf"]]
    assert sorted(kinds) == ["EventBus", "EventSource", "Sensor"]
    for reference in references(found):
        assert reference.removeprefix("#/$defs/") in found["$defs"]


def references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [one for item in value for one in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [one for item in value.values() for one in references(item)]


def test_usage(run: Any, tmp_path: Path) -> None:
    assert run("schema").code == 2
    assert "there is no kind workflow" in run("schema", "workflow").err
    (tmp_path / "file").write_text("")
    done = run("schema", "--out", tmp_path / "file")
    assert (done.code, "cannot write" in done.err) == (2, True)
