"""The owner of one shard: reads the log, matches events to its sensors, runs triggers, records what became.

Everything up to the mark is done, recorded or parked. After a crash the log is read again from the mark, in
order; what is recorded as done, parked or applied to a condition is not done again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from events.aio import Group, backoff
from events.bus._base import Batch, Bus, DecisionQuery, Double, Gap, Lease, Mark, Reader
from events.errors import BusUnavailable, EventsError, Fenced, Retryable
from events.event import (
    DEAD_LETTERED,
    DUPLICATE,
    EXPIRED,
    FAILED,
    FIRED,
    PARAMETER_ERROR,
    RESET,
    RETRYING,
    Decision,
    Delivery,
    EventKey,
    Position,
)
from events.runtime import commands
from events.runtime.jobs import Job
from events.runtime.lanes import REMOVED, Lane
from events.runtime.matching import Matcher
from events.runtime.memory import Held, Memory
from events.runtime.outage import LONGEST_PAUSE, Outage
from events.runtime.parking import Parking
from events.runtime.progress import Progress
from events.runtime.recorder import Recorder
from events.runtime.records import condition_key, storable
from events.runtime.resets import Resets
from events.runtime.roster import Change, Roster
from events.runtime.takeover import Former, take_over
from events.runtime.watchdog import Watchdog, failing

if TYPE_CHECKING:
    from events.event import Outcome, Request
    from events.observability.metrics import Metrics
    from events.runtime.executor import Executor
    from events.runtime.jobs import Verdict
    from events.runtime.plans import SensorPlan, TriggerPlan
    from events.runtime.scripts import Judge

log = logging.getLogger(__name__)

GIVEN_UP = frozenset({DEAD_LETTERED, FAILED, PARAMETER_ERROR})
SENT = frozenset({FIRED, RETRYING, FAILED, DEAD_LETTERED})
"""Results that used up a slot of the rate limit."""

SWEEP = 1.0
"""Seconds between looks for firings that take too long."""

TICK = 0.5
"""Seconds between signs that this process is awake."""

SLICE = 0.005
"""Seconds that events are handled for without letting others run."""

STANDBY = 1.0
"""Seconds without the lease after which another process is taken to have the shard."""

LEASE = 15.0
"""Seconds that a lease outlives its holder."""

DRAIN = 25.0
"""Seconds that firings in hand get when the shard is stopped: below Kubernetes' 30."""


class Renewed(Exception):
    """The log was made anew: everything has to begin anew too."""


def being_cancelled() -> bool:
    """Whether somebody wants the end of the task that asks."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class ShardRunner:
    """One shard of one bus instance. `run` holds the lease until it is cancelled or loses it."""

    recorder: Recorder
    progress: Progress

    def __init__(
        self,
        bus: Bus,
        shard: int,
        executor: Executor,
        metrics: Metrics,
        judge: Judge,
        *,
        outage: Outage | None = None,
        lease_ttl: float = LEASE,
        now_ns: Callable[[], int] = time.time_ns,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`lease_ttl`: seconds after which others may take the shard when this process is dead."""
        self.bus, self.shard, self.executor, self.metrics = bus, shard, executor, metrics
        self._outage, self._lease_ttl = Outage(bus.name) if outage is None else outage, lease_ttl
        self.now_ns, self.chance, self._judge = now_ns, chance, judge
        self.namespace = bus.name.partition("/")[0]
        self.roster = Roster()
        self.memories: dict[tuple[str, str], Memory] = {}
        self.lanes: dict[tuple[str, str, str], Lane] = {}
        self.following = self.holds = False
        self.trouble = "waits for its lease"
        self._waits_since: float | None = None
        self.listens, self.heard = False, 0
        """Whether the reader is waited for now, and how many batches came."""
        self._tasks = Group(self._task_failed)
        self._waits = Group(lambda name, error: None)  # awaited in `run`
        self._taking: asyncio.Task[Lease] | None = None
        self._wanted: Sequence[SensorPlan] | None = None
        self._edited = asyncio.Event()
        self._reader: Reader | None = None
        self._matcher = Matcher(self, set())
        self._resets = Resets(self)
        self._reset_task: asyncio.Task[None] | None = None
        self._seen_before: Mark | None = None
        self._renewed = False
        self._parking = Parking(self, {}, None)
        self._stopping = False
        self._awake = 0.0
        self._drained = asyncio.Event()
        self._failed: asyncio.Future[None] | None = None

    # life

    @property
    def settled(self) -> bool:
        """Whether the newest sensors are the ones at work."""
        return self.following and self._wanted is None

    def replace(self, sensors: Sequence[SensorPlan]) -> None:
        """These are the sensors now. Takes effect between two batches."""
        self._wanted = sensors
        self._interrupt()

    def _interrupt(self) -> None:
        """Have `_read_on` begin anew."""
        self._edited.set()
        if self._reader is not None:
            self._tasks.start("shard/interrupt", self._reader.aclose())

    async def run(self) -> None:
        """Own the shard until cancelled. Raises Fenced when the lease was lost, Damaged, Permanent."""
        lease = await self._take_lease()
        if lease is None:
            return
        self.holds = True
        self._failed = asyncio.get_running_loop().create_future()
        try:
            following = self._tasks.start(f"shard/{self.shard}", self._own(lease))
            await asyncio.wait([following, self._failed], return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
        finally:
            self.following = False
            await self._close(lease)
            self.holds = False

    async def _take_lease(self) -> Lease | None:
        """Wait for it; None when told to stop meanwhile."""
        self._waits_since = asyncio.get_running_loop().time()
        self._taking = self._waits.start(
            f"shard/{self.shard}/lease", self.bus.lease(f"shard/{self.shard}", self._lease_ttl)
        )
        standby = self._waits.start(f"shard/{self.shard}/standby", self._stand_by())
        try:
            return await self._taking
        except asyncio.CancelledError:
            if self._drained.is_set() and not being_cancelled():
                return None
            raise
        finally:
            standby.cancel()
            self._waits_since = None

    async def _stand_by(self) -> None:
        """Who waits for another process only has no trouble with the bus, as soon as that answers."""
        while True:
            await asyncio.sleep(STANDBY)
            try:
                if self._outage:
                    await self.bus.head()
            except BusUnavailable:
                continue
            self._outage.works(failing(self.shard))
            self._outage.works(f"shard/{self.shard}")

    @property
    def waited(self) -> float:
        """Seconds that the lease has been waited for; 0 when it is here."""
        since = self._waits_since
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    async def _own(self, lease: Lease) -> None:
        self._tasks.start(f"shard/{self.shard}/lease", self._watch_lease(lease))
        await self._take_over(lease)
        try:
            await self._follow()
        except Renewed as exc:
            raise BusUnavailable(str(exc)) from exc
        await self._drained.wait()

    async def _watch_lease(self, lease: Lease) -> None:
        await lease.lost.wait()
        raise Fenced(f"{self.bus.name}: the lease of shard {self.shard} was lost")

    async def _close(self, lease: Lease) -> None:
        for lane in self.lanes.values():
            lane.stop()
        await self._tasks.aclose()
        if self._failed is not None and not self._failed.cancel():
            self._failed.exception()
        await lease.release()

    async def drain(self, deadline: float = DRAIN) -> None:
        """Stop reading, let what runs end, record it; then `run` ends. What did not run is read again."""
        self._stopping = True
        if self._waits_since is not None and self._taking is not None:
            self._drained.set()
            self._taking.cancel()
            return
        self._interrupt()
        for lane in self.lanes.values():
            lane.stop()
        try:
            async with asyncio.timeout(deadline):
                while any(lane.running for lane in self.lanes.values()):
                    await asyncio.sleep(0.02)
                if self.following:
                    await self.recorder.flush()
        except TimeoutError:
            log.warning("%s shard %d: stopped with firings in hand", self.bus.name, self.shard)
        self._drained.set()

    def _task_failed(self, name: str, error: BaseException) -> None:
        """A task of ours ended with an error: the shard cannot go on, and its owner says why."""
        if not isinstance(error, EventsError):
            log.error("%s shard %d: %s failed", self.bus.name, self.shard, name, exc_info=error)
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    # taking over

    async def _take_over(self, lease: Lease) -> None:
        former = await take_over(self.bus, self.shard, self.roster)
        self.progress = Progress(former.start)
        self._awake = asyncio.get_running_loop().time()
        self.recorder = Recorder(self.bus, self.shard, lease, self.progress, self._outage)
        self.memories = former.memories
        self._matcher = Matcher(self, former.done | set(former.parked))
        self._seen_before, self._renewed = former.head, former.renewed
        self._parking = Parking(self, former.parked, former.head)
        self._tell_losses(former)
        self._tasks.start(f"shard/{self.shard}/recorder", self.recorder.run())
        self._tasks.start(f"shard/{self.shard}/sweeper", self._sweep())
        self._tasks.start(f"shard/{self.shard}/awake", self._stay_awake())
        self._tasks.start(f"shard/{self.shard}/watch", Watchdog(self, self._outage).run())

    def _tell_losses(self, former: Former) -> None:
        """What the new owner could not take over, or reads in another log, is recorded as `reset`."""
        for lost in former.lost:
            self._note_reset(
                lost.sensor, lost.trigger, lost.held.key, lost.held.position,
                "the held event is not there any more", lost.dependency,
            )  # fmt: skip
        if not former.renewed:
            return
        log.warning("%s: the log was made anew; reading it from its beginning", self.bus.name)
        for memory in self.memories.values():
            self.recorder.note(records={memory.key: memory.record})
        for sensor in self.roster.known or [""]:
            reason = "the log was made anew and is read from its beginning"
            self.recorder.note(decision=self.decision(sensor, "", RESET, [], Position(0, 0), reason))

    async def _remember_pace(self) -> None:
        """A rate limit goes on where the former owner stood: its last firings are in the decisions.

        One whose clock is fast holds nothing up here: what it did later than now was done now at the latest.
        """
        for plan in self.roster.limited():
            if (plan.sensor, plan.name, plan.role) in self.lanes:
                continue
            since = self.now_ns() - plan.burst * plan.interval_ns
            query = DecisionQuery(
                sensor=plan.sensor, trigger=plan.name, results=SENT, since_ns=since, limit=plan.burst
            )
            sent = await self.bus.find_decisions(query)
            lane = self.lane(plan)
            for decision in reversed(sent):
                lane.pace.take(min(decision.time_ns, self.now_ns()), waited=False)

    # following the log

    async def _follow(self) -> None:
        attempt = 0
        while not self._stopping:
            reached = self.progress.reached
            try:
                await self._read_on()
                attempt = 0
            except Retryable as exc:
                attempt = 1 if self.progress.reached != reached else attempt + 1
                self.following, self.trouble = False, str(exc)
                self._outage.fails(f"shard/{self.shard}", exc)
                await asyncio.sleep(backoff(attempt, self.chance(), exc.after, LONGEST_PAUSE))

    async def _read_on(self) -> None:
        """Open a reader for the sensors as they are now and follow it until something is edited."""
        self._edited.clear()
        if (wanted := self._wanted) is not None:
            await self._apply(wanted)
            if self._wanted is wanted:
                self._wanted = None
        self._reader = reader = await self._open_reader()
        try:
            self.following, self.trouble = True, ""
            self._outage.works(f"shard/{self.shard}")
            while not self._edited.is_set():
                await self._handle(await self._next(reader))
        except StopAsyncIteration:
            if not self._edited.is_set():
                raise Retryable("the reader ended") from None
        finally:
            self._reader = None
            await reader.aclose()

    async def _open_reader(self) -> Reader:
        try:
            return await self.bus.read(self.roster.topics | {commands.TOPIC}, self.progress.reached)
        except ValueError as exc:
            raise Renewed(str(exc)) from exc

    async def _next(self, reader: Reader) -> Batch:
        """The next batch; the watchdog hears of it."""
        self.listens = True
        try:
            batch = await reader.next()
        finally:
            self.listens = False
        self.heard += 1
        return batch

    @property
    def reader(self) -> Reader | None:
        """The one that is followed now."""
        return self._reader

    def restart_reader(self, reason: str) -> None:
        """Begin anew at the place that was reached."""
        self.metrics.bus(self.bus.name).silent += 1
        log.warning("%s shard %d: %s; reading anew", self.bus.name, self.shard, reason)
        self._interrupt()

    async def _apply(self, sensors: Sequence[SensorPlan]) -> None:
        """Change over to these sensors at the place that was reached. Raises BusUnavailable: not done."""
        head = await self.bus.head()
        change = self.roster.change(sensors, self.progress.reached, head)
        self._forget(change)
        self._change_lanes()
        self.recorder.note(records=change.records, blobs=change.blobs, drop_blobs=change.drops)
        await self._remember_pace()
        self._parking.resume()
        await self.recorder.flush()
        if self._reset_task is not None:
            self._reset_task.cancel()
        self._reset_task = self._tasks.start(f"shard/{self.shard}/resets", self._resets.run())

    def _forget(self, change: Change) -> None:
        """Held events whose dependency or condition is another now, or is gone."""
        for sensor, trigger, names in change.forgotten:
            memory = self.memories.get((sensor, trigger))
            if memory is not None:
                self._reset(memory, *memory.forget(names), "the condition was edited")
        for key, memory in list(self.memories.items()):
            if not self.roster.holds(*key):
                self._reset(memory, *memory.forget(), REMOVED)
                del self.memories[key]
                self.recorder.note(records={condition_key(*key): None})

    def _change_lanes(self) -> None:
        for key, lane in list(self.lanes.items()):
            plan = self.roster.trigger(*key)
            if plan is None:
                lane.retire()
            elif plan is not lane.plan or lane.retired:
                lane.update(plan)

    async def _handle(self, batch: Batch) -> None:
        """Everything of a batch, in portions that leave others some room."""
        for gap in batch.gaps:
            self._expired(gap)
        for double in batch.doubles:
            self._doubled(double)
        clock = asyncio.get_running_loop().time
        for deliveries in self._judge.portions(self.roster, batch.deliveries):
            judged = await self._judge.prepare(self.roster, deliveries)
            pause = clock() + SLICE
            for found in deliveries:
                self._parking.release(found.position)
                if found.event.source == commands.TOPIC[0]:
                    self._parking.obey(found)
                self._matcher.deliver(found, judged)
                if clock() > pause:
                    await asyncio.sleep(0)
                    await self.recorder.room()
                    pause = clock() + SLICE
        self.progress.reach(batch.reached)
        self._looked()
        await self.recorder.room()

    def _looked(self) -> None:
        """Some more of the log was looked at."""
        self._parking.looked()
        self._resets.settle()
        if self._seen_before is not None and self.progress.passed(self._seen_before):
            self._seen_before = None
            self._matcher.settled = set()
            self.recorder.again = self._renewed

    # conditions with memory

    def memory(self, trigger: TriggerPlan) -> Memory:
        key = (trigger.sensor, trigger.name)
        found = self.memories.get(key)
        if found is None:
            found = self.memories[key] = Memory(*key)
        return found

    def before_offer(self, trigger: TriggerPlan, found: Delivery) -> None:
        if trigger.resets:
            self._resets.before(trigger, found.stored_ns)

    def forget_before(self, trigger: TriggerPlan, moment_ns: int) -> None:
        memory = self.memories.get((trigger.sensor, trigger.name))
        if memory is not None and memory.held:
            self._reset(memory, *memory.forget_before(moment_ns), "conditionsReset")

    def passed(self, mark: Mark) -> bool:
        return self.progress.passed(mark)

    async def head(self) -> Mark:
        return await self.bus.head()

    def resetting(self) -> list[TriggerPlan]:
        return self.roster.resetting()

    def _reset(self, memory: Memory, gone: Mapping[str, Held], blobs: list[str], reason: str) -> None:
        """Held events were dropped: say so, and store what is left."""
        if not gone:
            return
        for name, held in gone.items():
            self._note_reset(memory.sensor, memory.trigger, held.event.key, held.position, reason, name)
        self.recorder.note(records={memory.key: memory.record}, drop_blobs=blobs)

    def _note_reset(
        self, sensor: str, trigger: str, key: EventKey, position: Position, reason: str, dependency: str
    ) -> None:
        self.metrics.trigger(self.namespace, sensor, trigger).result(RESET)
        decision = self.decision(sensor, trigger, RESET, [key], position, reason, dependency=dependency)
        self.recorder.note(decision=decision)

    # what lanes need

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> object:
        return self._tasks.start(name, work)

    async def fire(self, plan: TriggerPlan, request: Request, firing: str) -> Outcome:
        if self._stalled or self.recorder.late:  # the next owner would do it again
            await self.recorder.flush()
        return await self.executor.fire(self.namespace, plan, request, firing)

    @property
    def _stalled(self) -> bool:
        """Whether this process has slept so long that another may have the shard by now: a stored commit
        proves that none has."""
        return asyncio.get_running_loop().time() - self._awake > self._lease_ttl / 2

    async def judge(self, plan: TriggerPlan, outcome: Outcome) -> str | None:
        return await self.executor.judge(self.namespace, plan, outcome)

    async def load(self, job: Job) -> None:
        """Read back what was parked. Raises Damaged."""
        await self._parking.load(job)

    def submit(self, job: Job) -> None:
        """To the lane of its trigger; a parked one whose trigger is gone becomes a dead letter there."""
        plan = self.roster.trigger(job.plan.sensor, job.plan.name, job.role)
        lane = self.lane(plan or job.plan)
        if plan is None and job.parked:
            lane.bury(job)
        else:
            lane.submit(job)

    def lane(self, plan: TriggerPlan) -> Lane:
        key = (plan.sensor, plan.name, plan.role)
        found = self.lanes.get(key)
        if found is None:
            found = self.lanes[key] = Lane(plan, self)
            if self._stopping:
                found.stop()
        return found

    def count(self, job: Job, attempt: Verdict, seconds: float) -> None:
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

    async def retry(self, firing: str, *, render: bool = False) -> bool:
        """Send a dead letter again, under its id; False if this shard has none of that id.

        Raises Permanent when its trigger is gone, Retryable while the shard is not at work. With `render` the
        request is made anew from the events; raises EvaluationError, Damaged.
        """
        if not self.following:
            raise Retryable(f"{self.bus.name} shard {self.shard}: {self.trouble or 'not at work'}")
        return await self._parking.retry(firing, render=render)

    # watching

    async def _stay_awake(self) -> None:
        """Notice that the process was paused: whoever acts then first proves that the shard is still its."""
        while True:
            await asyncio.sleep(TICK)
            if self._stalled:
                await self.recorder.flush()
            self._awake = asyncio.get_running_loop().time()

    async def _sweep(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(SWEEP)
            for key, lane in list(self.lanes.items()):
                lane.sweep(clock())
                if lane.retired and not lane.running:
                    del self.lanes[key]

    def _expired(self, gap: Gap) -> None:
        log.warning(
            "%s: events %d to %d were discarded before they were read", self.bus.name, gap.first, gap.last
        )
        reason = f"offsets {gap.first} to {gap.last} were discarded before they were read"
        self.recorder.note(
            decision=self.decision("", "", EXPIRED, [], Position(gap.partition, gap.last), reason)
        )

    def _doubled(self, double: Double) -> None:
        self.metrics.bus(self.bus.name).doubles += 1
        reason = "the bus had stored it already"
        self.recorder.note(decision=self.decision("", "", DUPLICATE, [double.key], double.position, reason))

    def decision(
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
            time_ns=self.now_ns(), firing=firing, reason=storable(reason), dependency=dependency,
            revision=revision,
        )  # fmt: skip
