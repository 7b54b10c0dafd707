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


def add_place(parser: argparse.ArgumentParser) -> None:
    """An instance by its data folder, or a bus by its URL."""
    add_data(parser)
    parser.add_argument(
        "--bus", metavar="URL", help="look at this bus itself instead, as in nats://HOST:PORT"
    )
    add_bus_name(parser)


def add_bus_name(parser: argparse.ArgumentParser) -> None:
    """What a URL does not say of a bus."""
    parser.add_argument(
        "--eventbus", metavar="NAMESPACE/NAME", default="default/default",
        help="with the URL of a bus: whose it is (default: default/default)",
    )  # fmt: skip
    parser.add_argument(
        "--shards", metavar="N", type=count, help="with the URL of a bus: its shards, unless 8 (embedded: 1)"
    )


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
    """Ask the bus of `--bus`, or the instance of `--data`, or its stores when nothing runs there.

    Raises Exit, EventsError.
    """
    wanted = {key: value for key, value in given.items() if value is not None}
    url = getattr(args, "bus", None)
    if url is not None and ":" in url:
        return ask_bus(url, args.eventbus, operation, wanted, args.shards)
    from events.cli._client import call

    return call(Path(args.data), operation, wanted)


def ask_bus(url: str, name: str, operation: str, given: dict[str, Any], shards: int | None = None) -> Any:
    """Ask a bus itself. Raises Exit, EventsError."""
    from events.runtime.onbus import Place, call

    if name.count("/") != 1 or not all(name.split("/")):
        fail(USAGE, f"--eventbus {name}: write NAMESPACE/NAME, as in default/default")
    try:
        return call(Place(url, name, shards), operation, given)
    except ValueError as exc:
        fail(USAGE, str(exc))


def require_paths(paths: list[str]) -> None:
    """Raises Exit for paths of manifests that do not exist."""
    missing = [path for path in paths if path != "-" and not Path(path).exists()]
    if missing:
        fail(USAGE, f"there is no {', '.join(missing)}")


def fail(code: int, text: str) -> NoReturn:
    raise Exit(code, text)
