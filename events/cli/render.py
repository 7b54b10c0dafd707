"""`events render`: the object or request that one trigger makes of an event."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from events.cli._shared import FAILED, OK, USAGE, add_namespace, add_output, command, fail, require_paths
from events.cli._show import complain, printable, show_json
from events.cli.send import read

if TYPE_CHECKING:
    from events.tools.trial.render import Offered, Rendered

EXAMPLE = """events render examples/quickstart --trigger ci.build --event push.json
events render manifests --trigger deploy.roll --event image=image.json --event approval=yes.json"""


def register(commands: Any) -> None:
    parser = command(commands, "render", "show what a trigger would create or send", EXAMPLE, run)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="manifests, folders of them")
    parser.add_argument("--trigger", metavar="SENSOR.TRIGGER", required=True, help="the trigger")
    parser.add_argument(
        "-e", "--event", metavar="[DEPENDENCY=]FILE", action="append", required=True,
        help="CloudEvent or payload for a dependency, - for stdin; once for each dependency",
    )  # fmt: skip
    add_namespace(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    from events.errors import EvaluationError
    from events.tools.trial.manifests import load_setup
    from events.tools.trial.render import find_trigger, render

    require_paths(args.paths)
    plan, trigger = find_trigger(load_setup(args.paths, namespace=args.namespace), args.trigger)
    now_ns = time.time_ns()
    names = {dependency.name for dependency in plan.dependencies}
    given = [offered(text, names, now_ns) for text in args.event]
    newest = max(one.event.time_ns or now_ns for one in given)
    try:
        made = render(plan, trigger, given, newest)
    except EvaluationError as exc:
        fail(FAILED, f"{args.trigger} cannot be rendered: {exc}")
    for note in made.notes:
        complain(f"events render: {note}")
    show(args, made)
    return OK


def offered(text: str, names: set[str], now_ns: int) -> Offered:
    """The event in FILE or DEPENDENCY=FILE. Raises Exit."""
    from events.event import JSON, Event
    from events.tools.trial.given import sole_event
    from events.tools.trial.render import Offered

    name, equals, file = text.partition("=")
    dependency = name if equals and name in names else None
    file = file if dependency else text
    data = read(file)
    try:
        event = sole_event(data)
    except ValueError as exc:
        fail(USAGE, f"{file}: {exc}")
    if event is not None:
        return Offered(event, dependency, bare=False)
    return Offered(Event("event", "", "", "", now_ns, data, JSON), dependency, bare=True)


def show(args: argparse.Namespace, made: Rendered) -> None:
    """The object of triggers that create one, else the whole request."""
    import yaml

    from events.tools.trial.views import creates, object_view, request_view

    request = made.request
    if args.output == "json":
        show_json({"kind": made.trigger.kind, "firing": made.firing.id, "request": request_view(request)})
        return
    shown = object_view(request) if creates(request) else request_view(request)
    print(printable(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=1000)), end="")
