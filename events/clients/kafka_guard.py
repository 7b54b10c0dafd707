"""Kafka connections: none is left open, and those of sources and triggers pass the address guard.

Left open the library forgets a connection that is being made while its client is closed or cancelled
Checked   each connection, on the address that it goes to; TLS verifies the name, not the address
Clusters  every broker has to pass, at the start and later: what a broker leads is nowhere else, and leaders
          move, so a cluster that is reached in part would be read in part without a word
Library   aiokafka 0.14 has no setting for how it connects: here the two methods of its client that connect
          see another `create_conn`, and its connection another event loop
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from events.clients.http import Refused, Sessions
from events.errors import Permanent

if TYPE_CHECKING:
    from aiokafka.client import AIOKafkaClient
    from aiokafka.conn import AIOKafkaConnection

GOODBYE = 2.0
"""Seconds for connections to end."""

HOOK = "create_conn"
"""What the library's client connects by."""


class Gate:
    """What one client connects through. `refusal` is that of a broker that the cluster has named.

    Without sessions there is no guard: for brokers that the operator names, those of a bus.
    """

    def __init__(self, sessions: Sessions | None) -> None:
        self._sessions = sessions
        self._made: set[AIOKafkaConnection] = set()
        self._closed = False
        self._client: AIOKafkaClient = None
        self._shut = asyncio.Event()
        self.refusal: Refused | None = None

    def put_before(self, client: AIOKafkaClient) -> None:
        """From now on the client connects through the gate. Raises Permanent for an unknown library."""
        self._client = client
        kind = type(client)
        client._get_conn = MethodType(rewired(kind._get_conn, self._follow), client)
        self._begin = MethodType(rewired(kind.bootstrap, self.connect), client)
        client.bootstrap = self._bootstrap

    async def connect(self, host: str, port: int, **given: Any) -> AIOKafkaConnection:
        """A connection that is ready. Raises Refused, OSError, KafkaError."""
        from aiokafka.errors import KafkaConnectionError

        made = self._connection(host, port, **given)
        with named(host, port):
            await made.connect()
        self._made = self._left() | {made}
        if self._closed:
            made.close()
            raise KafkaConnectionError("the client was closed meanwhile")
        return made

    def _connection(self, host: str, port: int, **given: Any) -> AIOKafkaConnection:
        from aiokafka.conn import AIOKafkaConnection

        if self._sessions is None:
            return AIOKafkaConnection(host, port, **given)
        return connection_class()(self._sessions, host, port, **given)

    def _left(self) -> set[AIOKafkaConnection]:
        """Those that are not closed to the end: TLS says goodbye first, and the library does not wait."""
        return {one for one in self._made if not one._closed_fut.done()}

    async def aclose(self) -> None:
        """Every connection that is still there, and every later one."""
        self._closed = True
        ends = [connection.close() for connection in self._left()]
        if ends:
            await asyncio.wait(ends, timeout=GOODBYE)

    async def _follow(self, host: str, port: int, **given: Any) -> AIOKafkaConnection:
        """The same for a broker that the cluster has named."""
        try:
            return await self.connect(host, port, **given)
        except Refused as exc:
            self.refusal = exc
            self._shut.set()
            raise

    async def _bootstrap(self) -> None:
        await self._begin()
        await self.judge()

    async def judge(self) -> None:
        """Look up every broker of the cluster. Raises Refused.

        That a name has no address now says nothing: the library tries again.
        """
        sessions = self._sessions
        if sessions is None:
            return
        for broker in self._client.cluster.brokers():
            try:
                with named(broker.host, broker.port):
                    await sessions.lookup(broker.host, broker.port)
            except Refused:
                raise
            except OSError:
                continue
        self.refusal = None

    async def shut(self, place: str) -> None:
        """Waits for the refusal of a broker that the cluster names, and raises Permanent."""
        await self._shut.wait()
        raise Permanent(f"{place}: {self.refusal}")


@contextmanager
def named(host: str, port: int) -> Iterator[None]:
    """A refusal names the broker too: it is often not one of the manifest."""
    try:
        yield
    except Refused as exc:
        raise Refused(f"broker {host}:{port}: {exc}") from exc


def rewired(method: FunctionType, connect: Callable[..., Any]) -> FunctionType:
    """The method of the library, connecting by `connect`. Raises Permanent when it does not connect so."""
    code = method.__code__
    if HOOK not in code.co_names:
        raise Permanent("this version of aiokafka connects in a way that is not known: install 0.14")
    seen = {**method.__globals__, HOOK: connect}
    made = FunctionType(code, seen, method.__name__, method.__defaults__, method.__closure__)
    made.__kwdefaults__ = method.__kwdefaults__
    return made


@cache
def connection_class() -> Callable[..., AIOKafkaConnection]:
    from aiokafka.conn import AIOKafkaConnection

    class Connection(AIOKafkaConnection):  # type: ignore[misc]
        def __init__(self, sessions: Sessions, host: str, port: int, **given: Any) -> None:
            super().__init__(host, port, **given)
            self._loop: Any = Loop(asyncio.get_running_loop(), sessions)

    return Connection


class Loop:
    """An event loop whose connections go through the guard."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sessions: Sessions) -> None:
        self._loop, self._sessions = loop, sessions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_connection(
        self, protocol: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, ssl: Any = None
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """Raises Refused, OSError."""
        sock = await self._sessions.connect(host, port)
        try:
            name = host if ssl is not None else None
            return await self._loop.create_connection(protocol, sock=sock, ssl=ssl, server_hostname=name)
        except BaseException:
            sock.close()
            raise
