"""Addresses of names, one question at a time for each name.

Why       a question takes a thread of the few that the process has for all of them: asked by every firing for
          itself, one name whose resolver is silent would keep the others from being asked for
Waiting   those who ask meanwhile wait for the same answer; it ends for whoever gives up, not for the others
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

from events.aio import Group


class Lookups:
    """Answers as of `getaddrinfo` for TCP. Nothing is kept: the resolver of the machine does that."""

    def __init__(self) -> None:
        self._asking: dict[tuple[str, int], asyncio.Task[list[Any]]] = {}
        self._tasks = Group(lambda *_: None)  # whoever asked gets the error

    async def find(self, host: str, port: int) -> list[Any]:
        """Raises OSError. An address needs no question."""
        if literal(host):
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        key = (host, port)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = self._tasks.start("lookup", self._ask(key))
        return await asyncio.shield(task)

    async def _ask(self, key: tuple[str, int]) -> list[Any]:
        try:
            return await asyncio.get_running_loop().getaddrinfo(*key, type=socket.SOCK_STREAM)
        finally:
            del self._asking[key]

    async def aclose(self) -> None:
        await self._tasks.aclose()


def literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
