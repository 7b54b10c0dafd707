"""A running set of manifests, changed in place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from events.api.eventbus import EventBus
from events.bus._base import Bus, Health
from events.bus.memory import MemoryBus, MemoryLog
from events.clients.http import Sessions
from events.clients.secrets import LocalSecrets
from events.errors import BusUnavailable, Permanent
from events.kube.local import LocalObjects
from events.manifest import Manifests, load_objects
from events.observability.metrics import Metrics
from events.runtime import service as module
from events.runtime import source_runner
from events.runtime.engines import Choice, choose
from events.runtime.outage import Outage
from events.runtime.remote import Remote
from events.runtime.scripts import Judge
from events.runtime.service import Service, SourceKey
from events.runtime.shard import ShardRunner
from events.runtime.source_runner import Lent
from events.sources._base import Emit, Payload, SourceContext
from events.testing.sensors import Target, sensor, trigger
from events.testing.virtual import now_ns, run_virtual
from events.web.listeners import Listeners


class Steady:
    """A source that tells how often it was started and stopped; `first` it emits one event."""

    leader_only = False
    started: ClassVar[list[str]] = []
    stopped: ClassVar[list[str]] = []
    refuse = False

    def __init__(self, cfg: Any, ctx: SourceContext) -> None:
        self.name, self.ctx = f"{ctx.source}.{ctx.event}", ctx

    async def run(self, emit: Emit) -> None:
        if Steady.refuse:
            raise Permanent("refused")
        Steady.started.append(self.name)
        self.ctx.ready()
        await emit([Payload(b"{}", f"{self.name}-{len(Steady.started)}")])
        try:
            await asyncio.Event().wait()
        finally:
            Steady.stopped.append(self.name)


@pytest.fixture(autouse=True)
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    Steady.started, Steady.stopped, Steady.refuse = [], [], False
    StageBus.away = {}
    monkeypatch.setattr(source_runner, "adapter_class", lambda group, kind: Steady)
    monkeypatch.setattr(module, "adapter_class", lambda group, kind: Steady)


def source(name: str = "src", bus: str | None = None, **events: str) -> dict[str, Any]:
    """A calendar source with one event per name and interval."""
    spec: dict[str, Any] = {"calendar": {event: {"interval": interval} for event, interval in events.items()}}
    if bus:
        spec["eventBusName"] = bus
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "EventSource",
        "metadata": {"name": name},
        "spec": spec,
    }


class StageBus(MemoryBus):
    """Takes its time to open, or cannot be reached."""

    slow = 0.0
    away: ClassVar[dict[str, Exception]] = {}
    """Bus -> why it cannot be reached."""

    async def open(self) -> None:
        await asyncio.sleep(self.slow)
        if self.name in self.away:
            raise self.away[self.name]
        await super().open()


class Stage:
    """A service over memory buses."""

    def __init__(self) -> None:
        self.target, self.logs = Target(), dict[str, MemoryLog]()
        lent = Lent(
            LocalSecrets(dict, environ={}),
            Listeners("127.0.0.1"),
            Sessions("off"),
            LocalObjects(Path("none")),
        )
        self.service = Service(Metrics(), lambda _: lent, self, self.runner)
        self.slow_bus = 0.0

    def choose(self, namespace: str, name: str, manifest: EventBus | None) -> Choice:
        return choose(manifest, None if manifest else "memory:")

    def make(self, choice: Choice, namespace: str, name: str) -> Bus:
        log = self.logs.setdefault(name, MemoryLog(clock=now_ns))
        bus = StageBus(f"{namespace}/{name}", log=log)
        bus.slow = self.slow_bus
        return bus

    def runner(self, bus: Bus, shard: int, outage: Outage) -> ShardRunner:
        judge, target = Judge(Remote()), cast(Any, self.target)
        return ShardRunner(bus, shard, target, self.service.metrics, judge, outage=outage, now_ns=now_ns)

    async def apply(self, *objects: dict[str, Any], broken: str | None = None) -> Manifests:
        manifests = load_objects(list(objects))
        await self.service.apply(manifests)
        await asyncio.sleep(0.2)
        return manifests

    def names(self) -> set[str]:
        return {f"{key.source}.{key.event}" for key in self.service.sources}


def scene(body: Callable[[Stage], Awaitable[None]]) -> None:
    async def main() -> None:
        stage = Stage()
        await body(stage)
        await stage.service.stop_sources()
        await stage.service.drain(5.0)
        await stage.service.aclose()

    run_virtual(main())


def test_an_event_that_a_new_source_takes_at_once_is_seen_by_the_sensor_that_came_with_it():
    async def body(stage: Stage) -> None:
        await stage.apply(source(a="10s"), sensor(trigger("a"), dependencies="a"))
        assert [shot.events for shot in stage.target.shots] == [{"a": "src.a-1"}]
        assert stage.service.ready

    scene(body)


def test_unchanged_sources_are_not_disturbed():
    async def body(stage: Stage) -> None:
        await stage.apply(source(a="10s", b="10s"))
        await stage.apply(source(a="10s", b="20s"), source("other", c="1s"))
        assert Steady.started == ["src.a", "src.b", "src.b", "other.c"]
        assert Steady.stopped == ["src.b"]

    scene(body)


def test_removed_sources_stop():
    async def body(stage: Stage) -> None:
        await stage.apply(source(a="10s", b="10s"))
        await stage.apply(source(b="10s"))
        assert Steady.stopped == ["src.a"]
        assert stage.names() == {"src.b"}

    scene(body)


def test_the_same_manifests_again_change_nothing_at_the_shards():
    async def body(stage: Stage) -> None:
        objects = (source(a="10s"), sensor(trigger("a"), dependencies="a"))
        await stage.apply(*objects)
        (runner,) = stage.service.runners()
        reader, plans = runner._reader, runner.roster.plans
        await stage.apply(*objects)
        assert runner._reader is reader
        assert runner.roster.plans is plans

    scene(body)


def test_a_sensor_that_does_not_compile_keeps_its_version_before_and_is_told():
    async def body(stage: Stage) -> None:
        good = sensor(trigger("a"), dependencies="a")
        await stage.apply(source(a="10s"), good)
        (before,) = stage.service.sensors.values()
        bad = sensor(trigger("a && nope"), dependencies="a")
        await stage.apply(source(a="10s"), bad)
        (after,) = stage.service.sensors.values()
        assert after.plan is before.plan
        assert [f.field for f in stage.service.findings if f.severity == "error"] == [
            "spec.triggers.0.template.conditions"
        ]

    scene(body)


def test_a_source_whose_filter_does_not_compile_keeps_running_as_it_was():
    async def body(stage: Stage) -> None:
        await stage.apply(source(a="10s"))
        bad = source(a="10s")
        bad["spec"]["calendar"]["a"]["filter"] = {"expression": "n >"}
        await stage.apply(bad)
        assert (Steady.started, Steady.stopped) == (["src.a"], [])
        assert any(finding.severity == "error" for finding in stage.service.findings)

    scene(body)


def test_objects_of_a_file_that_cannot_be_read_keep_running():
    async def body(stage: Stage) -> None:
        await stage.apply(source(a="10s"), sensor(trigger("a"), dependencies="a"))
        key = SourceKey("default", "src", "calendar", "a")
        stage.service.sources[key] = stage.service.sources[key]._replace(file="x.yaml")
        name, kept = next(iter(stage.service.sensors.items()))
        stage.service.sensors[name] = kept._replace(file="x.yaml")
        manifests = load_objects([source("other", b="1s")])
        finding = module.Finding("error", "bad", "x.yaml", 1, "", "not YAML")
        manifests.findings.append(finding)
        await stage.service.apply(manifests)
        await asyncio.sleep(0.2)
        assert stage.names() == {"src.a", "other.b"}
        assert list(stage.service.sensors) == [name]
        assert Steady.stopped == []

    scene(body)


def test_a_source_that_gave_up_is_started_again_by_the_next_apply():
    async def body(stage: Stage) -> None:
        Steady.refuse = True
        await stage.apply(source(a="10s"))
        assert not stage.service.ready
        Steady.refuse = False
        await stage.apply(source(a="10s"))
        assert stage.service.ready
        assert Steady.started == ["src.a"]

    scene(body)


def test_several_buses_that_open_slowly_lose_nothing_of_a_former_life():
    async def body(stage: Stage) -> None:
        objects = (
            source(a="10s"), sensor(trigger("a"), dependencies="a"),
            source("second", bus="slow", b="10s"), sensor(trigger("a"), dependencies="a", name="unused"),
        )  # fmt: skip
        await stage.apply(*objects)
        await stage.service.stop_sources()
        await stage.service.drain(1.0)
        await stage.service.aclose()
        records = dict(stage.logs["default"].shard(0).records)
        again = Stage()
        again.logs, again.slow_bus = stage.logs, 1.0
        stage.service, stage.target = again.service, again.target
        await again.apply(*objects)
        now = again.logs["default"].shard(0).records
        assert {key: now[key] for key in records if key.startswith("sensor/")} == records
        assert len(again.target.shots) == 2

    scene(body)


def event_bus(name: str = "default", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "EventBus", "metadata": {"name": name}, "spec": spec,
    }  # fmt: skip


def test_a_bus_that_is_away_at_the_start_stops_nobody_else_and_comes_later(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", logger="events.runtime.outage")

    async def body(stage: Stage) -> None:
        StageBus.away = {"default/far": BusUnavailable("far:4222 refuses connections")}
        far_sensor = sensor(trigger("a"), dependencies="a", name="far")
        far_sensor["spec"]["eventBusName"] = "far"
        near = (source(a="10s"), sensor(trigger("a"), dependencies="a"))
        await stage.apply(*near, source("src2", bus="far", a="1s"), far_sensor)
        assert [shot.events for shot in stage.target.shots] == [{"a": "src.a-1"}]
        assert not stage.service.ready
        states = {bus["name"]: (bus["ready"], bus["reason"]) for bus in stage.service.states()["buses"]}
        assert states == {
            "default/default": (True, ""), "default/far": (False, "far:4222 refuses connections"),
        }  # fmt: skip
        await asyncio.sleep(30)
        StageBus.away = {}
        await asyncio.sleep(40)
        assert stage.service.ready
        assert stage.logs["far"].kept[0].event.source == "src2"
        assert len(caplog.records) == 2, "one line when it is away, one when it is back"

    scene(body)


def test_sources_are_refused_until_the_sensors_that_came_with_them_follow():
    async def body(stage: Stage) -> None:
        StageBus.away = {"default/default": BusUnavailable("away")}
        await stage.apply(source(a="10s"), sensor(trigger("a"), dependencies="a"))
        assert Steady.started
        StageBus.away = {}
        await asyncio.sleep(40)
        kept = [delivery.event.id for delivery in stage.logs["default"].kept]
        assert kept
        assert [shot.events["a"] for shot in stage.target.shots] == kept

    scene(body)


def test_a_bus_that_refuses_for_good_is_told_and_tried_again_with_the_next_manifests():
    async def body(stage: Stage) -> None:
        StageBus.away = {"default/default": Permanent("it has 8 shards, not 1")}
        await stage.apply(source(a="10s"))
        assert str(stage.service.refused) == "it has 8 shards, not 1"
        assert stage.service.states()["buses"][0]["reason"] == "it has 8 shards, not 1"
        StageBus.away = {}
        await stage.apply(source(a="10s"))
        await asyncio.sleep(40)
        assert stage.service.refused is None
        assert stage.service.ready

    scene(body)


def test_a_changed_event_bus_is_opened_anew_with_its_sources_and_an_equal_one_is_left_alone():
    async def body(stage: Stage) -> None:
        objects = (source(a="10s"), sensor(trigger("a"), dependencies="a"))
        await stage.apply(*objects, event_bus(jetstreamExotic={"url": "nats://one"}))
        first = stage.service.units["default/default"]
        await stage.apply(*objects, event_bus(jetstreamExotic={"url": "nats://one"}))
        assert stage.service.units["default/default"] is first
        assert Steady.started == ["src.a"]
        await stage.apply(*objects, event_bus(jetstreamExotic={"url": "nats://two"}))
        second = stage.service.units["default/default"]
        assert second is not first
        assert not first.bus.health().ready, "the old one is closed"
        assert (Steady.started, Steady.stopped) == (["src.a", "src.a"], ["src.a"])
        assert len(stage.target.shots) == 2

    scene(body)


def test_an_event_bus_that_cannot_be_run_is_a_finding_and_the_others_go_on():
    async def body(stage: Stage) -> None:
        stan = event_bus("stan", nats={"exotic": {"url": "nats://stan", "clusterID": "stan"}})
        lost = sensor(trigger("a"), dependencies="a", name="lost")
        lost["spec"]["eventBusName"] = "stan"
        await stage.apply(source(a="10s"), source("other", bus="stan", b="1s"), stan, lost)
        (finding,) = [one for one in stage.service.findings if one.severity == "error"]
        assert finding.code == "bus-unusable"
        assert finding.message.startswith("bus default/stan: NATS Streaming is not supported")
        assert stage.names() == {"src.a"}

    scene(body)


def test_readers_that_the_engine_made_anew_are_counted(monkeypatch: pytest.MonkeyPatch):
    async def body(stage: Stage) -> None:
        monkeypatch.setattr(StageBus, "health", lambda self: Health(ready=True, restarts=3))
        await stage.apply(source(a="10s"))
        await asyncio.sleep(2)
        page = stage.service.metrics.page().decode()
        assert 'events_bus_subscription_restarts_total{bus="default/default"} 3.0' in page

    scene(body)
