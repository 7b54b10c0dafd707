"""A consumer of a stream that is asked for many messages at a time, and never acknowledges.

Place     nothing is kept on the server: whoever reads knows its place, and makes a new consumer there when
          this one is gone, or when one of its messages did not arrive (they are numbered)
Bounds    at most two requests wait at the server, each for BATCH messages and a budget of bytes
Leftovers a consumer that nobody asks vanishes after IDLE seconds
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from typing import Any, NamedTuple

import orjson

from events.bus.jetstream_api import Api
from events.clients.nats import translated
from events.errors import BusUnavailable, Retryable

BATCH = 1000
BUDGET = 4 << 20
EXPIRES = 30.0
IDLE = 60.0
NS = 10**9


class Pulled(NamedTuple):
    """One message. `number` counts those of the consumer, `pending` those that follow it now."""

    subject: bytes
    headers: bytes | None
    data: bytes
    seq: int
    number: int
    stored_ns: int
    pending: int


class Puller:
    """One consumer. `lost` says that it has to be replaced, and `reason` why."""

    def __init__(self, api: Api, stream: str, config: dict[str, Any], max_payload: int) -> None:
        self._api, self._stream = api, stream
        self.name = f"reader-{secrets.token_hex(8)}"
        self._config = config
        self._budget = max(BUDGET, 2 * max_payload)
        self._inbox = f"_INBOX.{secrets.token_hex(11)}"
        self._subscription: Any = None
        self._asked = 0
        """Messages that may still come for the requests so far."""
        self.waiting: deque[Pulled] = deque()
        self._bytes = 0
        self.received = 0
        """The number of the newest message."""
        self.ended = False
        """The last request that was not to wait has been answered whole."""
        self.lost = False
        self.reason = ""
        self._wake: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Make the consumer. Raises BusUnavailable, Permanent."""
        try:
            self._subscription = await self._api.link.listen(self._inbox, self._on_message)
        except Retryable as exc:
            raise BusUnavailable(str(exc)) from exc
        config = {
            "name": self.name, "ack_policy": "none", "replay_policy": "instant", "mem_storage": True,
            "num_replicas": 1, "inactive_threshold": round(IDLE * NS), **self._config,
        }  # fmt: skip
        body = {"stream_name": self._stream, "config": config, "action": "create"}
        await self._api.done(f"CONSUMER.CREATE.{self._stream}.{self.name}", body)

    def ask(self, *, wait: bool = True) -> None:
        """Ask for more if there is room. Raises BusUnavailable."""
        if self.lost or self._asked > BATCH // 2 or self._bytes > self._budget or len(self.waiting) > BATCH:
            return
        request: dict[str, Any] = {"batch": BATCH, "max_bytes": self._budget}
        if wait:
            request["expires"] = round(EXPIRES * NS)
        else:
            request["no_wait"] = True
        self._asked += BATCH
        self.ended = False
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self.name} {self._inbox}"
        body = orjson.dumps(request)
        if not self._api.link.up:
            raise self._api.down()
        self._api.link.write(b"PUB %b %d\r\n%b\r\n" % (subject.encode(), len(body), body))

    async def info(self) -> dict[str, Any] | None:
        """What the server knows of the consumer; None: it is gone."""
        return await self._api.maybe(f"CONSUMER.INFO.{self._stream}.{self.name}")

    async def wait(self, seconds: float) -> None:
        """Until something happens, or for so long."""
        if self.waiting or self.lost or self.ended:
            return
        loop = asyncio.get_running_loop()
        wake = self._wake = loop.create_future()
        timer = loop.call_later(seconds, self.wake)
        try:
            await wake
        finally:
            timer.cancel()

    def wake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def taken(self, messages: list[Pulled]) -> None:
        """These were handed on: their room is free."""
        self._bytes -= sum(len(one.data) for one in messages)

    def lose(self, reason: str) -> None:
        self.lost, self.reason = True, self.reason or reason
        self.wake()

    async def aclose(self) -> None:
        """Remove it; what cannot be removed now vanishes by itself."""
        self.lost = True
        if self._subscription is None or not self._api.link.up:
            return
        try:
            with translated(self._api.name, self._api.link.servers):
                await self._subscription.unsubscribe()
            subject = f"$JS.API.CONSUMER.DELETE.{self._stream}.{self.name}"
            self._api.link.write(b"PUB %b 0\r\n\r\n" % subject.encode())
        except Retryable:
            return

    # what comes

    def _on_message(self, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        if not reply.startswith(b"$JS.ACK."):
            if headers is not None:
                self._on_status(headers)
            return
        parts = reply.split(b".")
        at = 5 if len(parts) == 9 else 7  # with the domain and account of newer servers
        number = int(parts[at + 1])
        if number != self.received + 1:
            self.lose("messages were lost on the way")
            return
        self.received = number
        self._asked -= 1
        self._bytes += len(data)
        self.waiting.append(
            Pulled(subject, headers, data, int(parts[at]), number, int(parts[at + 2]), int(parts[at + 3]))
        )
        if self._wake is not None:
            self.wake()

    def _on_status(self, headers: bytes) -> None:
        """A request ended without all its messages, or the consumer did (ADR-13)."""
        status, text = headers[9:12], headers[12 : headers.find(b"\r\n")].decode(errors="replace").strip()
        if status == b"100":
            return
        if status in (b"404", b"408") or (status == b"409" and "max" in text.lower()):
            self._asked = max(0, self._asked - left(headers))
            self.ended = self._asked == 0
        elif status == b"409" and "deleted" not in text.lower():
            self._asked = 0  # leadership change, server shutdown: ask again
        else:
            self.lose(f"the server gave it up: {text or status.decode()}")
        self.wake()


def left(headers: bytes) -> int:
    """How many messages of the request will not come. Without the header: none of those that are missing."""
    _, found, rest = headers.partition(b"Nats-Pending-Messages: ")
    return int(rest.partition(b"\r\n")[0]) if found else BATCH
