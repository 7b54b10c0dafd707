"""Running test files: every step through the engine, every expectation against the decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson

from events.cloudevents import parse_time
from events.errors import EventsError
from events.event import FIRED, JSON, Event
from events.lang.duration import parse_duration
from events.lang.regex import compile_regex
from events.tools.trial.cases import RESTART, Case, Expectation, GivenEvent, Loaded
from events.tools.trial.compare import ABSENT, Difference, missing_parts
from events.tools.trial.given import payload_of, sole_event
from events.tools.trial.manifests import Setup, load_setup
from events.tools.trial.views import object_view, request_view
from events.tools.trial.world import Happening, World

START = "2026-01-01T00:00:00Z"
"""When a test without any time starts."""

Find = Callable[[str], Event]
"""A recorded event by its id. Raises EventsError."""


class Ran(NamedTuple):
    """One step: what it was, and what happened in it."""

    step: Any
    happenings: list[Happening]

    @property
    def label(self) -> str:
        return f"advance {self.step['advance']}" if isinstance(self.step, dict) else str(self.step)


class Checked(NamedTuple):
    """One expectation: it holds when nothing differs. `got` is what was decided instead, for people."""

    expectation: Expectation
    number: int
    line: int | None
    differences: list[Difference]
    got: str = ""

    @property
    def passed(self) -> bool:
        return not self.differences

    @property
    def title(self) -> str:
        after = self.expectation.after
        place = "" if after is None else f" after {'step ' if isinstance(after, int) else ''}{after}"
        return f"{self.expectation.label} {self.expectation.decision}{place}"


class Report(NamedTuple):
    """One case: its steps and expectations, or why it could not run."""

    name: str
    file: str
    steps: list[Ran]
    checks: list[Checked]
    error: str = ""

    @property
    def passed(self) -> bool:
        return not self.error and all(check.passed for check in self.checks)


def run_case(loaded: Loaded, find: Find) -> Report:
    """Run one case. Raises nothing for what is wrong with its manifests or events: see `error`."""
    try:
        return checked(loaded, find)
    except EventsError as exc:
        return Report(loaded.name, str(loaded.file), [], [], str(exc))


def checked(loaded: Loaded, find: Find) -> Report:
    """Raises ManifestError for what cannot be used, NotThere for a recorded event that is not there."""
    case, folder = loaded.case, loaded.file.parent
    setup = load_setup([folder / path for path in case.paths], namespace=case.namespace)
    check_names(loaded, setup)
    events = {one.name: build(loaded, number, setup, find) for number, one in enumerate(case.events)}
    steps = run_steps(case, World(setup, start_of(case, events)), events)
    checks = [
        check(expectation, number, loaded.origin.line(f"expect.{number}"), steps)
        for number, expectation in enumerate(case.expect)
    ]
    return Report(loaded.name, str(loaded.file), steps, checks)


def check_names(loaded: Loaded, setup: Setup) -> None:
    """An expectation about a trigger that is not there is a mistake in the test. Raises ManifestError."""
    known: dict[str, list[str]] = {}
    for planned in setup.sensors:
        for trigger in planned.plan.triggers:
            names = [trigger.name, *([trigger.dlq.name] if trigger.dlq else ())]
            known.setdefault(planned.plan.name, []).extend(names)
    for number, one in enumerate(loaded.case.expect):
        if one.sensor not in known:
            raise loaded.error(f"expect.{number}.sensor", unknown("sensor", one.sensor, known))
        if one.trigger not in known[one.sensor]:
            triggers = known[one.sensor]
            raise loaded.error(f"expect.{number}.trigger", unknown("trigger", one.trigger, triggers))


def unknown(what: str, name: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    return f"there is no {what} {name!r}: there is {', '.join(known)}"


# events


def build(loaded: Loaded, number: int, setup: Setup, find: Find) -> Event:
    """An event of the test. Raises ManifestError for a file that cannot be used, EventsError."""
    given = loaded.case.events[number]
    base = find(given.recorded) if given.recorded else None
    if given.file:
        base = from_file(loaded, number, given)
    elif given.data is not None:
        base = Event("", "", "", "", None, orjson.dumps(given.data), JSON)
    assert base is not None  # the model: exactly one of the three
    changed = {field: value for field in OVERRIDDEN if (value := getattr(given, field))}
    event = msgspec.structs.replace(base, **changed, namespace=loaded.case.namespace)
    if not (event.source and event.subject):
        raise loaded.error(f"events.{number}", "needs a source and a subject: the file has a bare payload")
    kind = event.type or setup.type_of(event.namespace, event.source, event.subject)
    return msgspec.structs.replace(event, type=kind, time_ns=parse_time(given.time) or base.time_ns)


OVERRIDDEN = ("id", "source", "subject", "type")


def from_file(loaded: Loaded, number: int, given: GivenEvent) -> Event:
    """A CloudEvent, or a bare payload. Raises ManifestError."""
    place = f"events.{number}.file"
    path: Path = loaded.file.parent / given.file
    try:
        data = path.read_bytes()
        event = sole_event(data)
    except OSError as exc:
        raise loaded.error(place, f"cannot read {path}: {exc.strerror}") from exc
    except ValueError as exc:
        raise loaded.error(place, f"{path}: {exc}") from exc
    return event or Event("", "", "", "", None, payload_of(data), JSON)


def start_of(case: Case, events: Mapping[str, Event]) -> int:
    """When the test starts [ns since 1970]."""
    given = parse_time(case.now)
    if given is not None:
        return given
    first = next((event.time_ns for event in events.values() if event.time_ns is not None), None)
    return first if first is not None else parse_time(START) or 0


# steps


def run_steps(case: Case, world: World, events: Mapping[str, Event]) -> list[Ran]:
    steps = case.steps or list(events)
    return [Ran(step, take(step, world, events)) for step in steps]


def take(step: Any, world: World, events: Mapping[str, Event]) -> list[Happening]:
    if isinstance(step, dict):
        return world.advance_to(world.now_ns + parse_duration(str(step["advance"])))
    if step == RESTART:
        return world.restart()
    event = events[step]
    time_ns = world.now_ns if event.time_ns is None else event.time_ns
    return world.send(msgspec.structs.replace(event, time_ns=time_ns))


# expectations


def check(expectation: Expectation, number: int, line: int | None, steps: Sequence[Ran]) -> Checked:
    """The decision that comes nearest decides what is told."""
    candidates = [
        one
        for index, ran in enumerate(steps, 1)
        if expectation.after in (None, index, ran.step)
        for one in ran.happenings
        if (one.sensor, one.trigger) == (expectation.sensor, expectation.trigger)
    ]
    if not candidates:
        nothing = Difference("decision", expectation.decision, ABSENT)
        return Checked(expectation, number, line, [nothing], "no event reached this trigger")
    found = [(differences(expectation, one), one) for one in candidates]
    best, one = min(found, key=lambda pair: (distance(pair[0]), len(pair[0])))
    return Checked(expectation, number, line, best, told(one))


def distance(found: Sequence[Difference]) -> int:
    """A wrong decision is further away than anything about the right one."""
    return int(any(one.path == "decision" for one in found))


def told(happening: Happening) -> str:
    reason = f": {happening.reason}" if happening.reason else ""
    return f"{happening.result}{reason}"


def differences(expectation: Expectation, happening: Happening) -> list[Difference]:
    """Between what is expected and one decision."""
    if happening.result != expectation.decision:
        return [Difference("decision", expectation.decision, happening.result)]
    found = []
    if expectation.reason and not compile_regex(expectation.reason).search(happening.reason):
        found.append(Difference("reason", expectation.reason, happening.reason))
    if happening.result == FIRED and happening.request is not None:
        request = happening.request
        if expectation.object is not None:
            found += missing_parts(expectation.object, object_view(request) or ABSENT, "object")
        if expectation.request is not None:
            found += missing_parts(expectation.request, request_view(request), "request")
    return found
