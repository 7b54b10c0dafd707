"""nats-py's client, corrected: TLS that was asked for is used, lost peers are not waited for, nothing leaks.

Guard  with sessions every connection, also to servers that a server has named and at every reconnect, goes to
       an address that was checked; TLS verifies the name

What is corrected is said at each method; seen in nats-py 2.16. Its parts without a public name are used here
alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from events.aio import strictly
from events.clients.http import Refused, Sessions
from events.clients.streams import connected

if TYPE_CHECKING:
    from urllib.parse import ParseResult

    from nats.aio.client import Client
    from nats.aio.transport import TcpTransport

PORT = 4222

Sink = Callable[[bytes, bytes, bytes, bytes | None], None]
"""Takes subject, reply subject, payload and header block of a message, at once and without raising."""


def drop(client: Client) -> None:
    """End the TCP connection at once: closing in order would wait for a peer that takes nothing more."""
    for name in ("_io_writer", "_bare_io_writer"):  # nats-py 2.16 has no public way
        writer = getattr(client._transport, name, None)
        if writer is not None:
            writer.transport.abort()


def guarded_transport(sessions: Sessions) -> TcpTransport:
    """nats-py's transport, which would look up the name after it was checked."""
    from nats.aio.transport import TcpTransport

    class Guarded(TcpTransport):
        async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
            async with asyncio.timeout(connect_timeout):
                stream = await connected(uri.hostname or "", uri.port or PORT, sessions, limit=buffer_size)
            self._bare_io_reader, self._bare_io_writer = self._io_reader, self._io_writer = stream

    return Guarded()  # type: ignore[no-untyped-call]


def client_class() -> Callable[[Sessions | None], Client]:
    """nats-py's client, corrected where 2.16 drops TLS, waits for lost peers, swallows cancellations."""
    from nats import errors
    from nats.aio.client import DEFAULT_BUFFER_SIZE, Client

    class AllRefused(errors.NoServersError):
        def __str__(self) -> str:
            return str(self.args[0])

    class StrictClient(Client):
        """TLS that was asked for is used or refused; a lost connection is neither waited for nor leaked."""

        def __init__(self, sessions: Sessions | None) -> None:
            super().__init__()
            self._sessions = sessions
            self.sinks: dict[int, Sink] = {}
            self.refused: set[str] = set()

        async def _process_msg(
            self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None
        ) -> None:
            if (sink := self.sinks.get(sid)) is not None:
                sink(subject, reply, data, headers)
            else:
                await super()._process_msg(sid, subject, reply, data, cast("bytes", headers))

        def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
            self.sinks.pop(sid, None)
            super()._remove_sub(sid, max_msgs)

        def write(self, command: bytes) -> None:
            self._pending.append(command)
            self._pending_data_size += len(command)
            queue = cast("asyncio.Queue[Any]", self._flush_queue)
            if queue.empty():
                queue.put_nowait(asyncio.get_running_loop().create_future())

        async def _connect_to_server(self, s: Any) -> None:
            drop(self)
            if self._sessions is None:
                await super()._connect_to_server(s)
            else:
                await self._connect_guarded(s, self._sessions)

        async def _connect_guarded(self, s: Any, sessions: Sessions) -> None:
            s.last_attempt = time.monotonic()
            self.refused.discard(s.uri.netloc)
            self._transport = self._transport or guarded_transport(sessions)
            try:
                await self._transport.connect(s.uri, DEFAULT_BUFFER_SIZE, self.options["connect_timeout"])
            except Refused:
                self.refused.add(s.uri.netloc)
                raise

        def check_refused(self, why: Refused) -> None:
            """Raises what ends the attempts when the guard lets none of the known servers be reached."""
            if all(one.uri.netloc in self.refused for one in self._server_pool):
                raise AllRefused(str(why)) from why

        async def _flush_pending(self, force_flush: bool = False) -> Any:
            return await strictly(super()._flush_pending(force_flush))

        async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
            if initial_connection and "tls" in self.options and not info.get("tls_required"):
                if not info.get("tls_available"):
                    raise errors.SecureConnRequiredError
                info["tls_required"] = True  # or nats-py would go on in plain text
            await super()._process_info(info, initial_connection)

        async def _process_connect_init(self) -> None:
            await super()._process_connect_init()
            writer: Any = getattr(self._transport, "_io_writer", None)
            if "tls" in self.options and writer.get_extra_info("ssl_object") is None:
                raise errors.SecureConnRequiredError

        async def _send_ping(self, future: Any = None) -> None:
            # or the ping would overtake what it is to confirm
            if self._transport and self.is_connected and self._pending:
                self._transport.writelines(self._pending)
                self._pending, self._pending_data_size = [], 0
            await super()._send_ping(future)

        async def _process_headers(self, headers: Any) -> Any:
            found = await super()._process_headers(headers)
            return None if found is None else Headers(found, bytes(headers))

        async def _process_op_err(self, e: Exception) -> None:
            drop(self)
            await super()._process_op_err(e)

    return StrictClient


class Headers(dict[str, str]):
    """The headers of a message. nats-py keeps the last value of each name; `every` has them all."""

    def __init__(self, found: dict[str, str], raw: bytes) -> None:
        super().__init__(found)
        self._raw = raw

    def every(self) -> dict[str, list[str]]:
        """All values of each name, in order."""
        values: dict[str, list[str]] = {name: [] for name in self}
        for line in self._raw.decode(errors="replace").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            if name.strip() in values:
                values[name.strip()].append(value.strip())
        return {name: found or [self[name]] for name, found in values.items()}
