"""Output for people, and JSON for programs.

Text that came from outside (ids, payloads, errors of targets) cannot steer the terminal: control characters
are shown as escapes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

NARROWEST = 24
"""Characters that the last column of a table keeps, however narrow the terminal is."""


def say(text: str) -> None:
    """A line, at once: also when somebody reads it through a pipe while the command goes on."""
    print(printable(text), flush=True)


def complain(text: str) -> None:
    print(printable(text), file=sys.stderr)


def show_json(value: Any) -> None:
    """UTF-8 where the output takes it, else escapes: both are JSON."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json.dumps(value, indent=2, ensure_ascii=plain), flush=True)


def printable(text: str) -> str:
    """The text with control characters (but line breaks) as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else escape(char) for char in text)


def escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def moment(time_ns: int) -> str:
    """Local date and time with milliseconds."""
    return local(time_ns).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def clock(time_ns: int) -> str:
    """Local time of day with milliseconds; the date in front when it is not today."""
    then = local(time_ns)
    today = datetime.now().astimezone().date() == then.date()
    return then.strftime("%H:%M:%S.%f" if today else "%Y-%m-%d %H:%M:%S.%f")[:-3]


def local(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9).astimezone()


def iso_clock(text: str) -> str:
    """`clock` of a time in ISO 8601."""
    return clock(nanoseconds(text))


def iso_moment(text: str) -> str:
    """`moment` of a time in ISO 8601."""
    return moment(nanoseconds(text))


def nanoseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e9)


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def terminal_width() -> int | None:
    """Columns of the terminal; None when the output goes elsewhere and nothing has to be wrapped."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(rows: Iterable[Sequence[object]], header: Sequence[str], width: int | None = None) -> str:
    """Columns under a header, as wide as needed; the last one is wrapped to `width`."""
    cells = [[printable(" ".join(str(cell).split())) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    lines = ["  ".join(part.ljust(to) for part, to in zip(header, widths, strict=True)).rstrip()]
    start = sum(to + 2 for to in widths[:-1])
    room = None if width is None else max(NARROWEST, width - start)
    for row in cells:
        first, *more = wrapped(row[-1], room)
        lines.append(
            "  ".join(part.ljust(to) for part, to in zip([*row[:-1], first], widths, strict=True)).rstrip()
        )
        lines += [" " * start + part for part in more]
    return "\n".join(lines)


def wrapped(text: str, room: int | None) -> list[str]:
    if room is None or len(text) <= room:
        return [text]
    return textwrap.wrap(text, room) or [""]


def print_rows(
    args: argparse.Namespace,
    found: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Callable[[Any], object]],
    nothing: str = "nothing found",
) -> None:
    """A table, or all of it as JSON."""
    if args.output == "json":
        show_json(found)
    elif not found:
        say(nothing)
    else:
        rows = [[read(row) for read in columns.values()] for row in found]
        print(table(rows, [name.upper() for name in columns], terminal_width()))
