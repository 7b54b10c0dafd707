"""jetstream: the bus on NATS JetStream, for several processes.

Streams   one for events, one for what owners and sources keep. A stream that exists already is used as it
          is; if it differs from the settings, that is told and nothing is changed
Shared    `shared=True` uses stream, subjects and message form of Argo Events
Needs     nats-server 2.12 (atomic batches, times to live of messages); nats-py (extra `nats`)
Survives  what replicas and the server's `sync_interval` survive: with one replica and defaults the death of
          every process, but two minutes may be lost in a power cut; with three also that of one server
Exceptions to the protocol: `WAIVERS["jetstream"]` in events/testing/bus_harness.py
"""

from __future__ import annotations

import asyncio
import logging
import secrets as randomness
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from events.aio import Group
from events.bus._base import (
    Changes,
    Cursor,
    DecisionQuery,
    EventQuery,
    Health,
    Mark,
    ShardState,
    Stored,
    Topic,
)
from events.bus.jetstream_api import Api, Fault, meaning
from events.bus.jetstream_find import Finder
from events.bus.jetstream_lease import JetStreamLease, LeaseDesk
from events.bus.jetstream_publish import Publisher
from events.bus.jetstream_read import LogReader
from events.bus.jetstream_sender import Sender
from events.bus.jetstream_settings import Names, StreamSettings, events_stream, state_stream, unlike
from events.bus.jetstream_state import StateStore
from events.bus.jetstream_wire import Wire
from events.clients.nats import Login, Servers, connect
from events.clients.secrets import Secrets
from events.errors import BusFull, BusUnavailable, EventsError, Permanent, Refused, Retryable
from events.event import Decision, Delivery, Event

if TYPE_CHECKING:
    from events.api.eventbus import JetStreamConfig
    from events.clients.nats import Link

logger = logging.getLogger(__name__)

NEEDED = (2, 12)
ROOM = 4
"""An event may take three quarters of a message: records and blobs hold an event and more."""

RECOVERY = 1.0
"""Seconds between looks whether a full store takes something again."""

DRAIN = 5.0


class NoSecrets:
    """Where no login is asked for."""

    async def read(self, ref: object) -> str:
        raise Permanent(f"there is no {ref}")


class JetStreamBus:
    """One handle to the bus of a namespace."""

    def __init__(
        self,
        servers: Servers,
        name: str = "default/default",
        *,
        shards: int = 8,
        settings: StreamSettings | None = None,
        secrets: Secrets | None = None,
        shared: bool = False,
        create: bool = True,
    ) -> None:
        """`shared`: with Argo Events; `create`: whether what is missing on the servers may be made."""
        self._create = create
        self.name, self.shards = name, shards
        self.max_event_bytes = 0
        self._servers, self._settings = servers, settings or StreamSettings()
        self._secrets: Secrets = secrets or NoSecrets()
        self._names = Names.of(name, shared=shared)
        self._wire = Wire(self._names, name.partition("/")[0])
        self._tasks = Group(self._failed)
        self._readers: set[LogReader] = set()
        self._restarts = 0
        self._open = False
        self._link: Link
        self._api: Api
        self._sender: Sender
        self._publisher: Publisher
        self._desk: LeaseDesk
        self._state: StateStore
        self._finder: Finder

    # life

    async def open(self) -> None:
        """Connect, make the streams or look at those that are there.

        Raises BusUnavailable, Permanent (login, certificate, an old server, settings), BusFull, Damaged.
        """
        if self._open:
            return
        try:
            self._link = await connect(self._servers, self._secrets, self.name, None, quiet=True)
        except Permanent:
            raise
        except Retryable as exc:
            raise BusUnavailable(str(exc)) from exc
        try:
            await self._start()
        except BaseException as exc:
            await self._tasks.aclose()
            await self._link.aclose()
            if isinstance(exc, Refused):
                raise Permanent(str(exc)) from exc
            raise
        self._open = True

    async def _start(self) -> None:
        version = self._link.client.connected_server_version
        if (version.major, version.minor) < NEEDED:
            raise Permanent(
                f"{self.name}: {self._servers.shown} is nats-server {version.major}.{version.minor}: "
                f"the bus needs {NEEDED[0]}.{NEEDED[1]} or newer"
            )
        largest = self._link.client.max_payload
        self.max_event_bytes = largest - largest // ROOM
        self._api = api = Api(self._link, self.name)
        self._sender = Sender(api)
        await self._sender.open()
        self._tasks.start("answers", self._sender.run())
        await self._streams()
        holder = randomness.token_hex(8)
        self._desk = LeaseDesk(api, self._sender, self._names, holder, self._tasks)
        await self._desk.open()
        self._state = StateStore(api, self._sender, self._names, self._desk, largest, self._settings.max_age)
        if self._create:
            await self._state.agree(self.shards)
        else:
            self.shards = await self._state.agreed()
        self._publisher = Publisher(self.name, self._sender, self._wire, self.max_event_bytes)
        self._finder = Finder(api, self._names, self._wire, self._state, largest)
        self._link.watchers.append(self._on_link)
        self._tasks.start("recovery", self._recover())

    async def _streams(self) -> None:
        """Make those that are missing, look at those that are there."""
        await self._stream(events_stream(self._names, self._settings))
        await self._stream(state_stream(self._names, self._settings), binding=True)

    async def _stream(self, wanted: dict[str, Any], *, binding: bool = False) -> None:
        """`binding`: another shape cannot be worked with."""
        name = wanted["name"]
        info = await self._api.maybe(f"STREAM.INFO.{name}")
        if info is None:
            if not self._create:
                raise Permanent(
                    f"{self.name}: {self._servers.shown} has no stream {name}: no bus was made there"
                )
            try:
                info = await self._api.ask(f"STREAM.CREATE.{name}", wanted)
            except Fault as exc:
                if exc.number != 10058:  # somebody made it meanwhile, otherwise
                    raise meaning(self.name, exc) from exc
                info = await self._api.info(name)
        self._compare(wanted, info["config"], binding=binding)

    def _compare(self, wanted: dict[str, Any], found: dict[str, Any], *, binding: bool) -> None:
        name = wanted["name"]
        if found.get("retention") != "limits":
            raise Permanent(
                f"{self.name}: stream {name}: retention is {found.get('retention')!r}: events that were read "
                "would be gone: make the stream with retention limits"
            )
        differs = unlike(wanted, found)
        if not differs:
            return
        text = f"{self.name}: stream {name} exists with other settings: {'; '.join(differs)}"
        missing = (
            {"subjects", "allow_msg_ttl", "allow_rollup_hdrs", "allow_atomic"} if binding else {"subjects"}
        )
        if any(one.partition(" ")[0] in missing for one in differs):
            raise Permanent(f"{text}: change or remove the stream")
        logger.warning("%s: it is used as it is; to change it, use `nats stream edit %s`", text, name)

    async def aclose(self) -> None:
        """Finish what was accepted, release everything."""
        if not self._open:
            return
        self._open = False
        for reader in self._readers:
            reader.stop(self._closed())
        await self._publisher.drained(DRAIN)
        await self._desk.aclose(self._closed)
        await self._tasks.aclose()
        self._sender.fail(self._closed())
        await self._link.aclose()

    def _on_link(self, up: bool) -> None:
        if up:
            return
        self._sender.fail(self._api.down())
        for reader in self._readers:
            reader.disconnected()

    def _failed(self, name: str, error: BaseException) -> None:
        logger.error("%s: task %s: %r", self.name, name, error)

    # the log

    async def publish(self, events: Sequence[Event], cursor: Cursor | None = None) -> list[Stored]:
        self._check()
        if self._sender.swallowed:
            raise BusUnavailable(self._api.trouble)
        try:
            if cursor is None:
                stored = await self._publisher.publish(events)
            else:
                async with self._publisher.turn(cursor.name):
                    stored = await self._publisher.publish(events)
                    await self._state.keep_cursor(cursor.name, cursor.value)
        except BusFull as exc:
            self._api.trouble = str(exc)
            raise
        self._hint(stored)
        return stored

    def _hint(self, stored: list[Stored]) -> None:
        newest = max((one.position.offset for one in stored if one.position), default=0)
        for reader in self._readers:
            reader.hint(newest)

    async def cursor(self, name: str) -> bytes | None:
        self._check()
        return await self._state.cursor(name)

    async def head(self) -> Mark:
        self._check()
        info = await self._api.info(self._names.events)
        return Mark(info["created"], {0: info["state"]["last_seq"]})

    async def read(self, topics: Iterable[Topic], after: Mark) -> LogReader:
        self._check()
        info = await self._api.info(self._names.events)
        if info["created"] != after.incarnation:
            raise ValueError(f"{self.name}: the mark is of another incarnation of the log")
        payload = self._link.client.max_payload
        reader = Reader(self, self._api, self._names, self._wire, topics, payload, self._restarted)
        self._readers.add(reader)
        try:
            await reader.open(after.offsets.get(0, 0), info)
        except BaseException:
            await reader.aclose()
            raise
        return reader

    def _restarted(self) -> None:
        self._restarts += 1

    def forget(self, reader: LogReader) -> None:
        self._readers.discard(reader)

    # shards

    async def lease(self, name: str, ttl: float = 15.0) -> JetStreamLease:
        """Wait until the lease is ours. `ttl` is at least 2 s."""
        self._check()
        return await self._desk.take(name, ttl)

    async def load(self, shard: int) -> ShardState:
        self._check()
        return await self._state.load(shard)

    async def commit(self, shard: int, epoch: int, changes: Changes) -> None:
        self._check()
        try:
            await self._state.commit(shard, epoch, changes)
        except BusFull as exc:
            self._api.trouble = str(exc)
            raise

    async def blob(self, shard: int, key: str) -> bytes | None:
        self._check()
        return await self._state.blob(shard, key)

    # look-ups

    async def find_events(self, query: EventQuery) -> list[Delivery]:
        self._check()
        return await self._finder.events(query)

    async def find_decisions(self, query: DecisionQuery) -> list[Decision]:
        self._check()
        return await self._finder.decisions(query)

    # health

    def health(self) -> Health:
        if not self._open:
            return Health(ready=False, detail="not open", restarts=self._restarts)
        detail = self._api.trouble if self._link.up else str(self._api.down())
        return Health(ready=not detail, detail=detail, restarts=self._restarts)

    async def _recover(self) -> None:
        """After trouble: make streams that are gone, find out when they take something. Until cancelled."""
        while True:
            await asyncio.sleep(RECOVERY)
            if self._link.ended.is_set():
                await self._revive()
            if not self._api.trouble or not self._link.up:
                continue
            try:
                await self._streams()
                await (self._state.agree(self.shards) if self._create else self._state.agreed())
                await self._state.probe(self._sender.swallowed)
                self._sender.swallowed = 0
                for subject in list(self._sender.denied):
                    await self._api.permitted(subject)
                    self._sender.denied.discard(subject)
                if not full(await self._api.info(self._names.events)):
                    self._api.trouble = ""
            except EventsError as exc:
                self._api.trouble = str(exc)

    async def _revive(self) -> None:
        """Connect anew: the server had ended the connection for good, as when it revokes a login."""
        try:
            await self._link.open(self._secrets)
            await self._sender.open()
            await self._desk.open()
        except EventsError as exc:
            self._link.trouble = str(exc)
            return
        logger.debug("%s: connected to %s again", self.name, self._servers.shown)

    def _check(self) -> None:
        if not self._open:
            raise self._closed()
        if self._link.ended.is_set():
            raise BusUnavailable(f"{self.name}: {self._link.trouble}")

    def _closed(self) -> BusUnavailable:
        return BusUnavailable(f"{self.name}: the bus is not open")


class Reader(LogReader):
    """A reader that its bus knows of."""

    def __init__(self, bus: JetStreamBus, *given: Any) -> None:
        super().__init__(*given)
        self._bus = bus

    async def aclose(self) -> None:
        self._bus.forget(self)
        await super().aclose()


def full(info: dict[str, Any]) -> bool:
    """A stream that discards what is new has reached its limits."""
    config, state = info["config"], info["state"]
    return bool(config.get("discard") == "new") and (
        0 < config.get("max_msgs", -1) <= state["messages"]
        or 0 < config.get("max_bytes", -1) <= state["bytes"]
    )


def from_url(
    url: str, name: str = "default/default", *, shards: int = 8, create: bool = True
) -> JetStreamBus:
    """The bus behind `nats://` or `tls://`, as `--bus` names it. Raises Permanent."""
    return JetStreamBus(Servers.of(url), name, shards=shards, create=create)


def from_manifest(
    config: JetStreamConfig,
    name: str,
    secrets: Secrets,
    *,
    shards: int = 8,
    shared: bool = False,
    create: bool = True,
) -> JetStreamBus:
    """The bus of an EventBus with `jetstreamExotic`. Raises Permanent that names the field."""
    servers = Servers.of(config.url, Login.in_yaml(config.access_secret), config.tls)
    settings = StreamSettings.of(config.stream_config)
    return JetStreamBus(
        servers, name, shards=shards, settings=settings, secrets=secrets, shared=shared, create=create
    )
