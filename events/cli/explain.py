"""`events explain`: what became of an event at every trigger, and why."""

from __future__ import annotations

import argparse
from typing import Any

from events.cli._shared import OK, add_data, add_output, ask, command, show_json

MARKS = {"pass": "✓", "reject": "✗", "error": "!"}


def register(commands: Any) -> None:
    parser = command(
        commands, "explain", "say what became of an event, and why", "events explain EVENT_ID", run
    )
    parser.add_argument("id", help="id of the event (`events get events` lists them)")
    add_data(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    accounts = ask(args, "explain", id=args.id)
    if args.output == "json":
        show_json(accounts)
    else:
        print("\n\n".join("\n".join(lines_of(account)) for account in accounts))
    return OK


def lines_of(account: Any) -> list[str]:
    event = account["event"]
    lines = [
        f"event {event['id']}  {event['source']}/{event['subject']}  ({event['type']}, {event['size']} bytes, "
        f"stored {event['stored'][:23]} on {account['bus']})"
    ]
    if account["note"]:
        lines.append(f"  {account['note']}")
    for trigger in account["triggers"]:
        lines += trigger_lines(trigger)
    return lines


def trigger_lines(trigger: Any) -> list[str]:
    head = f"  {trigger['sensor']}.{trigger['trigger']}: {trigger['result']}"
    link = f"  {trigger['link']}" if trigger["link"] else ""
    lines = [f"{head}{link}"]
    if trigger["reason"]:
        lines.append(f"      {trigger['reason']}")
    for name, steps in trigger["steps"].items():
        lines.append(f"      dependency {name}{'' if steps else ': no filters, every event passes'}")
        lines += [step_line(step) for step in steps]
    lines += [decision_line(one) for one in reversed(trigger["decisions"])]
    return lines


def step_line(step: Any) -> str:
    found = "nothing" if step["found"] is None else repr(step["found"])[:80]
    text = f"        {MARKS[step['verdict']]} {step['field']}: {step['expression']}"
    wanted = f"  wanted {step['wanted']}, found {found}" if step["wanted"] else ""
    return f"{text}{wanted}{'  ' + step['error'] if step['error'] else ''}"


def decision_line(one: Any) -> str:
    from events.cli.get import clock

    firing = f"  firing {one['firing']}" if one.get("firing") else ""
    attempt = f"  attempt {one['attempt']}" if one.get("attempt") else ""
    return (
        f"        {clock(one['time_ns'])} {one['result']}{attempt}{firing}  {one.get('reason', '')}".rstrip()
    )
