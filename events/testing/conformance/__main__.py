"""`python -m events.testing.conformance DIR [--corpus DIR]`"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from events.testing.conformance import Verdict, verdicts


def main() -> int:
    """Prints passed and failed per family and the failing cases; 1 on any failure or unknown case."""
    parser = argparse.ArgumentParser(prog="python -m events.testing.conformance")
    parser.add_argument("folder", type=Path, help="family files, as tests/conformance has them")
    parser.add_argument("--corpus", type=Path, help="folder with argo-events manifests for the examples")
    args = parser.parse_args()
    if not args.folder.is_dir():
        parser.error(f"{args.folder} is not a folder")
    return report(list(verdicts(args.folder, args.corpus)))


def report(found: list[Verdict]) -> int:
    for family in dict.fromkeys(verdict.family for verdict in found):
        counts = Counter(verdict.passed for verdict in found if verdict.family == family)
        not_run = f", {counts[None]} not run" if counts[None] else ""
        print(f"{family}: {counts[True]} passed, {counts[False]} failed{not_run}")
    failures = [verdict for verdict in found if verdict.passed is False]
    for verdict in failures:
        print(
            f"\n{verdict.family} {verdict.id}\n"
            f"  expected {show(verdict.wanted)}\n  got      {show(verdict.got)}"
        )
    skipped = sum(verdict.passed is None for verdict in found)
    passed = sum(verdict.passed is True for verdict in found)
    tail = f", {skipped} not run" if skipped else ""
    print(f"\n{passed} passed, {len(failures)} failed{tail}")
    return 1 if failures or not found else 0


def show(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)


sys.exit(main())
