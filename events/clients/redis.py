"""One connection to a Redis server: login, database, TLS, one command after another, errors as ours.

Reconnects  none here: a lost connection is Retryable, and whoever holds it starts anew
Library     redis (extra `redis`): its connection alone, not its clients, which reconnect without telling
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from events.clients.http import Sessions
from events.clients.secrets import Ref, Secrets
from events.clients.streams import Stream, host_and_port, open_stream
from events.clients.streams import translated as network
from events.clients.tls import TlsRefs, context_of
from events.errors import Permanent, Retryable

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

TIMEOUT = 10.0
"""Seconds for an answer, beyond what a command itself waits."""

PORT = 6379

PASSING = frozenset({"BUSY", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "TRYAGAIN"})
"""Answers of a server that cannot now: a script runs, a disk is full, replicas or a master are away."""


class Server(NamedTuple):
    """Where, as whom, which database."""

    host: str
    port: int
    db: int = 0
    username: str = ""
    password: Ref | None = None
    tls: TlsRefs | None = None

    @classmethod
    def of(cls, address: str, **given: Any) -> Server:
        """`address` is host:port. Raises Permanent."""
        return cls(*host_and_port(address, PORT), **given)

    @property
    def place(self) -> str:
        return f"Redis {self.host}:{self.port}"


class Link:
    """An open connection. Not for two tasks at once."""

    def __init__(self, connection: AbstractConnection, place: str) -> None:
        self._connection, self._place = connection, place

    async def send(self, *command: str | bytes | int) -> None:
        """A command whose answers come as messages. Raises Retryable."""
        with translated(self._place):
            async with asyncio.timeout(TIMEOUT):
                await self._connection.send_command(*command, check_health=False)

    async def message(self, seconds: float) -> list[Any] | None:
        """The next message of a subscription; None when none came in time. Raises Retryable, Permanent."""
        with translated(self._place):
            return cast(
                "list[Any] | None",
                await self._connection.read_response(disable_decoding=True, timeout=seconds),
            )

    async def call(self, *command: str | bytes | int) -> Any:
        """The answer to a command, texts as bytes. Raises Retryable, Permanent, Refused."""
        await self.send(*command)
        with translated(self._place):
            async with asyncio.timeout(TIMEOUT):
                return await self._connection.read_response(disable_decoding=True)


class Refused(Permanent):
    """The server understood and says no; `code` is the first word of its answer, as in NOGROUP."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@asynccontextmanager
async def connected(server: Server, secrets: Secrets, sessions: Sessions) -> AsyncIterator[Link]:
    """Connected, logged in, in its database. Raises Retryable, Permanent."""
    context = None if server.tls is None else await context_of(server.tls, secrets)
    password = None if server.password is None else await secrets.read(server.password)
    stream = await open_stream(server.place, server.host, server.port, sessions, context)
    connection = made(stream, server, password)
    try:
        with translated(server.place):
            async with asyncio.timeout(TIMEOUT):
                await connection.connect()  # type: ignore[no-untyped-call]
        yield Link(connection, server.place)
    finally:
        await connection.disconnect(nowait=True)
        stream[1].transport.abort()


def made(stream: Stream, server: Server, password: str | None) -> AbstractConnection:
    """The library's connection over a stream that is open already."""
    from redis.asyncio.connection import AbstractConnection

    class Connection(AbstractConnection):
        def repr_pieces(self) -> list[tuple[str, Any]]:
            return [("host", server.host), ("port", server.port), ("db", server.db)]

        def _host_error(self) -> str:
            return f"{server.host}:{server.port}"

        async def _connect(self) -> None:
            self._reader, self._writer = stream

    return Connection(
        db=server.db, username=server.username or None, password=password, protocol=2,
        driver_info=None,
        socket_timeout=None,  # its limit is asyncio.wait_for, which loses cancellations before Python 3.12
    )  # fmt: skip


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Errors of the library as Retryable or Permanent; `place` begins their text."""
    from redis import exceptions as known

    try:
        with network(place):
            yield
    except known.RedisError as exc:
        raise meaning(place, exc) from exc


def meaning(place: str, exc: Exception) -> Retryable | Permanent:
    """Whose fault it is: the network's and a server's that starts or is full passes."""
    from redis import exceptions as known

    said = f"{getattr(exc, 'status_code', None) or ''} {exc}".strip()
    code = said.partition(" ")[0]
    if isinstance(exc, known.AuthenticationError):
        return Refused(f"{place}: login refused ({said}); check username and password", code)
    if isinstance(exc, known.NoPermissionError):
        return Refused(f"{place}: {said}; give the user this permission (ACL SETUSER)", code)
    if isinstance(exc, known.TimeoutError):
        return Retryable(f"{place}: no answer in time")
    passing = (known.ConnectionError, known.OutOfMemoryError, known.ReadOnlyError, known.ClusterDownError)
    if isinstance(exc, passing) or code in PASSING:
        return Retryable(f"{place}: {said}")
    return Refused(f"{place}: {said}", code)
