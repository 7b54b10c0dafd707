"""Parked firings of one shard: taken over, read back, held back, and dead letters sent again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from events.aio import backoff
from events.bus._base import Bus, Mark
from events.errors import Damaged, EvaluationError, Permanent, Retryable
from events.event import DEAD_LETTERED, Decision, Delivery, EventKey, Firing, Position
from events.runtime import commands
from events.runtime.jobs import Job
from events.runtime.lanes import REMOVED
from events.runtime.progress import Place, Progress
from events.runtime.recorder import Recorder
from events.runtime.records import (
    Body,
    Parked,
    body_key,
    body_keys,
    decode,
    encode,
    parked_key,
    read_body,
)
from events.runtime.roster import Roster

if TYPE_CHECKING:
    from events.runtime.executor import Executor
    from events.runtime.plans import TriggerPlan

log = logging.getLogger(__name__)


def before(one: Position, other: Position) -> bool:
    """Whether `one` comes no later; places of different partitions have no order."""
    return one.partition == other.partition and one.offset <= other.offset


def due_here(job: Job, now_ns: int) -> int:
    """When it may run by our clock: what a fast clock has parked waits no longer than it was to wait."""
    longest = max(0, job.due_ns - job.first_ns)
    return min(job.due_ns, now_ns + longest)


class Owner(Protocol):
    """What parking needs of its shard."""

    bus: Bus
    shard: int
    namespace: str
    executor: Executor
    roster: Roster
    recorder: Recorder
    progress: Progress
    now_ns: Callable[[], int]
    chance: Callable[[], float]

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> object: ...

    def submit(self, job: Job) -> None: ...

    def decision(
        self, sensor: str, trigger: str, result: str, events: list[EventKey], position: Position, reason: str,
        *, firing: str | None = None, dependency: str | None = None, revision: str = "",
    ) -> Decision: ...  # fmt: skip


class Parking:
    """`adopted`: what a former owner left, which had read the log up to `seen`."""

    def __init__(self, owner: Owner, adopted: dict[str, Parked], seen: Mark | None) -> None:
        self._owner, self._adopted, self._seen = owner, adopted, seen
        self._held_back: list[Job] = []
        self._retrying: set[str] = set()

    def resume(self) -> None:
        """Put the parked firings of a former life into their lanes; those of removed triggers are dead.

        In an ordered lane they wait until the events before them were read again.
        """
        adopted, self._adopted = self._adopted, {}
        for firing, record in adopted.items():
            if record.due_ns is None:
                continue
            plan = self._owner.roster.trigger(record.sensor, record.trigger, record.role)
            if plan is None:
                self._bury(firing, record)
                continue
            job = Job.from_record(firing, record, plan)
            job.due_ns = due_here(job, self._owner.now_ns())
            if plan.ordered and self._to_be_read_again(job.position):
                self._held_back.append(job)
            else:
                self._owner.submit(job)
        self._held_back.sort(key=lambda job: job.position)

    def _to_be_read_again(self, position: Position) -> bool:
        seen = self._seen
        return (
            seen is not None and seen.covers(position) and not self._owner.progress.reached.covers(position)
        )

    def _bury(self, firing: str, record: Parked) -> None:
        record.due_ns, record.error = None, record.error or REMOVED
        self._owner.recorder.note(
            records={parked_key(firing): encode(record)},
            decision=self._owner.decision(
                record.sensor, record.trigger, DEAD_LETTERED, list(record.events.values()),
                record.position, record.error, firing=firing, revision=record.revision,
            ),
        )  # fmt: skip

    def release(self, position: Position) -> None:
        """Parked firings of ordered lanes whose turn has come before this event."""
        if self._held_back:
            self._submit_those(lambda job: before(job.position, position))

    def looked(self) -> None:
        """Some more of the log was looked at."""
        if self._held_back:
            reached = self._owner.progress.reached
            self._submit_those(lambda job: reached.covers(job.position))

    def _submit_those(self, ready: Callable[[Job], bool]) -> None:
        held, self._held_back = self._held_back, []
        for job in held:
            if ready(job):
                self._owner.submit(job)
            else:
                self._held_back.append(job)

    async def load(self, job: Job) -> None:
        """Read back what was parked: the chosen events, and the request if it was rendered.

        While the bus is away it is asked again, which is no attempt. Raises Damaged.
        """
        data = await self._body(job)
        if data is None:
            raise Damaged(f"the body of firing {job.id} is not there")
        body = decode(data, Body, body_key(job.id))
        job.firing = Firing(
            job.id, self._owner.namespace, job.plan.sensor, job.plan.name, body.events, body.now_ns,
            job.role, job.replay,
        )  # fmt: skip
        if body.request is not None:
            self._restore_request(job, body.kind, body.request)

    async def _body(self, job: Job) -> bytes | None:
        attempt = 0
        while True:
            try:
                return await read_body(self._owner.bus, self._owner.shard, job.id, job.pieces)
            except Retryable as exc:
                attempt += 1
                await asyncio.sleep(backoff(attempt, self._owner.chance(), exc.after))

    def _restore_request(self, job: Job, kind: str, request: bytes) -> None:
        """It is sent as it was rendered, by the kind of trigger that it was rendered for."""
        try:
            job.request = self._owner.executor.read_request(kind, request)
        except msgspec.MsgspecError as exc:
            log.warning("trigger %s: %s is rendered again: %s", job.plan.label, job.id, exc)
            return
        if job.plan.kind != kind:
            job.plan = job.plan._replace(kind=kind)

    async def retry(self, firing: str, *, render: bool = False) -> bool:
        """Send a dead letter again, under its id; False if there is none. See `ShardRunner.retry`."""
        data = (await self._owner.bus.load(self._owner.shard)).records.get(parked_key(firing))
        record = None if data is None else decode(data, Parked, parked_key(firing))
        if record is None or record.due_ns is not None or firing in self._retrying:
            return False
        plan = self._owner.roster.trigger(record.sensor, record.trigger, record.role)
        if plan is None:
            raise Permanent(f"sensor {record.sensor} has no trigger {record.trigger} any more")
        self._retrying.add(firing)
        try:
            await self._send_again(Job.from_record(firing, record, plan), plan, render=render)
        finally:
            self._retrying.discard(firing)
        return True

    async def _send_again(self, job: Job, plan: TriggerPlan, *, render: bool) -> None:
        job.attempt, job.due_ns = 0, self._owner.now_ns()
        blobs: dict[str, bytes] = {}
        before = body_keys(job.id, job.pieces)
        if render:
            await self.load(job)
            assert job.firing is not None
            job.plan, job.revision, job.request = plan, plan.revision, plan.render(job.firing)
            blobs = job.blobs(self._owner.recorder.largest)
        self._owner.recorder.note(
            records={parked_key(job.id): job.record(job.due_ns)}, blobs=blobs,
            drop_blobs=before[job.pieces :],
        )  # fmt: skip
        await self._owner.recorder.flush()
        self._owner.submit(job)

    # orders from other processes

    def obey(self, found: Delivery) -> None:
        """An order on the bus; the mark waits until it is carried out."""
        try:
            order = commands.order_in(found.event)
        except msgspec.MsgspecError as exc:
            log.warning("an order that cannot be read: %s: %s", found.event.id, exc)
            return
        if order.shard == self._owner.shard:
            place = self._owner.progress.open(found.position)
            self._owner.start(f"order/{found.event.id}", self._carry_out(order, place))

    async def _carry_out(self, order: commands.Retry, place: Place) -> None:
        records: dict[str, bytes | None] = {}
        try:
            await self.retry(order.firing, render=order.render)
        except (Permanent, EvaluationError) as exc:
            records = await self._refusal(order, exc)
        self._owner.recorder.note(records=records, closes=place)

    async def _refusal(self, order: commands.Retry, reason: Exception) -> dict[str, bytes | None]:
        """The dead letter says why it was not sent."""
        record = await commands.dead_letter(self._owner.bus, order)
        if record is None:
            return {}
        record.error = f"{commands.REFUSED}{reason}"
        return {parked_key(order.firing): encode(record)}
