"""`python -m benchmarks [NAME ...]`: figures of one run, each with its aim. See README.md."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys

from benchmarks.load import ROOT
from events.testing.servers import Absent

PROGRAMS = (
    "ingest", "end_to_end", "fan_out", "kafka", "sqs", "startup", "idle", "filters", "matching", "conditions",
    "shared_bus", "bus", "kafka_bus", "jetstream",
)  # fmt: skip


def run(name: str, quick: bool) -> None:
    if name != "bus":
        importlib.import_module(f"benchmarks.{name}").run(quick)
        return
    counts = ["--events", "200", "--rounds", "1"] if quick else ["--events", "16000", "--rounds", "3"]
    subprocess.run([sys.executable, "-m", "benchmarks.bus", *counts], check=True, cwd=ROOT)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PROGRAMS)}; all without one")
    parser.add_argument(
        "--quick", action="store_true", help="tiny counts: shows that it works, measures nothing"
    )
    args = parser.parse_args()
    unknown = set(args.names) - set(PROGRAMS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    for name in args.names or PROGRAMS:
        try:
            run(name, args.quick)
        except Absent as exc:
            print(f"{name}: left out: {exc}", flush=True)


if __name__ == "__main__":
    main()
