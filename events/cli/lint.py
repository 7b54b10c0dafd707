"""`events lint`: everything that is wrong with some manifests, at once."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from events.cli._shared import FAILED, OK, add_namespace, add_output, command, show_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.manifest import Finding


def register(commands: Any) -> None:
    parser = command(
        commands, "lint", "check manifests without running them", "events lint examples/quickstart", run
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="manifests, folders of them, or - for stdin")
    parser.add_argument("--strict", action="store_true", help="warnings fail as well")
    add_namespace(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    findings = check(args.paths, args.namespace)
    if args.output == "json":
        show_json([asdict(finding) for finding in findings])
    else:
        for line in text(findings):
            print(line)
    return FAILED if failing(findings, strict=args.strict) else OK


def check(paths: Sequence[str], namespace: str) -> list[Finding]:
    """Findings of the loader, and of compiling every sensor and source filter."""
    from events.manifest import load
    from events.runtime.checks import compile_findings

    loaded = load(paths, namespace=namespace)
    return [*loaded.findings, *compile_findings(loaded)]


def failing(findings: Sequence[Finding], *, strict: bool) -> bool:
    return any(strict or finding.severity == "error" for finding in findings)


def text(findings: Sequence[Finding]) -> list[str]:
    errors = sum(finding.severity == "error" for finding in findings)
    told = [str(finding) for finding in findings]
    return [*told, f"{errors} errors, {len(findings) - errors} warnings"]
