"""Every conformance vector, one test per family. CONFORMANCE_DIR names another folder of the same schema."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from events.testing.conformance import FAMILIES, NOT_RUN, judge, load, runner_of

HOME = Path(os.environ.get("CONFORMANCE_DIR", Path(__file__).parent.parent / "conformance"))
FILES = sorted(HOME.glob("*.json"))


def test_there_is_a_file_for_every_family():
    assert {file.stem for file in FILES} == set(FAMILIES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_vectors(file: Path, request: pytest.FixtureRequest):
    needs_corpus = file.stem == "documented_examples"
    corpus = request.getfixturevalue("corpus") if needs_corpus else None
    loaded = load(file)
    run, wrong = runner_of(file.stem, corpus), []
    for case in loaded["cases"]:
        verdict = judge(file.stem, case, loaded["fixtures"], run)
        if verdict.got == NOT_RUN or not verdict.passed:
            wrong.append(f"{case['id']}: expected {verdict.wanted}, got {verdict.got}")
    assert loaded["cases"]
    assert not wrong, "\n".join(wrong)
