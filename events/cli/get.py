"""`events get`: what is there: events, decisions, objects, sources, sensors."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from events.cli._shared import OK, add_data, add_output, ask, command, print_rows

Columns = Mapping[str, Callable[[Any], object]]

EXAMPLE = """events get events --source github --limit 5
events get decisions --result dead_lettered
events get workflows
events get sources"""

EVENTS: Columns = {
    "id": lambda row: row["id"],
    "source": lambda row: f"{row['source']}/{row['subject']}",
    "stored": lambda row: row["stored"][:23],
    "size": lambda row: row["size"],
}
DECISIONS: Columns = {
    "time": lambda row: clock(row["time_ns"]),
    "trigger": lambda row: f"{row['sensor']}.{row['trigger']}",
    "result": lambda row: row["result"],
    "event": lambda row: ",".join(event[2] for event in row["events"]),
    "link": lambda row: row.get("link") or "",
    "reason": lambda row: row.get("reason", "")[:60],
}
OBJECTS: Columns = {
    "kind": lambda row: row["kind"],
    "namespace": lambda row: row["metadata"].get("namespace", ""),
    "name": lambda row: row["metadata"]["name"],
    "created": lambda row: row["metadata"]["creationTimestamp"],
}
SOURCES: Columns = {
    "name": lambda row: row["name"],
    "kind": lambda row: row["kind"],
    "state": lambda row: row["state"],
    "sent": lambda row: row["sent"],
    "reason": lambda row: row["reason"],
}
SENSORS: Columns = {
    "name": lambda row: row["name"],
    "bus": lambda row: row["bus"],
    "trigger": lambda row: ", ".join(row["triggers"]),
    "waits for": lambda row: "; ".join(row["waits"].values()),
}
BUSES: Columns = {
    "name": lambda row: row["name"],
    "ready": lambda row: row["ready"],
    "reason": lambda row: row["reason"],
}
STATES: Mapping[str, Columns] = {"sources": SOURCES, "sensors": SENSORS, "buses": BUSES}


def register(commands: Any) -> None:
    parser = command(commands, "get", "show events, decisions, objects, sources, sensors", EXAMPLE, run)
    parser.add_argument(
        "what", help="events, decisions, sources, sensors, buses, or a kind of object such as workflows"
    )
    parser.add_argument("name", nargs="?", help="one object or event by its name or id")
    add_data(parser)
    add_output(parser)
    parser.add_argument("-n", "--namespace", help="objects of this namespace only")
    parser.add_argument("--source", help="events of this EventSource only")
    parser.add_argument("--subject", help="events of this event name only")
    parser.add_argument("--event", help="decisions about this event id only")
    parser.add_argument("--sensor", help="decisions of this sensor only")
    parser.add_argument("--trigger", help="decisions of this trigger only")
    parser.add_argument("--result", help="decisions with these results only (a,b,...)")
    parser.add_argument("--limit", type=int, default=20, help="how many at the most (default: 20)")


def run(args: argparse.Namespace) -> int:
    what = args.what.lower()
    if what in {"event", "events"}:
        found = ask(args, "events", id=args.name, source=args.source, subject=args.subject, limit=args.limit)
        print_rows(args, found, EVENTS)
    elif what in {"decision", "decisions"}:
        found = ask(
            args, "decisions", event_id=args.event or args.name, sensor=args.sensor, trigger=args.trigger,
            results=args.result, limit=args.limit,
        )  # fmt: skip
        print_rows(args, found, DECISIONS)
    elif what in STATES or f"{what}s" in STATES:
        what = what if what in STATES else f"{what}s"
        print_rows(args, named(ask(args, "status")[what], args.name), STATES[what])
    else:
        show_objects(args)
    return OK


def named(rows: list[Any], name: str | None) -> list[Any]:
    return [row for row in rows if name in {None, row["name"], row["name"].partition("/")[2]}]


def show_objects(args: argparse.Namespace) -> None:
    kind = None if args.what == "objects" else args.what
    found = ask(args, "objects", kind=kind, namespace=args.namespace)
    if args.name:
        found = [row for row in found if row["metadata"]["name"] == args.name]
        if args.output == "text" and found:
            show_object(found[0])
            return
    print_rows(args, found[-args.limit :] if not args.name else found, OBJECTS)


def show_object(found: Any) -> None:
    import yaml

    print(yaml.safe_dump(found, sort_keys=False, allow_unicode=True), end="")


def clock(time_ns: int) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(time_ns / 1e9).astimezone().strftime("%H:%M:%S.%f")[:-3]
