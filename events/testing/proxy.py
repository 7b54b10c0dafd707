"""A TCP proxy on 127.0.0.1 in front of a server: faults of the network between for tests.

cut         closes all connections; new ones work
black_hole  accepts connections and carries nothing on; those there are stall too
refuse      listens no more; connections there are live on (with `cut` as well: the server is gone)
heal        all works again; what was held back goes on its way
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

from events.testing.servers._ports import free_port

CHUNK = 65536


class Proxy:
    """`async with Proxy(port) as proxy:` clients use `proxy.port`; `accepted` counts them all."""

    def __init__(self, port: int) -> None:
        self.target, self.port, self.accepted = port, free_port(), 0
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """Open now, from clients."""
        return len(self._handlers)

    async def __aenter__(self) -> Self:
        await self.heal()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.refuse()
        self._open.set()
        self.cut()
        if self._handlers:
            await asyncio.wait(self._handlers)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def black_hole(self) -> None:
        self._open.clear()

    def refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def heal(self) -> None:
        self._open.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.accepted += 1
        self._handlers.add(task)
        try:
            with contextlib.suppress(OSError):
                await self._join(reader, writer)
        finally:
            self._forget(writer)
            self._handlers.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        await self._open.wait()
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers.add(back)
        try:
            await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
        finally:
            self._forget(back)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, until its end; then the other one ends with it."""
        try:
            while data := await reader.read(CHUNK):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
            await self._open.wait()  # in a black hole nobody hears of an end
        finally:
            writer.close()

    def _forget(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()
