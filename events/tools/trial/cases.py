"""Test files: `*.test.yaml` beside manifests say which events come, and what is to become of them.

manifests  a file or folder, or a list of them, relative to the test file
now        when the test starts (RFC 3339); the first event's time when absent
events     id, source, subject, and one of data, file, recorded
steps      ids of events in the order in which they arrive, `advance: 5m`, `restart`; all events when absent
expect     after which event or step which trigger decides what, why, and with what object or request
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from events.api.common import Model, NonEmpty, Problem, check_choice
from events.api.origin import Lines, Origin
from events.cloudevents import parse_time
from events.errors import ExpressionError, ManifestError
from events.event import (
    DEAD_LETTERED,
    EXPIRED,
    FIRED,
    RESULTS,
    RETRYING,
)
from events.lang.duration import parse_duration
from events.lang.regex import compile_regex
from events.manifest.decode import decode
from events.manifest.files import MAX_BYTES
from events.manifest.tidy import tidy
from events.manifest.yamltext import read_documents

SUFFIXES = (".test.yaml", ".test.yml")
RESTART = "restart"
POSSIBLE = tuple(result for result in RESULTS if result not in {RETRYING, DEAD_LETTERED, EXPIRED})
"""Nothing is sent, so nothing can be tried again, given up or lose its place in a log."""


class GivenEvent(Model):
    """One event that arrives."""

    id: str = Field("", description="id of the event; that of a recorded event when empty")
    source: str = Field("", description="name of the EventSource")
    subject: str = Field("", description="name of the event")
    type: str = Field("", description="kind of the event source; found in the manifests when empty")
    time: str = Field("", description="time of the event (RFC 3339); when it arrives, if empty")
    data: Any = Field(None, description="the payload")
    file: str = Field("", description="file with the payload or a CloudEvent, relative to the test")
    recorded: str = Field("", description="id of an event that a data folder has recorded")

    @property
    def name(self) -> str:
        """What steps and expectations call it."""
        return self.id or self.recorded

    def problems(self) -> Iterable[Problem]:
        """One payload; an id; a source and subject unless they come with the event."""
        if sum((self.data is not None, bool(self.file), bool(self.recorded))) != 1:
            yield Problem("", "needs exactly one of data, file and recorded", code="choice")
        if not self.name:
            yield Problem("id", "is missing", "write an id, unique in the test", "required")
        if self.name == RESTART:
            yield Problem("id", f"cannot be {RESTART!r}", "that is a step", "choice")
        if self.data is not None:
            yield from (
                Problem(field, "is missing", "write it", "required")
                for field in ("source", "subject")
                if not getattr(self, field)
            )
        yield from check_time(self.time, "time")


class Expectation(Model):
    """What is to become of an event at a trigger."""

    after: Any = Field(None, description="id of an event, or number of a step from 1; any step when absent")
    sensor: NonEmpty = Field(description="name of the sensor")
    trigger: NonEmpty = Field(description="name of the trigger")
    decision: str = Field(FIRED, description=f"one of {', '.join(POSSIBLE)}")
    reason: str = Field("", description="regular expression (RE2) that the reason has to contain")
    object: dict[str, Any] | None = Field(None, description="a part of the Kubernetes object")
    request: dict[str, Any] | None = Field(None, description="a part of the request")

    @property
    def label(self) -> str:
        return f"{self.sensor}.{self.trigger}"

    def problems(self) -> Iterable[Problem]:
        """A decision that can happen here, a pattern that compiles, parts only of what is fired."""
        yield from check_choice(self.decision, "decision", POSSIBLE)
        try:
            compile_regex(self.reason)
        except ExpressionError as exc:
            yield Problem("reason", exc.message, code="does-not-compile")
        if self.decision != FIRED and (self.object is not None or self.request is not None):
            said = f"has no object and no request when it is {self.decision}"
            yield Problem("decision", said, "leave out object and request", "choice")
        if not (self.after is None or is_text(self.after) or is_number(self.after)):
            yield Problem("after", "is neither the id of an event nor a number", code="type")


class Case(Model):
    """One document of a test file."""

    name: str = Field("", description="what is tested; the file's name when empty")
    manifests: Any = Field(description="a file or folder, or a list of them, relative to the test file")
    namespace: str = Field("default", description="namespace of events, and of objects that name none")
    now: str = Field("", description="when the test starts (RFC 3339)")
    events: list[GivenEvent] = Field(min_length=1, description="events that arrive")
    steps: list[Any] = Field([], description="ids of events, `advance: 5m`, `restart`; all events when empty")
    expect: list[Expectation] = Field(min_length=1, description="what is to become of them")

    @property
    def paths(self) -> list[str]:
        return [self.manifests] if isinstance(self.manifests, str) else list(self.manifests)

    def problems(self) -> Iterable[Problem]:
        """Ids that are unique, steps and expectations that name something."""
        if not (is_text(self.manifests) or is_list_of_text(self.manifests)):
            yield Problem("manifests", "is neither a path nor a list of paths", code="type")
        yield from check_time(self.now, "now")
        names = [event.name for event in self.events]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Problem(f"events.{index}.id", f"two events have the id {name!r}", code="duplicate")
        for index, step in enumerate(self.steps):
            yield from check_step(step, names, f"steps.{index}")
        for index, expectation in enumerate(self.expect):
            yield from self._reachable(expectation.after, f"expect.{index}.after")

    def _reachable(self, after: Any, field: str) -> Iterator[Problem]:
        steps = self.steps or [event.name for event in self.events]
        if is_number(after) and not 1 <= after <= len(steps):
            yield Problem(field, f"there is no step {after}", f"1 to {len(steps)}", "choice")
        if isinstance(after, str) and after not in steps:
            yield Problem(field, f"no step sends an event {after!r}", code="choice")


class Loaded(NamedTuple):
    """A case and where it stands."""

    case: Case
    file: Path
    origin: Origin

    @property
    def name(self) -> str:
        return self.case.name or self.file.name.partition(".test.")[0]

    def error(self, field: str, message: str) -> ManifestError:
        return ManifestError(message, file=str(self.file), line=self.origin.line(field), field=field)


def find_files(paths: Sequence[str | Path]) -> list[Path]:
    """The named files, and every test file below the named folders. Raises ManifestError for none."""
    found: list[Path] = []
    for path in map(Path, paths):
        below = [one for one in sorted(path.rglob("*")) if is_test(one)] if path.is_dir() else [path]
        if not below:
            raise ManifestError(f"there is no test below {path}: tests are called *{SUFFIXES[0]}")
        found += [one for one in below if one not in found]
    return found


def is_test(path: Path) -> bool:
    return path.name.endswith(SUFFIXES) and not path.name.startswith(".") and path.is_file()


def load_cases(file: Path) -> list[Loaded]:
    """The cases of a file. Raises ManifestError with everything that is wrong, each with line and field."""
    found, errors = [], []
    for document in read_documents(content(file)):
        if isinstance(document, ManifestError):
            errors.append(ManifestError(document.message, file=str(file), line=document.line))
            continue
        origin = Origin(str(file), document.lines)
        made = read_case(document.value, document.lines)
        if isinstance(made, Case):
            found.append(Loaded(made, file, origin))
        else:
            errors += [located(problem, origin) for problem in made]
    if errors:
        raise joined(errors)
    if not found:
        raise ManifestError("holds no test", file=str(file))
    return found


def content(file: Path) -> bytes:
    """Raises ManifestError."""
    try:
        data = file.read_bytes()
    except OSError as exc:
        raise ManifestError(f"cannot be read: {exc.strerror}", file=str(file)) from exc
    if len(data) > MAX_BYTES:
        raise ManifestError(f"is larger than {MAX_BYTES} bytes", file=str(file))
    return data


def read_case(raw: Any, lines: Lines) -> Case | list[Problem]:
    """Unknown fields are errors here: an expectation that is misspelled must not pass."""
    if not isinstance(raw, dict):
        return [Problem("", "is not a test: a map with manifests, events and expect is wanted")]
    tidied, problems = tidy(Case, raw, lines)
    made = decode(Case, tidied)
    if isinstance(made, list):
        return [*problems, *made]
    return problems or made


def located(problem: Problem, origin: Origin) -> ManifestError:
    hint = f" ({problem.hint})" if problem.hint else ""
    line = origin.line(problem.field) if problem.field else origin.line()
    return ManifestError(problem.message + hint, file=origin.file, line=line, field=problem.field)


def joined(errors: Sequence[ManifestError]) -> ManifestError:
    return errors[0] if len(errors) == 1 else ManifestError("\n".join(["", *map(str, errors)]))


def check_time(text: str, field: str) -> Iterator[Problem]:
    try:
        parse_time(text)
    except ValueError as exc:
        yield Problem(field, str(exc), "as in 2026-01-15T09:30:00Z", "type")


def check_step(step: Any, names: Sequence[str], field: str) -> Iterator[Problem]:
    """An id, `restart`, or `advance` with a duration."""
    if isinstance(step, str):
        if step != RESTART and step not in names:
            yield Problem(field, f"there is no event {step!r}", f"one of {', '.join(names)}", "choice")
    elif isinstance(step, dict) and list(step) == ["advance"]:
        yield from check_advance(step["advance"], f"{field}.advance")
    else:
        yield Problem(field, "is no step", "the id of an event, advance: 5m, or restart", "type")


def check_advance(duration: Any, field: str) -> Iterator[Problem]:
    try:
        if parse_duration(str(duration)) >= 0:
            return
        said = "time does not go back"
    except ExpressionError as exc:
        said = exc.message
    yield Problem(field, said, "as in 90s, 5m, 1h30m", "type")


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_text, value))
