"""Why a dependency takes or refuses an event: every step again, with the value found and the value wanted."""

from __future__ import annotations

import msgspec

from events.errors import EvaluationError
from events.event import Event
from events.sensors.dependencies import Dependency
from events.sensors.filters import Check, Kind

PASS, REJECT, ERROR, SKIPPED = "pass", "reject", "error", "skipped"

NOT_HERE = "scripts run in helper processes only; what they decided is recorded"


class Step(msgspec.Struct):
    """One step of a dependency: the transform, or one filter."""

    field: str
    verdict: str
    expression: str = ""
    wanted: str = ""
    found: str | None = None
    error: str = ""


def trace(dependency: Dependency, event: Event, *, scripts: bool = True) -> list[Step]:
    """All steps in the order in which they are taken; the transform's error ends it.

    Lua and jq run only with `scripts`: nothing here could stop them, so a running instance leaves them out.
    """
    steps: list[Step] = []
    if dependency.transform is not None:
        spec = dependency.spec.transform
        text = (spec.jq or spec.script or "") if spec else ""
        if not scripts:
            return [Step("transform", SKIPPED, text, error=NOT_HERE)]
        try:
            event = dependency.transform(event)
        except EvaluationError as exc:
            return [Step("transform", ERROR, text, error=str(exc))]
        steps.append(Step("transform", PASS, text, found=(event.data or b"").decode(errors="replace")))
    if dependency.filters is not None:
        for kind in dependency.filters.kinds:
            steps.extend(trace_kind(kind, event, scripts=scripts))
    return steps


def trace_kind(kind: Kind, event: Event, *, scripts: bool) -> list[Step]:
    if kind.name == "script" and not scripts:
        return [Step("script", SKIPPED, check.expression, error=NOT_HERE) for check in kind.checks]
    return [trace_check(check, event) for check in kind.checks]


def trace_check(check: Check, event: Event) -> Step:
    field = check.field.partition(".filters.")[2] or check.field
    step = Step(field, PASS, check.expression, check.wanted, shown(check, event))
    try:
        if not check.test(event):
            step.verdict = REJECT
    except EvaluationError as exc:
        step.verdict, step.error = ERROR, str(exc)
    return step


def shown(check: Check, event: Event) -> str | None:
    try:
        return check.found(event)
    except EvaluationError:
        return None


def decisive(steps: list[Step]) -> Step | None:
    """The step that decided against the event: the first error, else the first refusal."""
    return next((step for verdict in (ERROR, REJECT) for step in steps if step.verdict == verdict), None)
