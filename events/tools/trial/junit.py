"""Test reports as JUnit XML, as CI systems read it: a suite per case, a test case per expectation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from xml.etree import ElementTree as ET  # writes only; nothing is parsed

from events.tools.trial.check import Checked, Report
from events.tools.trial.difftext import shown

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""


def junit(reports: Sequence[Report], lines_of: Callable[[Checked], Iterable[str]]) -> bytes:
    """The XML document. `lines_of` tells what is wrong with an expectation."""
    root = ET.Element("testsuites", counts(reports))
    for report in reports:
        suite = ET.SubElement(
            root,
            "testsuite",
            {"name": allowed(report.name), "file": allowed(report.file), **counts([report])},
        )
        for check in report.checks:
            case = testcase(suite, report, check.title)
            if check.line is not None:
                case.set("line", str(check.line))
            if not check.passed:
                fault = ET.SubElement(case, "failure", {"message": allowed(headline(check))})
                fault.text = allowed("\n".join(lines_of(check)))
        if report.error:
            case = testcase(suite, report, report.name)
            ET.SubElement(case, "error", {"message": allowed(report.error)})
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def headline(check: Checked) -> str:
    first = check.differences[0]
    return f"{first.path}: expected {shown(first.wanted)}, got {shown(first.got)}"


def testcase(suite: ET.Element, report: Report, title: str) -> ET.Element:
    return ET.SubElement(
        suite, "testcase",
        {"name": allowed(title), "classname": allowed(report.name), "file": allowed(report.file)},
    )  # fmt: skip


def counts(reports: Iterable[Report]) -> dict[str, str]:
    tests = failures = errors = 0
    for report in reports:
        tests += len(report.checks) + bool(report.error)
        failures += sum(not check.passed for check in report.checks)
        errors += bool(report.error)
    return {"tests": str(tests), "failures": str(failures), "errors": str(errors)}


def allowed(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
