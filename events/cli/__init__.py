"""The `events` command. Each command is a module that is imported when it is used."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from events import __version__
from events.cli._shared import EXIT_CODES, FAILED, USAGE, Exit, complain

COMMANDS = ("run", "demo", "lint", "get", "send", "explain", "dlq", "completion", "version")
"""One module each, in the order in which help lists them."""


def build() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="events",
        description="Event-driven triggers: event sources, sensors and triggers on a durable bus.",
        epilog=f"Start with `events demo`, or `events run PATH...`.\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"events {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name in COMMANDS:
        importlib.import_module(f"events.cli.{name}").register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. No traceback for a user's mistake."""
    parser = build()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return USAGE
    try:
        code: int = args.run(args)
    except Exit as exc:
        complain(f"events {args.command}: {exc}")
        code = exc.code
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except KeyboardInterrupt:
        code = 130
    return code


def entry() -> None:
    """The console script."""
    sys.exit(main())
