"""The owner of one shard: reads the log, matches events to its sensors, runs triggers, records what became.

Everything up to the mark is done, recorded or parked. After a crash the log is read again from the mark, in
order; what is recorded as done, parked or applied to a condition is not done again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from events.aio import Group, backoff
from events.bus._base import Batch, Bus, Gap, Lease, Mark, Reader, ShardState
from events.errors import Fenced, Permanent, Retryable
from events.event import (
    DEAD_LETTERED,
    EXPIRED,
    FAILED,
    FILTERED,
    PARAMETER_ERROR,
    RESET,
    WAITING,
    Decision,
    Delivery,
    Event,
    EventKey,
    Firing,
    Position,
    firing_id,
)
from events.runtime.lanes import Job, Lane
from events.runtime.memory import Held, Memory
from events.runtime.progress import Progress
from events.runtime.recorder import Recorder
from events.runtime.records import (
    Body,
    ConditionRecord,
    Parked,
    body_key,
    condition_key,
    decode,
    encode,
    parked_key,
)
from events.runtime.roster import Entry, Roster
from events.sensors.moments import moment

if TYPE_CHECKING:
    from events.event import Outcome, Request
    from events.observability.metrics import Metrics
    from events.runtime.executor import Executor
    from events.runtime.lanes import Verdict as Attempt
    from events.runtime.plans import SensorPlan, TriggerPlan
    from events.runtime.scripts import Judge, Judged
    from events.sensors.dependencies import Verdict

log = logging.getLogger(__name__)

GIVEN_UP = frozenset({DEAD_LETTERED, FAILED, PARAMETER_ERROR})

SWEEP = 1.0
"""Seconds between looks for firings that take too long."""

DRAIN = 25.0
"""Seconds that firings in hand get when the shard is stopped: below Kubernetes' 30."""


class ShardRunner:
    """One shard of one bus instance. `run` holds the lease until it is cancelled or loses it."""

    def __init__(
        self,
        bus: Bus,
        shard: int,
        executor: Executor,
        metrics: Metrics,
        judge: Judge,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.bus, self.shard, self.executor, self.metrics = bus, shard, executor, metrics
        self.now_ns, self.chance, self._judge = now_ns, chance, judge
        self.namespace = bus.name.partition("/")[0]
        self.roster = Roster()
        self.memories: dict[tuple[str, str], Memory] = {}
        self.lanes: dict[tuple[str, str, str], Lane] = {}
        self.following = False
        self.trouble = "waits for its lease"
        self._tasks = Group(self._task_failed)
        self._wanted: Sequence[SensorPlan] | None = None
        self._edited = asyncio.Event()
        self._reader: Reader | None = None
        self._done: set[str] = set()
        self._parked: set[str] = set()
        self._stopping = False
        self._drained = asyncio.Event()
        self._failure: BaseException | None = None

    # life

    def replace(self, sensors: Sequence[SensorPlan]) -> None:
        """These are the sensors now. Takes effect between two batches."""
        self._wanted = sensors
        self._edited.set()
        self._interrupt()

    def _interrupt(self) -> None:
        if self._reader is not None:
            self._tasks.start("shard/interrupt", self._reader.aclose())

    async def run(self) -> None:
        """Own the shard until cancelled. Raises Fenced when the lease was lost, Damaged, Permanent."""
        lease = await self.bus.lease(f"shard/{self.shard}")
        try:
            await self._take_over(lease)
            await self._follow()
            await self._drained.wait()
        finally:
            self.following = False
            await self._close(lease)

    async def _close(self, lease: Lease) -> None:
        for lane in self.lanes.values():
            lane.stop()
        await self._tasks.aclose()
        if self._reader is not None:
            await self._reader.aclose()
        await lease.release()

    async def drain(self, deadline: float = DRAIN) -> None:
        """Stop reading, let what is in hand end, record it; then `run` ends."""
        self._stopping = True
        self._edited.set()
        self._interrupt()
        try:
            async with asyncio.timeout(deadline):
                while any(lane.busy or lane.running for lane in self.lanes.values()):
                    await asyncio.sleep(0.02)
                if self.following and self._failure is None:
                    await self.recorder.flush()
        except TimeoutError:
            log.warning("%s shard %d: stopped with firings in hand", self.bus.name, self.shard)
        self._drained.set()

    def _task_failed(self, name: str, error: BaseException) -> None:
        """A task of ours ended with an error: the shard cannot go on."""
        if self._failure is None:
            self._failure = error
        log.error("%s shard %d: %s failed: %s", self.bus.name, self.shard, name, error)
        self._edited.set()
        self._interrupt()

    # taking over

    async def _take_over(self, lease: Lease) -> None:
        state = await self.bus.load(self.shard)
        head = await self.bus.head()
        start = self._start(state, head)
        self.progress = Progress(start)
        self.recorder = Recorder(self.bus, self.shard, lease, self.progress)
        self._done = set(state.done)
        self._tasks.start(f"shard/{self.shard}/recorder", self.recorder.run())
        self._tasks.start(f"shard/{self.shard}/sweeper", self._sweep())
        await self._adopt_sensors(state)
        await self._adopt_memories(state, start)
        self._adopt_parked(state)
        self.lease = lease

    def _start(self, state: ShardState, head: Mark) -> Mark:
        """Where reading begins: at the mark; at the head for a new shard; at the beginning of a new log."""
        if state.mark is None:
            return head
        if state.mark.incarnation == head.incarnation:
            return Mark(head.incarnation, {**dict.fromkeys(head.offsets, 0), **state.mark.offsets})
        log.warning("%s: the log was made anew; reading it from its beginning", self.bus.name)
        return Mark(head.incarnation, dict.fromkeys(head.offsets, 0))

    async def _adopt_sensors(self, state: ShardState) -> None:
        specs: dict[str, bytes] = {}
        for digest in self.roster.adopt(state.records):
            spec = await self.bus.blob(self.shard, f"revision/{digest}")
            if spec is not None:
                specs[digest] = spec
        self.roster.remember(specs)

    async def _adopt_memories(self, state: ShardState, start: Mark) -> None:
        for key, data in state.records.items():
            if not key.startswith("condition/"):
                continue
            _, sensor, trigger = key.split("/", 2)
            record = decode(data, ConditionRecord, key)
            events: dict[str, Event] = {}
            for name, ref in record.held.items():
                blob = await self.bus.blob(self.shard, ref.blob)
                if blob is not None:
                    events[name] = decode(blob, Event, ref.blob)
            memory = self.memories[sensor, trigger] = Memory(sensor, trigger)
            memory.restore(record, events)
            if state.mark is not None and state.mark.incarnation != start.incarnation:
                memory.applied = {}

    def _adopt_parked(self, state: ShardState) -> None:
        self._left = {
            key.removeprefix("parked/"): decode(data, Parked, key)
            for key, data in state.records.items()
            if key.startswith("parked/")
        }
        self._parked = set(self._left)

    def _resume_parked(self) -> None:
        """Put the parked firings of a former life into their lanes; those of removed triggers are dead."""
        left, self._left = self._left, {}
        for firing, record in left.items():
            if record.due_ns is None:
                continue
            plan = self.roster.trigger(record.sensor, record.trigger, record.role)
            if plan is not None:
                self.lane(plan).submit(Job.from_record(firing, record, plan))
                continue
            record.due_ns, record.error = None, record.error or "the trigger was removed"
            self.recorder.note(
                records={parked_key(firing): encode(record)},
                decision=self._decision(
                    record.sensor, record.trigger, DEAD_LETTERED, list(record.events.values()),
                    record.position, record.error, firing=firing, revision=record.revision,
                ),
            )  # fmt: skip

    # following the log

    async def _follow(self) -> None:
        attempt = 0
        while not self._stopping:
            if self._failure is not None:
                raise self._failure
            try:
                await self._read_on()
                attempt = 0
            except Fenced:
                raise
            except Retryable as exc:
                attempt += 1
                self.following, self.trouble = False, str(exc)
                if attempt == 1:
                    log.warning("%s shard %d: cannot read, trying again: %s", self.bus.name, self.shard, exc)
                await asyncio.sleep(backoff(attempt, self.chance(), exc.after))
        if self._failure is not None:
            raise self._failure

    async def _read_on(self) -> None:
        """Open a reader for the sensors as they are now and follow it until something is edited."""
        self._edited.clear()
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            await self._apply(wanted)
            self._resume_parked()
        reader = await self.bus.read(self.roster.topics, self.progress.reached)
        self._reader = reader
        try:
            self.following, self.trouble = True, ""
            while not self._edited.is_set():
                await self._handle(await reader.next())
        except StopAsyncIteration:
            if not self._edited.is_set():
                raise Retryable("the reader ended") from None
        finally:
            self._reader = None
            await reader.aclose()

    async def _apply(self, sensors: Sequence[SensorPlan]) -> None:
        """Change over to these sensors at the place that was reached."""
        head = await self.bus.head()
        change = self.roster.change(sensors, self.progress.reached, head)
        for sensor, trigger, names in change.forgotten:
            memory = self.memories.get((sensor, trigger))
            if memory is not None:
                self._reset(memory, *memory.forget(names), "the condition was edited")
        for key, lane in list(self.lanes.items()):
            plan = self.roster.trigger(*key)
            if plan is None:
                lane.retire()
                del self.lanes[key]
            elif plan is not lane.plan:
                lane.update(plan)
        self._catch_up_resets()
        self.recorder.note(records=change.records, blobs=change.blobs)
        await self.recorder.flush()
        self._tasks.start(f"shard/{self.shard}/resets", self._resets())

    async def _handle(self, batch: Batch) -> None:
        for gap in batch.gaps:
            self._expired(gap)
        judged = await self._judge.prepare(self.roster, batch.deliveries)
        for delivery in batch.deliveries:
            self._deliver(delivery, judged)
        self.progress.reach(batch.reached)
        await self.recorder.room()

    def _deliver(self, found: Delivery, judged: Judged) -> None:
        """Show one event to the sensors that may want it."""
        guard = self.progress.open(found.position)
        try:
            for plan, entries in self.roster.candidates(found.event, found.position):
                self._show(plan, entries, found, judged)
        finally:
            guard.count -= 1

    def _show(self, plan: SensorPlan, entries: Iterable[Entry], found: Delivery, judged: Judged) -> None:
        passed: dict[str, Event] = {}
        for entry in entries:
            dependency = entry.dependency
            verdict = judged.get((found.position, entry.number)) if dependency.scripted else None
            if verdict is None:
                verdict = dependency.judge(found.event)
            if verdict.event is not None:
                passed[dependency.name] = verdict.event
            else:
                self._refused(plan, dependency.name, verdict, found)
        if passed:
            for trigger in plan.triggers:
                self._offer(plan, trigger, passed, found)

    def _refused(self, plan: SensorPlan, dependency: str, verdict: Verdict, found: Delivery) -> None:
        for trigger in plan.triggers:
            if dependency in trigger.condition.names:
                self.metrics.trigger(self.namespace, plan.name, trigger.name).result(verdict.result)
                if verdict.result != FILTERED:
                    self.recorder.note(
                        decision=self._decision(
                            plan.name, trigger.name, verdict.result, [found.event.key], found.position,
                            verdict.reason, dependency=dependency, revision=plan.revision,
                        )
                    )  # fmt: skip

    def _offer(
        self, plan: SensorPlan, trigger: TriggerPlan, passed: Mapping[str, Event], found: Delivery
    ) -> None:
        names = [name for name in trigger.condition.names if name in passed]
        if not names:
            return
        if trigger.condition.holds:
            self._remember(plan, trigger, [(name, passed[name]) for name in names], found)
            return
        for name in names:
            event = passed[name]
            self._fire(trigger, {name: event}, found.stored_ns, found)

    def _fire(self, trigger: TriggerPlan, events: dict[str, Event], now_ns: int, found: Delivery) -> None:
        firing = self._firing(trigger, events, now_ns)
        if firing.id in self._done or firing.id in self._parked:
            return
        self.lane(trigger).submit(Job(trigger, firing, found.position, self.progress.open(found.position)))

    def _firing(self, trigger: TriggerPlan, events: dict[str, Event], now_ns: int) -> Firing:
        keys = {name: event.key for name, event in events.items()}
        name = firing_id(self.namespace, trigger.sensor, trigger.name, trigger.role, keys)
        return Firing(name, self.namespace, trigger.sensor, trigger.name, events, now_ns)

    # conditions with memory

    def _remember(
        self, plan: SensorPlan, trigger: TriggerPlan, passed: list[tuple[str, Event]], found: Delivery
    ) -> None:
        """Hold the event, or fire: what changed is stored before the firing runs."""
        memory = self.memory(trigger)
        if memory.applied_already(found.position):
            return
        pending = memory.offer(trigger.condition, passed, found)
        jobs = [
            job for chosen in pending.chosen if (job := self._completed(trigger, chosen, found)) is not None
        ]
        records: dict[str, bytes | None] = {
            condition_key(trigger.sensor, trigger.name): memory.record(),
            **{parked_key(job.id): encode(job.record(job.due_ns)) for job in jobs},
        }
        blobs = {**pending.blobs, **{body_key(job.id): job.body() for job in jobs}}
        waits = None
        if not pending.chosen:
            missing = [name for name in trigger.condition.names if name not in memory.held]
            waits = self._decision(
                plan.name, trigger.name, WAITING, [found.event.key], found.position,
                f"waits for {', '.join(missing)}", dependency=passed[-1][0], revision=plan.revision,
            )  # fmt: skip
            self.metrics.trigger(self.namespace, plan.name, trigger.name).result(WAITING)
        self.recorder.note(
            decision=waits, records=records, blobs=blobs, drop_blobs=pending.drops,
            closes=self.progress.open(found.position),
            then=(lambda: self._submit_all(jobs)) if jobs else None,
        )  # fmt: skip

    def _completed(self, trigger: TriggerPlan, chosen: Mapping[str, Held], found: Delivery) -> Job | None:
        events = {name: held.event for name, held in chosen.items()}
        firing = self._firing(trigger, events, max(held.stored_ns for held in chosen.values()))
        if firing.id in self._done or firing.id in self._parked:
            return None
        job = Job(trigger, firing, found.position, None)
        job.parked = True
        job.first_ns = self.now_ns()
        return job

    def _submit_all(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            plan = self.roster.trigger(job.plan.sensor, job.plan.name, job.role) or job.plan
            self.lane(plan).submit(job)

    def memory(self, trigger: TriggerPlan) -> Memory:
        key = (trigger.sensor, trigger.name)
        found = self.memories.get(key)
        if found is None:
            found = self.memories[key] = Memory(*key)
        return found

    def _reset(self, memory: Memory, gone: Mapping[str, Held], blobs: list[str], reason: str) -> None:
        """Held events were dropped: say so, and store what is left."""
        if not gone:
            return
        for name, held in gone.items():
            self.recorder.note(
                decision=self._decision(
                    memory.sensor, memory.trigger, RESET, [held.event.key], held.position, reason,
                    dependency=name,
                )
            )  # fmt: skip
        self.recorder.note(
            records={condition_key(memory.sensor, memory.trigger): memory.record()}, drop_blobs=blobs
        )

    def _catch_up_resets(self) -> None:
        """A reset that was missed while down still happens."""
        now = moment(self.now_ns())
        for trigger in self.roster.resetting():
            ticks = [tick for schedule in trigger.resets if (tick := schedule.previous(now)) is not None]
            if ticks and (memory := self.memories.get((trigger.sensor, trigger.name))) is not None:
                last_ns = int(max(ticks).timestamp() * 1e9)
                self._reset(memory, *memory.forget_before(last_ns), "conditionsReset, missed while down")

    async def _resets(self) -> None:
        """Wait for the next conditionsReset of all triggers, again and again; a newer edit replaces us."""
        generation = self.roster.generation
        while generation == self.roster.generation:
            now = moment(self.now_ns())
            ticks = [
                (tick, trigger)
                for trigger in self.roster.resetting()
                for schedule in trigger.resets
                if (tick := schedule.next(now)) is not None
            ]
            if not ticks:
                return
            first = min(tick for tick, _ in ticks)
            await asyncio.sleep(max(0.0, (first - moment(self.now_ns())).total_seconds()))
            if generation != self.roster.generation:
                return
            for trigger in {plan.label: plan for tick, plan in ticks if tick == first}.values():
                memory = self.memories.get((trigger.sensor, trigger.name))
                if memory is not None:
                    self._reset(memory, *memory.forget(), "conditionsReset")

    # what lanes need (Desk)

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> object:
        return self._tasks.start(name, work)

    async def fire(self, plan: TriggerPlan, request: Request, firing: str) -> Outcome:
        return await self.executor.fire(self.namespace, plan, request, firing)

    async def judge(self, plan: TriggerPlan, outcome: Outcome) -> str | None:
        return await self.executor.judge(self.namespace, plan, outcome)

    async def load(self, job: Job) -> None:
        """Read back what was parked: the chosen events, and the request if it was rendered."""
        data = await self.bus.blob(self.shard, body_key(job.id))
        if data is None:
            raise Retryable(f"the body of firing {job.id} is not there")
        body = decode(data, Body, body_key(job.id))
        job.firing = Firing(
            job.id, self.namespace, job.plan.sensor, job.plan.name, body.events, body.now_ns,
            job.role, job.replay,
        )  # fmt: skip
        if body.request is not None:
            job.request = self.executor.read_request(body.kind, body.request)

    def lane(self, plan: TriggerPlan) -> Lane:
        key = (plan.sensor, plan.name, plan.role)
        found = self.lanes.get(key)
        if found is None:
            found = self.lanes[key] = Lane(plan, self)
        return found

    def count(self, job: Job, attempt: Attempt, seconds: float) -> None:
        counts = self.metrics.trigger(self.namespace, job.plan.sensor, job.plan.name)
        counts.action.observe(seconds)
        if attempt.fault is None:
            counts.triggered += 1
            if attempt.outcome is not None and attempt.outcome.repeated:
                counts.repeated += 1
        else:
            counts.failed += 1

    def result(self, plan: TriggerPlan, name: str) -> None:
        counts = self.metrics.trigger(self.namespace, plan.sensor, plan.name)
        counts.result(name)
        if name in GIVEN_UP:
            counts.retries_failed += 1

    # dead letters

    async def retry(self, firing: str, *, render: bool = False) -> bool:
        """Send a dead letter again, under its id; False if this shard has none of that id.

        Raises Permanent when its trigger is gone. With `render` the request is made anew from the events.
        """
        data = (await self.bus.load(self.shard)).records.get(parked_key(firing))
        if data is None:
            return False
        record = decode(data, Parked, parked_key(firing))
        if record.due_ns is not None:
            return False
        plan = self.roster.trigger(record.sensor, record.trigger, record.role)
        if plan is None:
            raise Permanent(f"sensor {record.sensor} has no trigger {record.trigger} any more")
        job = Job.from_record(firing, record, plan)
        job.attempt, job.due_ns = 0, self.now_ns()
        if render:
            await self.load(job)
            job.request = None
        self.recorder.note(
            records={parked_key(firing): encode(job.record(job.due_ns))},
            then=lambda: self.lane(plan).submit(job),
        )
        return True

    # small things

    async def _sweep(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(SWEEP)
            for lane in list(self.lanes.values()):
                lane.sweep(clock())

    def _expired(self, gap: Gap) -> None:
        log.warning(
            "%s: events %d to %d were discarded before they were read", self.bus.name, gap.first, gap.last
        )
        reason = f"offsets {gap.first} to {gap.last} were discarded before they were read"
        self.recorder.note(
            decision=self._decision("", "", EXPIRED, [], Position(gap.partition, gap.last), reason)
        )

    def _decision(
        self,
        sensor: str,
        trigger: str,
        result: str,
        events: list[EventKey],
        position: Position,
        reason: str,
        *,
        firing: str | None = None,
        dependency: str | None = None,
        revision: str = "",
    ) -> Decision:
        return Decision(
            sensor=sensor, trigger=trigger, result=result, events=events, position=position,
            time_ns=self.now_ns(), firing=firing, reason=reason, dependency=dependency, revision=revision,
        )  # fmt: skip
