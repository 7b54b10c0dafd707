"""Kubernetes objects without Kubernetes: a store in the data folder with the manners of the API server.

Names, labels and conflicts are checked as the API server does; nothing acts on the objects.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from events.clients.sqlite import Faults, Insert, connect, owned
from events.clients.sqlite_threads import Writer
from events.errors import Damaged, EventsError
from events.kube._base import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    Account,
    Change,
    Conflict,
    Expired,
    Invalid,
    Listed,
    NotFound,
    Object,
    Ref,
    Wanted,
)
from events.kube.edits import json_patch, merge_patch
from events.kube.kinds import names, namespaced, resource_name
from events.kube.names import check_object

WAITING_LIMIT = 64 << 20
"""Bytes of objects that may wait to be stored."""

HISTORY = 1000
"""Changes that are kept for those who follow; who is further behind has to read again (Expired)."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  kind TEXT NOT NULL, api_group TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (kind, api_group, namespace, name)
) STRICT, WITHOUT ROWID
"""
VERSION = 1
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What the API server makes generated names of: no vowels, no look-alikes."""

Found = list[Object]
Key = tuple[str, str, str, str]
"""(kind, API group, namespace or "", name)"""


def key_of(obj: Object) -> Key:
    meta = obj["metadata"]
    return obj["kind"], group_of(obj["apiVersion"]), meta.get("namespace") or "", meta["name"]


def group_of(api_version: str) -> str:
    return api_version.partition("/")[0] if "/" in api_version else ""


def key_of_ref(ref: Ref) -> Key:
    return ref.kind, group_of(ref.api_version), ref.namespace or "", ref.name


class Table:
    """What the writer's thread does: put and delete rows."""

    put = Insert("objects", 5, "ON CONFLICT DO UPDATE SET body = excluded.body")

    def apply(self, db: sqlite3.Connection, items: list[Any], then: list[Callable[[], None]]) -> list[Any]:
        """Items are (key, body or None); the last one of a key wins."""
        newest: dict[Key, bytes | None] = dict(items)
        db.execute("BEGIN IMMEDIATE")
        self.put(db, [(*key, body) for key, body in newest.items() if body is not None])
        for key, body in newest.items():
            if body is None:
                db.execute(
                    "DELETE FROM objects WHERE kind = ? AND api_group = ? AND namespace = ? AND name = ?", key
                )
        db.execute("COMMIT")
        return [None] * len(items)

    def undo(self, db: sqlite3.Connection) -> None:
        return

    def rest(self, db: sqlite3.Connection) -> bool:
        return False


class LocalObjects:
    """The objects of one data folder. Reads are answered from memory, writes return when they are durable."""

    def __init__(self, path: Path, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._path, self._now_ns = path, now_ns
        self._objects: dict[Key, Object] = {}
        self._version = 0
        self._history: deque[Change] = deque(maxlen=HISTORY)
        self._told = 0
        self._changed = asyncio.Event()
        self._life = uuid.uuid4().hex[:8]
        """Versions of another life of the store say nothing: what was deleted then is not known."""
        self._faults = Faults(path)

    async def open(self) -> None:
        """Read what is there. Raises Damaged, Permanent (another process has it), Retryable."""
        found: list[bytes] = []
        self._writer = Writer("objects", lambda: self._session(found), Table(), self._faults, WAITING_LIMIT)
        await self._writer.open()
        for body in found:
            self._adopt(body)

    def _adopt(self, body: bytes) -> None:
        try:
            obj = orjson.loads(body)
            self._objects[key_of(obj)] = obj
            self._version = max(self._version, int(obj["metadata"]["resourceVersion"]))
        except (ValueError, KeyError, TypeError) as exc:
            raise Damaged(f"{self._path} holds an object that cannot be read: {exc!r}") from exc

    @contextmanager
    def _session(self, found: list[bytes]) -> Iterator[sqlite3.Connection]:
        """In the writer's thread."""
        with owned(self._path):
            self._path.touch(mode=0o600)
            with closing(connect(self._path)) as db:
                db.execute("PRAGMA journal_mode=WAL")
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version not in {0, VERSION}:
                    raise Damaged(f"{self._path} was written by a newer version (format {version})")
                db.execute(SCHEMA)
                db.execute(f"PRAGMA user_version={VERSION}")
                found.extend(row[0] for row in db.execute("SELECT body FROM objects"))
                yield db
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    async def aclose(self) -> None:
        await self._writer.aclose()

    async def create(self, obj: Object, namespace: str) -> Object:
        obj = self._filled(obj, namespace)
        check_object(obj)
        key = key_of(obj)
        if key in self._objects:
            raise Conflict(f"{kind_and_name(key)} already exists")
        meta = obj["metadata"]
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = datetime.fromtimestamp(self._now_ns() / 1e9, UTC).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )
        meta["generation"] = 1
        return await self._store(key, obj, "ADDED")

    def _filled(self, obj: Object, namespace: str) -> Object:
        """A copy with its own metadata, its namespace and its name. Raises Invalid."""
        meta = obj.get("metadata") or {}
        if not isinstance(meta, dict):
            raise Invalid("metadata is not a map")
        meta = dict(meta)
        if namespaced(str(obj.get("kind")), str(obj.get("apiVersion"))):
            meta["namespace"] = meta.get("namespace") or namespace
        else:
            meta.pop("namespace", None)
        if not meta.get("name") and isinstance(meta.get("generateName"), str):
            suffix = "".join(random.choice(ALPHABET) for _ in range(5))  # noqa: S311 - a name, not a secret
            meta["name"] = meta["generateName"][:248] + suffix
        return {**obj, "metadata": meta}

    async def _store(self, key: Key, obj: Object, change: str) -> Object:
        """Visible at once, so that equal names meet; taken back if it cannot be made durable."""
        before = self._objects.get(key)
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        self._objects[key] = obj
        body = orjson.dumps(obj)
        try:
            await self._writer.submit((key, body), len(body))
        except EventsError:
            if self._objects.get(key) is obj:
                if before is None:
                    del self._objects[key]
                else:
                    self._objects[key] = before
            raise
        self._tell(Change(change, obj))
        return obj

    def _tell(self, change: Change) -> None:
        self._told += 1
        self._history.append(change)
        self._changed.set()
        self._changed = asyncio.Event()

    async def get(self, ref: Ref) -> Object | None:
        return self._objects.get(key_of_ref(ref))

    async def list(
        self, api_version: str, kind: str, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> list[Object]:
        wanted = (labels or {}).items()
        return [
            obj
            for key, obj in sorted(self._objects.items(), key=lambda item: item[0])
            if key[:2] == (kind, group_of(api_version))
            and namespace in {None, key[2]}
            and wanted <= (obj["metadata"].get("labels") or {}).items()
        ]

    async def find(self, kind: str | None, namespace: str | None) -> Found:
        """Objects by what a user calls their kind (None: all), the oldest first."""
        found = [
            obj
            for key, obj in self._objects.items()
            if (kind is None or kind in names(key[0]) or kind.lower() in names(key[0]))
            and namespace in {None, key[2]}
        ]
        return sorted(
            found,
            key=lambda obj: (obj["metadata"]["creationTimestamp"], int(obj["metadata"]["resourceVersion"])),
        )

    async def update(self, obj: Object) -> Object:
        check_object(obj)
        key = key_of(obj)
        old = self._objects.get(key)
        if old is None:
            raise NotFound(f"{kind_and_name(key)} not found")
        version = obj["metadata"].get("resourceVersion")
        unchanged(key, old, version)
        return await self._replace(key, old, obj)

    async def _replace(self, key: Key, old: Object, new: Object) -> Object:
        kept = {field: old["metadata"][field] for field in ("uid", "creationTimestamp")}
        generation = old["metadata"].get("generation", 1) + (new.get("spec") != old.get("spec"))
        meta = {**new["metadata"], **kept, "generation": generation}
        return await self._store(key, {**new, "metadata": meta}, "MODIFIED")

    async def patch(self, ref: Ref, body: Any, strategy: str = MERGE_PATCH) -> Object:
        """Strategic merges are made as plain merges here: lists are replaced."""
        key = key_of_ref(ref)
        old = self._objects.get(key)
        if old is None:
            if strategy == APPLY_PATCH and isinstance(body, dict):
                return await self.create(body, ref.namespace or "")
            raise NotFound(f"{ref} not found")
        if strategy == JSON_PATCH:
            if not isinstance(body, list):
                raise Invalid("a JSON patch is a list of operations")
            new = json_patch(body, old)
        elif isinstance(body, dict):
            new = merge_patch(body, old)
        else:
            raise Invalid("a merge patch is an object")
        check_object(new)
        unchanged(key, old, new["metadata"].get("resourceVersion"))
        if key_of(new) != key:
            raise Invalid(f"{ref}: a patch cannot change the name")
        return await self._replace(key, old, new)

    async def apply(self, obj: Object, namespace: str) -> Object:
        """Create, or replace what is there (objects of manifests). Raises Invalid."""
        filled = self._filled(obj, namespace)
        check_object(filled)
        old = self._objects.get(key_of(filled))
        if old is None:
            return await self.create(filled, namespace)
        if content(old) == content(filled):
            return old
        return await self._replace(key_of(filled), old, filled)

    async def delete(self, ref: Ref) -> bool:
        key = key_of_ref(ref)
        old = self._objects.get(key)
        if old is None:
            return False
        del self._objects[key]  # before it is durable, so that nobody changes it meanwhile
        try:
            await self._writer.submit((key, None))
        except EventsError:
            self._objects.setdefault(key, old)
            raise
        self._tell(Change("DELETED", old))
        return True

    async def read(self, wanted: Wanted, at: str | None = None) -> Listed:
        """Only the newest version can be read."""
        if at not in {None, self._now()}:
            raise Expired(f"version {at} is not kept")
        found = [obj for key, obj in self._objects.items() if selected(wanted, key, obj)]
        return Listed(found, self._now())

    def _now(self) -> str:
        return f"{self._life}.{self._told}"

    async def follow(self, wanted: Wanted, version: str) -> AsyncIterator[Change]:
        place = self._place(version)
        while True:
            changed, behind = self._changed, self._told - place
            if behind > len(self._history):
                raise Expired(f"the watch of {wanted} fell behind")
            news = list(islice(reversed(self._history), behind))
            for change in reversed(news):
                place += 1
                if selected(wanted, key_of(change.object), change.object):
                    yield change._replace(place=f"{self._life}.{place}")
            if not news:
                await changed.wait()

    def _place(self, version: str) -> int:
        life, _, number = version.partition(".")
        if life != self._life:
            raise Expired(f"version {version} is not kept")
        return int(number)

    def acting_as(self, account: Account) -> LocalObjects:
        """Nobody has fewer rights than another here."""
        return self


def selected(wanted: Wanted, key: Key, obj: Object) -> bool:
    """Kinds have the resource names that the English plural gives: nothing here knows others."""
    kind, group, namespace, _ = key
    return (
        (resource_name(kind), group) == (wanted.resource, wanted.group)
        and wanted.namespace in {None, namespace}
        and wanted.labels.met(obj["metadata"].get("labels") or {})
    )


def kind_and_name(key: Key) -> str:
    return "/".join(part for part in (key[0], key[2], key[3]) if part)


def unchanged(key: Key, stored: Object, version: object) -> None:
    """Raises Conflict when another version than the stored one was meant."""
    if version and version != stored["metadata"]["resourceVersion"]:
        raise Conflict(f"{kind_and_name(key)} was changed in the meantime")


def content(obj: Object) -> tuple[Object, Any, Any]:
    """What a manifest says: everything but status and what the store fills in."""
    meta = obj["metadata"]
    body = {field: value for field, value in obj.items() if field not in {"metadata", "status"}}
    return body, meta.get("labels") or {}, meta.get("annotations") or {}
