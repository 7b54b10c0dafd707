"""`events dlq`: firings that were given up."""

from __future__ import annotations

import argparse
from typing import Any

from events.cli._shared import OK, add_output, add_place, ask, command
from events.cli._show import clock, print_rows, say, show_json

EXAMPLE = "events dlq list\nevents dlq show FIRING\nevents dlq retry FIRING"


def register(commands: Any) -> None:
    parser = command(commands, "dlq", "list, show and retry dead letters", EXAMPLE)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = command(actions, "list", "all dead letters, the oldest first", "events dlq list", show_list)
    show = command(
        actions, "show", "one, as JSON, with its events and its request", "events dlq show FIRING", show_one
    )
    retry = command(
        actions, "retry", "send one again under its id", "events dlq retry FIRING --render", send_again
    )
    for action in (show, retry):
        action.add_argument("firing", metavar="FIRING", help="id of the firing (`events dlq list` shows it)")
    for action in (listing, show, retry):
        add_place(action)
        add_output(action)
    retry.add_argument("--render", action="store_true", help="make the request anew from the events")


def show_list(args: argparse.Namespace) -> int:
    columns = {
        "firing": lambda row: row["firing"],
        "trigger": lambda row: f"{row['sensor']}.{row['trigger']}",
        "since": lambda row: clock(row["first_ns"]),
        "attempts": lambda row: row["attempts"],
        "error": lambda row: row["error"],
    }
    print_rows(args, ask(args, "letters"), columns, "no dead letters")
    return OK


def show_one(args: argparse.Namespace) -> int:
    show_json(ask(args, "letter", firing=args.firing))
    return OK


def send_again(args: argparse.Namespace) -> int:
    found = ask(args, "retry", firing=args.firing, render=args.render)
    if args.output == "json":
        show_json(found)
    elif found["running"]:
        say(f"{args.firing} is on its way again; `events dlq list` shows it if it fails")
    else:
        say(f"{args.firing} is sent again as soon as `events run` works on it")
    return OK
