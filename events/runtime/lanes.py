"""Lanes: one per trigger, each with a bounded number of firings in flight.

A firing that cannot run now, or has not ended after ten seconds, is parked as a state record: the mark moves
on and nobody else waits for it. In a strictly ordered lane a parked firing holds back those behind it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from events.errors import EvaluationError, EventsError, Retryable
from events.event import (
    DEAD_LETTERED,
    DLQ_ROLE,
    FAILED,
    FIRED,
    PARAMETER_ERROR,
    RATE_LIMITED,
    RETRYING,
    WAITING,
    Decision,
    Outcome,
    Request,
)
from events.lang.backoff import Backoff
from events.runtime.jobs import Job, Verdict, successor_of
from events.runtime.pace import Pace
from events.runtime.records import body_keys, parked_key, storable
from events.runtime.turns import turns

if TYPE_CHECKING:
    from events.runtime.plans import TriggerPlan
    from events.runtime.recorder import Recorder

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds after which a firing that has not ended is parked."""

QUEUED = 1000
"""Firings that wait in a lane's memory with their events; what comes above is parked at once."""

BUILT_IN = Backoff(steps=8, duration=1.0, factor=2.0, jitter=0.5)
"""For retryable errors of triggers without a retryStrategy: about two minutes."""

SECOND = 1_000_000_000

REMOVED = "the trigger was removed"


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
        """Read back the events and the request of a parked firing. Raises Damaged."""
        ...

    def submit(self, job: Job) -> None:
        """Give it to the lane of its trigger."""
        ...

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
        self.pace = Pace(plan.interval_ns, plan.burst)
        self.retired = False
        self._waiting = turns((), ordered=plan.ordered)
        self._running: set[Job] = set()
        self._open: dict[Job, None] = {}
        self._workers = 0
        self._late = False
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    @property
    def busy(self) -> int:
        """Firings that are not recorded yet: the mark waits for them."""
        return len(self._open)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._running)

    # taking

    def submit(self, job: Job) -> None:
        """Take a firing; it runs as soon as order, rate and room allow."""
        if self.retired:
            self.bury(job)
            return
        job.since = asyncio.get_running_loop().time()
        job.first_ns = job.first_ns or self._desk.now_ns()
        if job.place is not None:
            self._open[job] = None
        self._waiting.push(job)
        if len(self._waiting) > QUEUED:
            self._put_aside(job)
        self.pump()

    def _put_aside(self, job: Job) -> None:
        """Memory keeps only the name of it."""
        if job.parked:
            job.unload()
        else:
            self._park_unfinished(job, f"waits for its turn behind {len(self._waiting) - 1} others")

    # running

    def pump(self) -> None:
        """Start workers while something may run."""
        while self._workers < self.plan.max_in_flight and (job := self._next()) is not None:
            self._workers += 1
            self._desk.start(f"trigger/{self.plan.label}", self._work(job))

    def _next(self) -> Job | None:
        """The firing that may run now, which counts as running; otherwise a timer is set for when one may."""
        job = None if self._stopped else self._waiting.first()
        if job is None:
            return None
        now = self._desk.now_ns()
        ready = max(job.due_ns, self.pace.ready_ns)
        if ready > now:
            self._limit(job, now)
            self._wake(ready - now)
            return None
        self._waiting.pop()
        self._running.add(job)
        self.pace.take(now, waited=self._late)
        self._late = self._late and bool(self._waiting)
        return job

    def _limit(self, job: Job, now: int) -> None:
        if job.due_ns > now:
            return
        self._late = True
        if not job.limited:
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
        """Everything that can go wrong with one firing ends here as a verdict."""
        try:
            return await self._try(job)
        except EvaluationError as exc:
            return Verdict(str(exc), None, False, None, PARAMETER_ERROR)
        except Retryable as exc:
            return Verdict(str(exc), None, True, exc.after, FAILED)
        except EventsError as exc:
            return Verdict(str(exc), None, False, None, FAILED)
        except Exception as exc:
            log.exception("trigger %s: unexpected error", job.plan.label)
            fault = f"unexpected {type(exc).__name__}: {exc}"
            return Verdict(fault, None, job.plan.retry is not None, None, FAILED)

    async def _try(self, job: Job) -> Verdict:
        if job.firing is None:
            await self._desk.load(job)
        plan = job.plan
        if job.request is None:
            assert job.firing is not None
            job.request = plan.render(job.firing)
        if plan.at_most_once:
            await self._tell(job)
        outcome = await self._desk.fire(plan, job.request, job.id)
        fault = await self._desk.judge(plan, outcome)
        result = FIRED if fault is None else FAILED
        return Verdict(fault, outcome, plan.retry is not None, outcome.after, result)

    async def _tell(self, job: Job) -> None:
        """At most once: the decision is stored before the effect, so a crash never repeats it."""
        reason = "recorded before it was sent (atLeastOnce: false)"
        self._decide(job, FIRED, reason, closes=True, forget=job.parked, counts=False)
        job.parked = False
        await self._desk.recorder.flush()

    # what became of it

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
        if delay is None or self.retired:
            self._give_up(job, verdict.result, duration)
            return
        job.due_ns = self._desk.now_ns() + int(max(delay, verdict.after or 0.0) * SECOND)
        self._decide(job, RETRYING, job.error, duration=duration)
        self._park(job)
        self._waiting.push(job)

    def _give_up(self, job: Job, result: str, duration: float) -> None:
        """To the dead letters, and to the dlqTrigger if there is one: its firing is written first."""
        successor = None if self.retired else successor_of(job, self._desk.now_ns())
        records: dict[str, bytes | None] = {}
        blobs: dict[str, bytes] = {}
        if successor is not None:
            blobs |= successor.blobs(self._desk.recorder.largest)
            records[parked_key(successor.id)] = successor.record(successor.due_ns)
        if result != PARAMETER_ERROR:
            result = FAILED if job.role == DLQ_ROLE else DEAD_LETTERED
        self._dead(job, result, duration, records, blobs, successor)

    def bury(self, job: Job) -> None:
        """Its trigger is gone: a dead letter, without another attempt."""
        job.error = job.error or REMOVED
        self._dead(job, DEAD_LETTERED, 0.0, {}, {}, None)

    def _dead(
        self,
        job: Job,
        result: str,
        duration: float,
        records: dict[str, bytes | None],
        blobs: dict[str, bytes],
        successor: Job | None,
    ) -> None:
        if not job.parked and job.firing is not None:
            blobs |= job.blobs(self._desk.recorder.largest)
        records[parked_key(job.id)] = job.record(None)
        job.parked = True
        self._decide(
            job, result, job.error, closes=True, duration=duration, records=records, blobs=blobs,
            then=None if successor is None else lambda: self._desk.submit(successor),
        )  # fmt: skip

    # parking

    def _park(self, job: Job) -> None:
        """Keep the firing as a record, so that the mark may pass its event."""
        blobs = {} if job.parked else job.blobs(self._desk.recorder.largest)
        job.parked = True
        self._open.pop(job, None)
        place, job.place = job.place, None
        self._desk.recorder.note(
            records={parked_key(job.id): job.record(job.due_ns)}, blobs=blobs, closes=place,
            then=lambda: self._stored(job), hurry=False,
        )  # fmt: skip

    def _stored(self, job: Job) -> None:
        """Only now can it be read back."""
        if job not in self._running:
            job.unload()

    def _park_unfinished(self, job: Job, reason: str) -> None:
        self._park(job)
        self._decide(job, RATE_LIMITED if self.pace.interval_ns else WAITING, reason)
        job.limited = True

    def sweep(self, now: float) -> None:
        """Park what has not ended for too long. Called about once a second with the loop's time."""
        while self._open:
            job = next(iter(self._open))
            if now - job.since <= PATIENCE:
                return
            self._park_unfinished(job, f"has not ended after {PATIENCE:.0f} s")

    # change

    def update(self, plan: TriggerPlan) -> None:
        """Go on with an edited trigger: firings that were there before keep what they were made from."""
        self.plan, self.retired = plan, False
        self.pace.change(plan.interval_ns, plan.burst, self._desk.now_ns())
        self._waiting = turns(self._waiting, ordered=plan.ordered)
        self.pump()

    def retire(self) -> None:
        """The trigger is gone: what waits becomes dead letters; what runs ends without another attempt."""
        self.retired = True
        waiting, self._waiting = self._waiting, turns((), ordered=self.plan.ordered)
        for job in waiting:
            self.bury(job)

    def stop(self) -> None:
        """Start nothing more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _decide(
        self,
        job: Job,
        result: str,
        reason: str,
        *,
        closes: bool = False,
        counts: bool = True,
        duration: float = 0.0,
        link: str | None = None,
        forget: bool = False,
        records: Mapping[str, bytes | None] | None = None,
        blobs: Mapping[str, bytes] | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Have a decision about a firing stored. `forget`: its parked record and body go."""
        decision = Decision(
            sensor=job.plan.sensor, trigger=job.plan.name, result=result, events=list(job.keys.values()),
            position=job.position, time_ns=self._desk.now_ns(), firing=job.id, reason=storable(reason),
            attempt=job.attempt, duration_ms=round(duration * 1000, 3), link=link, revision=job.revision,
        )  # fmt: skip
        if counts:
            self._desk.result(job.plan, result)
        place = None
        if closes:
            self._open.pop(job, None)
            place, job.place = job.place, None
        self._desk.recorder.note(
            decision=decision, records={parked_key(job.id): None} if forget else records, blobs=blobs,
            drop_blobs=body_keys(job.id, job.pieces) if forget else (), closes=place, then=then,
        )  # fmt: skip
