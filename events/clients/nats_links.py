"""Connections to NATS servers that many share."""

from __future__ import annotations

import asyncio

from events.aio import Group
from events.clients.http import Sessions
from events.clients.nats import Link, Servers, connect
from events.clients.secrets import Secrets
from events.errors import Retryable

LINKS_KEPT = 100
"""Connections that are shared; the one unused for longest is closed when one more is wanted."""


class Links:
    """Connections that many share: one per distinct servers and login, made at first use.

    Those who ask while it is being made wait for the same attempt. Logins are told apart by what the secrets
    hold: namespaces with the same one share, and a renewed one makes a new connection.
    """

    def __init__(self, sessions: Sessions, name: str) -> None:
        self._sessions, self._name = sessions, name
        self._tasks = Group(lambda *_: None)  # whoever asked gets the error
        self._made: dict[tuple[Servers, bytes], asyncio.Task[Link]] = {}

    async def get(self, servers: Servers, secrets: Secrets) -> Link:
        """A connection that works now. Raises Retryable, Permanent."""
        place = (servers, await servers.digest(secrets))
        task = self._made.pop(place, None)
        if task is None or failed(task):
            task = self._start(servers, secrets)
        self._made[place] = task  # the one used last comes last
        link = await asyncio.shield(task)
        if not link.up:
            reason = f" ({link.trouble})" if link.trouble else ""
            raise Retryable(f"{self._name}: connection to {servers.shown} lost{reason}; trying again")
        return link

    def _start(self, servers: Servers, secrets: Secrets) -> asyncio.Task[Link]:
        if len(self._made) >= LINKS_KEPT:
            oldest = self._made.pop(next(iter(self._made)))
            self._tasks.start("nats close", close(oldest))
        return self._tasks.start("nats connect", connect(servers, secrets, self._name, self._sessions))

    async def aclose(self) -> None:
        made, self._made = self._made, {}
        for task in made.values():
            await close(task)
        await self._tasks.aclose()


async def close(task: asyncio.Task[Link]) -> None:
    await asyncio.wait([task])
    if not failed(task):
        await task.result().aclose()


def failed(task: asyncio.Task[Link]) -> bool:
    """Whether a connection was not made, or has ended for good."""
    if not task.done():
        return False
    return task.cancelled() or task.exception() is not None or task.result().ended.is_set()
