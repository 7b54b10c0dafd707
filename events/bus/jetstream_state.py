"""What owners of shards and sources keep: one stream, one subject per record, the newest counts.

Subjects  shard.<n>.r.<key> records, .b.<key> blobs, .m mark, .d decisions (many messages), .x barrier;
          cursor.<name>; meta; epoch.<name> and lease.<name> (jetstream_lease)
Commit    one atomic batch on condition that the shard's epoch record is the owner's. Without records and
          blobs the decisions go first and the mark after them: between the two nothing is lost, and a
          batch costs the server some milliseconds. More than a thousand changes are several batches, in
          the order of the protocol
Gone      a record that was removed is an empty message that the server removes after a while
Reading   a consumer may be served by a replica that lags: a barrier is written first, and read up to
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import msgspec

from events.bus._base import Changes, Mark, ShardState
from events.bus.decisions import decoded, encoded
from events.bus.jetstream_api import WRONG_SEQUENCE, Api, Fault, meaning
from events.bus.jetstream_lease import ROLLUP, LeaseDesk, fence
from events.bus.jetstream_pull import Pulled, Puller
from events.bus.jetstream_sender import MAX_BATCH, Sender
from events.bus.jetstream_settings import Names, token, untoken
from events.bus.jetstream_wire import LINE, Message
from events.errors import BusUnavailable, Damaged, Fenced, Permanent, TooLarge
from events.event import FINAL, Decision

GONE = b"Events-Gone: 1\r\n"
GONE_LIFE = b"Nats-TTL: 3600s\r\n"
DECISIONS_BYTES = 200_000
"""Of one message with decisions."""

LONGEST_HISTORY = 30 * 86400.0
"""Seconds that decisions are kept where the events have no age limit."""

SKEW_NS = 60 * 10**9
"""By how much clocks of two servers may differ."""

QUIET = 5.0
"""Seconds in which a reading of the state must get on."""

VERSION = 1


class Meta(msgspec.Struct):
    """What was decided when the bus was made."""

    version: int
    shards: int


async def scan(puller: Puller, goal: int = 0) -> AsyncGenerator[Pulled, None]:
    """Everything that a new consumer finds now, and what is stored up to the sequence `goal`.

    The server may say that there is no more before it got there: a replica lags, or its count of what is left
    is off. Then it is waited for. Raises BusUnavailable when it is interrupted, or does not get there.
    """
    last, early = 0, False
    try:
        await puller.open()
        puller.ask(wait=False)
        while True:
            while puller.waiting:
                one = puller.waiting.popleft()
                puller.taken([one])
                last = one.seq
                yield one
            if puller.lost:
                raise BusUnavailable(f"reading was interrupted: {puller.reason}")
            if last >= goal and (puller.ended or early):
                return
            early = early or puller.ended
            puller.ask(wait=early)
            before = puller.received
            await puller.wait(QUIET)
            if puller.received == before and not puller.ended:
                puller.lose(f"nothing came for {QUIET:g} s")
    finally:
        await puller.aclose()


class StateStore:
    """Records, blobs, marks, decisions and cursors of one bus."""

    def __init__(
        self, api: Api, sender: Sender, names: Names, desk: LeaseDesk, max_payload: int, history: float | None
    ) -> None:
        self._api, self._sender, self._names, self._desk = api, sender, names, desk
        self._largest = max_payload - 4096
        self._life = b"Nats-TTL: %ds\r\n" % max(1, round(history or LONGEST_HISTORY))
        self._max_payload = max_payload

    def _shard(self, shard: int, *rest: str) -> str:
        return ".".join([self._names.keys, "shard", str(shard), *rest])

    # the shape of the bus

    async def agree(self, shards: int) -> None:
        """Keep the number of shards, or compare it with what was kept. Raises Permanent, Damaged."""
        subject = f"{self._names.keys}.meta"
        wanted = Meta(VERSION, shards)
        try:
            head = LINE + fence(subject, 0)
            await self._sender.send(Message(subject, head, msgspec.json.encode(wanted)))
        except Fault as exc:
            if exc.number not in WRONG_SEQUENCE:
                raise meaning(self._api.name, exc) from exc
            found = await self.agreed()
            if found != shards:
                raise Permanent(
                    f"{self._api.name}: was made with {found} shards, not {shards}: "
                    f"write that number, or remove the stream {self._names.state}"
                ) from exc

    async def agreed(self) -> int:
        """The number of shards that was kept. Raises Damaged."""
        kept = await self._api.message(self._names.state, last_by_subj=f"{self._names.keys}.meta")
        try:
            found = msgspec.json.decode(kept.data if kept else b"", type=Meta)
        except msgspec.MsgspecError as exc:
            raise Damaged(f"{self._api.name}: {self._names.state} is not the state of a bus: {exc}") from exc
        if found.version != VERSION:
            raise Damaged(f"{self._api.name}: {self._names.state} has version {found.version}, not {VERSION}")
        return found.shards

    # writing

    async def commit(self, shard: int, epoch: int, changes: Changes) -> None:
        """Raises Fenced, BusUnavailable, BusFull, TooLarge."""
        name = f"shard/{shard}"
        if not self._desk.holds(name, epoch):
            raise Fenced(f"{self._api.name}: epoch {epoch} of shard {shard} is no longer in force")
        messages = list(self._messages(shard, changes))
        for one in messages:
            if len(one.data) > self._largest:
                raise TooLarge(len(one.data), self._largest)
        guard = fence(self._desk.epoch_subject(name), epoch)
        history = not (changes.blobs or changes.records or changes.drop_blobs)
        step = 1 if history else MAX_BATCH
        for at in range(0, len(messages), step):
            first, *more = messages[at : at + step]
            await self._write([first._replace(head=first.head + guard), *more])

    async def _write(self, messages: list[Message]) -> None:
        try:
            if len(messages) == 1:
                await self._sender.send(messages[0])
            else:
                await self._sender.batch(messages)
        except Fault as exc:
            raise meaning(self._api.name, exc) from exc

    def _messages(self, shard: int, changes: Changes) -> Iterator[Message]:
        """In the order of the protocol; each subject once, as a batch demands."""
        dropped = set(changes.drop_blobs)
        for key, value in changes.blobs.items():
            if key not in dropped:
                yield record(self._shard(shard, "b", token(key)), value)
        for key, kept in changes.records.items():
            subject = self._shard(shard, "r", token(key))
            yield gone(subject) if kept is None else record(subject, kept)
        for packed in packs(changes.decisions):
            yield Message(self._shard(shard, "d"), LINE + self._life, packed)
        if changes.mark is not None:
            yield record(self._shard(shard, "m"), msgspec.msgpack.encode(changes.mark))
        for key in dropped:
            yield gone(self._shard(shard, "b", token(key)))

    # reading

    async def load(self, shard: int) -> ShardState:
        """Raises BusUnavailable, Damaged."""
        barrier = self._shard(shard, "x")
        try:
            ack = await self._sender.send(record(barrier, b""))
        except Fault as exc:
            raise meaning(self._api.name, exc) from exc
        state = ShardState(None, {}, set())
        prefix = len(self._shard(shard, "r")) + 1
        wanted = [self._shard(shard, "r", "*"), self._shard(shard, "m"), barrier]
        async with aclosing(self._all(wanted, ack.seq)) as found:
            async for one in found:
                self._restore(state, one, prefix)
        state.done = await self._done(shard, state.mark, ack.seq)
        return state

    def _restore(self, state: ShardState, one: Pulled, prefix: int) -> None:
        kind = one.subject[prefix - 2 : prefix - 1]
        if kind == b"m":
            try:
                state.mark = msgspec.msgpack.decode(one.data, type=Mark)
            except msgspec.MsgspecError as exc:
                raise Damaged(f"{self._api.name}: a mark that cannot be read: {exc}") from exc
        elif kind == b"r":
            key = untoken(one.subject[prefix:].decode())
            if is_gone(one.headers):
                state.records.pop(key, None)
            else:
                state.records[key] = one.data

    async def _done(self, shard: int, mark: Mark | None, barrier: int) -> set[str]:
        """Final decisions above the mark: committed after the first event above it was stored."""
        start: dict[str, Any] = {}
        if mark is not None:
            above = mark.offsets.get(0, 0) + 1
            first = await self._api.message(
                self._names.events, seq=above, next_by_subj=f"{self._names.topics}.>"
            )
            if first is None:
                return set()
            start = {"deliver_policy": "by_start_time", "opt_start_time": earlier(first.time)}
        done = set[str]()
        wanted = [self._shard(shard, "d"), self._shard(shard, "x")]
        async with aclosing(self._all(wanted, barrier, **start)) as found:
            async for one in found:
                for decision in unpack(self._api.name, one.data) if one.data else ():
                    above_mark = mark is None or not mark.covers(decision.position)
                    if decision.firing is not None and decision.result in FINAL and above_mark:
                        done.add(decision.firing)
        return done

    async def blob(self, shard: int, key: str) -> bytes | None:
        found = await self._api.message(self._names.state, last_by_subj=self._shard(shard, "b", token(key)))
        return None if found is None or is_gone(found.headers) else found.data

    async def decisions(self, since_ns: int | None) -> AsyncGenerator[tuple[int, int, Decision], None]:
        """Those committed at or after that time, with a place that grows."""
        start: dict[str, Any] = {}
        if since_ns is not None and since_ns > SKEW_NS:
            start = {"deliver_policy": "by_start_time", "opt_start_time": rfc3339(since_ns - SKEW_NS)}
        async with aclosing(self._all([f"{self._names.keys}.shard.*.d"], **start)) as found:
            async for one in found:
                for number, decision in enumerate(unpack(self._api.name, one.data)):
                    yield one.seq, number, decision

    def _all(self, subjects: list[str], goal: int = 0, **start: Any) -> Any:
        config = {"deliver_policy": "all", **start, "filter_subjects": subjects}
        return scan(Puller(self._api, self._names.state, config, self._max_payload), goal)

    # cursors

    async def cursor(self, name: str) -> bytes | None:
        found = await self._api.message(self._names.state, last_by_subj=self._cursor_subject(name))
        return None if found is None else found.data

    async def keep_cursor(self, name: str, value: bytes) -> None:
        await self._write([record(self._cursor_subject(name), value)])

    def _cursor_subject(self, name: str) -> str:
        return f"{self._names.keys}.cursor.{token(name)}"

    async def probe(self, size: int) -> None:
        """Whether the server stores anything, and as much as `size` bytes. Raises BusUnavailable, BusFull."""
        now = b"%d" % time.time_ns()
        await self._write([record(f"{self._names.keys}.probe", now.ljust(min(size, self._largest)))])


def record(subject: str, value: bytes) -> Message:
    return Message(subject, LINE + ROLLUP, value)


def gone(subject: str) -> Message:
    return Message(subject, LINE + ROLLUP + GONE_LIFE + GONE, b"")


def is_gone(headers: bytes | None) -> bool:
    return headers is not None and GONE in headers


def packs(decisions: list[Decision]) -> Iterator[bytes]:
    """Decisions in messages of a bounded size."""
    pack, size = list[bytes](), 0
    for decision in decisions:
        body = encoded(decision)
        if pack and size + len(body) > DECISIONS_BYTES:
            yield msgspec.msgpack.encode(pack)
            pack, size = [], 0
        pack.append(body)
        size += len(body)
    if pack:
        yield msgspec.msgpack.encode(pack)


def unpack(name: str, data: bytes) -> list[Decision]:
    try:
        return [decoded(body) for body in msgspec.msgpack.decode(data, type=list[bytes])]
    except (msgspec.MsgspecError, ValueError) as exc:
        raise Damaged(f"{name}: decisions that cannot be read: {exc}") from exc


def earlier(time_text: str) -> str:
    """A moment before a time that JetStream gave."""
    from events.cloudevents import parse_time

    return rfc3339((parse_time(time_text) or 0) - SKEW_NS)


def rfc3339(time_ns: int) -> str:
    from events.bus.jetstream_wire import stamp

    return stamp(time_ns)
