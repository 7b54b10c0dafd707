"""Where an MQTT broker is, and the bytes to and from it: by TCP, TLS, or websocket (MQTT 3.1.1, chapter 6).

Paths  a websocket has the path and query of the URL; the login goes in CONNECT only, never in the handshake
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from events.clients.http import Sessions, refusal
from events.clients.mqtt_packets import Malformed
from events.clients.secrets import Ref, Secrets
from events.clients.streams import CONNECT_TIMEOUT, Stream, close_stream, open_stream, translated
from events.clients.tls import TlsRefs, context_of, session_of
from events.errors import Permanent, Retryable

if TYPE_CHECKING:
    import aiohttp

LARGEST = 64 << 20
"""Bytes of one packet."""

CLOSING = 1.0
"""Seconds for the end of a websocket."""

PORTS = {"tcp": 1883, "mqtt": 1883, "ws": 80, "ssl": 8883, "tls": 8883, "mqtts": 8883, "wss": 443}
"""Of the schemes of URLs."""

SECURE = frozenset(("ssl", "tls", "mqtts", "wss"))

FORMS = "write tcp://host:1883, ssl://host:8883, ws://host:port/path or wss://host:port/path"


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
    websocket: str = ""
    """Its URL without login; empty: not over one."""

    @classmethod
    def of(cls, url: str, client_id: str, *, tls: TlsRefs | None = None, **given: object) -> Broker:
        """Raises Permanent for a URL that cannot be used."""
        try:
            parts = urlsplit(url if "://" in url else f"tcp://{url}")
            host, port = parts.hostname, parts.port
        except ValueError as exc:
            raise Permanent(f"url: {exc}") from exc
        if parts.scheme not in PORTS or not host:
            raise Permanent(f"url: {FORMS}")
        if parts.scheme == "ws" and tls is not None:
            parts = parts._replace(scheme="wss")
        if parts.scheme in SECURE:
            tls = tls or TlsRefs()
        inline = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return cls(
            host, port or PORTS[parts.scheme], client_id, inline=inline, tls=tls,
            websocket=websocket_url(parts), **given,  # type: ignore[arg-type]
        )  # fmt: skip

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


def websocket_url(parts: SplitResult) -> str:
    if parts.scheme not in {"ws", "wss"}:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


class Link(Protocol):
    """Bytes to and from a broker. What goes wrong are errors of the network, see `streams.translated`."""

    async def read(self, size: int) -> bytes:
        """Exactly so many."""

    async def send(self, data: bytes) -> None: ...


def linked(broker: Broker, secrets: Secrets, sessions: Sessions) -> AbstractAsyncContextManager[Link]:
    """Connected; nothing is said yet. Raises Retryable, Permanent."""
    return (over_websocket if broker.websocket else over_tcp)(broker, secrets, sessions)


# TCP


class Wire:
    """TCP, perhaps with TLS."""

    def __init__(self, stream: Stream) -> None:
        self._reader, self._writer = stream

    async def read(self, size: int) -> bytes:
        return await self._reader.readexactly(size)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


@asynccontextmanager
async def over_tcp(broker: Broker, secrets: Secrets, sessions: Sessions) -> AsyncIterator[Link]:
    context = None if broker.tls is None else await context_of(broker.tls, secrets)
    stream = await open_stream(broker.place, broker.host, broker.port, sessions, context)
    try:
        yield Wire(stream)
    finally:
        close_stream(stream)


# websockets


class Frames:
    """Binary frames of a websocket, joined: a packet may begin and end anywhere in them."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[Any]) -> None:
        self._socket, self._rest = socket, bytearray()

    async def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._rest += await self._frame()
        data = bytes(self._rest[:size])
        del self._rest[:size]
        return data

    async def _frame(self) -> bytes:
        from aiohttp import WSMsgType

        message = await self._socket.receive()
        if message.type is WSMsgType.BINARY:
            return bytes(message.data)
        if message.type in {WSMsgType.TEXT, WSMsgType.ERROR}:
            raise Malformed(f"no binary frame of MQTT: {message.type.name} {message.data!s:.80}")
        raise EOFError

    async def send(self, data: bytes) -> None:
        await self._socket.send_bytes(data)


@asynccontextmanager
async def over_websocket(broker: Broker, secrets: Secrets, sessions: Sessions) -> AsyncIterator[Link]:
    session = await session_of(broker.tls, secrets, sessions)
    with translated(broker.place), unwrapped(broker.place):
        async with asyncio.timeout(CONNECT_TIMEOUT):
            socket = await session.ws_connect(broker.websocket, protocols=("mqtt",), max_msg_size=LARGEST)
    try:
        if socket._response.history:  # aiohttp follows redirects: the login is for the host of the URL alone
            raise Permanent(f"{broker.place}: redirected to another address; write that one as url")
        yield Frames(socket)
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING):
                await socket.close()


@contextmanager
def unwrapped(place: str) -> Iterator[None]:
    """A refused handshake as Permanent or Retryable; of aiohttp's other errors what lies behind them."""
    import aiohttp

    try:
        yield
    except aiohttp.WSServerHandshakeError as exc:
        kind = Retryable if exc.status >= 500 or exc.status in {408, 429} else Permanent
        raise kind(f"{place}: no websocket there (HTTP {exc.status}); is the path of the url right?") from exc
    except aiohttp.InvalidURL as exc:
        raise Permanent(f"url: {FORMS}") from exc
    except aiohttp.ClientError as exc:
        raise behind(exc) from exc


def behind(exc: aiohttp.ClientError) -> BaseException:
    """The guard's refusal, the error of TLS or of the network; the end of the connection otherwise."""
    cause = refusal(exc) or getattr(exc, "certificate_error", None) or getattr(exc, "os_error", None)
    return cause or (exc if isinstance(exc, OSError) else EOFError())
