"""No false error about a public manifest; the true ones are listed with their reasons."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from events.manifest import load
from events.tools.lint import codes, lint

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("EVENTS_CORPUS", ROOT.parent / "shared" / "corpus"))

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}: set EVENTS_CORPUS")

MANIFESTS = sorted(
    str(path.relative_to(CORPUS)) for path in CORPUS.rglob("*") if path.suffix in (".yaml", ".yml")
)

NO_URL = "`serverURL` instead of `url`: upstream refuses it as well"
ERRORS = {
    ("argo-events/tutorials/09-http-trigger/sensor-01.yaml", "required"): NO_URL,
    ("argo-events/tutorials/09-http-trigger/sensor-02.yaml", "required"): NO_URL,
    (
        "argo-events/sensors/multi-dependencies.yaml",
        "workflow-undeclared-input",
    ): "uses the inputs `message1` and `message2`, and declares `message` alone",
    (
        "argo-events/sensors/filter-with-context.yaml",
        "unreachable-trigger",
    ): "wants the source `custom-webhook` of events that have the source `webhook`",
}

WARNINGS = {
    "deprecated-field": 4, "duplicate-key": 1, "keeps-newest": 13, "kind-not-available": 38,
    "misplaced-field": 4, "never-passes": 1, "removed-field": 5,
    "unanchored-pattern": 20, "unknown-field": 4, "unused-dependency": 1, "wrong-case": 2,
}  # fmt: skip
"""How often each is told, file by file. Those in SHRINKING get fewer as kinds are built."""

SHRINKING = ("kind-not-available", "missing-extra")

MISSING = "names an event that the EventSource of this name in the same folder does not have"
TOGETHER = {
    (f"argo-events/sensors/{name}.yaml", code): MISSING
    for name in ("dependencies-conditions", "time-filter-webhook", "transform")
    for code in ("unknown-event", "unreachable-trigger")
}


@pytest.fixture(scope="module")
def found() -> list[tuple[str, Any]]:
    """Findings, each file on its own."""
    return [(name, finding) for name in MANIFESTS for finding in lint(load([CORPUS / name]))]


def test_errors_are_true(found: list[tuple[str, Any]]) -> None:
    errors = {(name, finding.code) for name, finding in found if finding.severity == "error"}
    assert errors == ERRORS.keys()


def test_warnings_are_counted(found: list[tuple[str, Any]]) -> None:
    counts = Counter(finding.code for _, finding in found if finding.severity == "warning")
    steady = {code: count for code, count in counts.items() if code not in SHRINKING}
    assert steady == {code: count for code, count in WARNINGS.items() if code not in SHRINKING}
    assert counts["kind-not-available"] <= WARNINGS["kind-not-available"]


def test_every_code_is_explained(found: list[tuple[str, Any]]) -> None:
    assert {finding.code for _, finding in found} <= codes().keys()


def test_errors_between_files_are_true() -> None:
    """All manifests of Argo Events at once: many have the same names, so that is told as well."""
    folder = CORPUS / "argo-events"
    errors = {
        (str(Path(finding.file or "").relative_to(CORPUS)), finding.code)
        for finding in lint(load([folder]))
        if finding.severity == "error" and finding.code != "duplicate-object"
    }
    assert TOGETHER.keys() <= errors <= ERRORS.keys() | TOGETHER.keys()


def test_workflows_have_no_errors_together() -> None:
    found = lint(load([CORPUS / "argo-workflows"]))
    assert [finding.code for finding in found] == ["duplicate-key"]
