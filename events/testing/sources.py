"""A rig that runs one event source without a bus, and the clauses that every source keeps."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from events.aio import Group, supervise
from events.clients.http import Sessions
from events.clients.secrets import LocalSecrets, Ref
from events.errors import BusUnavailable, TooLarge
from events.kube._base import Objects
from events.kube.local import LocalObjects
from events.lang.document import Document
from events.registry import adapter_class, config_class
from events.runtime.source_rules import compile_pauses
from events.sources._base import Payload, SourceContext
from events.web.listeners import Listeners

STOP_WITHIN = 5.0
"""Seconds in which a source ends, idle or while emit blocks."""


class Rig:
    """One source at work. `emitted` is what it handed over; `hold` and `refuse` steer emit."""

    def __init__(
        self,
        secrets: Mapping[str, str] | None = None,
        now_ns: Any = time.time_ns,
        objects: Objects | None = None,
    ) -> None:
        self.emitted: list[Payload] = []
        self.cursors: list[bytes] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.refuse: Exception | None = None
        self.asked = asyncio.Event()
        """Set by the first call of emit with payloads, also by one that is held or refused."""
        self.limit: int | None = None
        """Bytes of one event above which emit refuses a batch, as a bus does."""
        self.dropped = 0
        self.malformed = 0
        self.ready = asyncio.Event()
        self.troubles: list[str] = []
        self.errors: list[BaseException] = []
        self.failures: list[BaseException] = []
        """Why a supervised source was started again."""
        self.pauses: list[float | None] = []
        """Seconds before each of these starts; None: it stayed down."""
        self.listeners, self.sessions = Listeners(), Sessions("off")
        self.objects = objects or LocalObjects(Path("none"))
        self.secrets = {ref_of(name): text.encode() for name, text in (secrets or {}).items()}
        self.now_ns = now_ns
        self._tasks = Group(lambda _, error: self.errors.append(error))

    async def start(
        self, kind: str, raw: Mapping[str, Any], *, wait: bool = True, supervised: bool = False
    ) -> None:
        """Run the source with this config; returns when it is ready. `secrets` keys are `name/key`.

        Supervised: a Retryable error is kept in `failures` and the source started again, as at work, after
        a pause that is kept in `pauses`.
        """
        cls = adapter_class("sources", kind)
        assert cls is not None
        self.source = cls(config_class("sources", kind).model_validate(raw), self.context())
        self.ready.clear()
        pauses = compile_pauses(self.source.cfg.backoff, kind, "ev")
        work = supervise(self._run, self._failed, pauses) if supervised else self._run()
        self.task = self._tasks.start("source", work)
        if wait:
            waiting = self._tasks.start("ready", self.ready.wait())
            await asyncio.wait([waiting, self.task], timeout=10, return_when=asyncio.FIRST_COMPLETED)
            if self.task.done():
                await self.task

    async def _run(self) -> None:
        await self.source.run(self.emit)

    def _failed(self, error: BaseException, pause: float | None) -> None:
        self.failures.append(error)
        self.pauses.append(pause)
        self.ready.clear()

    def _overflow(self, messages: int) -> None:
        self.dropped += messages

    def _unusable(self, messages: int) -> None:
        self.malformed += messages

    def context(self) -> SourceContext:
        return SourceContext(
            namespace="default", source="es", event="ev",
            secrets=LocalSecrets(lambda: self.secrets, environ={}),
            listeners=self.listeners, sessions=self.sessions, objects=self.objects,
            cursor=self.cursor, ready=self.ready.set,
            trouble=self.troubles.append, overflow=self._overflow, failed=self._unusable, now_ns=self.now_ns,
            log=logging.getLogger("events.sources.test"),
        )  # fmt: skip

    async def cursor(self) -> bytes | None:
        return self.cursors[-1] if self.cursors else None

    async def emit(self, payloads: Sequence[Payload], cursor: bytes | None = None) -> None:
        if payloads:
            self.asked.set()
        await self.hold.wait()
        if self.refuse is not None:
            raise self.refuse
        for payload in payloads:
            if self.limit is not None and len(payload.data) > self.limit:
                raise TooLarge(len(payload.data), self.limit)
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
    """Clauses for sources that acknowledge. A subclass names its kind and says how one message gets in."""

    kind: str
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
            assert rig.source.kind == self.kind
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


class QueueContract:
    """Clauses for sources that fetch, listen or poll. A subclass names its kind and says how messages get in.

    `put` sends texts from outside, in order; `shows` finds the text again in an emitted payload. `replay` of
    the source decides which clauses hold: a source of `none` loses what comes while it does not run.
    """

    kind: str
    secrets: Mapping[str, str] = {}
    ordered = True
    """False where the remote side itself keeps no order."""
    restarts = True
    """False where there is no server that could be started anew."""
    sized = True
    """False where nothing from outside makes an event larger."""
    limit, large = 16_000, 20_000
    """Bytes that emit takes, and letters of a text that is more."""

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        """Start the source on the rig; also a second time, after `rig.stop()`, with the same settings."""
        raise NotImplementedError("a subclass starts its source")

    async def put(self, texts: Sequence[str]) -> None:
        """Messages from outside."""
        raise NotImplementedError("a subclass sends messages")

    def shows(self, payload: Any) -> str:
        """The text that `put` sent, from the decoded payload."""
        raise NotImplementedError("a subclass reads its payload")

    async def restart_server(self) -> None:
        """Stop the remote side and start it anew, on the same port with the same data."""
        raise NotImplementedError("a subclass restarts its server")

    def seen(self, rig: Rig) -> list[str]:
        return [self.shows(data) for data in rig.data]

    async def test_hands_over_all_that_comes(self) -> None:
        async with rigged(self.secrets) as rig:
            await self.begin(rig)
            assert rig.source.kind == self.kind
            sent = [f"m{number}" for number in range(20)]
            await self.put(sent)
            await rig.until(20)
            seen = self.seen(rig)
            assert (seen if self.ordered else sorted(seen, key=sent.index)) == sent

    async def test_what_was_not_stored_comes_again(self) -> None:
        """Held by emit when the source is stopped: not acknowledged, so the next run gets it."""
        async with rigged(self.secrets) as rig:
            await self.begin(rig)
            if rig.source.replay == "none":
                pytest.skip("the remote side keeps nothing")
            rig.hold.clear()
            await self.put(["kept"])
            async with asyncio.timeout(10):
                await rig.asked.wait()
            await rig.stop()
            rig.hold.set()
            assert rig.emitted == []
            await self.begin(rig)
            await rig.until(1, 20)
            assert self.seen(rig) == ["kept"]

    async def test_what_was_stored_does_not_come_again(self) -> None:
        async with rigged(self.secrets) as rig:
            await self.begin(rig)
            await self.put(["one"])
            await rig.until(1)
            await asyncio.sleep(0.2)  # the acknowledgement follows emit
            await rig.stop()
            await self.begin(rig)
            await self.put(["two"])
            await rig.until(2)
            assert self.seen(rig) == ["one", "two"]

    async def test_a_failed_emit_loses_nothing(self) -> None:
        async with rigged(self.secrets) as rig:
            await self.begin(rig, supervised=True)
            rig.refuse = BusUnavailable("the bus is away")
            await self.put(["kept"])
            async with asyncio.timeout(10):
                await rig.asked.wait()
            await asyncio.sleep(0.1)
            rig.refuse = None
            await rig.until(1, 20)
            assert set(self.seen(rig)) == {"kept"}

    async def test_one_that_is_too_large_stops_no_other(self) -> None:
        if not self.sized:
            pytest.skip("all events have the same size")
        async with rigged(self.secrets) as rig:
            await self.begin(rig, supervised=True)
            rig.limit = self.limit
            await self.put(["before", "x" * self.large, "after"])
            await rig.until(2)
            assert sorted(self.seen(rig)) == ["after", "before"]
            await self.put(["later"])
            await rig.until(3)
            assert self.seen(rig)[-1] == "later"

    async def test_stops_in_time_while_idle(self) -> None:
        async with rigged(self.secrets) as rig:
            await self.begin(rig)
            assert await rig.stop() < STOP_WITHIN

    async def test_stops_in_time_while_emit_blocks(self) -> None:
        async with rigged(self.secrets) as rig:
            await self.begin(rig)
            rig.hold.clear()
            await self.put(["one"])
            async with asyncio.timeout(10):
                await rig.asked.wait()
            assert await rig.stop() < STOP_WITHIN

    async def test_goes_on_when_the_server_was_started_anew(self) -> None:
        if not self.restarts:
            pytest.skip("there is no server to start anew")
        async with rigged(self.secrets) as rig:
            await self.begin(rig, supervised=True)
            await self.put(["before"])
            await rig.until(1)
            await self.restart_server()
            async with asyncio.timeout(20):
                while self.seen(rig)[-1:] != ["after"]:
                    if rig.ready.is_set():
                        await self.put(["after"])
                    await asyncio.sleep(0.5)

    async def test_secrets_are_in_no_log_and_no_repr(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        async with rigged(self.secrets) as rig:
            await self.begin(rig, supervised=True)
            rig.refuse = BusUnavailable("the bus is away")
            await self.put(["one"])
            async with asyncio.timeout(10):
                await rig.asked.wait()
            shown = caplog.text + repr(rig.source) + repr(rig.source.ctx.secrets) + repr(rig.failures)
        for value in self.secrets.values():
            assert value not in shown
