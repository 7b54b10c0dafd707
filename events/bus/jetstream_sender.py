"""Messages on their way into streams: sent without waiting, answered in any order, some of them as one step.

Batches     several messages are one atomic batch (ADR-50): stored all or none. Its messages leave in one go,
            so a connection never has two unfinished batches
In flight   bounded by messages and bytes: who sends more waits
Silence     an answer that does not come within TIMEOUT, or a lost connection, is BusUnavailable; whether the
            message was stored is not known then. A server whose disk is full says nothing else (2.15)
Refusal     a subject that we may not publish to is not answered either; the server tells that by itself
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Sequence

from msgspec import DecodeError

from events.bus.jetstream_api import TIMEOUT, Ack, Api, ApiFault, Fault, decode_ack
from events.bus.jetstream_wire import Message
from events.errors import BusUnavailable, Refused

MAX_BATCH = 1000
"""Messages of one batch (limit of the server)."""

IN_FLIGHT = 4096
IN_FLIGHT_BYTES = 16 << 20
SWEEP = 0.5
"""Seconds between looks for answers that are overdue."""


class Waiting:
    """One answer that is waited for."""

    __slots__ = ("bytes", "future", "sent", "subject")

    def __init__(self, future: asyncio.Future[Ack], subject: str, size: int, sent: float) -> None:
        self.future, self.subject, self.bytes, self.sent = future, subject, size, sent


class Sender:
    """Sends over one connection. `run` has to be running."""

    def __init__(self, api: Api) -> None:
        self._api, self._link = api, api.link
        self._inbox = f"_INBOX.{secrets.token_hex(11)}."
        self._prefix = self._inbox.encode()
        self._cut = len(self._inbox)
        self._numbers = itertools.count()
        self._waiting: dict[int, Waiting] = {}
        self._bytes = 0
        self._room: asyncio.Event = asyncio.Event()
        self._room.set()
        self._loop = asyncio.get_running_loop()
        self.swallowed = 0
        """Bytes of the largest message that was not answered since somebody looked."""
        self.denied: set[str] = set()
        """Subjects that we were not allowed to publish to."""

    async def open(self) -> None:
        await self._link.listen(f"{self._inbox}*", self._on_answer)

    async def run(self) -> None:
        """Fail what is overdue or was refused. Until cancelled."""
        while True:
            await asyncio.sleep(SWEEP)
            if self._link.refusals:
                self._sort_out()
            limit = self._loop.time() - TIMEOUT
            oldest = list(itertools.islice(self._waiting.items(), IN_FLIGHT))
            for number, one in oldest:
                if one.sent < limit:
                    self.swallowed = max(self.swallowed, one.bytes)
                    self._settle(number, self._silence())

    def _sort_out(self) -> None:
        """What the server has refused is not answered any more."""
        for number, one in list(self._waiting.items()):
            at, why = self._link.refusals.get(one.subject.lower(), (0.0, None))
            if why is not None and at >= one.sent:
                self.denied.add(one.subject)
                self._api.trouble = str(why)
                self._settle(number, Refused(str(why)))

    def fail(self, error: BusUnavailable) -> None:
        """The connection is gone: nothing will be answered any more."""
        for number in list(self._waiting):
            self._settle(number, error)

    # sending

    async def room(self) -> None:
        """Wait until less than the bound is under way."""
        while not self._room.is_set():
            await self._room.wait()

    async def send(self, message: Message) -> Ack:
        """One message, within the bound. Raises Fault, BusUnavailable."""
        if not self._room.is_set():
            await self.room()
        return await self.put(message)

    def put(self, message: Message) -> asyncio.Future[Ack]:
        """Sent; the future has the answer. Raises BusUnavailable: nothing was sent."""
        number = next(self._numbers)
        head, data = message.head, message.data
        size = len(head) + 2
        total = size + len(data)
        self._write(
            b"HPUB %b %b%d %d %d\r\n%b\r\n%b\r\n"
            % (message.subject.encode(), self._prefix, number, size, total, head, data)
        )
        return self._expect(number, message.subject, total)

    async def batch(self, messages: Sequence[Message]) -> Ack:
        """All or none, at most MAX_BATCH of them. Raises Fault, BusUnavailable."""
        await self.room()
        number = next(self._numbers)
        name = secrets.token_hex(12).encode()
        last = len(messages)
        lines, size = list[bytes](), 0
        for place, message in enumerate(messages, 1):
            commit = b"Nats-Batch-Commit: 1\r\n" if place == last else b""
            head = b"%bNats-Batch-Id: %b\r\nNats-Batch-Sequence: %d\r\n%b\r\n" % (
                message.head, name, place, commit,
            )  # fmt: skip
            reply = b"%b%d " % (self._prefix, number) if place in (1, last) else b""
            total = len(head) + len(message.data)
            lines.append(
                b"HPUB %b %b%d %d\r\n%b%b\r\n"
                % (message.subject.encode(), reply, len(head), total, head, message.data)
            )
            size += total
        self._write(b"".join(lines))
        return await self._expect(number, messages[-1].subject, size)

    def _write(self, command: bytes) -> None:
        if not self._link.up:
            raise self._api.down()
        self._link.write(command)

    def _expect(self, number: int, subject: str, size: int) -> asyncio.Future[Ack]:
        future: asyncio.Future[Ack] = self._loop.create_future()
        self._waiting[number] = Waiting(future, subject, size, self._loop.time())
        self._bytes += size
        if len(self._waiting) >= IN_FLIGHT or self._bytes >= IN_FLIGHT_BYTES:
            self._room.clear()
        return future

    # answers

    def _on_answer(self, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        try:
            number = int(subject[self._cut :])
        except ValueError:
            return
        if not data:
            if headers is not None and headers.startswith(b"NATS/1.0 503"):
                self._settle(number, self._nobody())
            return  # the first message of a batch was taken
        try:
            ack = decode_ack(data)
        except DecodeError as exc:
            self._settle(number, Fault(ApiFault(500, 0, f"an answer that cannot be read: {exc}")))
            return
        self._settle(number, ack if ack.error is None else Fault(ack.error))

    def _settle(self, number: int, result: Ack | Exception) -> None:
        one = self._waiting.pop(number, None)
        if one is None:
            return
        self._bytes -= one.bytes
        if not self._room.is_set() and len(self._waiting) < IN_FLIGHT and self._bytes < IN_FLIGHT_BYTES:
            self._room.set()
        if one.future.done():
            return
        if isinstance(result, Ack):
            one.future.set_result(result)
        else:
            one.future.set_exception(result)
            one.future.exception()  # seen: whoever sent it may have been cancelled

    def _silence(self) -> BusUnavailable:
        where = self._link.servers.shown
        told = f"{where} does not answer within {TIMEOUT:g} s: is its disk full? its log says more"
        self._api.trouble = f"{self._api.name}: {told}"
        return BusUnavailable(self._api.trouble)

    def _nobody(self) -> BusUnavailable:
        where = self._link.servers.shown
        self._api.trouble = f"{self._api.name}: no stream of {where} takes this now"
        return BusUnavailable(self._api.trouble)
