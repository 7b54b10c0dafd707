"""JetStream's requests and answers: the JSON API, acknowledgements, and what its errors mean.

Spec      NATS ADR-1 (API), ADR-50 (atomic batches)
"""

from __future__ import annotations

import base64
import time
from typing import Any, NamedTuple

import msgspec
import orjson

from events.aio import strictly
from events.clients.nats import Link, translated
from events.errors import BusFull, BusUnavailable, EventsError, Fenced, Permanent, Refused, Retryable

TIMEOUT = 5.0
"""Seconds for one answer."""

WRONG_SEQUENCE = frozenset({10071, 10164})
NOT_FOUND = frozenset({10014, 10037, 10059})
"""No such consumer, message, stream."""
EXISTS_OTHERWISE = frozenset({10058, 10065})
DUPLICATE_IN_BATCH = 10201
BATCHES_IN_FLIGHT = frozenset({10199, 10210, 10211})
"""The server holds as many unfinished batches as it may (ADR-50)."""
STORE_FULL = frozenset({10023, 10028, 10047, 10077, 10122})
"""Limits of stream, account or server, and a disk that takes no more."""


class ApiFault(msgspec.Struct):
    """What the server found wrong."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class Ack(msgspec.Struct):
    """The answer to a published message or to a batch; `seq` is that of the last message."""

    seq: int = 0
    duplicate: bool = False
    error: ApiFault | None = None


class Fault(Exception):
    """An answer that says what is wrong."""

    def __init__(self, fault: ApiFault) -> None:
        super().__init__(f"{fault.description} ({fault.err_code})")
        self.code, self.number, self.text = fault.code, fault.err_code, fault.description

    @property
    def missing(self) -> bool:
        return self.number in NOT_FOUND


decode_ack = msgspec.json.Decoder(Ack).decode


def meaning(name: str, fault: Fault) -> EventsError:
    """What an answer means for whoever uses the bus."""
    if fault.number in WRONG_SEQUENCE:
        return Fenced(f"{name}: the epoch is no longer in force: somebody else holds the lease")
    if fault.number in STORE_FULL:
        return BusFull(f"{name}: JetStream takes nothing more: {fault.text}: raise the limits or make room")
    if fault.code >= 500 or fault.number in BATCHES_IN_FLIGHT:
        return BusUnavailable(f"{name}: JetStream cannot now: {fault.text}")
    return Permanent(f"{name}: JetStream refuses: {fault.text} ({fault.number})")


class Stored(NamedTuple):
    """A message of a stream, as asked for one by one."""

    subject: str
    seq: int
    headers: bytes | None
    data: bytes
    time: str


class Api:
    """Requests to the JetStream API over one connection."""

    def __init__(self, link: Link, name: str) -> None:
        self.link, self.name = link, name
        self.trouble = ""
        """Why nothing can be stored now though the server answers; whoever finds out sets it."""

    async def ask(self, call: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request. Raises Fault (an answer that says what is wrong), BusUnavailable (none)."""
        if not self.link.up:
            raise self.down()
        try:
            with translated(self.name, self.link.servers):
                content = orjson.dumps(body) if body else b""
                asked = self.link.client.request(f"$JS.API.{call}", content, timeout=TIMEOUT)
                answer = await strictly(asked)
        except Retryable as exc:
            self.check()
            raise BusUnavailable(str(exc)) from exc
        found: dict[str, Any] = orjson.loads(answer.data)
        if "error" in found:
            raise Fault(msgspec.convert(found["error"], ApiFault))
        return found

    def check(self) -> None:
        """Raises Refused when the server has refused something for want of a permission."""
        try:
            self.link.check()
        except Permanent as exc:
            self.trouble = str(exc)
            raise Refused(self.trouble) from exc

    async def permitted(self, subject: str) -> None:
        """Whether we may publish there: nothing is stored for that. Raises Refused, BusUnavailable."""
        since = time.monotonic()
        try:
            with translated(self.name, self.link.servers):
                await self.link.client.publish(subject, b"", headers={"Nats-Expected-Stream": "none"})
            await self.link.published(subject, since)
        except Permanent as exc:
            raise Refused(str(exc)) from exc
        except Retryable as exc:
            raise BusUnavailable(str(exc)) from exc

    async def done(self, call: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """As `ask`, with the error tree. Raises BusUnavailable, BusFull, Permanent."""
        try:
            return await self.ask(call, body)
        except Fault as exc:
            raise meaning(self.name, exc) from exc

    async def maybe(self, call: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """As `done`; None for what does not exist."""
        try:
            return await self.ask(call, body)
        except Fault as exc:
            if exc.missing:
                return None
            raise meaning(self.name, exc) from exc

    async def info(self, stream: str) -> dict[str, Any]:
        """Raises BusUnavailable, also for a stream that is gone or has no leader.

        The leader of a cluster whose own copy has failed, on a full disk for example, knows no leader and
        answers before it, with what its copy had (2.15): that is not how things are.
        """
        found = await self.maybe(f"STREAM.INFO.{stream}")
        if found is None:
            self.trouble = f"{self.name}: stream {stream} was removed"
            raise BusUnavailable(self.trouble)
        if not led(found):
            raise BusUnavailable(f"{self.name}: stream {stream} has no leader, as the cluster says")
        return found

    async def message(self, stream: str, **which: Any) -> Stored | None:
        """By `seq`, `last_by_subj`, or `seq` with `next_by_subj`; answered by the leader of the stream."""
        found = await self.maybe(f"STREAM.MSG.GET.{stream}", which)
        if found is None:
            return None
        one = found["message"]
        headers = base64.b64decode(one["hdrs"]) if "hdrs" in one else None
        return Stored(one["subject"], one["seq"], headers, base64.b64decode(one.get("data", "")), one["time"])

    def down(self) -> BusUnavailable:
        trouble = f" ({self.link.trouble})" if self.link.trouble else ""
        return BusUnavailable(f"{self.name}: not connected to {self.link.servers.shown}{trouble}")


def led(info: dict[str, Any]) -> bool:
    """Whether an answer about a stream is one of its leader, or of the only server."""
    cluster = info.get("cluster")
    return not cluster or bool(cluster.get("leader"))
