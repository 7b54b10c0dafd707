"""The sensors of a shard over time: which revision handles which event, and where each dependency starts.

An edited sensor goes on at the place that was reached; an event that is read again after a crash is handled
by the revision that handled it first.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from events.bus._base import Mark
from events.event import DLQ_ROLE, TRIGGER_ROLE, Event, Position
from events.lang.document import Document, Extractor
from events.runtime.plans import SensorPlan, TriggerPlan, compile_sensor
from events.runtime.records import Revision, SensorRecord, Start, decode, encode, revision_key, sensor_key
from events.sensors.dependencies import Dependency
from events.sensors.extraction import extractors
from events.sensors.index import Index

KEPT = 200
"""Revisions that are remembered per sensor."""


class Entry(NamedTuple):
    """One dependency of one revision. It sees events above `after` and up to `until` (None: no bound)."""

    number: int
    plan: SensorPlan
    dependency: Dependency
    after: Mark | None
    until: Mark | None

    def sees(self, position: Position) -> bool:
        if self.after is not None and self.after.covers(position):
            return False
        return self.until is None or self.until.covers(position)


class Change(NamedTuple):
    """What an edit has to store, and whose held events are to be forgotten (names None: all)."""

    records: dict[str, bytes | None]
    blobs: dict[str, bytes]
    drops: list[str]
    forgotten: list[tuple[str, str, list[str] | None]]


class Roster:
    """The sensors of one shard, indexed for matching."""

    def __init__(self) -> None:
        self.plans: dict[str, SensorPlan] = {}
        self.scripted = False
        self._records: dict[str, SensorRecord] = {}
        self._specs: dict[str, bytes] = {}
        self._triggers: dict[tuple[str, str, str], TriggerPlan] = {}
        self._index: Index[Entry] = Index()
        self._extractors: dict[tuple[str, str], Extractor] = {}

    @property
    def topics(self) -> frozenset[tuple[str, str]]:
        return self._index.topics

    def adopt(self, records: Mapping[str, bytes], start: Mark) -> list[str]:
        """Take over the sensor records of a former owner. Returns the older revisions that are needed again
        for events above `start`; raises Damaged."""
        for key, data in records.items():
            if key.startswith("sensor/"):
                self._records[key.removeprefix("sensor/")] = decode(data, SensorRecord, key)
        return [
            older.hash
            for record in self._records.values()
            for older, newer in itertools.pairwise(record.revisions)
            if beyond(start, newer.after) is not None
        ]

    @property
    def known(self) -> list[str]:
        """The names of all sensors that have been here."""
        return list(self._records)

    def remember(self, specs: Mapping[str, bytes]) -> None:
        """The specs of revisions, by hash."""
        self._specs.update(specs)

    def trigger(self, sensor: str, name: str, role: str) -> TriggerPlan | None:
        return self._triggers.get((sensor, name, role))

    def holds(self, sensor: str, name: str) -> bool:
        """Whether there is such a trigger, with a condition that holds events."""
        plan = self._triggers.get((sensor, name, TRIGGER_ROLE))
        return plan is not None and plan.condition.holds

    def resetting(self) -> list[TriggerPlan]:
        """Triggers with a conditionsReset and something to reset."""
        return [plan for plan in self._triggers.values() if plan.resets and plan.condition.holds]

    def limited(self) -> list[TriggerPlan]:
        """Triggers with a rate limit."""
        return [plan for plan in self._triggers.values() if plan.interval_ns]

    def candidates(self, event: Event, position: Position) -> Iterable[tuple[SensorPlan, Sequence[Entry]]]:
        """The dependencies to be shown this event, by sensor, in the order of the manifests."""
        extractor = self._extractors.get((event.source, event.subject))
        if extractor is not None and event.document is None and event.data is not None:
            event.document = Document(event.data)
            event.document.prime(extractor)
        live = [entry for entry in self._index.candidates(event) if entry.sees(position)]
        if len(live) == 1:
            return ((live[0].plan, live),)
        live.sort(key=lambda entry: entry.number)
        return [(plan, list(group)) for plan, group in itertools.groupby(live, key=lambda entry: entry.plan)]

    def change(self, sensors: Sequence[SensorPlan], reached: Mark, head: Mark) -> Change:
        """These are the sensors above `reached`; new dependencies start above `head`."""
        change = Change({}, {}, [], [])
        self.plans = {plan.name: plan for plan in sensors}
        for name, record in self._records.items():
            if record.starts and name not in self.plans:
                self._remove(name, change)
        for plan in sensors:
            self._enter(plan, reached, head, change)
        self._triggers = {key: trigger for plan in sensors for key, trigger in named(plan)}
        self._build(reached)
        return change

    def _remove(self, name: str, change: Change) -> None:
        record = self._records[name]
        record.starts = {}
        change.records[sensor_key(name)] = encode(record)

    def _enter(self, plan: SensorPlan, reached: Mark, head: Mark, change: Change) -> None:
        record = self._records.get(plan.name)
        if record is None:
            record = self._records[plan.name] = SensorRecord([], {}, {}, {})
        old, name = encode(record), revision_name(plan)
        if not record.revisions or record.revisions[-1].hash != name:
            change.forgotten.extend(forgotten(record, plan))
            record.revisions.append(Revision(reached, name))
            self._drop_oldest(record, change)
        for dep in plan.dependencies:
            known = record.starts.get(dep.name)
            if known is None or known.topic != dep.topic:
                record.starts[dep.name] = Start(dep.topic, head)
        record.definitions = dict(plan.definitions)
        record.conditions = {trigger.name: trigger.condition.normalized for trigger in plan.triggers}
        self._specs[name] = plan.source
        if (new := encode(record)) != old:
            change.records[sensor_key(plan.name)] = new
            change.blobs[revision_key(name)] = plan.source

    def _drop_oldest(self, record: SensorRecord, change: Change) -> None:
        gone, record.revisions = record.revisions[:-KEPT], record.revisions[-KEPT:]
        kept = {revision.hash for revision in record.revisions}
        change.drops.extend(revision_key(old.hash) for old in gone if old.hash not in kept)

    def _build(self, reached: Mark) -> None:
        """The match index: current revisions, and older ones for events that are read again."""
        self._index = Index()
        numbers = itertools.count()
        self.scripted = False
        used = set()
        for plan in self.plans.values():
            record = self._records[plan.name]
            for version, after, until in self._versions(plan, record, reached):
                used.add(revision_name(version))
                for dep in version.dependencies:
                    bound = beyond(reached, after, start_of(record, dep))
                    self._index.add(dep, Entry(next(numbers), version, dep, bound, until))
                    self.scripted = self.scripted or dep.scripted
        self._specs = {name: spec for name, spec in self._specs.items() if name in used}
        self._extractors = extractors([(plan.dependencies, plan.reads) for plan in self.plans.values()])

    def _versions(
        self, plan: SensorPlan, record: SensorRecord, reached: Mark
    ) -> Iterable[tuple[SensorPlan, Mark, Mark | None]]:
        """(plan, above, up to) of every revision that still has events to see."""
        pairs = itertools.pairwise(record.revisions)
        for older, newer in pairs:
            if beyond(reached, newer.after) is not None and older.hash in self._specs:
                yield old_plan(self._specs[older.hash]), older.after, newer.after
        yield plan, record.revisions[-1].after, None


def revision_name(plan: SensorPlan) -> str:
    """Names a spec within a shard: two sensors with equal specs keep their own."""
    return f"{plan.name}/{plan.revision}"


def start_of(record: SensorRecord, dep: Dependency) -> Mark | None:
    """Where a dependency started; None if it listened to another topic then."""
    start = record.starts.get(dep.name)
    return start.mark if start is not None and start.topic == dep.topic else None


def old_plan(source: bytes) -> SensorPlan:
    from events.api.sensor import Sensor

    return compile_sensor(Sensor.model_validate(json.loads(source)))


def named(plan: SensorPlan) -> Iterable[tuple[tuple[str, str, str], TriggerPlan]]:
    for trigger in plan.triggers:
        yield (plan.name, trigger.name, TRIGGER_ROLE), trigger
        if trigger.dlq is not None:
            yield (plan.name, trigger.dlq.name, DLQ_ROLE), trigger.dlq


def beyond(reached: Mark, *marks: Mark | None) -> Mark | None:
    """The furthest of the marks in each partition, or None if all of it has been reached."""
    offsets: dict[int, int] = {}
    for mark in marks:
        if mark is None or mark.incarnation != reached.incarnation:
            continue
        for partition, offset in mark.offsets.items():
            offsets[partition] = max(offset, offsets.get(partition, offset))
    if all(offset <= reached.offsets.get(partition, -1) for partition, offset in offsets.items()):
        return None
    return Mark(reached.incarnation, offsets)


def forgotten(record: SensorRecord, plan: SensorPlan) -> list[tuple[str, str, list[str] | None]]:
    """Whose held events an edit drops: only where a dependency's definition or the conditions changed."""
    changed = {
        name for name, hashed in record.definitions.items() if plan.definitions.get(name, hashed) != hashed
    } | (set(record.definitions) - set(plan.definitions))
    found: list[tuple[str, str, list[str] | None]] = []
    now = {trigger.name: trigger.condition.normalized for trigger in plan.triggers}
    for name, conditions in record.conditions.items():
        if now.get(name) != conditions:
            found.append((plan.name, name, None))
        elif changed:
            found.append((plan.name, name, sorted(changed)))
    return found
