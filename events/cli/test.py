"""`events test`: test files beside manifests, run on the engine of an instance."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from events.cli._shared import FAILED, OK, USAGE, add_data, add_output, ask, command, fail, require_paths
from events.cli._show import counted, say, show_json

if TYPE_CHECKING:
    from events.event import Event
    from events.tools.trial.check import Checked, Report

EXAMPLE = """events test examples/quickstart
events test ci.test.yaml --junit report.xml"""


def register(commands: Any) -> None:
    parser = command(commands, "test", "run the tests of manifests, without sending anything", EXAMPLE, run)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="*.test.yaml files, or folders of them")
    parser.add_argument("--junit", metavar="FILE", help="write a report in JUnit XML as well")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every decision of every step")
    add_data(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    from events.tools.trial.cases import find_files, load_cases
    from events.tools.trial.check import run_case

    require_paths(args.paths)
    cases = [case for file in find_files(args.paths) for case in load_cases(file)]
    reports = [run_case(case, lambda event: recorded_event(args, event)) for case in cases]
    if args.output == "json":
        show_json([plain(report) for report in reports])
    else:
        for line in text(reports, verbose=args.verbose):
            say(line)
    if args.junit:
        write_junit(Path(args.junit), reports)
    return exit_code(reports)


def exit_code(reports: Sequence[Report]) -> int:
    """A test that cannot run counts more than one that fails."""
    if any(report.error for report in reports):
        return USAGE
    return OK if all(report.passed for report in reports) else FAILED


def recorded_event(args: argparse.Namespace, event: str) -> Event:
    """An event of the data folder. Raises NotThere, ManifestError."""
    from events.errors import ManifestError, NotThere
    from events.tools.trial.given import recorded

    rows = ask(args, "events", id=event)
    if not rows:
        raise NotThere(f"no event {event} is recorded in {args.data}; --data names another folder")
    try:
        return recorded(rows[0]).event
    except ValueError as exc:
        raise ManifestError(str(exc)) from exc


def write_junit(file: Path, reports: Sequence[Report]) -> None:
    from events.tools.trial.junit import junit

    try:
        file.write_bytes(junit(reports, problem_lines))
    except OSError as exc:
        fail(USAGE, f"cannot write {file}: {exc.strerror}")


def text(reports: Sequence[Report], *, verbose: bool) -> Iterator[str]:
    """A line for each expectation, and below it what differs."""
    for report in reports:
        yield f"{report.name}  ({report.file})"
        if report.error:
            yield f"  ! {report.error}"
        for line in step_lines(report) if verbose else ():
            yield f"    {line}"
        for check in report.checks:
            yield f"  {'✓' if check.passed else '✗'} {check.title}"
            for line in () if check.passed else problem_lines(check):
                yield f"      {line}"
    yield conclusion(reports)


def step_lines(report: Report) -> Iterator[str]:
    for number, step in enumerate(report.steps, 1):
        yield f"{number}. {step.label}"
        for one in step.happenings:
            yield f"     {one.label} {one.result}{': ' if one.reason else ''}{one.reason}"


def problem_lines(check: Checked) -> Iterator[str]:
    """What differs, key by key; for another decision why it was made."""
    from events.tools.trial.difftext import lines_of

    yield from lines_of(check.differences)
    if any(one.path == "decision" for one in check.differences):
        yield f"because: {check.got}"
    if check.line is not None:
        yield f"expected in line {check.line}"


def conclusion(reports: Sequence[Report]) -> str:
    checks = [check for report in reports for check in report.checks]
    parts = [
        counted(len(reports), "test"),
        f"{sum(check.passed for check in checks)} of {counted(len(checks), 'expectation')} met",
    ]
    errors = sum(bool(report.error) for report in reports)
    return ", ".join([*parts, f"{counted(errors, 'test')} could not run"] if errors else parts)


def plain(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "file": report.file,
        "passed": report.passed,
        "error": report.error,
        "steps": [
            {
                "step": step.label,
                "decisions": [
                    {
                        "sensor": one.sensor, "trigger": one.trigger, "result": one.result,
                        "reason": one.reason, "event": one.event.id,
                    }
                    for one in step.happenings
                ],
            }
            for step in report.steps
        ],
        "expectations": [
            {
                "sensor": check.expectation.sensor,
                "trigger": check.expectation.trigger,
                "decision": check.expectation.decision,
                "after": check.expectation.after,
                "line": check.line,
                "passed": check.passed,
                "got": check.got,
                "differences": [one.plain() for one in check.differences],
            }
            for check in report.checks
        ],
    }  # fmt: skip
