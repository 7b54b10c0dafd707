"""Findings for other programs: JSON, SARIF 2.1.0, workflow commands of GitHub Actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import events
from events.manifest import Finding
from events.tools.lint.explained import codes

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
TOOL: Final = "events lint"


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """One map per finding: severity, code, file, line, field, message, hint, object."""
    return [
        {
            "severity": finding.severity,
            "code": finding.code,
            "file": finding.file,
            "line": finding.line,
            "field": finding.field,
            "message": finding.message,
            "hint": finding.hint,
            "object": finding.object,
        }
        for finding in findings
    ]


def github(findings: Sequence[Finding]) -> list[str]:
    """Workflow commands, one line each, that show findings beside the changed lines of a pull request."""
    return [_command(finding) for finding in findings]


def _command(finding: Finding) -> str:
    place = {"file": finding.file, "line": finding.line, "title": finding.code}
    given = ",".join(f"{name}={_property(value)}" for name, value in place.items() if value is not None)
    return f"::{finding.severity} {given}::{_escaped(_sentence(finding))}"


def _sentence(finding: Finding) -> str:
    said = " ".join(part for part in (finding.object, finding.field, finding.message) if part)
    return f"{said} ({finding.hint})" if finding.hint else said


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    return _escaped(str(value)).replace(":", "%3A").replace(",", "%2C")


def sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """A SARIF log with one run. Findings about no file have no location."""
    explained = codes()
    used = sorted({finding.code for finding in findings})
    rules = [{"id": code, "shortDescription": {"text": explained.get(code, code)}} for code in used]
    driver = {"name": TOOL, "version": events.__version__, "rules": rules}
    results = [_result(finding, used.index(finding.code)) for finding in findings]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity,
        "message": {"text": _sentence(finding)},
    }
    if finding.file is not None:
        result["locations"] = [{"physicalLocation": _place(finding.file, finding.line)}]
    return result


def _place(file: str, line: int | None) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(file)}}
    return place if line is None else place | {"region": {"startLine": line}}


def _uri(file: str) -> str:
    """Paths stay relative; characters that a URI cannot hold are written as percent and two digits."""
    from urllib.parse import quote

    return quote(file.replace("\\", "/"), safe="/:@!$&'()*+,;=~")
