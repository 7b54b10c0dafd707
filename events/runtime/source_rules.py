"""What the config of a source tells its runner: which events are kept, how long it waits between attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.aio import Pauses, asked, usual
from events.errors import BusUnavailable, ExpressionError, ManifestError
from events.runtime.outage import pauses as of_a_bus

if TYPE_CHECKING:
    from events.api.common import Backoff
    from events.lang.exprlang import SourceFilter


def compile_source_filter(expression: str, kind: str, event: str) -> SourceFilter | None:
    """Raises ManifestError."""
    if not expression:
        return None
    from events.lang.exprlang import compile_filter

    try:
        return compile_filter(expression)
    except ExpressionError as exc:
        raise ManifestError(str(exc), field=f"spec.{kind}.{event}.filter.expression") from exc


def compile_pauses(given: Backoff | None, kind: str, event: str) -> Pauses:
    """Pauses between starts of the source; ours without a connectionBackoff. Raises ManifestError.

    After its steps the last pause is repeated: a source that gave up would lose events without a word.
    While the bus is away the pauses are ours: the field is about the source's own server.
    """
    if given is None:
        return unless_the_bus(usual)
    try:
        schedule = given.schedule()
    except ExpressionError as exc:
        raise ManifestError(str(exc), field=f"spec.{kind}.{event}.connectionBackoff") from exc
    return unless_the_bus(lambda attempt, chance, error: max(asked(error), schedule.endless(attempt, chance)))


def unless_the_bus(pauses: Pauses) -> Pauses:
    """While the bus is away, the shorter ones of who uses a bus."""

    def chosen(attempt: int, chance: float, error: BaseException) -> float:
        return (of_a_bus if isinstance(error, BusUnavailable) else pauses)(attempt, chance, error)

    return chosen
