"""Jobs: firings on their way, in memory or as parked records."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from events.errors import EvaluationError
from events.event import DLQ_ROLE, Firing, Outcome, Position, Request, firing_id
from events.runtime.progress import Place
from events.runtime.records import Body, Parked, encode, in_pieces, storable, stripped

if TYPE_CHECKING:
    from events.runtime.plans import TriggerPlan

log = logging.getLogger(__name__)


class Verdict(NamedTuple):
    """How an attempt ended: no fault is a success."""

    fault: str | None
    outcome: Outcome | None
    retryable: bool
    after: float | None
    result: str


class Job:
    """One firing. `place` is open until it is recorded; `firing` None: the bus has it; `since`: loop time.

    `turn`: its number among those that wait in an ordered lane; 0: it never did. `pieces`: how many
    blobs its body lies in.
    """

    __slots__ = (
        "attempt", "due_ns", "error", "firing", "first_ns", "id", "keys", "limited", "parked", "pieces",
        "place", "plan", "position", "replay", "request", "revision", "role", "since", "turn",
    )  # fmt: skip

    def __init__(self, plan: TriggerPlan, firing: Firing, position: Position, place: Place | None) -> None:
        self.id, self.plan, self.position, self.place = firing.id, plan, position, place
        self.firing: Firing | None = firing
        self.keys = {name: event.key for name, event in firing.events.items()}
        self.role, self.replay, self.revision = firing.role, firing.replay, plan.revision
        self.request: Request | None = None
        self.attempt = self.turn = 0
        self.due_ns = self.first_ns = 0
        self.since = 0.0
        self.parked = self.limited = False
        self.pieces = 1
        self.error = ""

    @classmethod
    def from_record(cls, firing: str, record: Parked, plan: TriggerPlan) -> Job:
        """A parked firing that another life of this shard left behind."""
        job = cls.__new__(cls)
        job.id, job.plan, job.position, job.place = firing, plan, record.position, None
        job.firing = job.request = None
        job.keys, job.role, job.replay = record.events, record.role, record.replay
        job.attempt, job.first_ns, job.error = record.attempt, record.first_ns, record.error
        job.due_ns, job.revision = record.due_ns or 0, record.revision
        job.since, job.turn = 0.0, 0
        job.parked = job.limited = True
        job.pieces = record.pieces
        return job

    def record(self, due_ns: int | None) -> bytes:
        """The parked record; due None: a dead letter."""
        return encode(
            Parked(
                sensor=self.plan.sensor, trigger=self.plan.name, role=self.role, replay=self.replay,
                position=self.position, events=self.keys, attempt=self.attempt, first_ns=self.first_ns,
                due_ns=due_ns, revision=self.revision, error=storable(self.error),
                pieces=self.pieces,
            )
        )  # fmt: skip

    def blobs(self, most: int) -> dict[str, bytes]:
        """The body as blobs of at most so many bytes; the record made after this says how many."""
        made = in_pieces(self.id, self.body(), most)
        self.pieces = len(made)
        return made

    def body(self) -> bytes:
        """Events and request, rendered if it was not yet: what is kept is kept as rendered."""
        assert self.firing is not None
        self._prepare()
        events = {name: stripped(event) for name, event in self.firing.events.items()}
        return encode(
            Body(events=events, now_ns=self.firing.now_ns, request=packed(self.request), kind=self.plan.kind)
        )

    def _prepare(self) -> None:
        if self.request is not None or self.firing is None:
            return
        try:
            self.request = self.plan.render(self.firing)
        except EvaluationError:
            return  # the attempt renders again and tells
        except Exception:
            log.exception("trigger %s: unexpected error while rendering", self.plan.label)

    def unload(self) -> None:
        """The bus has it: memory need not."""
        self.firing = self.request = None


def packed(request: Request | None) -> bytes | None:
    """None for what cannot be stored (text that is not UTF-8): it is rendered again, to the same."""
    if request is None:
        return None
    try:
        return msgspec.msgpack.encode(request)
    except UnicodeEncodeError:
        return None


def successor_of(job: Job, now_ns: int) -> Job | None:
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
    successor.first_ns = now_ns
    successor.parked = True
    return successor
