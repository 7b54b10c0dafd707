"""`events version`"""

from __future__ import annotations

import argparse
from typing import Any

from events import __version__
from events.cli._shared import OK, add_output, command
from events.cli._show import say, show_json


def register(commands: Any) -> None:
    parser = command(commands, "version", "show the version", "events version --output json", run)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    import platform
    import sqlite3

    found = {"version": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    if args.output == "json":
        show_json(found)
    else:
        say(f"events {found['version']} (Python {found['python']}, SQLite {found['sqlite']})")
    return OK
