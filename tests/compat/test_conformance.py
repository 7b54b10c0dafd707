"""Every conformance vector, one test each. CONFORMANCE_DIR names another folder of the same schema."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from events.testing.conformance import FAMILIES, NOT_RUN, judge, load, runner_of

HOME = Path(os.environ.get("CONFORMANCE_DIR", Path(__file__).parent.parent / "conformance"))
FILES = sorted(HOME.glob("*.json"))


def cases() -> list[object]:
    return [pytest.param(file, case, id=case["id"]) for file in FILES for case in load(file)["cases"]]


def test_there_is_a_file_for_every_family():
    assert {file.stem for file in FILES} == set(FAMILIES)


@pytest.mark.parametrize(("file", "case"), cases())
def test_vector(file: Path, case: dict[str, object], request: pytest.FixtureRequest):
    needs_corpus = file.stem == "documented_examples"
    corpus = request.getfixturevalue("corpus") if needs_corpus else None
    verdict = judge(file.stem, case, fixtures_of(file), runner_of(file.stem, corpus))
    assert verdict.got != NOT_RUN
    assert verdict.passed, f"expected {verdict.wanted}\ngot {verdict.got}"


def fixtures_of(file: Path) -> dict[str, object]:
    return _fixtures.setdefault(file, load(file)["fixtures"])


_fixtures: dict[Path, dict[str, object]] = {}
