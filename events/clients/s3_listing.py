"""A bucket that is listed again and again: pages of objects, and which of them are new.

Library   aiobotocore (extra `aws`); any store that has ListObjectsV2
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple

from events.clients.aws import Account, translated
from events.clients.s3_records import Record, Wanted, made_record
from events.clients.s3_seen import KEPT, Listed, Seen

DEADLINE = 60.0
"""Seconds for one page."""

PAGE = 1000
"""Objects in one page: stores give no more."""

MOST_NEW = 50_000
"""Objects that one round finds: the oldest ones, the next round goes on."""


class Bucket(NamedTuple):
    """Which objects are looked at, and where."""

    account: Account
    wanted: Wanted

    def __str__(self) -> str:
        return f"S3 bucket {self.wanted.bucket!r} ({self.account.endpoint or self.account.region})"

    @property
    def scope(self) -> str:
        """Names the set of objects: what was seen of another one means nothing."""
        wanted = self.wanted
        return "\n".join((self.account.endpoint, wanted.bucket, wanted.prefix, wanted.suffix))


class Round(NamedTuple):
    """What one listing has shown."""

    new: list[Listed]
    """In the order in which they changed."""
    current: dict[bytes, int]
    """Identity -> changed_ms of the objects above the floor that are told."""
    more: Listed | None
    """The first of those that did not fit in `new`."""


async def pages(client: Any, bucket: Bucket) -> AsyncIterator[list[Listed]]:
    """The objects that are wanted, by key. Raises Retryable, Permanent."""
    wanted = bucket.wanted
    given = {"Bucket": wanted.bucket, "Prefix": wanted.prefix, "MaxKeys": PAGE}
    while True:
        with translated(str(bucket)):
            async with asyncio.timeout(DEADLINE):
                page = await client.list_objects_v2(**given)
        yield [listed(thing) for thing in page.get("Contents", []) if wanted.covers_key(thing["Key"])]
        if not page.get("IsTruncated"):
            return
        given["ContinuationToken"] = page["NextContinuationToken"]


def listed(thing: dict[str, Any]) -> Listed:
    changed = round(thing["LastModified"].timestamp() * 1000)
    return Listed(thing["Key"], thing.get("ETag", "").strip('"'), changed, thing.get("Size", 0))


async def look(client: Any, bucket: Bucket, seen: Seen, most: int = MOST_NEW) -> Round:
    """List once and find what is new."""
    new: list[Listed] = []
    current: dict[bytes, int] = {}
    more: Listed | None = None
    async for page in pages(client, bucket):
        for thing in page:
            if thing not in seen:
                new.append(thing)
            elif thing.changed_ms > seen.floor_ms:
                current[thing.identity] = thing.changed_ms
        if len(new) > 2 * most:
            more = cut(new, most, more)
    return Round(new, current, cut(new, most, more))


in_order = attrgetter("changed_ms", "key")


def cut(new: list[Listed], most: int, more: Listed | None) -> Listed | None:
    """Sort and shorten the list; the first of all that was ever cut off."""
    new.sort(key=in_order)
    left = [*new[most:], *([more] if more else [])]
    del new[most:]
    return min(left, key=in_order, default=None)


async def all_told(client: Any, bucket: Bucket, seen: Seen) -> None:
    """Take everything that is there now as told."""
    current: dict[bytes, int] = {}
    async for page in pages(client, bucket):
        current.update((thing.identity, thing.changed_ms) for thing in page)
        if len(current) > 4 * KEPT:
            seen.settle(current)
            current = {identity: at for identity, at in current.items() if at > seen.floor_ms}
    seen.settle(current)


def record_of(bucket: str, thing: Listed) -> Record:
    """What a notification would have said. An eTag with a dash is that of an upload in parts."""
    way = "CompleteMultipartUpload" if "-" in thing.etag else "Put"
    details = {"size": thing.size, "eTag": thing.etag}
    return made_record(bucket, thing.key, f"s3:ObjectCreated:{way}", time_text(thing.changed_ms), details)


def time_text(moment_ms: int) -> str:
    """As S3 writes it: 2026-07-18T12:57:49.000Z."""
    return (
        datetime.fromtimestamp(moment_ms / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
