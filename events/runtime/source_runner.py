"""Runs one event of one EventSource: supervises the adapter, filters, wraps and publishes its payloads."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from events.aio import Group, supervise
from events.bus._base import Cursor, Lease
from events.errors import (
    BusUnavailable,
    EvaluationError,
    EventsError,
    ManifestError,
    Retryable,
)
from events.event import JSON, Event
from events.registry import adapter_class, config_class, event_type
from events.runtime.intake import Intake
from events.runtime.records import storable
from events.runtime.source_rules import compile_pauses, compile_source_filter
from events.runtime.source_secrets import SourceSecrets
from events.sources._base import Payload, Source, SourceContext

if TYPE_CHECKING:
    from events.clients.http import Sessions
    from events.clients.secrets import Secrets
    from events.kube._base import Objects
    from events.observability.metrics import SourceCounts
    from events.web.listeners import Listeners

log = logging.getLogger(__name__)

_prefix = os.urandom(4).hex()
_numbers = itertools.count()


LATER = 600.0
"""Seconds until a source that gave up for good is tried again all the same: what was wrong may have been put
right where nobody tells us, as a permission that was granted or a certificate that was renewed."""

STANDBY = 1.0
"""Seconds without the lease after which another process is taken to have the source."""


def new_id(now_ns: int) -> str:
    """32 hexadecimal characters, as upstream's ids; ordered by time, unique over processes."""
    return f"{now_ns:016x}{_prefix}{next(_numbers) & 0xFFFFFFFF:08x}"


class Lent(NamedTuple):
    """What every source of the process shares."""

    secrets: Secrets
    listeners: Listeners
    sessions: Sessions
    objects: Objects


class SourceRunner:
    """One event of one EventSource. `state` is starting, ready, standby, trouble or down.

    standby: it runs in one process of several, and another one has it.
    """

    def __init__(
        self,
        namespace: str,
        source: str,
        kind: str,
        event: str,
        raw: dict[str, Any],
        bus: Intake,
        counts: SourceCounts,
        lent: Lent,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Compiles the config, its filter and its pauses. Raises ManifestError."""
        self.namespace, self.source, self.kind, self.event = namespace, source, kind, event
        self.raw, self.bus, self.counts, self.now_ns = raw, bus, counts, now_ns
        self.label = f"{namespace}/{source}.{event}"
        self.state, self.reason = "starting", ""
        self._type = event_type(kind)
        self.cfg = config_class("sources", kind).model_validate(raw)
        self.filter = compile_source_filter(self.cfg.filter_expression, kind, event)
        self._pauses = compile_pauses(self.cfg.backoff, kind, event)
        self._host = lent.listeners.host
        self._secrets = SourceSecrets(lent.secrets)
        self._adapter = self._make(lent)
        self._cursor_name = f"{source}/{event}/{kind}"

    def _make(self, lent: Lent) -> Source[Any]:
        cls = adapter_class("sources", self.kind)
        if cls is None:
            raise ManifestError(f"event source type {self.kind} is not available in this version")
        context = SourceContext(
            namespace=self.namespace, source=self.source, event=self.event, secrets=self._secrets,
            listeners=lent.listeners, sessions=lent.sessions, objects=lent.objects,
            cursor=self._cursor, ready=self._ready, trouble=self._trouble, overflow=self._overflow,
            failed=self._unusable, now_ns=self.now_ns, log=logging.getLogger(f"events.sources.{self.kind}"),
        )  # fmt: skip
        adapter: Source[Any] = cls(self.cfg, context)
        return adapter

    @property
    def leader_only(self) -> bool:
        return self._adapter.leader_only

    @property
    def address(self) -> str:
        """Where an HTTP source listens, as a URL; empty for others."""
        spec = getattr(self.cfg, "webhook", self.cfg)
        port, endpoint = getattr(spec, "port", None), getattr(spec, "endpoint", None)
        if not port or not endpoint:
            return ""
        secure = spec.server_cert_secret is not None and spec.server_key_secret is not None
        return f"{'https' if secure else 'http'}://{self._host}:{port}/{endpoint.lstrip('/')}"

    async def run(self) -> None:
        """Until cancelled. What gave up for good is tried again later, or when a secret of it is another."""
        while True:
            await supervise(self._run_once, self._report, self._pauses)
            with suppress(TimeoutError):
                async with asyncio.timeout(LATER):
                    await self._secrets.changed()

    async def _run_once(self) -> None:
        self.state, self.reason = "starting", ""
        if self.leader_only:
            await self._run_alone()
        else:
            await self._adapter.run(self.emit)
        raise Retryable("the source ended by itself")

    async def _run_alone(self) -> None:
        """In one process of all that share the bus: the one with the lease, while it has it.

        Who has lost it waits for it again, which is no failure.
        """
        while await self._lead():
            log.info("event source %s: another process has taken it over", self.label)

    async def _lead(self) -> bool:
        """Whether the lease was lost; otherwise the adapter has ended."""
        standby = asyncio.get_running_loop().call_later(STANDBY, self._stand_by)
        try:
            lease = await self.bus.lease(f"source/{self.namespace}/{self.source}/{self.event}")
        finally:
            standby.cancel()
        self.state = "starting"
        try:
            return await self._run_while(lease)
        finally:
            await lease.release()

    async def _run_while(self, lease: Lease) -> bool:
        """Whether the lease was lost. Raises what the adapter raises."""
        tasks = Group(lambda name, error: None)  # awaited here
        running = tasks.start(f"source/{self.label}/run", self._adapter.run(self.emit))
        lost = tasks.start(f"source/{self.label}/lease", lease.lost.wait())
        try:
            await asyncio.wait([running, lost], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            return not running.done()
        finally:
            await tasks.aclose()

    def _stand_by(self) -> None:
        self.state, self.reason = "standby", "another process has it"

    @property
    def at_work(self) -> bool:
        """Here, or in another process."""
        return self.state in {"ready", "standby"}

    def _report(self, error: BaseException, pause: float | None) -> None:
        self.state = "down" if pause is None else "trouble"
        self.reason = str(error) if isinstance(error, EventsError) else f"{type(error).__name__}: {error}"
        if isinstance(error, BusUnavailable):
            log.debug("event source %s: %s", self.label, error)
            return  # the bus tells, once for all its sources
        again = f"again in {LATER if pause is None else pause:.1f} s"
        if pause is None:
            again += ", or when its manifest or a secret of it changes"
        trace = error if not isinstance(error, EventsError) else None
        log.error("event source %s (%s): %s; %s", self.label, self.kind, self.reason, again, exc_info=trace)

    def _ready(self) -> None:
        self.state, self.reason = "ready", ""

    def _trouble(self, reason: str) -> None:
        self.state, self.reason = "trouble", reason

    def _overflow(self, messages: int) -> None:
        self.counts.overflow += messages

    def _unusable(self, messages: int) -> None:
        self.counts.failed += messages

    async def _cursor(self) -> bytes | None:
        return await self.bus.cursor(self._cursor_name)

    async def emit(self, payloads: Sequence[Payload], cursor: bytes | None = None) -> None:
        """Store what the filter lets through. Raises Retryable, TooLarge; nothing was stored then."""
        started = self.now_ns()
        kept = payloads if self.filter is None else [one for one in payloads if self._passes(one)]
        events = [self._wrap(payload, started) for payload in kept]
        place = None if cursor is None else Cursor(self._cursor_name, cursor)
        if not events and place is None:
            return
        counts = self.counts
        try:
            stored = await self.bus.publish(events, place)
        except EventsError:
            counts.sent_failed += len(events)
            counts.failed += len(events)
            raise
        counts.sent += len(events)
        counts.duplicate += sum(one.duplicate for one in stored)
        counts.processing.observe((self.now_ns() - started) / 1e9)

    def _wrap(self, payload: Payload, now_ns: int) -> Event:
        return Event(
            storable(payload.id) if payload.id else new_id(now_ns), self.source, self.event, self._type,
            payload.time_ns or now_ns, payload.data, JSON, self.namespace,
        )  # fmt: skip

    def _passes(self, payload: Payload) -> bool:
        """Dropped events are counted; what cannot be evaluated (not JSON, an error) drops the event too,
        as upstream."""
        assert self.filter is not None
        try:
            passed = self.filter.passes(orjson.loads(payload.data))
        except (EvaluationError, ValueError) as exc:
            passed = False
            self.counts.failed += 1
            log.debug("event source %s: filter: %s", self.label, exc)
        if not passed:
            self.counts.filtered += 1
        return passed
