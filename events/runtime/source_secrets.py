"""The secrets of one event source, with what it has read of them: a source that is down is tried again when
one of them is another.

A password is often changed at a server first and in its Secret a little later, and a Secret may be made after
the manifest that names it.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from events.errors import Permanent, Retryable

if TYPE_CHECKING:
    from events.clients.secrets import Ref, Secrets

LOOK = 10.0
"""Seconds between looks at the secrets of a source that is down."""


class SourceSecrets:
    """Reads as `Secrets` does. Keeps hashes, not values."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._seen: dict[Ref, bytes] = {}

    async def read(self, ref: Ref) -> str:
        self._seen[ref] = b""
        value = await self._secrets.read(ref)
        self._seen[ref] = hashed(value)
        return value

    async def changed(self) -> None:
        """Waits until one of those that were read has come, gone or changed."""
        while True:
            await asyncio.sleep(LOOK)
            for ref, seen in self._seen.items():
                if await self._now(ref, seen) != seen:
                    return

    async def _now(self, ref: Ref, seen: bytes) -> bytes:
        try:
            return hashed(await self._secrets.read(ref))
        except Permanent:
            return b""
        except Retryable:  # whoever keeps them is away
            return seen


def hashed(value: str) -> bytes:
    return hashlib.sha256(value.encode(errors="surrogateescape")).digest()
