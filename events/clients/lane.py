"""A fast lane for plain HTTP/1.1 exchanges: one connection, one request, one answer; connections are kept.

Does       http and https, keep-alive, answers by length, chunks or end of connection, a deadline per exchange
Leaves to  aiohttp (`exchange`): redirects, proxies, compression, everything else
Why        measured: a POST of 1 kB costs a third of the processor time of aiohttp's client
Stale      a kept connection that ends before the first byte of an answer is replaced, and the request sent
           again, once: the other side had closed it before it could read
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from yarl import URL

from events.clients.lookups import Lookups, connected

PER_HOST = 128
"""Connections to one target; further requests wait for one."""

TARGETS = 1000
"""Targets whose connections are kept."""

IDLE = 15.0
"""Seconds that an unused connection is kept: less than servers usually do."""


HEAD_LIMIT = 1 << 20
"""Bytes that may come before the status and headers are complete, as in Go's client."""


class Target(NamedTuple):
    """Where connections go. `tls` None: plain."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class Reply(NamedTuple):
    """Status, headers with lower-case names, and the kept beginning of the body."""

    status: int
    headers: dict[str, str]
    text: bytes
    complete: bool


class Limits(NamedTuple):
    """Of one exchange. Times in seconds; `deadline` in the loop's time."""

    deadline: float
    connect: float
    """To get a connection."""
    body: float
    """From the status to the end of the body; then it is cut."""
    kept: int
    """Bytes of the body that are kept."""
    drained: int
    """Bytes of the body that are read on, so that the connection can be used again."""


class NoConnection(TimeoutError):
    """The target did not take a connection in time."""


class Broken(ConnectionError):
    """The connection ended before there was an answer. `untouched`: not a byte of one had come."""

    def __init__(self, text: str, untouched: bool) -> None:
        super().__init__(text)
        self.untouched = untouched


class Connection(asyncio.Protocol):
    """One connection; `exchange` is called again only after the answer before it was complete."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.transport: Any = None
        self.closed = False
        self.reused = False
        self.idle_since = 0.0
        self._waiter: asyncio.Future[Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def exchange(self, data: bytes, bodiless: bool, limits: Limits) -> asyncio.Future[Reply]:
        """Send; the future has the answer, Broken or TimeoutError."""
        import httptools

        self._parser = httptools.HttpResponseParser(self)
        self._limits, self._bodiless = limits, bodiless
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size, self._status, self._touched, self._done = 0, 0, False, False
        self._before = 0
        self._waiter = self._loop.create_future()
        self._timer = self._loop.call_at(limits.deadline, self._timed_out)
        self.transport.write(data)
        return self._waiter

    # answers

    def data_received(self, data: bytes) -> None:
        import httptools

        if self._waiter is None:  # an answer that nobody asked for
            self.close()
            return
        self._touched = True
        if not self._status:
            self._before += len(data)
            if self._before > HEAD_LIMIT:
                self._fail(Broken("the head of the answer has no end", untouched=False))
                return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(Broken("the answer changes the protocol", untouched=False))
        except httptools.HttpParserError as exc:
            self._fail(Broken(f"the answer is not HTTP: {exc}", untouched=False))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # such as 103: the answer comes later
            self._headers.clear()
            return
        self._status = status
        if self._bodiless:
            self._end(complete=True, keep=False)
            return
        patience = self._loop.time() + self._limits.body
        if patience < self._limits.deadline:
            self._timer.cancel()
            self._timer = self._loop.call_at(patience, self._timed_out)

    def on_body(self, data: bytes) -> None:
        if self._size < self._limits.kept:
            self._body.append(data[: self._limits.kept - self._size])
        self._size += len(data)
        if self._size > self._limits.drained:
            self._end(complete=True, keep=False)

    def on_message_complete(self) -> None:
        if self._status:
            self._end(complete=True, keep=self._parser.should_keep_alive())

    def _end(self, *, complete: bool, keep: bool) -> None:
        if self._done:
            return
        self._done = True
        waiter, self._waiter = self._waiter, None
        self._timer.cancel()
        if not keep:
            self.close()
        if waiter is not None and not waiter.done():
            waiter.set_result(Reply(self._status, self._headers, b"".join(self._body), complete))

    def _fail(self, error: Exception) -> None:
        self.close()
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            self._timer.cancel()
            if not waiter.done():
                waiter.set_exception(error)

    def _timed_out(self) -> None:
        """Without a status it is a timeout; a body that does not end is cut."""
        if self._status:
            self._end(complete=False, keep=False)
        else:
            self._fail(TimeoutError())

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._waiter is None:
            return
        if self._status:
            framed = "content-length" in self._headers or "transfer-encoding" in self._headers
            self._end(complete=not framed, keep=False)
        else:
            self._fail(Broken(str(exc or "the connection was closed"), untouched=not self._touched))

    def close(self) -> None:
        self.closed = True
        if self.transport is not None:
            self.transport.abort()


class Pool:
    """Kept connections to one target, the newest used first."""

    def __init__(self, target: Target, check: Callable[[str], None], lookups: Lookups) -> None:
        """`check` raises OSError for an address that must not be connected to."""
        self._target, self._check, self._lookups = target, check, lookups
        self._idle: deque[Connection] = deque()
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.made = 0
        """Connections that were opened so far."""

    async def exchange(self, data: bytes, bodiless: bool, limits: Limits) -> Reply:
        """One request, one answer. Raises TimeoutError, ConnectionError, OSError, ssl.SSLError."""
        while True:
            connection = self._kept() or await self._fresh(limits)
            answered = False
            try:
                reply = await connection.exchange(data, bodiless, limits)
                answered = True
                return reply
            except Broken as exc:
                if not (exc.untouched and connection.reused):
                    raise
            finally:
                self._give_back(connection, answered)

    def _kept(self) -> Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and now - connection.idle_since < IDLE:
                return connection
            connection.close()
            self._closed_one()
        return None

    async def _fresh(self, limits: Limits) -> Connection:
        while self._open >= PER_HOST:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            async with asyncio.timeout_at(limits.deadline):
                await turn
            if (kept := self._kept()) is not None:
                return kept
        self._open += 1
        with contextlib.ExitStack() as stack:
            stack.callback(self._closed_one)
            try:
                latest = asyncio.get_running_loop().time() + limits.connect
                async with asyncio.timeout_at(min(latest, limits.deadline)):
                    made = await self._connect()
            except TimeoutError as exc:
                raise NoConnection from exc
            stack.pop_all()
            return made

    async def _connect(self) -> Connection:
        """To the first address of the name that answers; each is checked before it is connected to."""
        loop = asyncio.get_running_loop()
        target = self._target
        sock = await connected(await self._lookups.find(target.host, target.port), self._socket)
        with contextlib.ExitStack() as opened:
            opened.callback(sock.close)
            _, made = await loop.create_connection(
                lambda: Connection(loop), sock=sock, ssl=target.tls,
                server_hostname=target.host if target.tls else None,
            )  # fmt: skip
            opened.pop_all()
        self.made += 1
        return made

    def _socket(self, info: Any) -> socket.socket:
        self._check(str(info[4][0]))
        return socket.socket(*info[:3])

    def _give_back(self, connection: Connection, answered: bool) -> None:
        if connection.closed or not answered:
            connection.close()
            self._closed_one()
            return
        connection.reused, connection.idle_since = True, asyncio.get_running_loop().time()
        self._idle.append(connection)
        self._wake()

    def _closed_one(self) -> None:
        self._open -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


class Place(NamedTuple):
    """A URL, taken apart once."""

    host: str
    port: int
    secure: bool
    authority: str
    """For the Host header."""
    path: str


@lru_cache(1024)
def place_of(url: str) -> Place | None:
    """None for a URL that this lane leaves to others. Raises ValueError for what is no URL."""
    parts = URL(url)
    if parts.scheme not in {"http", "https"} or not parts.raw_host or parts.user or parts.password:
        return None
    port, secure = parts.port or 0, parts.scheme == "https"
    host = parts.raw_host
    shown = f"[{host}]" if ":" in host else host
    authority = shown if parts.is_default_port() else f"{shown}:{port}"
    return Place(host, port, secure, authority, parts.raw_path_qs or "/")


class Lanes:
    """One pool per target; `check` raises OSError for an address that must not be connected to."""

    def __init__(self, check: Callable[[str], None], agent: str, lookups: Lookups) -> None:
        self._check, self._agent, self._lookups = check, agent, lookups
        self._pools: dict[tuple[str, int, bool], Pool] = {}
        self._tls: ssl.SSLContext | None = None

    async def exchange(
        self, method: str, place: Place, headers: Mapping[str, str], body: bytes | None, limits: Limits
    ) -> Reply:
        """One request, one answer. Raises TimeoutError, OSError, ssl.SSLError, ValueError (headers)."""
        named = {"user-agent": ("User-Agent", self._agent), "accept": ("Accept", "*/*")}
        named.update((name.lower(), (name, text)) for name, text in headers.items())
        length = None if body is None and method in BODILESS else len(body or b"")
        data = head(method, place, dict(named.values()), length) + (body or b"")
        return await self.pool(place).exchange(data, method == "HEAD", limits)

    def pool(self, place: Place) -> Pool:
        key = (place.host, place.port, place.secure)
        found = self._pools.get(key)
        if found is None:
            if len(self._pools) >= TARGETS:
                self._pools.pop(next(iter(self._pools))).close()
            tls = self._context() if place.secure else None
            found = self._pools[key] = Pool(Target(place.host, place.port, tls), self._check, self._lookups)
        return found

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()


BODILESS = frozenset({"GET", "HEAD", "DELETE"})
"""Methods that have no Content-Length when there is no body."""


def head(method: str, place: Place, headers: Mapping[str, str], length: int | None) -> bytes:
    """The head of a request. Raises ValueError for what would not stay one line."""
    lines = [f"{method} {place.path} HTTP/1.1", f"Host: {headers.get('Host', place.authority)}"]
    lines += [f"{name}: {text}" for name, text in headers.items() if name != "Host"]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    joined = "\r\n".join(lines)
    if joined.count("\n") != len(lines) - 1 or "\0" in joined or joined.count("\r") != len(lines) - 1:
        raise ValueError("a header holds a line break")
    return (joined + "\r\n\r\n").encode("utf-8", "surrogateescape")
