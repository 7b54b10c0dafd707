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
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from events.clients import mqtt_packets as packets
from events.clients.http import Sessions
from events.clients.mqtt_packets import Malformed, Message
from events.clients.secrets import Ref, Secrets
from events.clients.streams import Stream, close_stream, open_stream
from events.clients.streams import translated as network
from events.clients.tls import TlsRefs, context_of
from events.errors import Permanent, Retryable

KEEP_ALIVE = 15
"""Seconds between pings. After twice as long without a packet the connection counts as lost."""

ANSWER = 10.0
"""Seconds for the answer to a login."""

LARGEST = 64 << 20
"""Bytes of one packet."""

PLAIN, SECURE = {"tcp": 1883, "mqtt": 1883}, {"ssl": 8883, "tls": 8883, "mqtts": 8883}
"""Schemes of URLs and their ports."""

REFUSALS = {
    1: "the broker does not speak MQTT 3.1.1",
    2: "the broker does not take this clientId",
    4: "login refused: check username and password in auth",
    5: "not authorized: check auth, or what the broker allows this user and clientId",
}
UNAVAILABLE = 3

REFUSED = bytes((packets.REFUSED,))


class Broker(NamedTuple):
    """Where, as whom. `login` is user name and password, or what stands in the URL."""

    host: str
    port: int
    client_id: str
    clean: bool = True
    user: Ref | None = None
    password: Ref | None = None
    inline: tuple[str, str] | None = None
    tls: TlsRefs | None = None

    @classmethod
    def of(cls, url: str, client_id: str, *, tls: TlsRefs | None = None, **given: object) -> Broker:
        """Raises Permanent for a URL that cannot be used."""
        try:
            parts = urlsplit(url if "://" in url else f"tcp://{url}")
            host, port = parts.hostname, parts.port
        except ValueError as exc:
            raise Permanent(f"url: {exc}") from exc
        default = PLAIN.get(parts.scheme) or SECURE.get(parts.scheme)
        if default is None or not host:
            raise Permanent("url: write tcp://host:1883 or ssl://host:8883")
        if tls is None and parts.scheme in SECURE:
            tls = TlsRefs()
        inline = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return cls(host, port or default, client_id, inline=inline, tls=tls, **given)  # type: ignore[arg-type]

    @property
    def place(self) -> str:
        return f"MQTT {self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"<Broker {self.place}>"

    async def login(self, secrets: Secrets) -> tuple[str, str] | None:
        """Raises Permanent for a secret that is missing."""
        if self.user is None or self.password is None:
            return self.inline
        return await secrets.read(self.user), await secrets.read(self.password)


class Connection:
    """Logged in. One task receives; others may acknowledge meanwhile."""

    def __init__(self, stream: Stream, broker: Broker) -> None:
        (self._reader, self._writer), self._broker = stream, broker
        self._topic = ""
        self._granted: Callable[[], None] = lambda: None

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
        self._writer.write(data)
        async with asyncio.timeout(ANSWER):
            await self._writer.drain()

    async def _packet(self) -> tuple[int, bytes]:
        """First byte and body of the next packet."""
        read = self._reader.readexactly
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
    context = None if broker.tls is None else await context_of(broker.tls, secrets)
    stream = await open_stream(broker.place, broker.host, broker.port, sessions, context)
    try:
        connection = Connection(stream, broker)
        await connection.login(login)
        yield connection
        stream[1].write(packets.DISCONNECT)
    finally:
        close_stream(stream)


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
