"""The listener pool: sources that name the same port share its server.

Every port also answers `/health`. A route is an exact path, or one with `{name}` segments as upstream's
router has them. Bodies are bounded and have a deadline; no request is logged.

Upstream  pkg/eventsources/common/webhook/webhook.go
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web

from events.clients.network import reason
from events.errors import Permanent, Retryable

BODY_DEADLINE = 30.0
"""Seconds from the first byte of a request to the last of its body."""

IDLE = 75.0
"""Seconds a connection is kept without a request."""

CLOSING = 2.0
"""Seconds that requests in hand get to be answered when a port is closed."""

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]


class Answer(Exception):
    """A refusal that the sender can act on."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers

    def response(self) -> web.Response:
        return web.Response(status=self.status, text=self.text, headers=self.headers)


class Tls(NamedTuple):
    """PEM text of a server's certificate and key."""

    cert: str
    key: str


class Port:
    """One bound port and its routes."""

    def __init__(self, tls: Tls | None) -> None:
        self.tls = tls
        self.held = False
        """A change is under way: a path that is not there now may be in a moment."""
        self.exact: dict[str, Handler] = {}
        self.patterns: dict[str, tuple[re.Pattern[str], Handler]] = {}
        server = web.Server(self.handle, access_log=None, keepalive_timeout=IDLE)
        self.runner = web.ServerRunner(server, shutdown_timeout=CLOSING)

    @property
    def empty(self) -> bool:
        return not (self.exact or self.patterns)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        handler = self.exact.get(request.path) or self.find(request.path)
        try:
            return await handler(request)
        except Answer as answer:
            return answer.response()
        except Retryable as exc:
            after = {"Retry-After": str(max(1, round(exc.after or 1)))}
            return web.Response(status=503, text=f"{exc}\n", headers=after)

    def find(self, path: str) -> Handler:
        for pattern, handler in self.patterns.values():
            if pattern.fullmatch(path):
                return handler
        if path == "/health":
            return health
        return changing if self.held else unknown


async def changing(_: web.BaseRequest) -> web.Response:
    raise Retryable("the manifests are being reloaded", after=1)


async def health(_: web.BaseRequest) -> web.Response:
    return web.Response(text="OK")


async def unknown(_: web.BaseRequest) -> web.Response:
    return web.Response(status=404, text="404 page not found\n")


class Route:
    """A served path. `aclose` takes it back; the port is closed with its last route."""

    def __init__(self, pool: Listeners, port: int, path: str) -> None:
        self._pool, self.port, self._path = pool, port, path

    async def aclose(self) -> None:
        await self._pool.remove(self.port, self._path)


class Listeners:
    """All listening ports of the process, bound on `host` (loopback unless told otherwise)."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self._ports: dict[int, Port] = {}
        self._lock = asyncio.Lock()
        self._held = False

    @property
    def ports(self) -> list[int]:
        return sorted(self._ports)

    async def add(self, port: int, path: str, handler: Handler, tls: Tls | None = None) -> Route:
        """Serve `path` on `port` (0: any free one). Raises Permanent (path or TLS), Retryable (bind)."""
        if not path.startswith("/"):
            raise Permanent(f"endpoint {path!r} has to start with /")
        async with self._lock:
            served = self._ports.get(port)
            if served is not None and served.empty and served.tls != tls:
                del self._ports[port]
                await served.runner.cleanup()
                served = None
            if served is None:
                port, served = await self._bind(port, tls)
            if served.tls != tls:
                raise Permanent(f"port {port} is already served with other TLS settings")
            table = served.patterns if "{" in path else served.exact
            if path in table:
                raise Permanent(f"{path} on port {port} is already served by another event source")
            if "{" in path:
                served.patterns[path] = (route_pattern(path), handler)
            else:
                served.exact[path] = handler
            served.held = self._held
        return Route(self, port, path)

    async def _bind(self, port: int, tls: Tls | None) -> tuple[int, Port]:
        served = Port(tls)
        served.held = True  # who calls before there is a route is told to come again
        await served.runner.setup()
        site = web.TCPSite(served.runner, self.host, port, ssl_context=server_context(tls))
        try:
            await site.start()
        except OSError as exc:
            await served.runner.cleanup()
            raise Retryable(f"cannot listen on {self.host}:{port}: {reason(exc)}") from exc
        if port == 0:
            port = served.runner.addresses[0][1]
        self._ports[port] = served
        return port, served

    async def remove(self, port: int, path: str) -> None:
        async with self._lock:
            served = self._ports.get(port)
            if served is None:
                return
            served.exact.pop(path, None)
            served.patterns.pop(path, None)
            if not self._held:
                await self._close_empty()

    async def _close_empty(self) -> None:
        for port, served in list(self._ports.items()):
            if served.empty:
                del self._ports[port]
                await served.runner.cleanup()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Keep ports open while sources are exchanged: senders get 503 and try again."""
        self._hold(True)
        try:
            yield
        finally:
            self._hold(False)
            async with self._lock:
                await self._close_empty()

    def _hold(self, held: bool) -> None:
        self._held = held
        for served in self._ports.values():
            served.held = held

    async def aclose(self) -> None:
        """Stop listening, answer what is in hand."""
        async with self._lock:
            ports, self._ports = list(self._ports.values()), {}
            await asyncio.gather(*(served.runner.cleanup() for served in ports))


def route_pattern(path: str) -> re.Pattern[str]:
    """`/hooks/{team}`: a name stands for one segment; `{name:regex}` says what it may be."""
    parts = re.split(r"\{([^{}]*)\}", path)
    text = ""
    for n, part in enumerate(parts):
        text += re.escape(part) if n % 2 == 0 else f"(?:{part.partition(':')[2] or '[^/]+'})"
    try:
        return re.compile(text)
    except re.error as exc:
        raise Permanent(f"endpoint {path!r} does not compile: {exc}") from exc


def server_context(tls: Tls | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    from events.clients.http import load_pair

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        load_pair(context, tls.cert, tls.key)
    except ssl.SSLError as exc:
        raise Permanent(f"the server certificate cannot be used: {exc.reason or exc}") from exc
    return context


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """The whole body. Raises Answer: 413 above `limit` bytes, 408 too slow, 400 cut short."""
    length = request.content_length
    if length is not None and length > limit:
        raise Answer(413, f"body of {length} bytes is larger than {limit}\n", {"Connection": "close"})
    content = request.content
    if content.is_eof():
        body = content.read_nowait()
    else:
        body = await gather_body(request, limit)
    if len(body) > limit:
        raise Answer(413, f"body is larger than {limit} bytes\n", {"Connection": "close"})
    return body


async def gather_body(request: web.BaseRequest, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_DEADLINE):
            while size <= limit and (chunk := await request.content.readany()):
                chunks.append(chunk)
                size += len(chunk)
    except TimeoutError as exc:
        raise Answer(408, "the body took too long\n", {"Connection": "close"}) from exc
    except (web.RequestPayloadError, ConnectionError) as exc:
        raise Answer(400, "the body is cut short\n", {"Connection": "close"}) from exc
    return b"".join(chunks)
