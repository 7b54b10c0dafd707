"""`events explain`: what became of an event at every trigger, and why."""

from __future__ import annotations

import argparse
import json
from typing import Any

from events.cli._shared import OK, add_output, add_place, ask, command
from events.cli._show import clock, counted, iso_moment, printable, show_json

MARKS = {"pass": "✓", "reject": "✗", "error": "!"}
GOOD, OPEN = frozenset({"fired"}), frozenset({"waiting", "pending", "retrying", "rate_limited"})
LONGEST = 100
"""Characters of a value or an expression that are shown."""


def register(commands: Any) -> None:
    parser = command(
        commands, "explain", "say what became of an event, and why",
        "events explain EVENT_ID\nevents explain EVENT_ID --output json", run,
    )  # fmt: skip
    parser.add_argument("id", metavar="EVENT_ID", help="id of the event (`events get events` lists them)")
    add_place(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    accounts = ask(args, "explain", id=args.id)
    if args.output == "json":
        show_json(accounts)
    else:
        print("\n\n".join("\n".join(map(printable, lines_of(account))) for account in accounts))
    return OK


def lines_of(account: Any) -> list[str]:
    """The event, then each trigger."""
    event = account["event"]
    lines = [
        f"event {event['id']}",
        f"  from    {event['source']}/{event['subject']} ({event['type']}), {counted(event['size'], 'byte')}",
        f"  stored  {iso_moment(event['stored'])} on bus {account['bus']}",
    ]
    if account["note"]:
        lines += ["", account["note"]]
    for trigger in account["triggers"]:
        lines += ["", *trigger_lines(trigger)]
    return lines


def trigger_lines(trigger: Any) -> list[str]:
    """The result with its reason, the steps of each dependency, what was done and when."""
    reason = f": {trigger['reason']}" if trigger["reason"] else ""
    head = f"{mark(trigger['result'])} {trigger['sensor']}.{trigger['trigger']} {trigger['result']}{reason}"
    return [
        head,
        *dependency_lines(trigger["steps"], trigger["hints"]),
        *decision_lines(trigger["decisions"]),
    ]


def mark(result: str) -> str:
    if result in OPEN:
        return "…"
    return "✓" if result in GOOD else "✗"


def dependency_lines(dependencies: dict[str, Any], hints: dict[str, list[str]] | None = None) -> list[str]:
    lines = []
    for name, steps in dependencies.items():
        lines.append(f"    dependency {name}{':' if steps else ' has no filters'}")
        lines += [f"      {line}" for step in steps for line in step_lines(step)]
        lines += [f"      hint: {hint}" for hint in (hints or {}).get(name, ())]
    return lines


def step_lines(step: Any) -> list[str]:
    what = " ".join(part for part in (step["field"], cut(step["expression"])) if part)
    if not step["wanted"]:
        found = f": {cut(step['found'])}" if step["found"] is not None else ""
    else:
        found = f": found {value(step['found'])}, wanted {cut(step['wanted'])}"
    lines = [f"{MARKS[step['verdict']]} {what}{found}"]
    return [*lines, f"    {step['error']}"] if step["error"] else lines


def value(found: str | None) -> str:
    return "nothing" if found is None else cut(json.dumps(found, ensure_ascii=False))


def cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def decision_lines(decisions: list[Any]) -> list[str]:
    """The oldest first; the firing is told once."""
    lines, firing = [], None
    for one in reversed(decisions):
        if one.get("firing") not in {None, firing}:
            firing = one["firing"]
            lines.append(f"    firing {firing}:")
        attempt = f", attempt {one['attempt']}" if one.get("attempt") else ""
        reason = f": {one['reason']}" if one.get("reason") else ""
        lines.append(f"      {clock(one['time_ns'])} {one['result']}{attempt}{reason}")
    return lines
