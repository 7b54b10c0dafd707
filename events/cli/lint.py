"""`events lint`: everything that is wrong with some manifests, at once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from events.cli._shared import FAILED, OK, add_namespace, add_output, command, require_paths
from events.cli._show import counted, say, show_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.manifest import Finding, Manifests


def register(commands: Any) -> None:
    parser = command(
        commands, "lint", "check manifests without running them", "events lint examples/quickstart", run
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="manifests, folders of them, or - for stdin")
    parser.add_argument("--strict", action="store_true", help="warnings fail as well")
    add_namespace(parser)
    add_output(parser, "sarif", "github")


def run(args: argparse.Namespace) -> int:
    require_paths(args.paths)
    loaded, findings = check(args.paths, args.namespace)
    show(loaded, findings, args.output)
    return FAILED if failing(findings, strict=args.strict) else OK


def show(loaded: Manifests, findings: list[Finding], output: str) -> None:
    """Print the findings: as text, as JSON, as SARIF 2.1.0, or as annotations of a GitHub workflow."""
    from events.tools.lint import as_json, github, sarif

    if output == "json":
        show_json(as_json(findings))
    elif output == "sarif":
        show_json(sarif(findings))
    else:
        text = [*map(str, findings), conclusion(loaded, findings)]
        for line in github(findings) if output == "github" else text:
            say(line)


def check(paths: Sequence[str], namespace: str) -> tuple[Manifests, list[Finding]]:
    """Findings of the loader, of compiling everything, and of the rules of lint."""
    from events.manifest import load
    from events.tools.lint import lint

    loaded = load(paths, namespace=namespace)
    return loaded, lint(loaded)


def failing(findings: Sequence[Finding], *, strict: bool) -> bool:
    return any(strict or finding.severity == "error" for finding in findings)


def conclusion(loaded: Manifests, findings: Sequence[Finding]) -> str:
    errors = sum(finding.severity == "error" for finding in findings)
    good = len(loaded.event_sources) + len(loaded.sensors) + len(loaded.event_buses)
    return ", ".join(
        (
            f"{counted(good + len(loaded.broken), 'object')} checked",
            counted(errors, "error"),
            counted(len(findings) - errors, "warning"),
        )
    )
