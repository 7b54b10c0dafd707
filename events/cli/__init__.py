"""The `events` command. Each command is a module that imports what it needs when it runs."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from events import __version__
from events.cli._shared import EXIT_CODES, FAILED, INTERRUPTED, UNREACHABLE, USAGE, Exit
from events.cli._show import complain
from events.errors import EventsError, ManifestError, Retryable

COMMANDS = (
    "run",
    "demo",
    "lint",
    "test",
    "simulate",
    "render",
    "eval",
    "schema",
    "get",
    "send",
    "explain",
    "dlq",
    "completion",
    "version",
)
"""One module each, in the order in which help lists them."""

EXAMPLE = """Example:
  events demo
  events run examples/quickstart"""


def build() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="events",
        description="Event-driven triggers: event sources, sensors and triggers on a durable bus.",
        epilog=f"{EXAMPLE}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"events {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name in COMMANDS:
        importlib.import_module(f"events.cli.{name}").register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. No traceback for a user's mistake."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever the terminal's encoding is
    parser = build()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return USAGE
    return execute(args)


def execute(args: argparse.Namespace) -> int:
    """The command itself; its errors become a text and an exit code."""
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except Exit as exc:
        complain(f"events {args.command}: {exc}")
        code = exc.code
    except EventsError as exc:
        complain(f"events {args.command}: {exc}")
        code = code_of(exc)
    except OSError as exc:
        if not isinstance(exc, BrokenPipeError):  # the reader of our output has gone: nobody to tell
            complain(f"events {args.command}: {exc.strerror or exc}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be written would fail again
        code = FAILED
    except KeyboardInterrupt:
        code = INTERRUPTED
    return code


def code_of(error: EventsError) -> int:
    """The exit code that tells whose fault it was."""
    if isinstance(error, ManifestError):
        return USAGE
    return UNREACHABLE if isinstance(error, Retryable) else FAILED


def entry() -> None:
    """The console script."""
    sys.exit(main())
