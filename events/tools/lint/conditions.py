"""Conditions of triggers: names, what can never be true, what is never needed, what is forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from events.api.model import Problem
from events.errors import ExpressionError
from events.lang.condition import Condition, compile_condition, minimal_sets
from events.tools.lint.references import deaf
from events.tools.lint.subjects import Index, TriggerAt, dependencies, error, triggers, warning
from events.tools.lint.suggestions import did_you_mean

if TYPE_CHECKING:
    from events.api.sensor import Sensor

ENOUGH = 100
"""Sets of dependencies that are looked at: conditions with more of them are left alone."""

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_NAME = re.compile(r"\w[\w-]*")
_WORDS = frozenset(
    ("and", "or", "not", "in", "IN", "let", "matches", "contains", "startsWith", "endsWith", "nil")
) | {"true", "false"}


def check_conditions(sensor: Sensor, index: Index) -> Iterator[Problem]:
    """All rules about the conditions of one sensor."""
    needed: set[str] | None = set()
    unheard = deaf(sensor, index)
    for trigger in triggers(sensor):
        if trigger.is_dead_letter:
            continue
        yield from unknown_names(sensor, trigger)
        condition = compiled(sensor, trigger)
        if condition is None:
            needed = None
            continue
        yield from _unreachable(trigger, condition, unheard)
        yield from _superfluous(trigger, condition)
        yield from _forgetful(trigger, condition)
        needed = None if needed is None else needed | set(condition.names)
    if needed is not None:
        yield from _unused(sensor, needed)


def compiled(sensor: Sensor, trigger: TriggerAt) -> Condition | None:
    """The condition of a trigger; None when it does not compile, which is told elsewhere."""
    names = [dependency.name for dependency in sensor.spec.dependencies]
    try:
        return compile_condition(trigger.spec.template.conditions, names)
    except ExpressionError:
        return None


def unknown_names(sensor: Sensor, trigger: TriggerAt) -> Iterator[Problem]:
    """Names in a condition that no dependency has, with what may have been meant."""
    declared = [dependency.name for dependency in sensor.spec.dependencies]
    known = {name.replace("-", "_") for name in declared}
    text = _COMMENT.sub(" ", trigger.spec.template.conditions)
    for name in dict.fromkeys(_NAME.findall(text)):
        if name.replace("-", "_") in known or name in _WORDS:
            continue
        said = f"there is no dependency {name!r}"
        hint = _meant(sensor, name) or did_you_mean(name, declared)
        yield error((*trigger.path, "template", "conditions"), "unknown-condition-name", said, hint)


def _meant(sensor: Sensor, name: str) -> str:
    for dependency in sensor.spec.dependencies:
        if name in (dependency.event_name, dependency.event_source_name):
            return f"conditions take the name of the dependency: {dependency.name}"
    if any(name == trigger.spec.template.name for trigger in triggers(sensor)):
        return "that is a trigger; conditions take names of dependencies"
    return ""


def _unreachable(trigger: TriggerAt, condition: Condition, unheard: dict[str, str]) -> Iterator[Problem]:
    heard = set(condition.names) - unheard.keys()
    if condition.true_for(heard):
        return
    reasons = "; ".join(unheard[name] for name in condition.names if name in unheard)
    hint = "correct the dependency, or leave it out of the condition"
    path = (*trigger.path, "template", "conditions")
    yield error(path, "unreachable-trigger", f"can never be true: {reasons}", hint)


def _superfluous(trigger: TriggerAt, condition: Condition) -> Iterator[Problem]:
    """`a || (a && b)`: b changes nothing. A name that stands twice is fine where both places count."""
    sets = minimal_sets(condition, ENOUGH)
    path = (*trigger.path, "template", "conditions")
    if len(sets) >= ENOUGH:
        return
    counts = frozenset().union(*sets)
    for name in condition.names:
        if name not in counts:
            hint = f"remove {name}, or join it so that it counts"
            yield warning(path, "superfluous-condition", f"is true with or without {name}", hint)
    if len(sets) == 1 and len(_words(condition.source)) > len(condition.names) == len(counts):
        shorter = " && ".join(condition.names)
        yield warning(path, "superfluous-condition", "names a dependency twice", f"write {shorter}")


def _words(text: str) -> list[str]:
    return _NAME.findall(_COMMENT.sub(" ", text))


def _forgetful(trigger: TriggerAt, condition: Condition) -> Iterator[Problem]:
    if not condition.holds:
        return
    given = trigger.spec.template.conditions
    said = "while it waits, only the newest event of each dependency is kept: earlier ones do not fire"
    hint = "join with || where every event has to fire" if given else "write conditions: a || b for that"
    if not trigger.spec.template.conditions_reset:
        hint += "; conditionsReset forgets half a set after a time"
    path = (*trigger.path, "template", "conditions")
    yield warning(path, "keeps-newest", said, hint)


def _unused(sensor: Sensor, needed: set[str]) -> Iterator[Problem]:
    for path, dependency in dependencies(sensor):
        if dependency.name not in needed:
            said = f"no trigger waits for {dependency.name!r}"
            hint = "name it in a condition, or remove it"
            yield warning((*path, "name"), "unused-dependency", said, hint)
