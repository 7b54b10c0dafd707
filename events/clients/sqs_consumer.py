"""Reads one SQS queue: what happens between the receive of a message and its delete.

Order      a message is deleted only after `store` returned for what was read from it
Busy       a full page starts one more receiver, up to RECEIVERS; an empty one ends all but the last
Slow bus   messages in hand are hidden again before others would get them; no more than RECEIVERS pages are in
           hand, so a bus that makes us wait stops the reading
Bus away   is for `store` to wait out: a redelivery would count towards the redrive policy of the queue
Too large  for the bus: the message stays, for the redrive policy
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from events.aio import Group, backoff
from events.clients.sqs import PAGE, Left, Message, Queue, pages
from events.errors import EventsError, Permanent, Retryable

if TYPE_CHECKING:
    import logging

VISIBILITY = 30
"""Seconds for which a message is hidden, again and again while it is in hand; after a crash it comes back so
soon. Upstream hides it for 120 s, once."""

RECEIVERS = 8
"""Pages in hand at most."""

DELETES = 3
"""How often a delete that SQS did not make is tried."""

LAST_POLL = 3.2
"""Seconds that receives under way get at the end: SQS gives messages also to one who has hung up."""

RELEASED_WITHIN = 1.0
"""Seconds in which messages in hand are given back at the end."""

REMEMBERED = 10_000
"""Ids of messages that are stored and could not be deleted."""

P = TypeVar("P")


class Malformed(Exception):
    """A message that cannot be read; the text says why."""


class Told(Protocol):
    """What of a SourceContext is needed here."""

    @property
    def failed(self) -> Callable[[int], None]: ...
    @property
    def log(self) -> logging.Logger: ...
    @property
    def label(self) -> str: ...


class Read(NamedTuple, Generic[P]):
    """A message and the events in it."""

    message: Message
    events: Sequence[P]


class Rules(NamedTuple):
    """`drop_malformed`: messages that cannot be read are deleted; else they stay, for the redrive policy."""

    drop_malformed: bool
    visibility: int = VISIBILITY


class Consumer(Generic[P]):
    """One run over a queue. `undeleted` outlives it: ids that the bus has and the queue still has too."""

    def __init__(
        self,
        queue: Queue,
        read: Callable[[Message], Sequence[P]],
        store: Callable[[Sequence[P]], Awaitable[Collection[int]]],
        told: Told,
        rules: Rules,
        undeleted: dict[str, None],
    ) -> None:
        """`read` raises Malformed; `store` gives the indexes of what the bus can never take."""
        self._queue, self._read, self._store, self._told = queue, read, store, told
        self._rules, self._undeleted = rules, undeleted
        self._in_hand: dict[str, tuple[Message, float]] = {}
        self._receivers = 0

    async def run(self) -> None:
        """Until cancelled. Raises Retryable, Permanent; messages in hand are given back."""
        failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def failed(_: str, error: BaseException) -> None:
            if not failure.done():
                failure.set_exception(error)

        self._tasks, self._polls = Group(failed), Group(failed)
        try:
            self._tasks.start("hide", self._keep_hidden())
            self._start_receiver()
            await failure
        finally:
            await self._tasks.aclose()
            await self._polls.finish(LAST_POLL)
            await self._release()

    # receiving

    def _start_receiver(self) -> None:
        self._receivers += 1
        self._tasks.start(f"receive/{self._receivers}", self._receive())

    async def _receive(self) -> None:
        while True:
            page = await asyncio.shield(self._polls.start("poll", self._poll()))
            if page:
                if len(page) == PAGE and self._receivers < RECEIVERS:
                    self._start_receiver()
                await self._handle(page)
            elif self._receivers > 1:
                self._receivers -= 1
                return

    async def _poll(self) -> list[Message]:
        page = await self._queue.receive(self._rules.visibility)
        now = asyncio.get_running_loop().time()
        self._in_hand.update({message["ReceiptHandle"]: (message, now) for message in page})
        return page

    async def _handle(self, page: list[Message]) -> None:
        known = [message for message in page if message["MessageId"] in self._undeleted]
        read, dropped = self._read_all([message for message in page if message not in known])
        stored = await self._store_all(read)
        await self._delete([*known, *dropped, *stored])
        for message in page:
            self._in_hand.pop(message["ReceiptHandle"], None)

    def _read_all(self, messages: list[Message]) -> tuple[list[Read[P]], list[Message]]:
        """What could be read, and what is to be deleted unread."""
        read, dropped = [], []
        for message in messages:
            try:
                read.append(Read(message, self._read(message)))
            except Malformed as exc:
                self._told.failed(1)
                drop = self._rules.drop_malformed
                self._warn(
                    "message %s %s; it %s", message, exc, "is deleted" if drop else "stays in the queue"
                )
                dropped += [message] if drop else []
        return read, dropped

    async def _store_all(self, read: list[Read[P]]) -> list[Message]:
        """The messages that the bus has now: all but those too large for it."""
        events = [(number, event) for number, one in enumerate(read) for event in one.events]
        refused = await self._store([event for _, event in events]) if events else ()
        kept = {events[index][0] for index in refused}
        for number in kept:
            self._warn("message %s stays in the queue", read[number].message)
        return [one.message for number, one in enumerate(read) if number not in kept]

    # deleting

    async def _delete(self, messages: list[Message]) -> None:
        """What cannot be deleted is remembered: it comes again, and is not stored a second time."""
        self._undeleted.update(dict.fromkeys(message["MessageId"] for message in messages))
        left: list[Left] = []
        for attempt in range(1, DELETES + 1):
            left = [one for page in pages(messages) for one in await self._queue.delete(page)]
            kept = {one.message["MessageId"] for one in left}
            for message in messages:
                if message["MessageId"] not in kept:
                    self._undeleted.pop(message["MessageId"], None)
            if not left or attempt == DELETES:
                break
            messages = [one.message for one in left]
            await asyncio.sleep(backoff(attempt, 0.0))
        for message, reason in left:
            self._warn("message %s is stored and could not be deleted: %s", message, reason)
        while len(self._undeleted) > REMEMBERED:
            del self._undeleted[next(iter(self._undeleted))]

    # visibility

    async def _keep_hidden(self) -> None:
        tick = self._rules.visibility / 3
        while True:
            await asyncio.sleep(tick)
            old = asyncio.get_running_loop().time() - tick / 2
            try:
                await self._hide([message for message, since in self._in_hand.values() if since <= old])
            except Retryable as exc:
                self._told.log.warning("event source %s: %s", self._told.label, exc)
            except Permanent as exc:  # a policy that is enough for upstream's source allows no such thing
                said = "event source %s: messages may come again while the bus is slow: %s"
                self._told.log.warning(said, self._told.label, exc)
                return

    async def _hide(self, messages: list[Message]) -> None:
        for page in pages(messages):
            for message, reason in await self._queue.hide(page, self._rules.visibility):
                if message["ReceiptHandle"] in self._in_hand:
                    self._warn("message %s may come again: it could not be hidden: %s", message, reason)

    async def _release(self) -> None:
        """Give back what was not stored, so that nobody has to wait for it. Best effort."""
        messages = [message for message, _ in self._in_hand.values()]
        try:
            async with asyncio.timeout(RELEASED_WITHIN):
                for page in pages(messages):
                    await self._queue.hide(page, 0)
        except (EventsError, TimeoutError) as exc:
            said = "event source %s: messages in hand come back in %d s: %s"
            self._told.log.warning(said, self._told.label, self._rules.visibility, exc)

    def _warn(self, text: str, message: Message, *values: object) -> None:
        said = text % (message["MessageId"], *values)
        self._told.log.warning("event source %s: %s", self._told.label, said)
