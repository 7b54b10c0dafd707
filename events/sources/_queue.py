"""What sources share that fetch from a queue or hear from a subscription: batches, and a buffer before emit.

store      a batch where the remote waits for its acknowledgement: what the bus cannot take is left out, told
malformed  a message that cannot become an event: it is counted and told
Buffer     messages of a remote that does not wait: bounded, what does not fit is dropped and counted
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence

from events.aio import backoff
from events.errors import Retryable, TooLarge
from events.sources._base import Emit, Payload, SourceContext

BATCH_MESSAGES, BATCH_BYTES = 256, 1 << 20
"""Most that goes into one `emit`; one message may be larger than the bytes."""

BUFFER_MESSAGES, BUFFER_BYTES = 10_000, 64 << 20


async def store(
    ctx: SourceContext, emit: Emit, payloads: Sequence[Payload], cursor: bytes | None = None
) -> dict[int, TooLarge]:
    """Emit a batch. Returns the payloads that the bus can never take, by index: they were told, not stored.

    All others are stored when it returns. Raises Retryable; nothing of the batch counts as stored then.
    """
    try:
        await emit(payloads, cursor)
        return {}
    except TooLarge as exc:
        if len(payloads) == 1:
            ctx.log.error("event source %s: dropped a message: %s", ctx.label, exc)
            await _move(emit, cursor)
            return {0: exc}
    return await _one_by_one(ctx, emit, payloads, cursor)


async def _one_by_one(
    ctx: SourceContext, emit: Emit, payloads: Sequence[Payload], cursor: bytes | None
) -> dict[int, TooLarge]:
    refused: dict[int, TooLarge] = {}
    for index, payload in enumerate(payloads):
        for error in (await store(ctx, emit, [payload])).values():
            refused[index] = error
    await _move(emit, cursor)
    return refused


async def _move(emit: Emit, cursor: bytes | None) -> None:
    if cursor is not None:
        await emit([], cursor)


def malformed(ctx: SourceContext, message: str, why: Exception) -> None:
    """Count and tell a message that cannot become an event; `message` names it. It is left out."""
    ctx.failed(1)
    ctx.log.warning("event source %s: dropped %s: %s", ctx.label, message, why)


class Buffer:
    """Between the callback of a client library and `emit`. One consumer (`run`); `put` never waits."""

    def __init__(
        self, ctx: SourceContext, messages: int = BUFFER_MESSAGES, size_bytes: int = BUFFER_BYTES
    ) -> None:
        self._ctx, self._messages, self._size_bytes = ctx, messages, size_bytes
        self._waiting: deque[Payload] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._full = False

    def put(self, payload: Payload) -> None:
        """Keep a message for `emit`; without room it is dropped, counted, and told once per jam."""
        size = len(payload.data)
        if len(self._waiting) >= self._messages or (self._waiting and self._bytes + size > self._size_bytes):
            self._drop()
            return
        self._waiting.append(payload)
        self._bytes += size
        self._some.set()

    def _drop(self) -> None:
        self._ctx.overflow(1)
        if not self._full:
            self._full = True
            self._ctx.log.warning(
                "event source %s: the bus is slow and %d messages wait: dropping what comes now",
                self._ctx.label, len(self._waiting),
            )  # fmt: skip

    async def run(self, emit: Emit) -> None:
        """Hand over what was put, in order, in batches. A bus that is away is waited for. Never ends."""
        while True:
            await self._some.wait()
            await self._store(emit, self._batch())
            self._full = False
            if not self._waiting:
                self._some.clear()

    def _batch(self) -> list[Payload]:
        batch: list[Payload] = []
        size = 0
        while self._waiting and len(batch) < BATCH_MESSAGES and size < BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1].data)
        self._bytes -= size
        return batch

    async def _store(self, emit: Emit, batch: Sequence[Payload]) -> None:
        attempt = 0
        while True:
            try:
                await store(self._ctx, emit, batch)
            except Retryable as exc:
                attempt += 1
                self._ctx.trouble(str(exc))
                await asyncio.sleep(backoff(attempt, random.random(), exc.after))  # noqa: S311 - jitter, not a secret
                continue
            if attempt:
                self._ctx.ready()
            return
