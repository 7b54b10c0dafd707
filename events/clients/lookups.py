"""Addresses of names, one question at a time for each name; TCP connections to the one that answers.

Why       a question takes a thread of the few that the process has for all of them: asked by every firing for
          itself, one name whose resolver is silent would keep the others from being asked for
Waiting   those who ask meanwhile wait for the same answer; it ends for whoever gives up, not for the others
Silence   an address that does not answer keeps nobody from the next one (RFC 8305, "happy eyeballs")
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from asyncio.staggered import staggered_race
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from events.aio import Group

STAGGER = 0.25
"""Seconds after which the next address is tried too."""


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


async def connected(infos: Sequence[Any], make: Callable[[Any], socket.socket]) -> socket.socket:
    """TCP to the first address that answers. `make`: a socket for an entry of getaddrinfo, or OSError.

    Raises OSError: what went wrong first, and what `make` said only when it made no socket at all.
    """
    attempts = Attempts(make)
    found: socket.socket | None = None
    try:
        found, _, errors = await staggered_race([partial(attempts.reach, info) for info in infos], STAGGER)
    finally:
        attempts.close_but(found)
    if found is None:
        failed = [one for one in errors if one is not None and one not in attempts.refused]
        raise next(iter((*failed, *attempts.refused)), OSError("the host has no address"))
    return found


class Attempts:
    """Connects to addresses of one host. Each attempt closes its socket itself, once the loop let it go."""

    def __init__(self, make: Callable[[Any], socket.socket]) -> None:
        self._make = make
        self._reached: list[socket.socket] = []
        self.refused: list[OSError] = []

    async def reach(self, info: Any) -> socket.socket:
        try:
            made = self._make(info)
        except OSError as exc:
            self.refused.append(exc)
            raise
        with ExitStack() as opened:
            opened.callback(made.close)
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, info[4])
            opened.pop_all()
        self._reached.append(made)
        return made

    def close_but(self, found: socket.socket | None) -> None:
        for one in self._reached:
            if one is not found:
                one.close()
