"""What AND conditions hold: in memory while the shard runs, in one record per trigger for its next owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from events.event import Delivery, Event, Position
from events.lang.condition import Condition
from events.runtime.records import ConditionRecord, HeldRef, condition_key, encode, held_key
from events.sensors.conditions import step


class Held(NamedTuple):
    """One event as it passed its dependency."""

    event: Event
    position: Position
    stored_ns: int
    blob: str
    """Key of the blob that has the event."""


class Pending(NamedTuple):
    """What one event changed: the chosen sets that came together, the blobs to write and those to drop."""

    chosen: list[Mapping[str, Held]]
    blobs: dict[str, Event]
    drops: list[str]


class Memory:
    """The held events of one trigger."""

    def __init__(self, sensor: str, trigger: str) -> None:
        self.sensor, self.trigger = sensor, trigger
        self.key = condition_key(sensor, trigger)
        self.held: Mapping[str, Held] = {}
        self.applied: dict[int, int] = {}

    def applied_already(self, position: Position) -> bool:
        return position.offset <= self.applied.get(position.partition, -1)

    def offer(self, condition: Condition, passed: Sequence[tuple[str, Event]], found: Delivery) -> Pending:
        """One event that passed these dependencies, in the order of the condition."""
        before = self.held
        chosen: list[Mapping[str, Held]] = []
        for name, event in passed:
            blob = held_key(self.sensor, self.trigger, name, found.position)
            taken = step(condition, self.held, name, Held(event, found.position, found.stored_ns, blob))
            self.held = taken.held
            if taken.chosen is not None:
                chosen.append(taken.chosen)
        self.applied[found.position.partition] = found.position.offset
        return self._changes(before, chosen)

    def forget(self, names: Sequence[str] | None = None) -> tuple[dict[str, Held], list[str]]:
        """Drop what is held (of these dependencies). Returns it, and the blobs not needed any more."""
        gone = {name: held for name, held in self.held.items() if names is None or name in names}
        blobs = [held.blob for held in gone.values()]
        self.held = {name: held for name, held in self.held.items() if name not in gone}
        return gone, blobs

    def forget_before(self, moment_ns: int) -> tuple[dict[str, Held], list[str]]:
        """Drop what was stored before a moment: a reset that was missed while down."""
        return self.forget([name for name, held in self.held.items() if held.stored_ns < moment_ns])

    def _changes(self, before: Mapping[str, Held], chosen: list[Mapping[str, Held]]) -> Pending:
        after = self.held
        new = {held.blob: held.event for name, held in after.items() if before.get(name) is not held}
        gone = [held.blob for name, held in before.items() if after.get(name) is not held]
        return Pending(chosen, new, [blob for blob in gone if blob not in new])

    def record(self) -> bytes:
        refs = {
            name: HeldRef(held.position, held.stored_ns, held.event.key, held.blob)
            for name, held in self.held.items()
        }
        return encode(ConditionRecord(dict(self.applied), refs))

    def restore(self, record: ConditionRecord, events: Mapping[str, Event]) -> None:
        """`events` are the held ones by dependency; one whose blob is gone is left out."""
        self.applied = dict(record.applied)
        self.held = {
            name: Held(events[name], ref.position, ref.stored_ns, ref.blob)
            for name, ref in record.held.items()
            if name in events
        }
