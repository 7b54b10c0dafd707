"""`events run`: every manifest below some paths, all of it in this process.

Order of start: folder lock, local objects, API socket and pages, buses, sensors, sources.
Order of stop: sources (no more intake), firings in hand (25 s), buses, the rest; a second signal: at once.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from events.aio import Group
from events.bus._base import Bus
from events.bus.retention import Retention
from events.clients.http import Guard, Sessions
from events.clients.secrets import LocalSecrets, Ref, Secrets
from events.errors import EventsError, ManifestError, Permanent, Retryable
from events.kube.local import LocalObjects
from events.kube.remote import RemoteObjects
from events.manifest import Finding, Manifests, load
from events.observability.metrics import Metrics
from events.runtime import commands, engines
from events.runtime.api import application
from events.runtime.cluster import Cluster, Where
from events.runtime.desk import publish_to, read_events
from events.runtime.executor import Executor
from events.runtime.files import Snapshot, snapshot
from events.runtime.folder import DataFolder
from events.runtime.history import History, parked
from events.runtime.outage import Outage
from events.runtime.remote import Remote
from events.runtime.scripts import Judge
from events.runtime.service import Service
from events.runtime.shard import DRAIN, LEASE, ShardRunner
from events.runtime.source_runner import Lent
from events.triggers._base import Shared, TriggerContext
from events.web.listeners import Listeners
from events.web.pages import Server, pages

if TYPE_CHECKING:
    from events.api.eventbus import EventBus

log = logging.getLogger(__name__)

COLLECT = (10_000, 10, 50)
"""Thresholds of the cycle collector: little on the event path is part of a cycle."""

LOOK = 1.0
"""Seconds between looks for changed files."""

SETTLE = 2.0
"""Seconds that changed sources get to listen before ports that are not used any more are closed."""


class Options(NamedTuple):
    """What `events run` was told."""

    paths: Sequence[str]
    data: Path = Path(".events")
    namespace: str = "default"
    host: str = "127.0.0.1"
    port: int = 7777
    """Of the pages /healthz, /readyz, /metrics; 0: any free one."""
    secrets: Path | None = None
    durability: str = "power"
    keep: float = 7 * 86_400.0
    """Seconds that handled events are kept."""
    keep_bytes: int = 4 << 30
    """Size of a bus above which handled events go earlier, and without any no more are accepted."""
    guard: Guard = "allow-private"
    watch: bool = True
    bus: str | None = None
    """URL of the bus of everything; None: as the EventBus manifests say."""
    shards: int | None = None
    """Of each bus; None: what fits its engine."""
    lease: float = LEASE
    """Seconds after which other processes take over from one that is dead."""
    kube: Where = Where()
    """The API server that objects go to instead of the local store."""


class Standalone:
    """One instance. `run` returns when it was told to stop."""

    def __init__(self, options: Options, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.options, self.now_ns = options, now_ns
        self.folder = DataFolder(options.data)
        self.metrics = Metrics()
        self.listeners = Listeners(options.host)
        self.sessions = Sessions(options.guard)
        self.manifests = Manifests()
        self.pages_port = 0
        self.draining = False
        self.started = asyncio.Event()
        """Set once the first manifests are applied."""
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._files: Snapshot = {}
        self._tasks = Group(self._failed)
        self._remote = Remote()
        self._secret_values: dict[str, dict[Ref, bytes]] = {}
        self.cluster = Cluster(options.kube) if options.kube.remote else None
        self.shared = Shared()
        self.executor = Executor(self._trigger_context)
        self.service = Service(self.metrics, self._lent, self, self._runner, options.lease)
        self.history = History(Buses(self.service))
        self._add_gauges()

    def _failed(self, name: str, error: BaseException) -> None:
        log.error("%s failed: %s", name, error, exc_info=error)

    def _add_gauges(self) -> None:
        gauge, service = self.metrics.gauge, self.service
        gauge("argo_events_event_service_running_total", "event sources at work", service.running_sources)
        gauge("events_source_ready", "1: the source listens", service.ready_sources)
        gauge("events_bus_ready", "1: the bus stores and its sensors follow", service.ready_buses)
        gauge("events_trigger_waiting", "firings that wait for their turn", service.waiting_firings)

    # what the parts are lent

    def secrets(self, namespace: str) -> Secrets:
        own = LocalSecrets(lambda: self._secret_values.get(namespace, {}), self.options.secrets)
        return own if self.cluster is None else self.cluster.secrets(namespace, own)

    @property
    def kube(self) -> LocalObjects | RemoteObjects:
        """Where objects are."""
        return self.local if self.cluster is None else self.cluster.objects

    def _lent(self, namespace: str) -> Lent:
        return Lent(self.secrets(namespace), self.listeners, self.sessions, self.kube)

    def _trigger_context(self, namespace: str) -> TriggerContext:
        return TriggerContext(
            namespace, self.secrets(namespace), self.sessions, self.shared, self.kube, self.now_ns,
            logging.getLogger("events.triggers"),
        )  # fmt: skip

    def _runner(self, bus: Bus, shard: int, outage: Outage) -> ShardRunner:
        return ShardRunner(
            bus, shard, self.executor, self.metrics, Judge(self._remote), outage=outage,
            lease_ttl=self.options.lease, now_ns=self.now_ns,
        )  # fmt: skip

    # buses

    def choose(self, namespace: str, name: str, manifest: EventBus | None) -> engines.Choice:
        return engines.choose(manifest, self.options.bus)

    def make(self, choice: engines.Choice, namespace: str, name: str) -> Bus:
        options = self.options
        means = engines.Means(
            self.folder, self.secrets, options.durability, Retention(options.keep, options.keep_bytes),
            options.shards,
        )  # fmt: skip
        return engines.make(choice, namespace, name, means)

    # life

    async def run(self) -> None:
        """Start, serve until told to stop, drain. Raises EventsError when it cannot start."""
        self.folder.acquire()
        async with AsyncExitStack() as stack:
            stack.callback(self.folder.release)
            await self._start(stack)
            self.started.set()
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECT)
            await self._stop.wait()
            await self._drain()

    async def _start(self, stack: AsyncExitStack) -> None:
        self.local = LocalObjects(self.folder.objects, now_ns=self.now_ns)
        await self.local.open()
        stack.push_async_callback(self.local.aclose)
        if self.cluster is not None:
            stack.push_async_callback(self.cluster.aclose)
            await self.cluster.open()
        stack.push_async_callback(self.sessions.aclose)
        stack.push_async_callback(self._remote.aclose)
        stack.push_async_callback(self.shared.aclose)
        await self._serve(stack)
        stack.push_async_callback(self.listeners.aclose)
        stack.push_async_callback(self.service.aclose)
        self._require_something(await self._apply())
        stack.push_async_callback(self._tasks.aclose)
        if self.options.watch and self._watchable:
            self._tasks.start("manifests", self._watch())

    async def _serve(self, stack: AsyncExitStack) -> None:
        api, http = Server(application(self)), Server(pages(self.report, self.metrics.page))
        stack.push_async_callback(http.aclose)
        self.pages_port = await http.tcp(self.options.host, self.options.port)
        stack.push_async_callback(api.aclose)
        await api.unix(self.folder.socket_address())

    def handle_signals(self) -> None:
        """SIGTERM and SIGINT: the first one drains, the second one stops at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    def stop(self) -> None:
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    async def _drain(self) -> None:
        self.draining = True
        work = self._tasks.start("drain", self._drain_all())
        now = self._tasks.start("second signal", self._stop_now.wait())
        await asyncio.wait([work, now], timeout=DRAIN, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            log.warning("stopping with firings in hand; they go on after the next start")

    async def _drain_all(self) -> None:
        await self.service.stop_sources()
        await self.service.drain(DRAIN - 2)

    # manifests

    @property
    def _watchable(self) -> bool:
        return any(path != "-" for path in self.options.paths)

    async def _apply(self) -> list[Finding]:
        """Load and apply the manifests as they are now."""
        self._files = await asyncio.to_thread(snapshot, self.options.paths)
        loaded = await asyncio.to_thread(load, self.options.paths, namespace=self.options.namespace)
        self._secret_values = secret_values(loaded)
        await self._apply_objects(loaded)
        async with self.listeners.hold():
            findings = await self.service.apply(loaded)
            await self._settle()
        self.manifests = loaded
        return findings

    def _require_something(self, findings: Sequence[Finding]) -> None:
        """Manifests of which nothing can be used are an error; with some of them the rest runs."""
        if self.service.refused is not None:
            raise self.service.refused
        errors = [finding for finding in findings if finding.severity == "error"]
        if errors and not self.service.sources and not self.service.sensors:
            raise ManifestError("nothing can be run:\n" + "\n".join(map(str, errors)))

    async def _settle(self) -> None:
        """Wait a moment for changed sources to listen."""
        clock = asyncio.get_running_loop().time
        end = clock() + SETTLE
        while clock() < end and self.service.starting:
            await asyncio.sleep(0.01)

    async def _apply_objects(self, loaded: Manifests) -> None:
        """Into the local store. What a cluster should have is for `kubectl apply` to say."""
        if self.cluster is not None:
            self.cluster.leave(loaded)
            return
        for obj in loaded.objects:
            try:
                await self.local.apply(obj, self.options.namespace)
            except Permanent as exc:
                log.error("%s: %s", obj.get("kind", "object"), exc)

    async def reload(self) -> list[dict[str, Any]]:
        findings = await self._apply()
        return [msgspec.to_builtins(finding) for finding in findings]

    async def _watch(self) -> None:
        """Apply edited files. A broken edit is told, and the version before keeps running."""
        while True:
            await asyncio.sleep(LOOK)
            files = await asyncio.to_thread(snapshot, self.options.paths)
            if files == self._files:
                continue
            try:
                findings = await self._apply()
            except EventsError as exc:
                log.error("reload: %s", exc)
                continue
            self._tell(findings)

    def _tell(self, findings: Sequence[Finding]) -> None:
        errors = [finding for finding in findings if finding.severity == "error"]
        for finding in errors:
            log.error("%s", finding)
        if errors:
            log.error("reload: %d errors; what they touch goes on as it was", len(errors))
        else:
            log.info("reloaded: %s", self.brief())

    # what is asked of an instance

    def brief(self) -> str:
        return f"{len(self.service.sources)} event sources, {len(self.service.sensors)} sensors"

    def report(self) -> dict[str, Any]:
        """For /readyz."""
        return {
            "ready": self.started.is_set() and not self.draining and self.service.ready,
            "draining": self.draining,
            **self.service.states(),
        }

    def status(self) -> dict[str, Any]:
        return {
            **self.report(),
            "running": True,
            "data": str(self.folder.path),
            "kubernetes": None if self.cluster is None else self.cluster.host,
            "pages": f"http://{self.options.host}:{self.pages_port}",
            "listeners": self.listeners.ports,
            "triggers": self.service.trigger_states(),
            "findings": [msgspec.to_builtins(finding) for finding in self.service.findings],
        }

    async def objects(self, kind: str | None, namespace: str | None) -> list[dict[str, Any]]:
        return await self.kube.find(kind, namespace)

    async def retry(self, firing: str, *, render: bool) -> bool:
        for runner in self.service.runners():
            if runner.holds and await runner.retry(firing, render=render):
                return True
        return await self._retry_elsewhere(firing, render=render)

    async def _retry_elsewhere(self, firing: str, *, render: bool) -> bool:
        """By the process that has its shard. Raises Retryable when it does not answer."""
        for unit in self.service.units.values():
            for shard, found, record in await parked(unit.bus) if unit.sharing else ():
                if found != firing or record.due_ns is not None:
                    continue
                if await commands.retry(unit.bus, commands.Retry(shard, firing, render)):
                    return True
                holder = (unit.sharing and unit.sharing.holder(shard)) or "no process"
                raise Retryable(
                    f"{firing} is in shard {shard} of {unit.bus.name}, which {holder} has; it has not "
                    "answered yet and sends it again as soon as it can"
                )
        return False

    async def publish(self, namespace: str, bus: str, events: Any) -> list[dict[str, Any]]:
        unit = self.service.units.get(f"{namespace}/{bus}")
        return await publish_to(
            unit.bus if unit else None, read_events(events, namespace), f"{namespace}/{bus}"
        )


class Buses(Mapping[str, Bus]):
    """The open buses of a service, by name."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __getitem__(self, name: str) -> Bus:
        return self._service.units[name].bus

    def __iter__(self) -> Any:
        return iter(self._service.units)

    def __len__(self) -> int:
        return len(self._service.units)


def secret_values(loaded: Manifests) -> dict[str, dict[Ref, bytes]]:
    """Namespace -> ref -> value, of all Secret and ConfigMap manifests."""
    found: dict[str, dict[Ref, bytes]] = {}
    for (namespace, name), values in loaded.secrets.items():
        for key, value in values.items():
            found.setdefault(namespace, {})[Ref(name, key)] = value
    for (namespace, name), texts in loaded.config_maps.items():
        for key, text in texts.items():
            found.setdefault(namespace, {})[Ref(name, key, "configmap")] = text.encode()
    return found
