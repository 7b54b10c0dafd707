"""Lanes: one per trigger, each with a bounded number of firings in flight.

A firing that cannot run now, or has not ended after ten seconds, is parked as a state record: the mark moves
on and nobody else waits for it. In a strictly ordered lane a parked firing holds back those behind it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from events.errors import EvaluationError, EventsError, Retryable
from events.event import (
    DEAD_LETTERED,
    DLQ_ROLE,
    FAILED,
    FIRED,
    PARAMETER_ERROR,
    RATE_LIMITED,
    RETRYING,
    Decision,
    EventKey,
    Firing,
    Outcome,
    Position,
    Request,
    firing_id,
)
from events.lang.backoff import Backoff
from events.runtime.progress import Place
from events.runtime.records import Body, Parked, body_key, encode, parked_key, stripped

if TYPE_CHECKING:
    from events.runtime.plans import TriggerPlan
    from events.runtime.recorder import Recorder

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds after which a firing that has not ended is parked."""

QUEUED = 1000
"""Firings that wait in a lane's memory; what comes above is parked at once."""

BUILT_IN = Backoff(steps=8, duration=1.0, factor=2.0, jitter=0.5)
"""For retryable errors of triggers without a retryStrategy: about two minutes."""

SECOND = 1_000_000_000


class Job:
    """One firing on its way. `place` is open until it is recorded; `firing` None: the bus has it."""

    __slots__ = (
        "attempt", "due_ns", "error", "firing", "first_ns", "id", "keys", "limited", "parked", "place", "plan",
        "position", "replay", "request", "role", "since",
    )  # fmt: skip

    def __init__(self, plan: TriggerPlan, firing: Firing, position: Position, place: Place | None) -> None:
        self.id, self.plan, self.position, self.place = firing.id, plan, position, place
        self.firing: Firing | None = firing
        self.keys = {name: event.key for name, event in firing.events.items()}
        self.role, self.replay = firing.role, firing.replay
        self.request: Request | None = None
        self.attempt = 0
        self.due_ns = self.first_ns = 0
        self.since = 0.0
        self.parked = self.limited = False
        self.error = ""

    @classmethod
    def from_record(cls, firing: str, record: Parked, plan: TriggerPlan) -> Job:
        """A parked firing that another life of this shard left behind."""
        job = cls.__new__(cls)
        job.id, job.plan, job.position, job.place = firing, plan, record.position, None
        job.firing = job.request = None
        job.keys, job.role, job.replay = record.events, record.role, record.replay
        job.attempt, job.first_ns, job.error = record.attempt, record.first_ns, record.error
        job.due_ns = record.due_ns or 0
        job.since = 0.0
        job.parked = job.limited = True
        return job

    def record(self, due_ns: int | None) -> Parked:
        return Parked(
            sensor=self.plan.sensor, trigger=self.plan.name, role=self.role, replay=self.replay,
            position=self.position, events=self.keys,
            attempt=self.attempt, first_ns=self.first_ns, due_ns=due_ns, revision=self.plan.revision,
            error=self.error,
        )  # fmt: skip

    def body(self) -> bytes:
        assert self.firing is not None
        events = {name: stripped(event) for name, event in self.firing.events.items()}
        request = None if self.request is None else msgspec.msgpack.encode(self.request)
        return encode(Body(events=events, now_ns=self.firing.now_ns, request=request, kind=self.plan.kind))

    def ordered_keys(self) -> list[EventKey]:
        return list(self.keys.values())


class Verdict(NamedTuple):
    """How an attempt ended: no fault is a success."""

    fault: str | None
    outcome: Outcome | None
    retryable: bool
    after: float | None
    result: str


class Desk(Protocol):
    """What lanes need of their shard."""

    recorder: Recorder
    now_ns: Callable[[], int]
    chance: Callable[[], float]

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> object:
        """Run it as a task of the shard."""
        ...

    async def fire(self, plan: TriggerPlan, request: Request, firing: str) -> Outcome: ...

    async def judge(self, plan: TriggerPlan, outcome: Outcome) -> str | None:
        """Why the outcome is a failure; None: it is not."""
        ...

    async def load(self, job: Job) -> None:
        """Read back the events and the request of a parked firing."""
        ...

    def lane(self, plan: TriggerPlan) -> Lane: ...

    def count(self, job: Job, attempt: Verdict, seconds: float) -> None:
        """One attempt has ended."""
        ...

    def result(self, plan: TriggerPlan, name: str) -> None:
        """A decision was made."""
        ...


class Lane:
    """The firings of one trigger."""

    def __init__(self, plan: TriggerPlan, desk: Desk) -> None:
        self.plan, self._desk = plan, desk
        self._waiting: list[tuple[Any, int, Job]] = []
        self._numbers = itertools.count()
        self._running: set[Job] = set()
        self._workers = 0
        self._slot_ns = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    @property
    def busy(self) -> int:
        """Firings in memory that are not recorded yet."""
        return sum(job.place is not None for job in self.jobs())

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._running)

    def jobs(self) -> list[Job]:
        return [job for _, _, job in self._waiting] + list(self._running)

    def submit(self, job: Job) -> None:
        """Take a firing; it runs as soon as order, rate and room allow."""
        job.since = asyncio.get_running_loop().time()
        job.first_ns = job.first_ns or self._desk.now_ns()
        self._push(job)
        if not job.parked and len(self._waiting) > QUEUED:
            self._park(job, job.due_ns)
        self.pump()

    def _push(self, job: Job) -> None:
        order: Any = job.position if self.plan.ordered else job.due_ns
        heapq.heappush(self._waiting, (order, next(self._numbers), job))

    def pump(self) -> None:
        """Start workers while something may run."""
        while not self._stopped and self._workers < self.plan.max_in_flight and (job := self._next()) is not None:
            self._workers += 1
            self._desk.start(f"trigger/{self.plan.label}", self._work(job))

    def _next(self) -> Job | None:
        """The firing that may run now; otherwise a timer is set for when one may."""
        if not self._waiting:
            return None
        job = self._waiting[0][2]
        now = self._desk.now_ns()
        ready = max(job.due_ns, self._slot_ns if self.plan.interval_ns else 0)
        if ready > now:
            self._limit(job, now)
            self._wake(ready - now)
            return None
        heapq.heappop(self._waiting)
        if self.plan.interval_ns:
            earliest = now - (self.plan.burst - 1) * self.plan.interval_ns
            self._slot_ns = max(self._slot_ns, earliest) + self.plan.interval_ns
        return job

    def _limit(self, job: Job, now: int) -> None:
        if job.due_ns <= now and not job.limited:
            job.limited = True
            self._decide(job, RATE_LIMITED, "waits for its turn")

    def _wake(self, delay_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_ns / SECOND, self.pump)

    async def _work(self, job: Job | None) -> None:
        """Run firings one after another until none may run now."""
        try:
            while job is not None:
                self._running.add(job)
                try:
                    await self._run(job)
                finally:
                    self._running.discard(job)
                job = self._next() if self._workers <= self.plan.max_in_flight else None
        finally:
            self._workers -= 1
            if self._waiting and not self._stopped:
                asyncio.get_running_loop().call_soon(self.pump)

    async def _run(self, job: Job) -> None:
        clock = asyncio.get_running_loop().time
        started = clock()
        verdict = await self._attempt(job)
        job.attempt += 1
        duration = clock() - started
        self._desk.count(job, verdict, duration)
        if verdict.fault is None:
            self._done(job, verdict, duration)
        else:
            self._failed(job, verdict, duration)

    async def _attempt(self, job: Job) -> Verdict:
        desk, plan = self._desk, job.plan
        try:
            if job.firing is None:
                await desk.load(job)
            if job.request is None:
                assert job.firing is not None
                job.request = plan.render(job.firing)
            if plan.at_most_once:
                await self._tell(job)
            outcome = await desk.fire(plan, job.request, job.id)
            fault = await desk.judge(plan, outcome)
        except EvaluationError as exc:
            return Verdict(str(exc), None, False, None, PARAMETER_ERROR)
        except Retryable as exc:
            return Verdict(str(exc), None, True, exc.after, FAILED)
        except EventsError as exc:
            return Verdict(str(exc), None, False, None, FAILED)
        except Exception as exc:
            log.exception("trigger %s: unexpected error", plan.label)
            return Verdict(f"unexpected {type(exc).__name__}: {exc}", None, False, None, FAILED)
        return Verdict(fault, outcome, plan.retry is not None, None, FIRED if fault is None else FAILED)

    async def _tell(self, job: Job) -> None:
        """At most once: the decision is stored before the effect, so a crash never repeats it."""
        reason = "recorded before it was sent (atLeastOnce: false)"
        self._decide(job, FIRED, reason, closes=True, forget=job.parked)
        job.parked = False
        await self._desk.recorder.flush()

    def _done(self, job: Job, verdict: Verdict, duration: float) -> None:
        outcome = verdict.outcome
        reason = outcome.detail if outcome else ""
        if outcome is not None and outcome.repeated:
            reason = f"it was there already: {reason}" if reason else "it was there already"
        self._decide(
            job, FIRED, reason, closes=True, duration=duration, link=outcome.link if outcome else None,
            forget=job.parked,
        )  # fmt: skip

    def _failed(self, job: Job, verdict: Verdict, duration: float) -> None:
        job.error = verdict.fault or ""
        retry = job.plan.retry or BUILT_IN
        delay = retry.delay(job.attempt, self._desk.chance()) if verdict.retryable else None
        if delay is None:
            self._give_up(job, verdict, duration)
            return
        job.due_ns = self._desk.now_ns() + int(max(delay, verdict.after or 0.0) * SECOND)
        self._decide(job, RETRYING, job.error, duration=duration)
        self._park(job, job.due_ns)
        self._push(job)

    def _give_up(self, job: Job, verdict: Verdict, duration: float) -> None:
        """To the dead letters, and to the dlqTrigger if there is one."""
        result = verdict.result if verdict.result == PARAMETER_ERROR else DEAD_LETTERED
        if job.role == DLQ_ROLE:
            result = FAILED
        records = {parked_key(job.id): encode(job.record(None))}
        blobs = {} if job.parked or job.firing is None else {body_key(job.id): job.body()}
        successor = self._successor(job)
        if successor is not None:
            records[parked_key(successor.id)] = encode(successor.record(successor.due_ns))
            blobs[body_key(successor.id)] = successor.body()
        job.parked = True
        self._decide(
            job, result, job.error, closes=True, duration=duration, records=records, blobs=blobs,
            then=None if successor is None else lambda: self._desk.lane(successor.plan).submit(successor),
        )  # fmt: skip

    def _successor(self, job: Job) -> Job | None:
        """The firing of the dlqTrigger: the same events under an id of its own."""
        plan = job.plan.dlq
        if plan is None or job.firing is None or job.role == DLQ_ROLE:
            return None
        firing = msgspec.structs.replace(
            job.firing,
            id=firing_id(job.firing.namespace, plan.sensor, job.plan.name, DLQ_ROLE, job.keys, job.replay),
            trigger=plan.name,
            role=DLQ_ROLE,
        )
        successor = Job(plan, firing, job.position, None)
        successor.first_ns = self._desk.now_ns()
        successor.parked = True
        return successor

    def _park(self, job: Job, due_ns: int) -> None:
        """Keep the firing as a record, so that the mark may pass its event."""
        records = {parked_key(job.id): encode(job.record(due_ns))}
        blobs = {} if job.parked else {body_key(job.id): job.body()}
        place, job.place = job.place, None
        job.parked = True
        self._desk.recorder.note(records=records, blobs=blobs, closes=place)
        if job not in self._running:
            job.firing = job.request = None

    def sweep(self, now: float) -> None:
        """Park what has not ended for too long. Called about once a second with the loop's time."""
        for job in self.jobs():
            if job.place is not None and now - job.since > PATIENCE:
                self._park(job, job.due_ns)

    def update(self, plan: TriggerPlan) -> None:
        """Go on with an edited trigger: firings that were rendered finish as rendered."""
        self.plan = plan
        jobs = [job for _, _, job in self._waiting]
        self._waiting = []
        for job in jobs:
            self._push(job)
        self.pump()

    def retire(self) -> None:
        """The trigger is gone: what waits becomes dead letters."""
        waiting, self._waiting = self._waiting, []
        for _, _, job in waiting:
            job.error = job.error or "the trigger was removed"
            records: dict[str, bytes | None] = {parked_key(job.id): encode(job.record(None))}
            blobs = {} if job.firing is None else {body_key(job.id): job.body()}
            self._decide(job, DEAD_LETTERED, job.error, closes=True, records=records, blobs=blobs)

    def _decide(
        self,
        job: Job,
        result: str,
        reason: str,
        *,
        closes: bool = False,
        duration: float = 0.0,
        link: str | None = None,
        forget: bool = False,
        records: dict[str, bytes | None] | dict[str, bytes] | None = None,
        blobs: dict[str, bytes] | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        decision = Decision(
            sensor=job.plan.sensor, trigger=job.plan.name, result=result, events=job.ordered_keys(),
            position=job.position, time_ns=self._desk.now_ns(), firing=job.id, reason=reason,
            attempt=job.attempt, duration_ms=round(duration * 1000, 3), link=link, revision=job.plan.revision,
        )  # fmt: skip
        self._desk.result(job.plan, result)
        place = None
        if closes:
            place, job.place = job.place, None
        changed: dict[str, bytes | None] = dict(records or {})
        if forget:
            changed[parked_key(job.id)] = None
        self._desk.recorder.note(
            decision=decision, records=changed, blobs=blobs, closes=place, then=then,
            drop_blobs=[body_key(job.id)] if forget else None,
        )  # fmt: skip

    def stop(self) -> None:
        """Start nothing more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
