"""`events demo`: a signed push becomes a Workflow and a notification, a tick becomes a Workflow."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from events.cli._shared import FAILED, OK, USAGE, command, fail
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
    import asyncio

    from events.cli.run import loop_factory
    from events.errors import EventsError
    from events.observability.log import set_up
    from events.runtime.demo import Demo

    folder = quickstart()
    if folder is None:
        fail(USAGE, "the quickstart manifests are not part of this installation")
    set_up("warning" if args.log_level == "info" else args.log_level, args.log_format)
    args.paths, args.namespace = [], "default"
    from events.cli.run import options_of

    demo = Demo(
        folder, options_of(args), wait=WAIT, stay=not args.exit, tell=lambda line: print(line, flush=True)
    )
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            failure = runner.run(demo.run())
    except EventsError as exc:
        fail(FAILED, str(exc))
    if failure:
        fail(FAILED, failure)
    return OK


def quickstart() -> Path | None:
    """The manifests: inside the package when installed, beside it in a checkout."""
    import events

    package = Path(events.__file__).parent
    found = (package / "quickstart", package.parent / "examples" / "quickstart")
    return next((folder for folder in found if folder.is_dir()), None)
