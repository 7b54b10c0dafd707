"""`events simulate`: given or recorded events through sensors, without sending anything."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from events.cli._shared import (
    FAILED,
    OK,
    USAGE,
    add_bus_name,
    add_namespace,
    add_output,
    ask_bus,
    command,
    count,
    fail,
    require_paths,
)
from events.cli._show import clock, counted, printable, say, show_json, table
from events.cli.explain import dependency_lines, mark
from events.cli.send import read

if TYPE_CHECKING:
    from events.tools.trial.given import Recorded
    from events.tools.trial.simulate import Change, Shown
    from events.tools.trial.world import Happening

EXAMPLE = """events simulate examples/quickstart --events push.json --explain
events simulate new/ --from .events --against old/
events get events -o json --limit 1 | events simulate . --events -"""

LIMIT = 1000


def register(commands: Any) -> None:
    parser = command(
        commands, "simulate", "show what sensors would do with events, without doing it", EXAMPLE, run
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="manifests, folders of them")
    parser.add_argument(
        "--events",
        metavar="FILE",
        help="CloudEvents as JSON, a list or one per line, or what `events get events -o json` shows; "
        "- for stdin",
    )
    parser.add_argument(
        "--from", dest="folders", metavar="DATA_FOLDER", action="append", default=[],
        help="events recorded there, whether an instance runs on it or not, or on the bus of a URL; may be "
        "repeated",
    )  # fmt: skip
    add_bus_name(parser)
    parser.add_argument("--source", help="of --from: events of this EventSource only")
    parser.add_argument("--subject", help="of --from: events of this event name only")
    parser.add_argument(
        "--limit", type=count, default=LIMIT, help=f"of --from: the newest so many (default: {LIMIT})"
    )
    parser.add_argument(
        "--against", metavar="MANIFESTS", action="append", default=[],
        help="manifests to compare with, as those in force now: shows only what PATH would change",
    )  # fmt: skip
    parser.add_argument("--check", action="store_true", help="with --against: exit 1 when anything changes")
    parser.add_argument("--explain", action="store_true", help="show every step of every dependency")
    parser.add_argument("--brief", action="store_true", help="leave out objects and requests")
    add_namespace(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    from events.tools.trial.manifests import load_setup
    from events.tools.trial.simulate import compare, simulate

    require_paths([*args.paths, *args.against])
    setup = load_setup(args.paths, namespace=args.namespace)
    other = load_setup(args.against, namespace=args.namespace) if args.against else None
    events, now_ns = gathered(args), time.time_ns()
    shown = simulate(setup, events, now_ns, explain=args.explain)
    if other is None:
        show(args, shown)
        return OK
    found = compare(simulate(other, events, now_ns), shown)
    show_changes(args, found, len(events))
    return FAILED if args.check and found else OK


# events


def gathered(args: argparse.Namespace) -> list[Recorded]:
    """Those of the file, then those of the folders by time. Raises Exit."""
    from events.tools.trial.given import in_order

    if not (args.events or args.folders):
        fail(USAGE, "give events: --events FILE, or --from DATA_FOLDER")
    given = from_file(args) if args.events else []
    return given + in_order([one for folder in args.folders for one in from_folder(args, folder)])


def from_file(args: argparse.Namespace) -> list[Recorded]:
    from events.tools.trial.given import read_events

    try:
        return read_events(read(args.events), args.namespace)
    except ValueError as exc:
        fail(USAGE, f"{args.events}: {exc}")


def is_bus(text: str) -> bool:
    """Whether it is the URL of a bus, and not a folder."""
    from events.errors import ManifestError
    from events.runtime.engines import of_url

    try:
        of_url(text)
    except ManifestError:
        return False
    return not Path(text).exists()


def from_folder(args: argparse.Namespace, folder: str) -> list[Recorded]:
    from events.cli._client import call
    from events.tools.trial.given import recorded

    given = {"source": args.source, "subject": args.subject, "limit": args.limit}
    wanted = {key: value for key, value in given.items() if value is not None}
    if is_bus(folder):
        rows = ask_bus(folder, args.eventbus, "events", wanted, args.shards)
    else:
        rows = call(Path(folder), "events", wanted)
    try:
        return [recorded(row) for row in reversed(rows)]
    except ValueError as exc:
        fail(USAGE, f"{folder}: {exc}")


# what happens


def show(args: argparse.Namespace, shown: Sequence[Shown]) -> None:
    from events.tools.trial.simulate import totals

    if args.output == "json":
        show_json(
            {
                "events": [plain(one) for one in shown],
                "summary": {label: dict(results) for label, results in totals(shown).items()},
            }
        )
        return
    for one in shown:
        for line in lines(one, brief=args.brief):
            say(line)
        say("")
    say(summary(totals(shown), sum(one.event is not None for one in shown)))


def lines(one: Shown, *, brief: bool) -> Iterator[str]:
    """The event, what each trigger makes of it, and the steps where they are asked for."""
    event = one.event
    place = "later" if event is None else f"event {event.id}  {event.source}/{event.subject}"
    yield f"{place}  {clock(one.time_ns)}"
    if not one.happenings:
        yield "  no trigger waits for it"
    for happening in one.happenings:
        reason = f": {happening.reason}" if happening.reason else ""
        yield f"  {mark(happening.result)} {happening.label} {happening.result}{reason}"
        for line in () if brief else request_lines(happening):
            yield f"      {line}"
    for sensor in dict.fromkeys(name for name, _ in one.steps):
        yield f"  sensor {sensor}"
        yield from dependency_lines(steps_of(one, sensor))


def steps_of(one: Shown, sensor: str) -> dict[str, Any]:
    import msgspec

    return {name: msgspec.to_builtins(steps) for (its, name), steps in one.steps.items() if its == sensor}


def request_lines(happening: Happening) -> list[str]:
    """The object that would be created, or the request, in YAML."""
    import yaml

    from events.tools.trial.views import creates, object_view, request_view

    request = happening.request
    if request is None:
        return []
    shown = object_view(request) if creates(request) else request_view(request)
    return printable(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=1000)).splitlines()


def summary(found: Mapping[str, Mapping[str, int]], events: int) -> str:
    """A table of how often each trigger came to each result."""
    from events.event import RESULTS

    results = [one for one in RESULTS if any(one in counts for counts in found.values())]
    rows = [[label, *(counts.get(one, 0) for one in results)] for label, counts in found.items()]
    told = f"{counted(events, 'event')}, nothing was sent"
    return f"{table(rows, ['TRIGGER', *map(str.upper, results)])}\n{told}" if rows else told


def plain(one: Shown) -> dict[str, Any]:
    event = one.event
    shown: dict[str, Any] = {"time_ns": one.time_ns}
    if event is not None:
        shown |= {name: getattr(event, name) for name in ("namespace", "source", "subject", "id", "type")}
    shown["decisions"] = [plain_happening(happening) for happening in one.happenings]
    if one.steps:
        sensors = dict.fromkeys(name for name, _ in one.steps)
        shown["steps"] = {sensor: steps_of(one, sensor) for sensor in sensors}
    return shown


def plain_happening(one: Happening) -> dict[str, Any]:
    from events.tools.trial.views import request_view

    shown: dict[str, Any] = {
        "sensor": one.sensor, "trigger": one.trigger, "result": one.result, "reason": one.reason,
        "event": one.event.id,
    }  # fmt: skip
    if one.firing is not None:
        shown["firing"] = one.firing.id
    if one.request is not None:
        shown |= {"kind": one.kind, "request": request_view(one.request)}
    return shown


# what changes

SIGNS = {"added": "+", "removed": "-", "changed": "~", "decision": "~"}


def show_changes(args: argparse.Namespace, found: Sequence[Change], events: int) -> None:
    from events.tools.trial.simulate import kinds

    if args.output == "json":
        show_json({"changes": [plain_change(one) for one in found], "summary": dict(kinds(found))})
        return
    for one in found:
        for line in change_lines(one, brief=args.brief):
            say(line)
    counts = ", ".join(f"{number} {kind}" for kind, number in kinds(found).items())
    say(f"{counted(events, 'event')}: {counts or 'no decision changes'}")


def change_lines(one: Change, *, brief: bool) -> Iterator[str]:
    """The decision under both versions, and what differs between the requests."""
    from events.tools.trial.difftext import lines_of

    event = one.event
    yield f"{SIGNS[one.kind]} {one.label} {one.kind}  event {event.id} ({event.source}/{event.subject})"
    if one.kind != "changed":
        yield f"    before  {decision(one.old)}"
        yield f"    now     {decision(one.new)}"
    if one.kind == "added" and one.new is not None and not brief:
        for line in request_lines(one.new):
            yield f"      {line}"
    for line in lines_of(one.differences, ("before", "now")):
        yield f"    {line}"


def decision(one: Happening | None) -> str:
    if one is None:
        return "nothing"
    return f"{one.result}: {one.reason}" if one.reason else one.result


def plain_change(one: Change) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "trigger": one.label,
        "event": one.event.id,
        "before": None if one.old is None else plain_happening(one.old),
        "now": None if one.new is None else plain_happening(one.new),
        "differences": [
            {renamed.get(key, key): value for key, value in difference.plain().items()}
            for renamed in [{"expected": "before", "got": "now"}]
            for difference in one.differences
        ],
    }
