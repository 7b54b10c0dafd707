"""What `file` and `sftp` share: a folder compared with what was told of it before.

Ledger    what the bus knows of a folder, kept as the source's cursor: what changed while the source was
          down is found when it starts again
Changes   RENAME (old name), REMOVE, CREATE, WRITE, CHMOD, found by comparing two listings: what came and went
          between two looks is not seen
Settling  a file that came or changed is told once it stayed as it is for a while: it is not half-written then
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import orjson

from events.errors import Absent, ExpressionError, Permanent, Retryable
from events.lang.duration import parse_duration
from events.lang.regex import compile_regex
from events.sources._base import Emit, Payload, SourceContext
from events.sources._queue import BATCH_MESSAGES, store

if TYPE_CHECKING:
    from events.api.eventsource import WatchPath

OPERATIONS = {"CREATE": 1, "WRITE": 2, "REMOVE": 4, "RENAME": 8, "CHMOD": 16}
"""The bit of each change, as Go's fsnotify numbers them."""

MOST = 100_000
"""Files of one folder that are remembered: about 3 MB of cursor."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one file. `inode` is 0 where the other side tells none."""

    inode: int
    size: int
    mtime_ns: int
    mode: int

    @property
    def content(self) -> tuple[int, int, int]:
        return self.inode, self.size, self.mtime_ns


Listing = Mapping[str, Entry]


class Change(NamedTuple):
    """One change of one name; `entry` is its newest state, or the last one known."""

    operation: str
    name: str
    entry: Entry


def differences(known: Listing, now: Listing, everything: Listing) -> Iterator[Change]:
    """What leads from `known` to `now`; a name that left is looked for in `everything` by its inode."""
    if gone := [(name, entry) for name, entry in known.items() if name not in now]:
        arrived = {e.inode for name, e in everything.items() if e.inode and not same_file(known.get(name), e)}
        for name, entry in gone:
            yield Change("RENAME" if entry.inode in arrived else "REMOVE", name, entry)
    changed = [(name, entry) for name, entry in now.items() if known.get(name) != entry]
    for name, entry in sorted(changed, key=lambda item: (item[1].mtime_ns, item[0])):
        before = known.get(name)
        if before is None or before.inode != entry.inode:
            yield Change("CREATE", name, entry)
            continue
        if before.content != entry.content:
            yield Change("WRITE", name, entry)
        if before.mode != entry.mode:
            yield Change("CHMOD", name, entry)


def same_file(one: Entry | None, other: Entry) -> bool:
    return one is not None and one.inode == other.inode


class Cursor(msgspec.Struct):
    """A ledger as it is stored. `place` stands for folder and pattern; `peer` is the server's key."""

    place: bytes
    count: int
    files: dict[bytes, Entry]
    peer: str = ""


class Step(NamedTuple):
    """What one look found, and the ledger after it."""

    changes: list[Change]
    known: dict[str, Entry]
    number: int


class Ledger:
    """The files of one folder as the bus knows them, and the key of the server that they lie on."""

    def __init__(self, place: Sequence[str], matches: Callable[[str], bool], settle: float) -> None:
        """`place` tells folders and patterns apart; `settle` is in seconds."""
        self._place = hashlib.sha256(orjson.dumps(place)).digest()[:16]
        self._matches, self._settle = matches, settle
        self._known: dict[str, Entry] | None = None
        self._count = 0
        self._moving: dict[str, tuple[Entry, float]] = {}
        self._peer, self._met = "", False

    @property
    def peer(self) -> str:
        return self._peer

    def meet(self, peer: str) -> None:
        """Remember the server's key; it is stored with the next look."""
        self._peer, self._met = peer, True

    def restore(self, stored: bytes | None) -> None:
        """Go on where a cursor ends. One of another folder counts for nothing. Raises Permanent."""
        if stored is None:
            return
        try:
            cursor = msgspec.msgpack.decode(zlib.decompress(stored), type=Cursor)
        except (zlib.error, msgspec.DecodeError) as exc:
            raise Permanent(f"the stored place of the source cannot be read: {exc}") from exc
        if cursor.place == self._place:
            self._count, self._peer = cursor.count, cursor.peer
            self._known = {text_of(name): entry for name, entry in cursor.files.items()}

    def look(self, listing: Listing, now: float, now_ns: int) -> Step | None:
        """Compare; `now` is any steady clock in seconds. None: nothing to tell and nothing to store.

        The first look ever only learns what is there. Raises Retryable while a folder holds too much.
        """
        matching = {name: entry for name, entry in listing.items() if self._matches(name)}
        if len(matching) > MOST:
            hint = "narrow path or pathRegexp, or move files away that are done with"
            raise Retryable(f"{len(matching)} files match, {MOST} can be remembered: {hint}")
        if self._known is None:
            return Step([], matching, now_ns)
        settled = dict(self._settled(matching, now))
        if settled == self._known and not self._met:
            return None
        return Step(list(differences(self._known, settled, listing)), settled, self._count + 1)

    def empty(self, now_ns: int) -> Step | None:
        """Nothing was there at the first look; None after the first one."""
        return Step([], {}, now_ns) if self._known is None else None

    def _settled(self, matching: Listing, now: float) -> Iterator[tuple[str, Entry]]:
        """The listing with what still changes left as it was known."""
        assert self._known is not None
        before, self._moving = self._moving, {}
        for name, entry in matching.items():
            known = self._known.get(name)
            if not self._settle or (known is not None and known.content == entry.content):
                yield name, entry
                continue
            seen, since = before.get(name, (entry, now))
            if seen.content == entry.content and now - since >= self._settle:
                yield name, entry
                continue
            self._moving[name] = (entry, since if seen.content == entry.content else now)
            if known is not None:
                yield name, known

    def due(self, now: float) -> float | None:
        """Seconds until the next file may have settled; None: nothing changes."""
        if not self._moving:
            return None
        return max(0.0, min(since for _, since in self._moving.values()) + self._settle - now)

    def take(self, step: Step) -> None:
        """The bus has it."""
        self._known, self._count, self._met = step.known, step.number, False

    def cursor(self, step: Step) -> bytes:
        files = {bytes_of(name): entry for name, entry in step.known.items()}
        return zlib.compress(msgspec.msgpack.encode(Cursor(self._place, step.number, files, self._peer)), 1)

    def id_of(self, step: Step, change: Change) -> str:
        """The same whenever the same look is told again, another one for every later change."""
        entry = change.entry
        parts = (step.number, change.operation, entry.size, entry.mtime_ns, bytes_of(change.name))
        return hashlib.sha256(self._place + msgspec.msgpack.encode(parts)).hexdigest()[:32]


@asynccontextmanager
async def empty_without(ctx: SourceContext, emit: Emit, ledger: Ledger) -> AsyncIterator[None]:
    """For a look: a folder that is Absent at the first start counts as empty, what comes with it is new."""
    try:
        yield
    except Absent:
        if (step := ledger.empty(ctx.now_ns())) is not None:
            await emit((), ledger.cursor(step))
        raise


async def tell(
    ctx: SourceContext, emit: Emit, ledger: Ledger, step: Step, event_of: Callable[[Change], bytes | None]
) -> None:
    """Emit what `event_of` makes of the changes; the place goes with the last of them. Raises Retryable."""
    events = [(change, data) for change in step.changes if (data := event_of(change)) is not None]
    payloads = [Payload(data, ledger.id_of(step, change)) for change, data in events]
    cursor = await asyncio.to_thread(ledger.cursor, step)
    while len(payloads) > BATCH_MESSAGES:
        await store(ctx, emit, payloads[:BATCH_MESSAGES])
        payloads = payloads[BATCH_MESSAGES:]
    if payloads:
        await store(ctx, emit, payloads, cursor)
    else:
        await emit((), cursor)
    ledger.take(step)


def payload(name: str, operation: str, metadata: Mapping[str, str]) -> bytes:
    """`{name, op, metadata}`; metadata is null when there is none, as upstream."""
    shown = bytes_of(name).decode(errors="replace")
    return orjson.dumps({"name": shown, "op": OPERATIONS[operation], "metadata": metadata or None})


def matcher(spec: WatchPath) -> Callable[[str], bool]:
    """Whether a base name counts. Raises Permanent for an expression that does not compile.

    Upstream compares with what follows `directory` in the full path: a slash is in front of the name where
    `directory` ends without one. Expressions written for either spelling match here.
    """
    if spec.path:
        return spec.path.__eq__
    try:
        search = compile_regex(spec.path_regexp).search
    except ExpressionError as exc:
        raise Permanent(f"watchPathConfig.pathRegexp: {exc}") from exc
    if spec.directory.endswith("/"):
        return search
    return lambda name: search(name) or search(f"/{name}")


def seconds(text: str, default: float) -> float:
    """A duration of the manifest. Raises Permanent."""
    if not text:
        return default
    try:
        return max(0.0, parse_duration(text) / 1e9)
    except ExpressionError as exc:
        raise Permanent(str(exc)) from exc


def bytes_of(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def text_of(name: bytes) -> str:
    return name.decode(errors="surrogateescape")
