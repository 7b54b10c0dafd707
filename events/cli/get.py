"""`events get`: what is there: events, decisions, objects, sources, sensors."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from events.cli._shared import (
    FAILED,
    OK,
    UNREACHABLE,
    USAGE,
    add_output,
    add_place,
    ask,
    command,
    count,
    fail,
)
from events.cli._show import clock, iso_clock, print_rows, printable

Columns = Mapping[str, Callable[[Any], object]]

EXAMPLE = """events get events --source github --limit 5
events get decisions --result failed,dead_lettered
events get workflows
events get workflows build-7x2q -o json
events get sources"""

EVENTS: Columns = {
    "stored": lambda row: iso_clock(row["stored"]),
    "source": lambda row: f"{row['source']}/{row['subject']}",
    "bytes": lambda row: row["size"],
    "id": lambda row: row["id"],
}
DECISIONS: Columns = {
    "time": lambda row: clock(row["time_ns"]),
    "trigger": lambda row: f"{row['sensor']}.{row['trigger']}",
    "result": lambda row: row["result"],
    "event": lambda row: row["events"][0][2] if row["events"] else "",
    "reason": lambda row: row.get("reason", ""),
}
OBJECTS: Columns = {
    "kind": lambda row: row["kind"],
    "namespace": lambda row: row["metadata"].get("namespace", ""),
    "name": lambda row: row["metadata"]["name"],
    "created": lambda row: iso_clock(row["metadata"]["creationTimestamp"]),
}
SOURCES: Columns = {
    "name": lambda row: row["name"],
    "kind": lambda row: row["kind"],
    "state": lambda row: row["state"],
    "sent": lambda row: row["sent"],
    "address": lambda row: row["address"],
    "reason": lambda row: row["reason"],
}
SENSORS: Columns = {
    "name": lambda row: row["name"],
    "bus": lambda row: row["bus"],
    "fires": lambda row: "; ".join(f"{name} when {when}" for name, when in row["waits"].items()),
}
BUSES: Columns = {
    "name": lambda row: row["name"],
    "state": lambda row: "ready" if row["ready"] else "not ready",
    "reason": lambda row: row["reason"],
}
STATES: Mapping[str, Columns] = {"sources": SOURCES, "sensors": SENSORS, "buses": BUSES}
HELD = ("events", "decisions", *STATES, "objects")
"""What can be asked for besides kinds of objects."""


def register(commands: Any) -> None:
    parser = command(commands, "get", "show events, decisions, objects, sources, sensors", EXAMPLE, run)
    parser.add_argument(
        "what", metavar="WHAT",
        help="events, decisions, sources, sensors, buses, objects, or a kind of object such as workflows",
    )  # fmt: skip
    parser.add_argument("name", metavar="NAME", nargs="?", help="one of them, by its name or id")
    add_place(parser)
    add_output(parser)
    parser.add_argument("-n", "--namespace", help="objects of this namespace only")
    parser.add_argument("--source", help="events of this EventSource only")
    parser.add_argument("--subject", help="events of this event name only")
    parser.add_argument("--event", metavar="ID", help="decisions about this event only")
    parser.add_argument("--sensor", help="decisions of this sensor only")
    parser.add_argument("--trigger", help="decisions of this trigger only")
    parser.add_argument("--result", metavar="A,B", help="decisions with one of these results only")
    parser.add_argument("--limit", type=count, default=20, help="how many at the most (default: 20)")


def run(args: argparse.Namespace) -> int:
    what = plural(args.what.lower())
    if what == "events":
        found = ask(args, "events", id=args.name, source=args.source, subject=args.subject, limit=args.limit)
        print_rows(args, wanted(args, found), EVENTS, "no events")
    elif what == "decisions":
        found = ask(
            args, "decisions", event_id=args.event or args.name, sensor=args.sensor, trigger=args.trigger,
            results=args.result, limit=args.limit,
        )  # fmt: skip
        print_rows(args, found, DECISIONS, "no decisions")
    elif what in STATES:
        show_states(args, what)
    else:
        show_objects(args)
    return OK


def plural(what: str) -> str:
    return {"event": "events", "decision": "decisions", "source": "sources", "sensor": "sensors",
            "bus": "buses", "object": "objects"}.get(what, what)  # fmt: skip


def wanted(args: argparse.Namespace, found: list[Any]) -> list[Any]:
    """Raises Exit when one was asked for by name and is not there."""
    if args.name and not found:
        fail(FAILED, f"there is no {args.name} among {args.what}")
    return found


def show_states(args: argparse.Namespace, what: str) -> None:
    status = ask(args, "status")
    if what != "buses" and not status.get("running", True):
        fail(UNREACHABLE, f"{what} are known to a running instance only, and none runs on {status['data']}")
    found = [row for row in status[what] if args.name in {None, row["name"], short(row["name"])}]
    print_rows(args, wanted(args, found), STATES[what], f"no {what}")


def short(name: str) -> str:
    """The name without its namespace."""
    return name.partition("/")[2]


def show_objects(args: argparse.Namespace) -> None:
    kind = None if args.what.lower() in {"objects", "object"} else args.what
    found = ask(args, "objects", kind=kind, namespace=args.namespace)
    if args.name:
        found = wanted(args, [row for row in found if row["metadata"]["name"] == args.name])
        if args.output == "text":
            show_object(found[0])
            return
    elif not found and kind:
        suggest(kind)
    print_rows(args, found[-args.limit :], OBJECTS, f"no {args.what}")


def suggest(kind: str) -> None:
    """Raises Exit for what looks like a slip of the pen."""
    from difflib import get_close_matches

    near = get_close_matches(kind.lower(), HELD, 1, 0.75)
    if near:
        fail(USAGE, f"there are no objects of kind {kind}; did you mean {near[0]}?")


def show_object(found: Any) -> None:
    import yaml

    print(printable(yaml.safe_dump(found, sort_keys=False, allow_unicode=True)), end="")
