"""`events dlq`: firings that were given up."""

from __future__ import annotations

import argparse
from typing import Any

from events.cli._shared import OK, add_data, add_output, ask, command, print_rows, show_json


def register(commands: Any) -> None:
    example = "events dlq list\nevents dlq show FIRING\nevents dlq retry FIRING"
    parser = command(commands, "dlq", "list, show and retry dead letters", example, run)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("list", "all dead letters, the oldest first"),
        ("show", "one with its events and its request"),
        ("retry", "send it again under its id"),
    ):
        action = actions.add_parser(name, help=summary, description=summary)
        add_data(action)
        add_output(action)
        if name != "list":
            action.add_argument("firing", help="id of the firing")
        if name == "retry":
            action.add_argument("--render", action="store_true", help="make the request anew from the events")


def run(args: argparse.Namespace) -> int:
    if args.action == "list":
        show_list(args)
    elif args.action == "show":
        show_json(ask(args, "letter", firing=args.firing))
    else:
        found = ask(args, "retry", firing=args.firing, render=args.render)
        if args.output == "json":
            show_json(found)
        else:
            print(f"{args.firing} is on its way again; `events dlq list` shows it if it fails")
    return OK


def show_list(args: argparse.Namespace) -> None:
    columns = {
        "firing": lambda row: row["firing"],
        "trigger": lambda row: f"{row['sensor']}.{row['trigger']}",
        "attempts": lambda row: row["attempts"],
        "event": lambda row: ",".join(event[3] for event in row["events"]),
        "error": lambda row: row["error"][:80],
    }
    print_rows(args, ask(args, "letters"), columns)
