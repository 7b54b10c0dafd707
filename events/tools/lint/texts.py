"""What is read of event sources only when they start: schedules, zones, patterns, durations, pauses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from events.api.common import Backoff
from events.api.model import Model, Problem, walk
from events.errors import EventsError
from events.lang.backoff import SHORTEST
from events.lang.clock import load_zone
from events.lang.cron import compile_cron
from events.lang.duration import parse_duration
from events.lang.regex import compile_regex
from events.tools.lint.subjects import Index, error, warning

if TYPE_CHECKING:
    from events.api.eventsource import EventSource

_COMPILERS: Final[dict[str, Callable[[str], object]]] = {
    "schedule": compile_cron,
    "timezone": load_zone,
    "path_regexp": compile_regex,
    "interval": parse_duration,
    "check_interval": parse_duration,
    "max_duration": parse_duration,
    "poll_interval_duration": parse_duration,
}
"""Fields of configs by their Python names, wherever in a config they stand."""


def check_texts(source: EventSource, index: Index) -> Iterator[Problem]:
    """Every schedule, time zone, pattern and duration compiles."""
    for path, inner in walk(source.spec):
        for name, compiler in _COMPILERS.items():
            text = getattr(inner, name, "") if name in type(inner).model_fields else ""
            if isinstance(text, str) and text and (said := _said(compiler, text)):
                yield error(("spec", *path, _alias(inner, name)), "does-not-compile", said)


def check_pauses(source: EventSource, index: Index) -> Iterator[Problem]:
    """A connectionBackoff waits for some time: a number of seconds, for example, is so many nanoseconds."""
    for path, inner in walk(source.spec):
        if isinstance(inner, Backoff) and (seconds := _first_pause(inner)) is not None and seconds < SHORTEST:
            said = f"a pause of {seconds:g} s: {SHORTEST:g} s are waited at least"
            hint = "write text with a unit, as in 2s; a plain number means nanoseconds"
            yield warning(("spec", *path, "duration"), "range", said, hint)


def _first_pause(given: Backoff) -> float | None:
    """In seconds; None for what does not compile, which is told elsewhere."""
    try:
        return given.schedule().duration
    except EventsError:
        return None


def _said(compiler: Callable[[str], Any], text: str) -> str:
    try:
        compiler(text)
    except EventsError as exc:
        return str(exc)
    return ""


def _alias(model: Model, name: str) -> str:
    return type(model).model_fields[name].alias or name
