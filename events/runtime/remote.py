"""Scripted dependencies are judged in helper processes that can be killed: only sensors with scripts pay."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from events.errors import EventsError
from events.event import FILTER_ERROR, TRANSFORM_ERROR, Delivery, Event
from events.runtime.records import stripped
from events.sensors.dependencies import Dependency, Verdict, compile_dependency
from events.sensors.problems import Problems

if TYPE_CHECKING:
    from events.api.sensor import EventDependency
    from events.clients.scripts import ScriptPool
    from events.runtime.roster import Entry

TIMEOUT = 2.0
"""Seconds that one event may take at one dependency."""

KNOWN = 1000
"""Specs that are kept as bytes."""


class Remote:
    """The pool, started with the first scripted dependency."""

    def __init__(self) -> None:
        self._pool: ScriptPool | None = None
        self._specs: dict[int, tuple[EventDependency, bytes]] = {}

    async def judge(self, entry: Entry, delivery: Delivery) -> Verdict:
        """Raises nothing: a timeout, a crash or too much memory is an error verdict."""
        from events.clients.scripts import Job, ScriptPool

        if self._pool is None:
            self._pool = ScriptPool("events.runtime.remote:judge_in_child")
        dependency = entry.dependency
        try:
            job = Job(self._spec(dependency), msgspec.msgpack.encode(stripped(delivery.event)))
            reply = await self._pool.run(job, TIMEOUT)
        except EventsError as exc:
            result = TRANSFORM_ERROR if dependency.transform else FILTER_ERROR
            return Verdict(None, result, str(exc))
        event, result, reason = msgspec.msgpack.decode(reply, type=tuple[Event | None, str, str])
        return Verdict(event, result, reason)

    def _spec(self, dependency: Dependency) -> bytes:
        spec = dependency.spec
        found = self._specs.get(id(spec))
        if found is None:
            if len(self._specs) >= KNOWN:
                self._specs.clear()
            found = spec, spec.model_dump_json(by_alias=True, exclude_unset=True).encode()
            self._specs[id(spec)] = found  # holds the spec too: its id is not given to another
        return found[1]

    async def aclose(self) -> None:
        if self._pool is not None:
            await self._pool.aclose()


def judge_in_child(spec: bytes) -> Callable[[bytes], bytes]:
    """In the helper process, once per spec: the function that judges one event for it."""
    from events.api.sensor import EventDependency

    model = EventDependency.model_validate_json(spec)
    dependency = compile_dependency(model, "dependency", Problems())

    def judge(payload: bytes) -> bytes:
        verdict = dependency.judge(msgspec.msgpack.decode(payload, type=Event))
        event = None if verdict.event is None else stripped(verdict.event)
        return msgspec.msgpack.encode((event, verdict.result, verdict.reason))

    return judge
