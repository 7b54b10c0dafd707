"""A rig that runs one event source without a bus, and the clauses that every source keeps."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from events.aio import Group
from events.clients.http import Sessions
from events.clients.secrets import LocalSecrets, Ref
from events.errors import BusUnavailable
from events.lang.document import Document
from events.registry import adapter_class, config_class
from events.sources._base import Payload, SourceContext
from events.web.listeners import Listeners

STOP_WITHIN = 5.0
"""Seconds in which a source ends, idle or while emit blocks."""


class Rig:
    """One source at work. `emitted` is what it handed over; `hold` and `refuse` steer emit."""

    def __init__(self, secrets: Mapping[str, str] | None = None, now_ns: Any = time.time_ns) -> None:
        self.emitted: list[Payload] = []
        self.cursors: list[bytes] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.refuse: Exception | None = None
        self.ready = asyncio.Event()
        self.troubles: list[str] = []
        self.errors: list[BaseException] = []
        self.listeners, self.sessions = Listeners(), Sessions("off")
        self.secrets = {ref_of(name): text.encode() for name, text in (secrets or {}).items()}
        self._now_ns = now_ns
        self._tasks = Group(lambda _, error: self.errors.append(error))

    async def start(self, kind: str, raw: Mapping[str, Any], *, wait: bool = True) -> None:
        """Run the source with this config; returns when it is ready. `secrets` keys are `name/key`."""
        cls = adapter_class("sources", kind)
        assert cls is not None
        self.source = cls(config_class("sources", kind).model_validate(raw), self.context())
        self.task = self._tasks.start("source", self.source.run(self.emit))
        if wait:
            waiting = self._tasks.start("ready", self.ready.wait())
            await asyncio.wait([waiting, self.task], timeout=10, return_when=asyncio.FIRST_COMPLETED)
            if self.task.done():
                await self.task

    def context(self) -> SourceContext:
        return SourceContext(
            namespace="default", source="es", event="ev",
            secrets=LocalSecrets(lambda: self.secrets, environ={}),
            listeners=self.listeners, sessions=self.sessions, cursor=self.cursor, ready=self.ready.set,
            trouble=self.troubles.append, now_ns=self._now_ns, log=logging.getLogger("events.sources.test"),
        )  # fmt: skip

    async def cursor(self) -> bytes | None:
        return self.cursors[-1] if self.cursors else None

    async def emit(self, payloads: Sequence[Payload], cursor: bytes | None = None) -> None:
        await self.hold.wait()
        if self.refuse is not None:
            raise self.refuse
        self.emitted.extend(payloads)
        if cursor is not None:
            self.cursors.append(cursor)

    @property
    def data(self) -> list[Any]:
        """The decoded payloads."""
        return [Document(payload.data).tree for payload in self.emitted]

    async def until(self, count: int, seconds: float = 10.0) -> None:
        """Wait for so many payloads."""
        async with asyncio.timeout(seconds):
            while len(self.emitted) < count:
                await asyncio.sleep(0.01)

    async def stop(self) -> float:
        """Cancel the source; the seconds it took to end."""
        began = time.monotonic()
        self.task.cancel()
        await asyncio.wait([self.task], timeout=2 * STOP_WITHIN)
        return time.monotonic() - began

    async def aclose(self) -> None:
        self.hold.set()
        await self._tasks.aclose()
        await self.listeners.aclose()
        await self.sessions.aclose()


def ref_of(name: str) -> Ref:
    """`hook/secret`: key `secret` of Secret `hook`."""
    secret, _, key = name.partition("/")
    return Ref(secret, key)


@asynccontextmanager
async def rigged(secrets: Mapping[str, str] | None = None, **given: Any) -> AsyncIterator[Rig]:
    """A rig that is closed at the end."""
    rig = Rig(secrets, **given)
    try:
        yield rig
    finally:
        await rig.aclose()


class SourceContract:
    """Clauses for sources that acknowledge. A subclass says how one message gets in."""

    secrets: Mapping[str, str] = {}

    async def begin(self, rig: Rig) -> None:
        """Start the source on the rig."""
        raise NotImplementedError("a subclass starts its source")

    async def send(self, rig: Rig) -> bool:
        """One message from outside; True when it was acknowledged."""
        raise NotImplementedError("a subclass sends a message")

    async def test_acknowledges_after_emit_returned(self) -> None:
        async with rigged(self.secrets) as rig:
            await self.begin(rig)
            rig.hold.clear()
            sending = rig._tasks.start("send", self.send(rig))
            done, _ = await asyncio.wait([sending], timeout=0.3)
            assert not done, "acknowledged before the bus had it"
            rig.hold.set()
            assert await sending
            assert len(rig.emitted) == 1

    async def test_a_failed_emit_is_no_acknowledgement(self) -> None:
        async with rigged(self.secrets) as rig:
            await self.begin(rig)
            rig.refuse = BusUnavailable("the bus is away")
            assert not await self.send(rig)
            rig.refuse = None
            assert await self.send(rig)
            assert len(rig.emitted) == 1

    async def test_stops_in_time_while_idle(self) -> None:
        async with rigged(self.secrets) as rig:
            await self.begin(rig)
            assert await rig.stop() < STOP_WITHIN

    async def test_stops_in_time_while_emit_blocks(self) -> None:
        async with rigged(self.secrets) as rig:
            await self.begin(rig)
            rig.hold.clear()
            sending = rig._tasks.start("send", self.send(rig))
            await asyncio.wait([sending], timeout=0.1)
            assert await rig.stop() < STOP_WITHIN
            rig.hold.set()

    async def test_secrets_are_in_no_log_and_no_repr(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        async with rigged(self.secrets) as rig:
            await self.begin(rig)
            await self.send(rig)
            rig.refuse = BusUnavailable("the bus is away")
            await self.send(rig)
            shown = caplog.text + repr(rig.source) + repr(rig.source.ctx.secrets)
        for value in self.secrets.values():
            assert value not in shown
