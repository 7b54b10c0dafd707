"""What sources share that fetch from a queue or hear from a subscription: batches, and a buffer before emit.

store      a batch where the remote waits for its acknowledgement: what the bus cannot take is left out, told
insist     the same, waiting for a bus that is away
malformed  a message that cannot become an event: it is counted and told
Waiting    messages of a remote that waits: read no further while too many are not stored
Buffer     messages of a remote that does not wait: bounded, what does not fit is dropped and counted
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from events.aio import Group, backoff
from events.errors import Retryable, TooLarge
from events.sources._base import Emit, Payload, SourceContext

BATCH_MESSAGES, BATCH_BYTES = 256, 1 << 20
"""Most that goes into one `emit`; one message may be larger than the bytes."""

BUFFER_MESSAGES, BUFFER_BYTES = 10_000, 64 << 20

LAST_SECONDS = 1.5
"""How long a source that stops goes on handing over what waits."""


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
            ctx.log.error("event source %s: did not store a message: %s", ctx.label, exc)
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


async def insist(ctx: SourceContext, emit: Emit, payloads: Sequence[Payload]) -> dict[int, TooLarge]:
    """As `store`, and a bus that is away is waited for: giving the messages back would help nobody."""
    attempt = 0
    while True:
        try:
            refused = await store(ctx, emit, payloads)
        except Retryable as exc:
            attempt += 1
            ctx.trouble(str(exc))
            await asyncio.sleep(backoff(attempt, random.random(), exc.after))  # noqa: S311 - jitter, not a secret
            continue
        if attempt:
            ctx.ready()
        return refused


def malformed(ctx: SourceContext, message: str, why: Exception) -> None:
    """Count and tell a message that cannot become an event; `message` names it. It is left out."""
    ctx.failed(1)
    ctx.log.warning("event source %s: dropped %s: %s", ctx.label, message, why)


Item = TypeVar("Item")


class Waiting(Generic[Item]):
    """Between a reader and a storer. One consumer (`run`)."""

    def __init__(self, messages: int, size_bytes: int = BUFFER_BYTES) -> None:
        self._messages, self._size_bytes = messages, size_bytes
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = self._done = 0
        self._some, self._less = asyncio.Event(), asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    def room(self, size: int) -> bool:
        """Whether a message of so many bytes fits; one that is alone always does."""
        return not self._items or (
            len(self._items) < self._messages and self._bytes + size <= self._size_bytes
        )

    async def put(self, item: Item, size: int) -> None:
        """Waits for room."""
        while not self.room(size):
            self._less.clear()
            await self._less.wait()
        self.put_now(item, size)

    def put_now(self, item: Item, size: int) -> None:
        """Whether there is room or not: for a remote that knows when to stop."""
        self._items.append((item, size))
        self._bytes += size
        self._some.set()

    async def handled(self) -> None:
        """Waits until all that is there now was handled."""
        end = self._done + len(self._items)
        while self._done < end:
            self._less.clear()
            await self._less.wait()

    async def run(self, handle: Callable[[list[Item]], Awaitable[object]]) -> None:
        """Hand over what was put, in order, in batches. Never ends; raises what `handle` raises."""
        while True:
            await self._some.wait()
            batch = self._batch()
            await handle(batch)
            self._forget(len(batch))

    def _batch(self) -> list[Item]:
        """The next ones. They stay until they are handled, also when that is cancelled."""
        batch: list[Item] = []
        total = 0
        for item, size in self._items:
            if len(batch) == BATCH_MESSAGES or total >= BATCH_BYTES:
                break
            batch.append(item)
            total += size
        return batch

    def _forget(self, count: int) -> None:
        self._bytes -= sum(self._items.popleft()[1] for _ in range(count))
        self._done += count
        if not self._items:
            self._some.clear()
        self._less.set()


class Buffer:
    """Between the callback of a client library and `emit`. One consumer (`run`); `put` never waits."""

    def __init__(
        self, ctx: SourceContext, messages: int = BUFFER_MESSAGES, size_bytes: int = BUFFER_BYTES
    ) -> None:
        self._ctx = ctx
        self._waiting: Waiting[Payload] = Waiting(messages, size_bytes)
        self._full = False

    def put(self, payload: Payload) -> None:
        """Keep a message for `emit`; without room it is dropped, counted, and told once per jam."""
        size = len(payload.data)
        if self._waiting.room(size):
            self._waiting.put_now(payload, size)
        else:
            self._drop()

    def _drop(self) -> None:
        self._ctx.overflow(1)
        if not self._full:
            self._full = True
            self._ctx.log.warning(
                "event source %s: the bus is slow and %d messages wait: dropping what comes now",
                self._ctx.label, len(self._waiting),
            )  # fmt: skip

    async def run(self, emit: Emit) -> None:
        """Hand over what was put, in order, in batches. A bus that is away is waited for.

        Ends by cancellation only, after what waits then: the remote side has forgotten it. No batch is cut
        off in the middle: it would be stored twice. What the bus does not take within LAST_SECONDS stays.
        """

        async def handle(batch: list[Payload]) -> None:
            await insist(self._ctx, emit, batch)
            self._full = False

        tasks = Group(lambda *_: None)  # raised below
        work = tasks.start("hand over", self._waiting.run(handle))
        try:
            await asyncio.wait([work])
            work.result()
        finally:
            if not work.done():
                with suppress(TimeoutError):
                    async with asyncio.timeout(LAST_SECONDS):
                        await self._waiting.handled()
            await tasks.aclose()
