"""Requests to one API server: pooled connections, credentials renewed when they end, errors told apart.

Rate      `per_second` spaces the requests out evenly; None leaves the pace to the server, which says 429
Renewal   after a 401 the login is read again, once for all requests that met it; also after a certificate
          that is not trusted
Guard     none: the address comes from the operator's kubeconfig or the pod, never from a manifest
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from yarl import URL

from events.clients.http import first_bytes
from events.errors import EventsError, Permanent, Retryable
from events.kube.answers import error_of, unreachable
from events.kube.login import LogIn, Login

if TYPE_CHECKING:
    import aiohttp

TIMEOUT = 30.0
"""Seconds for one answer. The server itself gives up after 60, most load balancers in front of it earlier."""

REQUESTS = 64
"""At the same time and about one kind of objects, at the most: a webhook that is slow to admit one kind
delays no other. Watches do not count.
"""

WATCH = 120
"""Seconds after which the server ends a watch, so that a dead connection is found out soon after."""

STARTING = "(re)initializing"
"""In the 429 of an API server that has just learned of a kind."""
STARTING_TRIES, STARTING_PAUSE = 20, 0.1

REFUSAL = 1 << 16
"""Bytes of a refusal that are read."""

Query = Mapping[str, str]
Headers = Sequence[tuple[str, str]]


class Client:
    """One per process: sources, triggers and secrets share it."""

    def __init__(self, log_in: LogIn, *, per_second: float | None = None) -> None:
        self._log_in, self._spacing = log_in, 1 / per_second if per_second else 0.0
        self._next = 0.0
        self._login: Login | None = None
        self._doubted: Login | None = None
        """Its authority was not that of the server: it may have been renewed in the file that names it."""
        self._logging_in = asyncio.Lock()
        self._free: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(REQUESTS))
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Log in, so that wrong settings are told at once. Raises Permanent, Retryable."""
        await self._known()

    @property
    def host(self) -> str:
        return self._login.host if self._login else "(unknown)"

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        media: str = "application/json",
        headers: Headers = (),
    ) -> Any:
        """The decoded answer. Raises what `error_of` makes of a refusal, Retryable without an answer."""
        content = None if body is None else orjson.dumps(body)
        more = [*headers, ("Content-Type", media)] if content is not None else headers
        for _ in range(STARTING_TRIES):
            try:
                return await self._request(method, path, query, content, more)
            except Retryable as exc:
                if STARTING not in str(exc):
                    raise
            await asyncio.sleep(STARTING_PAUSE)
        raise Retryable(f"API server {self.host} is still preparing {path}")

    async def _request(
        self, method: str, path: str, query: Query | None, content: bytes | None, headers: Headers
    ) -> Any:
        import aiohttp

        await self._turn()
        limit = aiohttp.ClientTimeout(total=TIMEOUT, connect=10)
        given = {"params": query, "data": content, "headers": headers}
        async with self._free[collection(path)], self._answer(method, path, limit, **given) as answer:
            return self._value(await answer.read())

    def _value(self, text: bytes) -> Any:
        try:
            return orjson.loads(text)
        except ValueError as exc:
            raise Retryable(
                f"{self.host} answered with something that is no JSON: is it an API server?"
            ) from exc

    async def stream(self, path: str, query: Query) -> AsyncIterator[Any]:
        """The values of a watch until the server ends it. Raises as `request` does."""
        import aiohttp

        limit = aiohttp.ClientTimeout(total=None, connect=10, sock_read=WATCH + 15)
        given = {**query, "timeoutSeconds": str(WATCH)}
        async with self._answer("GET", path, limit, params=given) as answer:
            async for line in lines(answer.content):
                yield self._value(line)

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, limit: aiohttp.ClientTimeout, **given: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A good answer, asked for again with a new login after a 401. Network errors become Retryable."""
        import aiohttp

        try:
            login = await self._known()
            answer = await self._send(login, method, path, limit, **given)
            if answer.status == 401:
                answer.release()
                login = await self._known(refused=login)
                answer = await self._send(login, method, path, limit, **given)
            try:
                if answer.status >= 400:
                    raise await refused(answer, login)
                yield answer
            finally:
                drop(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            if isinstance(exc, aiohttp.ClientSSLError):
                self._doubted = self._login
            raise unreachable(exc, self.host) from exc

    async def _send(
        self, login: Login, method: str, path: str, limit: aiohttp.ClientTimeout, **given: Any
    ) -> aiohttp.ClientResponse:
        headers = [*given.pop("headers", ())]
        if login.authorization is not None:
            headers.append(("Authorization", login.authorization))
        return await self._pool().request(
            method,
            URL(login.host + path, encoded=True),
            headers=headers,
            timeout=limit,
            ssl=login.tls if login.tls is not None else True,
            server_hostname=login.server_name,
            proxy=login.proxy,
            allow_redirects=False,
            **given,
        )

    async def _turn(self) -> None:
        """Wait for this request's place, if the pace is limited."""
        if not self._spacing:
            return
        now = asyncio.get_running_loop().time()
        self._next = max(now, self._next + self._spacing)
        if self._next > now:
            await asyncio.sleep(self._next - now)

    async def _known(self, refused: Login | None = None) -> Login:
        """The login; a new one when it is the one that was refused."""
        async with self._logging_in:
            if self._login is None:
                self._login = await self._log_in()
            elif self._login is refused or self._login is self._doubted:
                self._login = await self._renewed()
            return self._login

    async def _renewed(self) -> Login:
        """Credentials were there before, so what is wrong with them now may pass. Raises Retryable."""
        try:
            return await self._log_in()
        except Permanent as exc:
            raise Retryable(f"logging in again failed: {exc}") from exc

    def _pool(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "events-trigger", "Accept": "application/json"},
            )
        return self._session


def collection(path: str) -> str:
    """The path without namespace and name: one for each kind."""
    parts = path.split("/")
    end = 3 if path.startswith("/api/") else 4  # /api/v1 or /apis/GROUP/VERSION
    rest = parts[end:]
    resource = rest[2:3] if rest[:1] == ["namespaces"] and len(rest) > 2 else rest[:1]
    return "/".join([*parts[:end], *resource])


def drop(answer: aiohttp.ClientResponse) -> None:
    """Give the connection back, or end it at once if there is more on it that nobody wants to read.

    Closing it in order takes aiohttp 3.14 some turns of the loop, in which nobody owns it any more.
    """
    connection = answer.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    answer.release()


async def refused(answer: aiohttp.ClientResponse, login: Login) -> EventsError:
    body = await first_bytes(answer, REFUSAL)
    after = answer.headers.get("Retry-After", "")
    return error_of(answer.status, body, login.host, after, login.account)


async def lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length; aiohttp's own `readline` has a limit below the size of an object."""
    parts: list[bytes] = []
    async for chunk in content.iter_any():
        first, *more = chunk.split(b"\n")
        parts.append(first)
        for part in more:
            if line := b"".join(parts):
                yield line
            parts = [part]
