"""Events through sensors without firing: what each leads to, and what changes with other manifests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from events.event import (
    DUPLICATE,
    FILTERED,
    FIRED,
    RATE_LIMITED,
    RESET,
    SOURCE_FILTERED,
    Event,
    EventKey,
)
from events.sensors.explain import Step
from events.tools.trial.compare import Difference, changes
from events.tools.trial.given import Recorded
from events.tools.trial.manifests import Setup
from events.tools.trial.views import request_view
from events.tools.trial.world import Happening, World

PASSING = frozenset({RATE_LIMITED, RESET, DUPLICATE})
"""Results that are not where an event ends: another one follows, or came before."""
NOTHING = frozenset({None, FILTERED, SOURCE_FILTERED})
"""Results without any effect; None: the trigger never sees the event."""


class Shown(NamedTuple):
    """One event and what it led to; None: what happened by itself as time passed."""

    event: Event | None
    time_ns: int
    happenings: list[Happening]
    steps: dict[tuple[str, str], list[Step]]
    """(sensor, dependency) -> the steps of its filters, where they are asked for."""


def simulate(setup: Setup, events: Sequence[Recorded], now_ns: int, *, explain: bool = False) -> list[Shown]:
    """Everything that happens, in order. `now_ns` stands for the time of events that have none.

    The clock follows the times at which events were stored, else their own times.
    """
    moments = [moment_of(one) for one in events]
    world = World(setup, next((one for one in moments if one is not None), now_ns))
    shown: list[Shown] = []
    for one, moment in zip(events, moments, strict=True):
        if moment is not None:
            shown += meanwhile(world, world.advance_to(moment))
        happenings = world.send(one.event)
        steps = world.steps(one.event) if explain else {}
        shown.append(Shown(one.event, world.now_ns, happenings, steps))
    return shown + meanwhile(world, world.settle())


def moment_of(one: Recorded) -> int | None:
    return one.stored_ns if one.stored_ns is not None else one.event.time_ns


def meanwhile(world: World, happenings: list[Happening]) -> list[Shown]:
    return [Shown(None, world.now_ns, happenings, {})] if happenings else []


def totals(shown: Sequence[Shown]) -> dict[str, Counter[str]]:
    """How often each trigger came to each result, by the trigger's label, in order of appearance."""
    found: dict[str, Counter[str]] = {}
    for one in shown:
        for happening in one.happenings:
            found.setdefault(happening.label, Counter())[happening.result] += 1
    return found


class Change(NamedTuple):
    """What one event leads to at one trigger under two versions of the manifests."""

    kind: str
    """added or removed (fires in one version only), changed (another request), decision (none fires)."""
    event: Event
    label: str
    old: Happening | None
    new: Happening | None
    differences: list[Difference]
    """Of the two requests, where both fire."""


Ends = dict[tuple[str, EventKey, str], list[Happening]]
"""(namespace, event, trigger) -> what it came to in the end"""


def compare(old: Sequence[Shown], new: Sequence[Shown]) -> list[Change]:
    """Which decisions differ; both sides saw the same events."""
    before, after = ends(old), ends(new)
    keys = [*before, *(key for key in after if key not in before)]
    return [change for key in keys for change in changed(before.get(key, []), after.get(key, []))]


def ends(shown: Sequence[Shown]) -> Ends:
    found: Ends = {}
    for one in shown:
        for happening in one.happenings:
            if happening.result not in PASSING:
                key = happening.namespace, happening.event.key, happening.label
                found.setdefault(key, []).append(happening)
    return found


def changed(old: Sequence[Happening], new: Sequence[Happening]) -> list[Change]:
    found = []
    for index in range(max(len(old), len(new))):
        before, after = (side[index] if index < len(side) else None for side in (old, new))
        change = change_of(before, after)
        if change is not None:
            found.append(change)
    return found


def change_of(old: Happening | None, new: Happening | None) -> Change | None:
    """None when both come to the same, or to nothing."""
    results = [None if one is None else one.result for one in (old, new)]
    one = new or old
    if one is None or NOTHING.issuperset(results):
        return None
    if results[0] == results[1]:
        found = differing(old, new)
        return Change("changed", one.event, one.label, old, new, found) if found else None
    kind = {results[0]: "removed", results[1]: "added"}.get(FIRED, "decision")
    return Change(kind, one.event, one.label, old, new, [])


def differing(old: Happening | None, new: Happening | None) -> list[Difference]:
    """Between the requests of two firings; a reason alone makes no difference."""
    return changes(view_of(old), view_of(new))


def view_of(one: Happening | None) -> dict[str, Any]:
    return {} if one is None or one.request is None else {"kind": one.kind, **request_view(one.request)}


def kinds(found: Sequence[Change]) -> Mapping[str, int]:
    return Counter(one.kind for one in found)
