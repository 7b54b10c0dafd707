"""Findings for other programs."""

from __future__ import annotations

import json
from typing import Any

from events.manifest import Finding
from events.tools.lint import as_json, codes, github, sarif
from events.tools.lint.collect import arranged

ERROR = Finding("error", "required", "a b/x.yaml", 3, "spec.a", "is missing", "write a: 1", "Sensor/s")
WARNING = Finding("warning", "yaml", None, None, "", "50% is\nno YAML")


def test_json_has_all_keys() -> None:
    assert as_json([ERROR]) == [
        {
            "severity": "error",
            "code": "required",
            "file": "a b/x.yaml",
            "line": 3,
            "field": "spec.a",
            "message": "is missing",
            "hint": "write a: 1",
            "object": "Sensor/s",
        }
    ]


def test_workflow_commands_are_escaped() -> None:
    odd = Finding("error", "required", "a,b:c.yaml", 1, "", "x")
    assert github([ERROR, WARNING, odd]) == [
        "::error file=a b/x.yaml,line=3,title=required::Sensor/s spec.a is missing (write a: 1)",
        "::warning title=yaml::50%25 is%0Ano YAML",
        "::error file=a%2Cb%3Ac.yaml,line=1,title=required::x",
    ]


def test_sarif_names_rules_and_places() -> None:
    log = sarif([ERROR, WARNING])
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in rules] == ["required", "yaml"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["required", "yaml"]
    assert run["results"][0]["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "a%20b/x.yaml"}, "region": {"startLine": 3}}}
    ]
    assert "locations" not in run["results"][1]
    assert [result["level"] for result in run["results"]] == ["error", "warning"]
    assert json.loads(json.dumps(log)) == log


def test_no_findings_make_an_empty_log() -> None:
    assert sarif([])["runs"][0]["results"] == []


def test_codes_are_kebab_case_and_explained_in_a_sentence() -> None:
    for code, text in codes().items():
        assert code == code.lower().replace("_", "-").replace(" ", "-")
        assert text.endswith(".")


def finding(line: int, **changes: Any) -> Finding:
    given: dict[str, Any] = {"severity": "error", "code": "type", "file": "a", "line": line, "field": "f"}
    return Finding(**{**given, "message": "m", **changes})


def test_findings_are_sorted_and_told_once() -> None:
    second, first = finding(2), finding(1)
    assert arranged([second, first, second]) == [first, second]


def test_files_come_before_lines() -> None:
    found = [finding(9), finding(1, file="b"), finding(5, file=None)]
    assert [item.file for item in arranged(found)] == [None, "a", "b"]


def test_the_exact_finding_replaces_what_does_not_compile() -> None:
    exact, general = finding(1, code="unknown-type"), finding(1, code="does-not-compile")
    assert arranged([general, exact]) == [exact]


def test_the_deeper_field_is_kept() -> None:
    outer = finding(1, code="does-not-compile", field="spec.a")
    inner = finding(2, code="does-not-compile", field="spec.a.b")
    assert arranged([outer, inner]) == [inner]
    other = finding(2, code="does-not-compile", field="spec.a.b", message="another")
    assert arranged([outer, other]) == [outer, other]
