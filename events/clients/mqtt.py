"""A subscriber's connection to an MQTT 3.1.1 broker: login, TLS, acknowledgement by hand, errors as ours.

Own protocol code: paho (and aiomqtt over it) sends PUBREC before the program has seen the message, so a
message of QoS 2 is lost when the process ends then; it connects in a thread, and reads on without limit
while the program is slow. Here nothing is acknowledged or read that was not asked for.

Reconnects  none here: a lost connection is Retryable, and whoever holds it starts anew
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from events.clients import mqtt_packets as packets
from events.clients.http import Sessions
from events.clients.mqtt_broker import LARGEST, Broker, Link, linked
from events.clients.mqtt_packets import Malformed, Message
from events.clients.secrets import Secrets
from events.clients.streams import translated as network
from events.errors import Permanent, Retryable

KEEP_ALIVE = 15
"""Seconds between pings. After twice as long without a packet the connection counts as lost."""

ANSWER = 10.0
"""Seconds for the answer to a login."""

REFUSALS = {
    1: "the broker does not speak MQTT 3.1.1",
    2: "the broker does not take this clientId",
    4: "login refused: check username and password in auth",
    5: "not authorized: check auth, or what the broker allows this user and clientId",
}
UNAVAILABLE = 3

REFUSED = bytes((packets.REFUSED,))


class Connection:
    """Logged in. One task receives; others may acknowledge meanwhile."""

    def __init__(self, link: Link, broker: Broker) -> None:
        self._link, self._broker = link, broker
        self._topic = ""
        self._granted: Callable[[], None] = lambda: None
        self.resumed = False
        """The broker goes on with the session of an earlier connection, and what was subscribed to in it."""

    async def login(self, login: tuple[str, str] | None) -> None:
        """Raises Retryable, Permanent."""
        broker = self._broker
        with translated(broker.place):
            await self._send(packets.connect(broker.client_id, KEEP_ALIVE, clean=broker.clean, login=login))
            async with asyncio.timeout(ANSWER):
                head, body = await self._packet()
        if head >> 4 != packets.CONNACK or len(body) < 2:
            raise Permanent(f"{broker.place}: the server does not speak MQTT")
        if body[1] == UNAVAILABLE:
            raise Retryable(f"{broker.place}: the broker is not available now")
        if body[1]:
            raise Permanent(f"{broker.place}: {REFUSALS.get(body[1], f'refused with code {body[1]}')}")
        self.resumed = bool(body[0] & packets.SESSION_PRESENT)

    async def subscribe(self, topic: str, qos: int, granted: Callable[[], None]) -> None:
        """Ask for messages; `granted` is called by `receive` when the broker agrees. Raises Retryable."""
        self._topic, self._granted = topic, granted
        with translated(self._broker.place):
            await self._send(packets.subscribe(1, topic, qos))

    async def receive(self) -> Message:
        """The next message; those that waited in the session may come before the broker has agreed.

        Raises Retryable, Permanent.
        """
        while True:
            with translated(self._broker.place):
                async with asyncio.timeout(2 * KEEP_ALIVE):
                    head, body = await self._packet()
                kind = head >> 4
                if kind == packets.PUBLISH:
                    return packets.message(head & 15, body)
                if kind == packets.PUBREL:
                    await self._send(packets.completed(packets.identifier(body)))
            if kind == packets.SUBACK:
                self._check(body)
                self._granted()

    def _check(self, answer: bytes) -> None:
        if answer[-1:] == REFUSED:
            hint = "does the broker allow this user to read it?"
            raise Permanent(f"{self._broker.place}: subscription to {self._topic!r} refused; {hint}")

    async def acknowledge(self, *messages: Message) -> None:
        """Raises Retryable. What is not acknowledged comes again in a session that persists."""
        with translated(self._broker.place):
            await self._send(b"".join(map(packets.received, messages)))

    async def keep_alive(self) -> None:
        """Pings, for ever: a broker closes connections that are silent. Raises Retryable."""
        while True:
            await asyncio.sleep(KEEP_ALIVE)
            with translated(self._broker.place):
                await self._send(packets.PING)

    async def _send(self, data: bytes) -> None:
        async with asyncio.timeout(ANSWER):
            await self._link.send(data)

    async def _packet(self) -> tuple[int, bytes]:
        """First byte and body of the next packet."""
        read = self._link.read
        head, length = (await read(1))[0], 0
        for shift in (0, 7, 14, 21):
            byte = (await read(1))[0]
            length |= (byte & 127) << shift
            if byte < 128:
                break
        else:
            raise Malformed("the length of a packet has more than four bytes")
        if length > LARGEST:
            raise Malformed(f"a packet of {length} bytes is larger than {LARGEST}")
        return head, await read(length)


@asynccontextmanager
async def connected(broker: Broker, secrets: Secrets, sessions: Sessions) -> AsyncIterator[Connection]:
    """Connected and logged in. Raises Retryable, Permanent."""
    login = await broker.login(secrets)
    async with linked(broker, secrets, sessions) as link:
        connection = Connection(link, broker)
        await connection.login(login)
        yield connection


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Errors of the network and of the protocol as Retryable or Permanent."""
    try:
        with network(place):
            yield
    except Malformed as exc:
        raise Permanent(f"{place}: {exc}") from exc
    except Retryable as exc:
        if isinstance(exc.__cause__, EOFError):
            raise Retryable(f"{exc}; is another client using the same clientId?") from exc
        raise
