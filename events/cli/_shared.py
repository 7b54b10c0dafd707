"""What the commands share: options, exit codes, and the way to an instance."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

OK, FAILED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: ok, a check failed, usage or a bad manifest, cannot connect, Ctrl-C."""

EXIT_CODES = "Exit codes: 0 ok, 1 a check failed, 2 usage or a bad manifest, 3 cannot connect."

Command = Callable[[argparse.Namespace], int]


class Exit(Exception):
    """Ends the command with this code after telling the text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def command(
    commands: Any, name: str, summary: str, example: str, run: Command | None = None
) -> argparse.ArgumentParser:
    """A subcommand, at any level, with an example in its help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"Example:\n  {example.replace(chr(10), chr(10) + '  ')}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if run is not None:
        parser.set_defaults(run=run)
    return parser


def add_output(parser: argparse.ArgumentParser, *more: str) -> None:
    """Text and JSON, and what else the command can write."""
    parser.add_argument(
        "-o", "--output", choices=("text", "json", *more), default="text",
        help="form of the output (default: text)",
    )  # fmt: skip


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", metavar="DIR", default=os.environ.get("EVENTS_DATA", ".events"),
        help="data folder of the instance (default: .events, or $EVENTS_DATA)",
    )  # fmt: skip


def add_namespace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--namespace", default="default", help="of objects that name none (default: default)"
    )


def port(text: str) -> int:
    """A TCP port; 0 asks for a free one. Raises ValueError."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError(text)
    return number


def count(text: str) -> int:
    """How many, at least one. Raises ValueError."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def ask(args: argparse.Namespace, operation: str, **given: Any) -> Any:
    """Ask the instance of `--data`, or its stores when nothing runs there. Raises Exit."""
    from events.cli._client import call

    return call(Path(args.data), operation, {key: value for key, value in given.items() if value is not None})


def require_paths(paths: list[str]) -> None:
    """Raises Exit for paths of manifests that do not exist."""
    missing = [path for path in paths if path != "-" and not Path(path).exists()]
    if missing:
        fail(USAGE, f"there is no {', '.join(missing)}")


def fail(code: int, text: str) -> NoReturn:
    raise Exit(code, text)
