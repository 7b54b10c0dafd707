"""`events demo`: a signed push becomes a Workflow and a notification, a tick becomes a Workflow."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from events.cli._shared import FAILED, OK, USAGE, command, fail
from events.cli._show import say, show_json
from events.cli.run import add_serving

EXAMPLE = "events demo\nevents demo --exit"
WAIT = 30.0
"""Seconds that everything the demo shows may take."""


def register(commands: Any) -> None:
    parser = command(commands, "demo", "show the whole way, from a push to a Workflow", EXAMPLE, run)
    parser.add_argument("--exit", action="store_true", help="stop when everything has happened (status 0)")
    parser.add_argument(
        "--data", metavar="DIR", default=".events-demo", help="data folder (default: .events-demo)"
    )
    add_serving(parser)


def run(args: argparse.Namespace) -> int:
    from events.cli.run import options_of, run_loop
    from events.observability.log import set_up
    from events.runtime.demo import Demo

    args.paths, args.namespace = [], "default"
    options = options_of(args)
    set_up("warning" if args.log_level == "info" else args.log_level, args.log_format)
    tell, done = (silent, show_json) if args.output == "json" else (say, silent)
    demo = Demo(quickstart(), options, wait=WAIT, stay=not args.exit, tell=tell, done=done)
    failure = run_loop(demo.run())
    if failure:
        fail(FAILED, failure)
    return OK


def silent(_: Any) -> None:
    return


def quickstart() -> Path:
    """The manifests: inside the package when installed, beside it in a checkout. Raises Exit."""
    import events

    package = Path(events.__file__).parent
    places = (package / "quickstart", package.parent / "examples" / "quickstart")
    found = next((folder for folder in places if folder.is_dir()), None)
    if found is None:
        fail(USAGE, "the quickstart manifests are not part of this installation")
    return found
