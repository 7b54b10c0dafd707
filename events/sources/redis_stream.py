"""redisStream: entries of Redis streams, read as a consumer group.

Spec      EventSource.spec.redisStream.<eventName>
Payload   {stream, message_id, values, metadata}; values is a map of text
Delivery  at least once: an entry is acknowledged only after the bus has stored the event. What this source
          had taken before a restart comes first; what another member of the group took and left for a
          minute is taken over (Redis 6.2 or newer, with leave to XAUTOCLAIM). An id of stream, entry and
          content makes a redelivery harmless, and an entry of another stream of that name with the same
          number another event
Group     created where it is missing, also with the stream itself, so that nothing added later is missed.
          Deleted while we read, it goes on behind the last entry; in a stream that was deleted and begun
          anew (we were told, or its ids are lower), with the first
Upstream  pkg/eventsources/sources/redis_stream/start.go
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import orjson
from pydantic import Field

from events.api.common import TLS, Int32, NonEmpty, Problem, SecretKeySelector, Strings, check_tls
from events.api.eventsource import FilteredSourceConfig
from events.clients.redis import Link, Refused, Server, connected
from events.clients.secrets import secret
from events.clients.tls import TlsRefs
from events.errors import Permanent, Retryable
from events.lang.json_parts import metadata_json
from events.sources._base import Emit, Payload, Replay, Source, SourceContext
from events.sources._queue import insist


class RedisStreamConfig(FilteredSourceConfig):
    """Some streams of one server."""

    host_address: NonEmpty = Field(description="host:port of the server")
    password: SecretKeySelector | None = Field(None, description="Secret key with the password")
    db: Int32 = Field(0, description="number of the database")
    streams: Strings = Field(description="names of the streams")
    max_msg_count_per_read: Int32 = Field(
        0, description="entries of each stream asked for at once; 100 when 0"
    )
    consumer_group: str = Field("", description="name of the group; argo-events-cg when empty")
    tls: TLS | None = Field(None, description="certificates of the connection")
    username: str = Field("", description="user name")

    def problems(self) -> Iterable[Problem]:
        """Whole certificates."""
        return check_tls(self.tls)


COUNT = 100
"""Entries of each stream asked for at once."""

BLOCK_MS = 2000
"""How long the server waits for new entries; shorter than the limit of every answer."""

IDLE_MS = 60_000
"""Entries that another consumer has held for so long without acknowledging them are taken over."""

RECLAIM = 30.0
"""Seconds between looks for such entries."""

DELETED = "UNBLOCKED"
"""A stream was deleted while we waited for its entries: the next one of its name is another."""

FIRST = "0"
NEW = ">"
"""Instead of an id: entries that nobody in the group has got yet."""


class Entry(NamedTuple):
    """One entry as it was read; `fields` is None where it was deleted in the meantime."""

    stream: bytes
    id: bytes
    fields: Sequence[bytes] | None


class RedisStreamSource(Source[RedisStreamConfig]):
    """One consumer of a group. Its name stays the same, so that a restart finds what it had taken."""

    kind: ClassVar[str] = "redisStream"
    extra: ClassVar[str | None] = "redis"
    requires: ClassVar[tuple[str, ...]] = ("redis",)
    replay: ClassVar[Replay] = "acked"
    leader_only: ClassVar[bool] = True

    def __init__(self, cfg: RedisStreamConfig, ctx: SourceContext) -> None:
        super().__init__(cfg, ctx)
        self._newest: dict[str, str] = {}
        """Where a group goes on that was deleted while we read."""

    async def run(self, emit: Emit) -> None:
        """Raises Retryable (server away, group deleted), Permanent (login, permission, not a stream)."""
        cfg, ctx = self.cfg, self.ctx
        if not cfg.streams:
            raise Permanent("streams: is empty")
        server = Server.of(
            cfg.host_address, db=cfg.db, username=cfg.username, tls=TlsRefs.of(cfg.tls),
            password=secret(cfg.password) if cfg.password else None,
        )  # fmt: skip
        async with connected(server, ctx.secrets, ctx.sessions) as link:
            group = Group(link, cfg.consumer_group or "argo-events-cg", f"events-trigger.{ctx.label}")
            for name in cfg.streams:
                await group.create(name, self._newest.get(name))
            ctx.ready()
            try:
                await self._consume(group, emit)
            except Refused as exc:
                if exc.code == DELETED:
                    self._newest = dict.fromkeys(cfg.streams, FIRST)
                raise gone(exc) from exc

    async def _consume(self, group: Group, emit: Emit) -> None:
        metadata = metadata_json(self.cfg.metadata)
        places = dict.fromkeys(self.cfg.streams, FIRST)  # what we had taken before comes first
        clock = asyncio.get_running_loop().time
        reclaimed = clock()
        while True:
            entries = await group.read(places, self.cfg.max_msg_count_per_read or COUNT)
            await self._hand_over(group, entries, metadata, emit)
            advance(places, entries)
            self._newest.update({key: last for key, last in newest(entries).items() if places[key] == NEW})
            if group.reclaims and clock() - reclaimed > RECLAIM:
                await self._reclaim(group, metadata, emit)
                reclaimed = clock()

    async def _reclaim(self, group: Group, metadata: bytes, emit: Emit) -> None:
        """What another consumer has left."""
        for name in self.cfg.streams:
            place = b"0"
            while place:
                place, entries = await group.reclaim(name, place)
                await self._hand_over(group, entries, metadata, emit)

    async def _hand_over(self, group: Group, entries: Sequence[Entry], metadata: bytes, emit: Emit) -> None:
        """What was deleted is acknowledged without an event; so is what the bus can never take."""
        if payloads := [payload(entry, metadata) for entry in entries if entry.fields is not None]:
            await insist(self.ctx, emit, payloads)
        await group.acknowledge(entries)


class Group:
    """What is asked of the server in the name of one consumer."""

    def __init__(self, link: Link, name: str, consumer: str) -> None:
        self._link, self._name, self._consumer = link, name, consumer
        self.reclaims = True
        """False once the server has refused to: what others have left is for them."""

    async def create(self, stream: str, last: str | None) -> None:
        """Unless it is there; begins behind our last entry, else the newest. Raises Retryable, Permanent."""
        after = "$" if last is None else await self._behind(stream, last)
        try:
            await self._link.call("XGROUP", "CREATE", stream, self._name, after, "MKSTREAM")
        except Refused as exc:
            if exc.code != "BUSYGROUP":
                raise

    async def _behind(self, stream: str, last: str) -> str:
        """Our last entry, or the beginning where the stream is a new one: not there, or not as far."""
        try:
            found = await self._link.call("XINFO", "STREAM", stream)
        except Refused as exc:
            if "no such key" in str(exc):
                return FIRST
            raise
        facts = dict(zip(found[::2], found[1::2], strict=True))
        return last if order(facts[b"last-generated-id"].decode()) >= order(last) else FIRST

    async def read(self, places: dict[str, str], count: int) -> list[Entry]:
        """Entries of each stream after its place; waits a little when all places are `NEW`."""
        found = await self._link.call(
            "XREADGROUP", "GROUP", self._name, self._consumer, "COUNT", count, "BLOCK", BLOCK_MS,
            "STREAMS", *places, *places.values(),
        )  # fmt: skip
        return [entry for stream, items in found or () for entry in entries_of(stream, items)]

    async def reclaim(self, stream: str, place: bytes) -> tuple[bytes, list[Entry]]:
        """Entries that some consumer has held for too long; ours from now on. And the next place, if any."""
        try:
            found = await self._link.call(
                "XAUTOCLAIM", stream, self._name, self._consumer, IDLE_MS, place, "COUNT", COUNT
            )
        except Refused as exc:
            if "unknown command" not in str(exc).lower() and exc.code != "NOPERM":  # before Redis 6.2
                raise
            self.reclaims = False
            return b"", []
        return b"" if found[0] == b"0-0" else found[0], list(entries_of(stream.encode(), found[1]))

    async def acknowledge(self, entries: Sequence[Entry]) -> None:
        for stream in dict.fromkeys(entry.stream for entry in entries):
            ids = [entry.id for entry in entries if entry.stream == stream]
            await self._link.call("XACK", stream, self._name, *ids)


def entries_of(stream: bytes, items: Sequence[Any]) -> Iterator[Entry]:
    for item in items:
        if item is not None:  # Redis 6.2 has nothing to show for a claimed entry that was deleted
            yield Entry(stream, item[0], item[1])


def advance(places: dict[str, str], entries: Sequence[Entry]) -> None:
    """Behind what was read again; a stream with nothing left to read again goes on with what is new."""
    read = newest(entries)
    for stream, place in places.items():
        if place != NEW:
            places[stream] = read.get(stream, NEW)


def newest(entries: Sequence[Entry]) -> dict[str, str]:
    """The last id of each stream."""
    return {entry.stream.decode(): entry.id.decode() for entry in entries}


def order(number: str) -> tuple[int, int]:
    """By which ids compare."""
    time, _, count = number.partition("-")
    return int(time), int(count or 0)


def payload(entry: Entry, metadata: bytes) -> Payload:
    texts = [text.decode(errors="replace") for text in entry.fields or ()]
    values = orjson.dumps(dict(zip(texts[::2], texts[1::2], strict=True)))
    stream, number = entry.stream.decode(errors="replace"), entry.id.decode()
    data = b'{"stream":%b,"message_id":"%b","values":%b%b}' % (
        orjson.dumps(stream), entry.id, values, metadata,
    )  # fmt: skip
    return Payload(data, f"{stream}:{number}:{hashlib.sha256(values).hexdigest()[:16]}")


def gone(exc: Refused) -> Refused | Retryable:
    """A stream or group that was deleted while we read is made anew."""
    return Retryable(str(exc)) if exc.code in {"NOGROUP", DELETED} else exc
