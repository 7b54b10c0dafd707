"""Test files: what they may say, and how what is wrong in them is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from events.errors import ManifestError
from events.tools.trial.cases import Loaded, find_files, load_cases

GOOD = """manifests: m.yaml
events:
  - {id: one, source: hook, subject: a, data: {v: 1}}
steps: [one, {advance: 5m}, restart]
expect:
  - {after: one, sensor: s, trigger: call}
"""


def test_file_with_everything_is_read(tmp_path: Path) -> None:
    (case,) = load(tmp_path, GOOD)
    assert case.name == "x"
    assert case.case.paths == ["m.yaml"]
    assert case.case.expect[0].decision == "fired"


def test_file_may_hold_several_tests(tmp_path: Path) -> None:
    assert [one.name for one in load(tmp_path, f"name: first\n{GOOD}---\nname: second\n{GOOD}")] == [
        "first",
        "second",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("manifests: m.yaml\n", "", "x.test.yaml:1: manifests: is missing"),
        ("manifests: m.yaml", "manifests: 5", ":1: manifests: is neither a path nor"),
        ("id: one,", "id: one, file: f,", ":3: events.0: needs exactly one of data, file and recorded"),
        ("data: {v: 1}", "datum: {v: 1}", ":3: events.0.datum: is not a known field"),
        ("id: one, ", "", ":3: events.0.id: is missing"),
        ("source: hook, ", "", ":3: events.0.source: is missing"),
        ("id: one,", "id: restart,", "events.0.id: cannot be 'restart'"),
        ("id: one,", "id: one, time: noon,", ":3: events.0.time: time 'noon' is not RFC 3339"),
        ("5m", "5 minutes", ":4: steps.1.advance: unknown unit"),
        ("5m", "-5m", ":4: steps.1.advance: time does not go back"),
        ("restart]", "two]", ":4: steps.2: there is no event 'two' (one of one)"),
        ("restart]", "7]", ":4: steps.2: is no step"),
        ("after: one", "after: two", ":6: expect.0.after: no step sends an event 'two'"),
        ("after: one", "after: 4", ":6: expect.0.after: there is no step 4 (1 to 3)"),
        ("after: one", "after: [1]", ":6: expect.0.after: is neither the id"),
        ("trigger: call", "trigger: call, decision: fierd", ":6: expect.0.decision: unknown"),
        ("trigger: call", "trigger: call, decision: retrying", ":6: expect.0.decision: unknown"),
        ("trigger: call", "trigger: call, reason: '('", ":6: expect.0.reason:"),
        ("trigger: call", "trigger: call, decision: waiting, object: {}", "has no object and no request"),
        ("trigger: call", "trigger: call, request: 5", ":6: expect.0.request: is a number, but a map"),
        (GOOD, "- 1\n", "x.test.yaml:1: is not a test"),
        (GOOD, "a: [\n", "is not YAML"),
        (GOOD, "", "holds no test"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_field(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert said in str(caught.value)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    bad = GOOD.replace("5m", "x").replace("after: one", "after: 9")
    with pytest.raises(ManifestError, match=r"(?s)steps\.1.*expect\.0"):
        load(tmp_path, bad)


def test_ids_are_unique(tmp_path: Path) -> None:
    twice = GOOD.replace("steps:", "  - {id: one, source: hook, subject: a, data: {}}\nsteps:")
    with pytest.raises(ManifestError, match="two events have the id 'one'"):
        load(tmp_path, twice)


def test_tests_are_found_below_folders(tmp_path: Path) -> None:
    for name in ("a.test.yaml", "b.yaml", "deep/c.test.yml", ".hidden.test.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(GOOD)
    found = find_files([tmp_path, tmp_path / "a.test.yaml"])
    assert [one.name for one in found] == ["a.test.yaml", "c.test.yml"]


def test_folder_without_tests_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="there is no test below"):
        find_files([tmp_path])


def load(folder: Path, text: str) -> list[Loaded]:
    file = folder / "x.test.yaml"
    file.write_text(text)
    return load_cases(file)
