"""What a watch of Kubernetes objects knows, and what it tells: changes, also those that nobody sent.

A list is compared with the versions that were known; what lies between is made up: ADD, UPDATE and DELETE. So
intermediate versions may be missed, objects are not. No I/O here.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
import orjson

from events.kube._base import Change, Listed, Object, Wanted

LARGEST = 512 << 10
"""Bytes of a cursor with all versions known: a bus takes about 1 MB. Above it only the place is kept."""


class Held(NamedTuple):
    """An object as it was last. `body` is missing when only its version was stored."""

    uid: str
    version: str
    body: bytes | None = None


class Told(NamedTuple):
    """One change to be told. `created` and so on are read from `body` by the filter."""

    type: str
    key: str
    uid: str
    version: str
    body: bytes
    old: bytes | None = None

    @property
    def id(self) -> str:
        """The same whenever the change is told again."""
        return f"{self.uid}-{self.version}-{self.type.lower()}"


class Place(msgspec.Struct):
    """The cursor: which objects, up to which version, and what was known there."""

    of: str
    version: str
    known: dict[str, tuple[str, str]] | None = None
    """Key -> (uid, version)."""


class Seen(NamedTuple):
    """An object as it came: only what is needed, so that the rest can go at once."""

    key: str
    uid: str
    version: str
    body: bytes


class Step(NamedTuple):
    """One entry of a watch. A bookmark has a place only."""

    type: str
    place: str
    seen: Seen | None


def key_of(obj: Object) -> str:
    """`ci/build`, or the name alone of a cluster-scoped object."""
    meta = obj["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def seen_of(obj: Object) -> Seen:
    meta = obj["metadata"]
    return Seen(key_of(obj), meta["uid"], meta["resourceVersion"], orjson.dumps(obj))


def step_of(change: Change) -> Step:
    place = change.place or change.object["metadata"]["resourceVersion"]
    return Step(change.type, place, None if change.type == "BOOKMARK" else seen_of(change.object))


class View:
    """All objects of a watch, by key."""

    def __init__(self, wanted: Wanted) -> None:
        self._of = orjson.dumps([*wanted[:4], str(wanted.labels)]).decode()
        self._wanted = wanted
        self._held: dict[str, Held] = {}
        self.version = ""

    def restore(self, stored: bytes | None) -> bool:
        """Take up a cursor. False when there is none of these objects: everything is new then."""
        if stored is None:
            return False
        try:
            place = msgspec.json.decode(zlib.decompress(stored), type=Place)
        except (zlib.error, msgspec.MsgspecError):
            return False
        if place.of != self._of:
            return False
        self.version = place.version
        self._held = {key: Held(*found) for key, found in (place.known or {}).items()}
        return place.known is not None

    def cursor(self) -> bytes:
        known = {key: (held.uid, held.version) for key, held in self._held.items()}
        packed = zlib.compress(msgspec.json.encode(Place(self._of, self.version, known)), 1)
        if len(packed) > LARGEST:
            packed = zlib.compress(msgspec.json.encode(Place(self._of, self.version)), 1)
        return packed

    def fill(self, listed: Listed) -> None:
        """The objects as they were at the stored version, where no more than that was stored."""
        self._held = {}
        for obj in listed.objects:
            self._hold(seen_of(obj))
        self.version = listed.version

    def compare(self, listed: Listed) -> Iterator[Told]:
        """What must have happened since, in no order that anybody knows."""
        there = set()
        for obj in listed.objects:
            seen = seen_of(obj)
            there.add(seen.key)
            yield from self._met(seen)
        for key in [key for key in self._held if key not in there]:
            yield self._gone(key)
        self.version = listed.version

    def follow(self, step: Step) -> Iterator[Told]:
        """One entry of the watch."""
        seen = step.seen
        if seen is not None:
            if step.type != "DELETED":
                yield from self._met(seen)
            elif seen.key in self._held:
                yield self._gone(seen.key, seen.body)
        self.version = step.place

    def _met(self, seen: Seen) -> Iterator[Told]:
        old = self._held.get(seen.key)
        if old is not None and old.uid != seen.uid:  # another object of that name
            yield self._gone(seen.key)
            old = None
        if old is not None and old.version == seen.version:
            if old.body is None:
                self._hold(seen)
            return
        self._hold(seen)
        yield Told("ADD" if old is None else "UPDATE", *seen, None if old is None else old.body)

    def _hold(self, seen: Seen) -> None:
        self._held[seen.key] = Held(seen.uid, seen.version, seen.body)

    def _gone(self, key: str, last: bytes | None = None) -> Told:
        """`last`: as the server saw it last; without it as it was known, or only what names it."""
        held = self._held.pop(key)
        body = last or held.body or self._named(key, held)
        return Told("DELETE", key, held.uid, held.version, body)

    def _named(self, key: str, held: Held) -> bytes:
        namespace, _, name = key.rpartition("/")
        meta: dict[str, Any] = {"name": name, "uid": held.uid, "resourceVersion": held.version}
        if namespace:
            meta["namespace"] = namespace
        return orjson.dumps({"apiVersion": self._wanted.api_version, "metadata": meta})


def payload(told: Told, wanted: Wanted, metadata: bytes) -> bytes:
    """The event's data; `metadata` as `metadata_json` makes it."""
    place = orjson.dumps({"group": wanted.group, "version": wanted.version, "resource": wanted.resource})
    return b'{"type":"%b","body":%b,"oldBody":%b,%b%b}' % (
        told.type.encode(), told.body, told.old or b"null", place[1:-1], metadata,
    )  # fmt: skip


def batches(found: Iterable[Told], most: int) -> Iterator[list[Told]]:
    """In lists of so many."""
    batch: list[Told] = []
    for one in found:
        batch.append(one)
        if len(batch) == most:
            yield batch
            batch = []
    if batch:
        yield batch
