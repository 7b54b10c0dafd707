"""Shows events to the sensors of a shard: what passes goes to the lanes, or is held by a condition.

Synchronous: between two awaits of the shard an event is handled as a whole.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from events.event import (
    FILTER_ERROR,
    FILTERED,
    TRANSFORM_ERROR,
    TRIGGER_ROLE,
    WAITING,
    Decision,
    Delivery,
    Event,
    EventKey,
    Firing,
    Position,
    firing_id,
)
from events.runtime.jobs import Job
from events.runtime.memory import Held, Memory
from events.runtime.plans import SensorPlan, TriggerPlan
from events.runtime.progress import Progress
from events.runtime.recorder import Late, Recorder
from events.runtime.records import parked_key
from events.runtime.roster import Entry, Roster
from events.runtime.scripts import Judged
from events.sensors.dependencies import Verdict

log = logging.getLogger(__name__)


class Owner(Protocol):
    """What matching needs of its shard."""

    namespace: str
    roster: Roster
    recorder: Recorder
    progress: Progress
    now_ns: Callable[[], int]

    def memory(self, trigger: TriggerPlan) -> Memory: ...

    def before_offer(self, trigger: TriggerPlan, found: Delivery) -> None:
        """An event is about to be offered to a condition."""
        ...

    def submit(self, job: Job) -> None: ...

    def result(self, plan: TriggerPlan, name: str) -> None:
        """Count a decision."""
        ...

    def decision(
        self, sensor: str, trigger: str, result: str, events: list[EventKey], position: Position, reason: str,
        *, firing: str | None = None, dependency: str | None = None, revision: str = "",
    ) -> Decision: ...  # fmt: skip


class Matcher:
    """Matches events for one shard. `settled`: firings that a former owner did or parked."""

    def __init__(self, owner: Owner, settled: set[str]) -> None:
        self._owner = owner
        self.settled = settled

    def deliver(self, found: Delivery, judged: Judged) -> None:
        """Show one event to the sensors that may want it."""
        progress = self._owner.progress
        guard = progress.open(found.position)
        try:
            for plan, entries in self._owner.roster.candidates(found.event, found.position):
                self._show(plan, entries, found, judged)
        finally:
            guard.count -= 1
        progress.reach({found.position.partition: found.position.offset})

    def _show(self, plan: SensorPlan, entries: Iterable[Entry], found: Delivery, judged: Judged) -> None:
        passed: dict[str, Event] = {}
        for entry in entries:
            verdict = judged.get((found.position, entry.number)) if judged else None
            if verdict is None:
                verdict = judge(entry, found.event)
            if verdict.event is not None:
                passed[entry.dependency.name] = verdict.event
            else:
                self._refused(entry, verdict, found)
        if passed:
            for trigger in plan.triggers:
                self._offer(trigger, passed, found)

    def _refused(self, entry: Entry, verdict: Verdict, found: Delivery) -> None:
        """Counted; recorded if it is an error, or a script's no, which nobody computes again."""
        owner, plan, dependency = self._owner, entry.plan, entry.dependency
        recorded = verdict.result != FILTERED or dependency.scripted
        for trigger in plan.triggers:
            if dependency.name not in trigger.condition.names:
                continue
            owner.result(trigger, verdict.result)
            if recorded:
                owner.recorder.note(
                    decision=owner.decision(
                        plan.name, trigger.name, verdict.result, [found.event.key], found.position,
                        verdict.reason, dependency=dependency.name, revision=plan.revision,
                    )
                )  # fmt: skip

    def _offer(self, trigger: TriggerPlan, passed: Mapping[str, Event], found: Delivery) -> None:
        names = [name for name in trigger.condition.names if name in passed]
        if not names:
            return
        if trigger.condition.holds:
            self._hold(trigger, [(name, passed[name]) for name in names], found)
            return
        for name in names:
            self._fire(trigger, {name: passed[name]}, found)

    def _fire(self, trigger: TriggerPlan, events: dict[str, Event], found: Delivery) -> None:
        firing = self._firing(trigger, events, found.stored_ns)
        if firing.id not in self.settled:
            place = self._owner.progress.open(found.position)
            self._owner.submit(Job(trigger, firing, found.position, place))

    def _firing(self, trigger: TriggerPlan, events: dict[str, Event], now_ns: int) -> Firing:
        keys = {name: event.key for name, event in events.items()}
        namespace = self._owner.namespace
        name = firing_id(namespace, trigger.sensor, trigger.name, TRIGGER_ROLE, keys)
        return Firing(name, namespace, trigger.sensor, trigger.name, events, now_ns)

    # conditions with memory

    def _hold(self, trigger: TriggerPlan, passed: Sequence[tuple[str, Event]], found: Delivery) -> None:
        fitting = [(name, event) for name, event in passed if self._fits(trigger, name, event, found)]
        if fitting:
            self._remember(trigger, fitting, found)

    def _fits(self, trigger: TriggerPlan, dependency: str, event: Event, found: Delivery) -> bool:
        """Whether the bus can keep it: a transform may have made more of it than the bus takes."""
        owner, size = self._owner, len(event.data or b"")
        if size <= owner.recorder.largest:
            return True
        owner.result(trigger, TRANSFORM_ERROR)
        reason = f"{size} bytes after its transform: the bus keeps {owner.recorder.largest} for a condition"
        owner.recorder.note(
            decision=owner.decision(
                trigger.sensor, trigger.name, TRANSFORM_ERROR, [found.event.key], found.position, reason,
                dependency=dependency, revision=trigger.revision,
            )
        )  # fmt: skip
        return False

    def _remember(self, trigger: TriggerPlan, passed: Sequence[tuple[str, Event]], found: Delivery) -> None:
        """Hold the event, or fire: what changed is stored before the firing runs.

        The outbox is written before the condition's record, which says that the event was applied.
        """
        owner, memory = self._owner, self._owner.memory(trigger)
        if memory.applied_already(found.position):
            return
        owner.before_offer(trigger, found)
        pending = memory.offer(trigger.condition, passed, found)
        jobs = [job for chosen in pending.chosen if (job := self._completed(trigger, chosen, found))]
        blobs = {key: data for job in jobs for key, data in job.blobs(owner.recorder.largest).items()}
        records: dict[str, Late] = {parked_key(job.id): job.record(job.due_ns) for job in jobs}
        records[memory.key] = memory.record
        owner.recorder.note(
            decision=None if pending.chosen else self._waits(trigger, memory, passed[-1][0], found),
            records=records, blobs=blobs, held=pending.blobs, drop_blobs=pending.drops,
            closes=owner.progress.open(found.position),
            then=(lambda: self._submit_all(jobs)) if jobs else None,
        )  # fmt: skip

    def _waits(self, trigger: TriggerPlan, memory: Memory, dependency: str, found: Delivery) -> Decision:
        missing = [name for name in trigger.condition.names if name not in memory.held]
        self._owner.result(trigger, WAITING)
        return self._owner.decision(
            trigger.sensor, trigger.name, WAITING, [found.event.key], found.position,
            f"waits for {', '.join(missing)}", dependency=dependency, revision=trigger.revision,
        )  # fmt: skip

    def _completed(self, trigger: TriggerPlan, chosen: Mapping[str, Held], found: Delivery) -> Job | None:
        events = {name: held.event for name, held in chosen.items()}
        firing = self._firing(trigger, events, max(held.stored_ns for held in chosen.values()))
        if firing.id in self.settled:
            return None
        job = Job(trigger, firing, found.position, None)
        job.parked = True
        job.first_ns = self._owner.now_ns()
        return job

    def _submit_all(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._owner.submit(job)


def judge(entry: Entry, event: Event) -> Verdict:
    """A fault of ours at one event is an error of that event, not the end of the shard."""
    try:
        return entry.dependency.judge(event)
    except Exception as exc:
        log.exception("sensor %s: dependency %s: unexpected error", entry.plan.label, entry.dependency.name)
        return Verdict(None, FILTER_ERROR, f"unexpected {type(exc).__name__}: {exc}")
