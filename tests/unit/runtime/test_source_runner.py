"""One event of one source: filter, wrap, publish, count, restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar, cast

import orjson
import pytest

from events.aio import Group
from events.api.eventsource import BrokerSourceConfig
from events.bus.memory import MemoryBus
from events.clients.http import Sessions
from events.clients.secrets import LocalSecrets, Ref
from events.errors import BusUnavailable, ManifestError, Permanent, Retryable, TooLarge
from events.event import Event
from events.kube.local import LocalObjects
from events.observability.metrics import SourceCounts
from events.runtime import source_runner as module
from events.runtime.outage import LONGEST_PAUSE
from events.runtime.source_rules import compile_pauses
from events.runtime.source_runner import Lent, SourceRunner, new_id
from events.sources._base import Emit, Payload, SourceContext
from events.testing.shared_bus import SharedBus, SharedLog
from events.testing.virtual import now_ns, run_virtual
from events.web.listeners import Listeners


class FakeSource:
    """Does what the test says."""

    leader_only = False
    script: ClassVar[list[Callable[[Emit], Awaitable[None]]]] = []
    runs = 0

    def __init__(self, cfg: Any, ctx: SourceContext) -> None:
        self.cfg, self.ctx = cfg, ctx

    async def run(self, emit: Emit) -> None:
        type(self).runs += 1
        self.ctx.ready()
        if type(self).script:
            await type(self).script.pop(0)(emit)
            return
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def fake_source(monkeypatch: pytest.MonkeyPatch) -> type[FakeSource]:
    class Fresh(FakeSource):
        script: ClassVar[list[Callable[[Emit], Awaitable[None]]]] = []

    monkeypatch.setattr(module, "adapter_class", lambda group, kind: Fresh)
    return Fresh


SECRETS: dict[Ref, bytes] = {}
"""What the source reads; a test may change it."""


def runner(bus: MemoryBus, kind: str = "calendar", **raw: Any) -> SourceRunner:
    secrets = LocalSecrets(lambda: SECRETS, environ={})
    lent = Lent(secrets, Listeners("127.0.0.1"), Sessions("off"), LocalObjects(Path("none")))
    given = {"interval": "10s", **raw} if kind == "calendar" else raw
    return SourceRunner("default", "cal", kind, "tick", given, bus, SourceCounts(), lent, now_ns)


def scene(body: Callable[[MemoryBus], Awaitable[None]]) -> None:
    async def main() -> None:
        bus = MemoryBus()
        await bus.open()
        await body(bus)

    run_virtual(main())


def stored(bus: MemoryBus) -> list[Event]:
    return [delivery.event for delivery in bus.log.kept]


def payloads(*numbers: int) -> list[Payload]:
    return [Payload(orjson.dumps({"n": number}), f"id{number}") for number in numbers]


def test_an_event_is_wrapped_with_its_attributes():
    async def body(bus: MemoryBus) -> None:
        one = runner(bus)
        await one.emit([Payload(b'{"n":1}', "id1", 77), Payload(b'{"n":2}')])
        first, second = stored(bus)
        assert (first.id, first.source, first.subject, first.type) == ("id1", "cal", "tick", "calendar")
        assert (first.time_ns, first.data, first.namespace) == (77, b'{"n":1}', "default")
        assert len(second.id) == 32
        assert second.time_ns == now_ns()
        assert one.counts.sent == 2

    scene(body)


def test_ids_are_unique_and_in_order_of_time():
    assert new_id(1) < new_id(2) < new_id(10**18)
    assert len({new_id(5) for _ in range(1000)}) == 1000


def test_an_id_from_outside_that_is_not_text_is_made_storable():
    async def body(bus: MemoryBus) -> None:
        await runner(bus).emit([Payload(b"{}", "x\udcff")])
        assert stored(bus)[0].id == "x?"

    scene(body)


def test_the_filter_drops_and_counts():
    async def body(bus: MemoryBus) -> None:
        one = runner(bus, filter={"expression": "n > 1"})
        await one.emit(payloads(1, 2, 3))
        assert [event.id for event in stored(bus)] == ["id2", "id3"]
        assert (one.counts.sent, one.counts.filtered, one.counts.failed) == (2, 1, 0)

    scene(body)


@pytest.mark.parametrize("data", [b"{}", b"no json", b'{"n": "text"}', b"\xff"])
def test_what_the_filter_cannot_evaluate_is_dropped_and_counted_as_failed(data: bytes):
    async def body(bus: MemoryBus) -> None:
        one = runner(bus, filter={"expression": "n > 1"})
        await one.emit([Payload(data), *payloads(2)])
        assert [event.id for event in stored(bus)] == ["id2"]
        assert (one.counts.filtered, one.counts.failed) == (1, 1)

    scene(body)


def test_a_filter_that_does_not_compile_names_its_field():
    async def body(bus: MemoryBus) -> None:
        with pytest.raises(ManifestError) as caught:
            runner(bus, filter={"expression": "n >"})
        assert caught.value.field == "spec.calendar.tick.filter.expression"

    scene(body)


def test_a_cursor_is_stored_even_when_everything_was_filtered():
    async def body(bus: MemoryBus) -> None:
        one = runner(bus, filter={"expression": "n > 1"})
        await one.emit(payloads(1), b"place")
        assert not stored(bus)
        assert await bus.cursor("cal/tick/calendar") == b"place"
        assert await one._cursor() == b"place"

    scene(body)


def test_an_event_of_another_kind_has_another_place():
    """What one kind has stored says nothing to the other, which could not even read it."""

    async def body(bus: MemoryBus) -> None:
        await runner(bus).emit([], b"place of a calendar")
        other = runner(bus, "redis", hostAddress="h", channels=["c"])
        assert await other._cursor() is None

    scene(body)


def test_duplicates_are_counted():
    async def body(bus: MemoryBus) -> None:
        one = runner(bus)
        await one.emit(payloads(1, 2))
        await one.emit(payloads(2, 3))
        assert len(stored(bus)) == 3
        assert (one.counts.sent, one.counts.duplicate) == (4, 1)

    scene(body)


@pytest.mark.parametrize("fault", ["trouble", "large"])
def test_what_the_bus_does_not_take_is_counted_and_raised(fault: str):
    async def body(bus: MemoryBus) -> None:
        one = runner(bus)
        if fault == "large":
            bus.max_event_bytes = 3
        else:
            bus.log.trouble = "disk full"
        with pytest.raises(TooLarge if fault == "large" else BusUnavailable):
            await one.emit(payloads(1, 2))
        assert not stored(bus)
        assert (one.counts.sent, one.counts.sent_failed, one.counts.failed) == (0, 2, 2)

    scene(body)


def run_for(bus: MemoryBus, fake: type[FakeSource], seconds: float) -> Awaitable[SourceRunner]:
    async def main() -> SourceRunner:
        one = runner(bus)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await asyncio.sleep(seconds)
            task.cancel()
        return one

    return main()


def raising(error: Exception) -> Callable[[Emit], Awaitable[None]]:
    async def act(_: Emit) -> None:
        raise error

    return act


async def ending(_: Emit) -> None:
    return None


@pytest.mark.parametrize("act", [raising(Retryable("away")), raising(ValueError("bug")), ending])
def test_a_source_that_fails_for_now_is_started_again(act: Any, fake_source: type[FakeSource]):
    async def body(bus: MemoryBus) -> None:
        fake_source.script = [act, act]
        one = await run_for(bus, fake_source, 30)
        assert fake_source.runs == 3
        assert one.state == "ready"

    scene(body)


BACKOFF = {"duration": "2s", "factor": 10, "jitter": 0, "steps": 3}
"""Pauses of 2 and 20 seconds, then 20 again and again."""


@pytest.fixture
def with_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the config of a broker, which says how long to wait."""

    class TickConfig(BrokerSourceConfig):
        interval: str = ""

    monkeypatch.setattr(module, "config_class", lambda group, kind: TickConfig)


def starts(fake: type[FakeSource], error: Exception, **raw: Any) -> list[float]:
    """When a source that fails with this error is started, within 100 seconds."""
    found: list[float] = []

    async def act(_: Emit) -> None:
        found.append(round(asyncio.get_running_loop().time(), 3))
        raise error

    async def body(bus: MemoryBus) -> None:
        fake.script = [act] * 99
        one = runner(bus, **raw)
        tasks = Group(lambda name, error: None)
        tasks.start("one", one.run())
        await asyncio.sleep(100)
        assert one.state == "trouble"
        await tasks.aclose()

    scene(body)
    return found


def test_the_pauses_are_those_of_the_config_and_the_last_one_is_repeated(
    fake_source: type[FakeSource], with_backoff: None
):
    found = starts(fake_source, Retryable("away"), connectionBackoff=BACKOFF)
    assert found == [0, 2, 22, 42, 62, 82]


def test_the_remote_side_may_ask_for_longer_pauses(fake_source: type[FakeSource], with_backoff: None):
    found = starts(fake_source, Retryable("too many requests", after=30), connectionBackoff=BACKOFF)
    assert found == [0, 30, 60, 90]


def test_without_a_backoff_the_pauses_are_ours(fake_source: type[FakeSource], with_backoff: None):
    assert 6 <= len(starts(fake_source, Retryable("away"))) <= 11


def test_a_bus_that_is_away_is_tried_with_our_pauses(fake_source: type[FakeSource], with_backoff: None):
    slow = {"duration": "1h"}
    assert len(starts(fake_source, BusUnavailable("away"), connectionBackoff=slow)) > 5
    assert starts(fake_source, Retryable("away"), connectionBackoff=slow) == [0]


def test_a_backoff_that_cannot_be_used_names_its_field(with_backoff: None):
    async def body(bus: MemoryBus) -> None:
        with pytest.raises(ManifestError) as caught:
            runner(bus, connectionBackoff={"factor": float("inf")})
        assert caught.value.field == "spec.calendar.tick.connectionBackoff"

    scene(body)


def test_a_source_that_was_refused_for_good_is_tried_again_much_later(
    fake_source: type[FakeSource], caplog: pytest.LogCaptureFixture
):
    """Somebody may have granted what it lacked."""

    async def body(bus: MemoryBus) -> None:
        fake_source.script = [raising(Permanent("not allowed"))]
        one = await run_for(bus, fake_source, module.LATER + 1)
        assert (fake_source.runs, one.state, one.reason) == (2, "ready", "")

    scene(body)
    said = "not allowed; again in 600.0 s, or when its manifest or a secret of it changes"
    assert caplog.text.count(said) == 1


def test_a_source_that_is_refused_for_good_stays_down_and_says_why(fake_source: type[FakeSource]):
    async def body(bus: MemoryBus) -> None:
        fake_source.script = [raising(Permanent("bad credentials"))]
        one = await run_for(bus, fake_source, 300)
        assert fake_source.runs == 1
        assert (one.state, one.reason) == ("down", "bad credentials")

    scene(body)


PASSWORD = Ref("login", "password")


def refusing(wanted: bytes) -> Callable[[FakeSource], Callable[[Emit], Awaitable[None]]]:
    """Logs in with the secret; refused for good unless it is the one wanted."""

    def made(source: FakeSource) -> Callable[[Emit], Awaitable[None]]:
        async def act(_: Emit) -> None:
            if (await source.ctx.secrets.read(PASSWORD)).encode() != wanted:
                raise Permanent("login refused")
            await asyncio.Event().wait()

        return act

    return made


@pytest.mark.parametrize("before", [None, b"old"], ids=["missing", "wrong"])
def test_a_source_that_is_down_is_tried_again_when_its_secret_has_changed(
    fake_source: type[FakeSource], monkeypatch: pytest.MonkeyPatch, before: bytes | None
):
    if before is not None:
        monkeypatch.setitem(SECRETS, PASSWORD, before)

    async def body(bus: MemoryBus) -> None:
        one = runner(bus)
        act = refusing(b"new")(cast("FakeSource", one._adapter))
        fake_source.script = [act, act, act]
        tasks = Group(lambda name, error: None)
        tasks.start("one", one.run())
        await asyncio.sleep(60)
        assert (fake_source.runs, one.state) == (1, "down")
        monkeypatch.setitem(SECRETS, PASSWORD, b"new")
        await asyncio.sleep(20)
        assert (fake_source.runs, one.state) == (2, "ready")
        assert "new" not in repr(vars(one._secrets))
        await tasks.aclose()

    scene(body)


def test_a_kind_without_an_adapter_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "adapter_class", lambda group, kind: None)

    async def body(bus: MemoryBus) -> None:
        with pytest.raises(ManifestError, match="not available"):
            runner(bus)

    scene(body)


def test_a_leader_only_source_runs_in_one_process_and_moves_when_that_one_is_cut_off(
    fake_source: type[FakeSource],
):
    async def body(_: MemoryBus) -> None:
        fake_source.leader_only = True
        log = SharedLog(clock=now_ns)
        buses = [SharedBus("default/default", log) for _ in range(2)]
        for bus in buses:
            await bus.open()
        first, second = map(runner, buses)
        tasks = Group(lambda name, error: None)
        tasks.start("first", first.run())
        await asyncio.sleep(0.1)
        tasks.start("second", second.run())
        await asyncio.sleep(5)
        assert (first.state, second.state) == ("ready", "standby")
        assert second.at_work
        assert second.reason == "another process has it"
        assert fake_source.runs == 1
        buses[0].cut_off()
        await asyncio.sleep(16)
        assert second.state == "ready"
        assert (fake_source.runs, second.reason) == (2, "")
        buses[0].heal()
        await asyncio.sleep(5)
        assert first.state == "standby", "it has learnt that it is not the one any more"
        await tasks.aclose()
        assert not log.holders, "given back at the end"

    scene(body)


def test_a_leader_only_source_that_often_loses_its_lease_stands_by_at_once(
    fake_source: type[FakeSource], caplog: pytest.LogCaptureFixture
):
    async def body(_: MemoryBus) -> None:
        fake_source.leader_only = True
        log = SharedLog(clock=now_ns)
        buses = [SharedBus("default/default", log) for _ in range(2)]
        for bus in buses:
            await bus.open()
        runners = list(map(runner, buses))
        tasks = Group(lambda name, error: None)
        for one in runners:
            tasks.start("runner", one.run())
            await asyncio.sleep(2)
        for number in range(6):
            assert [one.state for one in runners] == (["ready", "standby"], ["standby", "ready"])[number % 2]
            log.take_away(buses[number % 2])
            await asyncio.sleep(2)
        await tasks.aclose()

    scene(body)
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_a_source_does_not_wait_long_for_a_bus_that_is_back():
    pauses = compile_pauses(None, "webhook", "example")
    assert pauses(20, 0.99, BusUnavailable("away")) <= LONGEST_PAUSE
    assert pauses(20, 0.99, Retryable("its own server is away")) > LONGEST_PAUSE


def test_other_sources_take_no_lease(fake_source: type[FakeSource]):
    async def body(bus: MemoryBus) -> None:
        tasks = Group(lambda name, error: None)
        tasks.start("one", runner(bus).run())
        await asyncio.sleep(0.1)
        assert bus.log.epochs == {}
        await tasks.aclose()

    scene(body)
