"""What the commands share: options, output, exit codes, and the way to an instance."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

OK, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3
"""Exit codes: ok, a check failed, usage or a bad manifest, cannot connect."""

EXIT_CODES = "Exit codes: 0 ok, 1 a check failed, 2 usage or a bad manifest, 3 cannot connect."

Command = Callable[[argparse.Namespace], int]


class Exit(Exception):
    """Ends the command with this code after telling the text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def command(
    commands: Any, name: str, summary: str, example: str, run: Command, **more: Any
) -> argparse.ArgumentParser:
    """A subcommand with an example in its help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"Example:\n  {example.replace(chr(10), chr(10) + '  ')}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **more,
    )
    parser.set_defaults(run=run)
    return parser


def add_output(parser: argparse.ArgumentParser, choices: Sequence[str] = ("text", "json")) -> None:
    parser.add_argument("-o", "--output", choices=choices, default="text", help="form of the output")


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", metavar="DIR", default=os.environ.get("EVENTS_DATA", ".events"),
        help="data folder of the instance (default: .events, or $EVENTS_DATA)",
    )  # fmt: skip


def add_namespace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--namespace", default="default", help="namespace (default: default)")


def ask(args: argparse.Namespace, operation: str, **given: Any) -> Any:
    """Ask the instance of `--data`, or its stores when nothing runs there. Raises Exit."""
    from events.cli._client import call

    return call(Path(args.data), operation, {key: value for key, value in given.items() if value is not None})


def show_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def table(rows: Iterable[Sequence[object]], header: Sequence[str]) -> str:
    """Columns under a header, as wide as needed."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    lines = [header, *cells]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def print_rows(
    args: argparse.Namespace,
    found: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Callable[[Any], object]],
) -> None:
    """A table, or all of it as JSON."""
    if args.output == "json":
        show_json(found)
    elif not found:
        print("nothing found")
    else:
        rows = [[read(row) for read in columns.values()] for row in found]
        print(table(rows, [name.upper() for name in columns]))


def fail(code: int, text: str) -> NoReturn:
    raise Exit(code, text)


def complain(text: str) -> None:
    print(text, file=sys.stderr)
