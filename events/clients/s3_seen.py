"""What a poll of a bucket remembers: which objects it has told, exactly, in bounded space.

Identity   key, eTag and time of change: an object that is written again is another one
Memory     a hash of 8 bytes for each object told, and a floor: what changed at the floor or before it counts
           as told. An object that no listing shows any more is forgotten
Bound      with more than KEPT objects the floor rises, by whole moments: objects that changed in the same
           moment stay together, so none of them is lost. Above it an object may show up as late as it likes,
           as a large upload does: S3 dates it back to its start
Clock      that of the store alone; ours is never compared with it
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple, Self

import msgspec

KEPT = 50_000
"""Objects whose hashes are kept: 400 kB."""

FORMAT = 1


class Listed(NamedTuple):
    """An object as a listing shows it; `changed_ms` is the store's LastModified since 1970."""

    key: str
    etag: str
    changed_ms: int
    size: int

    @property
    def identity(self) -> bytes:
        text = f"{self.changed_ms}\n{self.etag}\n{self.key}"
        return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()


class Cursor(msgspec.Struct, array_like=True):
    """What is stored. `scope` says which listing it is about: under another one it means nothing."""

    format: int
    scope: str
    floor_ms: int
    hashes: bytes


class Seen:
    """The objects told."""

    def __init__(
        self, scope: str, floor_ms: int = -1, hashes: Iterable[bytes] = (), kept: int = KEPT
    ) -> None:
        self._scope, self._hashes, self._kept = scope, set(hashes), kept
        self.floor_ms = floor_ms

    @classmethod
    def read(cls, scope: str, cursor: bytes | None, kept: int = KEPT) -> Self | None:
        """None when nothing is stored for this scope."""
        try:
            stored = msgspec.msgpack.decode(cursor or b"", type=Cursor)
        except msgspec.DecodeError:
            return None
        if stored.format != FORMAT or stored.scope != scope:
            return None
        parts = (stored.hashes[at : at + 8] for at in range(0, len(stored.hashes), 8))
        return cls(scope, stored.floor_ms, parts, kept)

    def cursor(self) -> bytes:
        return msgspec.msgpack.encode(
            Cursor(FORMAT, self._scope, self.floor_ms, b"".join(sorted(self._hashes)))
        )

    def __contains__(self, thing: Listed) -> bool:
        return thing.changed_ms <= self.floor_ms or thing.identity in self._hashes

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, thing: Listed) -> None:
        self._hashes.add(thing.identity)

    def settle(self, current: dict[bytes, int], untold_ms: int | None = None) -> bool:
        """Forget what is gone and raise the floor if there is too much; True when that changed something.

        `current`: identity -> changed_ms of the objects that the newest listing showed and that are told.
        `untold_ms`: when the oldest object changed that is listed and not told yet; the floor stays below it.
        """
        floor = max(self.floor_ms, self._risen(current, untold_ms))
        kept = {identity for identity, changed in current.items() if changed > floor}
        changed = kept != self._hashes or floor != self.floor_ms
        self._hashes, self.floor_ms = kept, floor
        return changed

    def _risen(self, current: dict[bytes, int], untold_ms: int | None) -> int:
        """The floor above which the newest objects lie, as many as are kept or a few more; -1: none."""
        if len(current) <= self._kept:
            return -1
        newest = sorted(current.values(), reverse=True)
        below = newest[self._kept - 1] if untold_ms is None else min(newest[self._kept - 1], untold_ms)
        return max((changed for changed in newest[self._kept :] if changed < below), default=-1)
