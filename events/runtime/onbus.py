"""A bus itself, without a process of ours: the tools look into it, or change it, over its URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec

from events.bus._base import Bus
from events.clients.secrets import LocalSecrets
from events.errors import Permanent
from events.runtime import commands
from events.runtime.desk import publish_to, read_events
from events.runtime.engines import Choice, Means, make, of_url, shown
from events.runtime.history import History, parked
from events.runtime.offline import ONLY_RUNNING, make_due

ANSWER = 5.0
"""Seconds for the process that has a dead letter's shard; without one the order waits on the bus."""


class Place(NamedTuple):
    """Which bus: `name` is `namespace/eventbus`."""

    url: str
    name: str = "default/default"
    shards: int | None = None


@asynccontextmanager
async def open_on(place: Place) -> AsyncIterator[OnBus]:
    """Raises ManifestError, MissingExtra, BusUnavailable, Permanent, Damaged."""
    choice = of_url(place.url)
    namespace, _, name = place.name.partition("/")
    means = Means(None, lambda _: LocalSecrets(dict), shards=place.shards, create=False)
    bus = make(choice, namespace, name, means)
    await bus.open()
    try:
        yield OnBus(bus, choice, place)
    finally:
        await bus.aclose()


class OnBus:
    """Answers what the bus alone can answer."""

    def __init__(self, bus: Bus, choice: Choice, place: Place) -> None:
        self._bus, self._choice, self._place = bus, choice, place
        self.history = History({bus.name: bus})

    def status(self) -> dict[str, Any]:
        health = self._bus.health()
        return {
            "ready": False, "running": False, "data": shown(self._place.url), "sources": [], "sensors": [],
            "buses": [{"name": self._bus.name, "ready": health.ready, "reason": health.detail}],
            "listeners": [], "triggers": [], "findings": [],
        }  # fmt: skip

    async def objects(self, kind: str | None, namespace: str | None) -> list[dict[str, Any]]:
        raise Permanent("objects are not kept on a bus; --data names the folder of who made them")

    async def retry(self, firing: str, *, render: bool) -> bool:
        """By the process that has the shard; without one, when one has it again."""
        if render and not self._choice.shared:
            raise Permanent(ONLY_RUNNING)
        for shard, found, record in await parked(self._bus):
            if found == firing and record.due_ns is None:
                if self._choice.shared:
                    await commands.retry(self._bus, commands.Retry(shard, firing, render), ANSWER)
                else:
                    await make_due(self._bus, shard, firing, record)
                return True
        return False

    async def publish(self, namespace: str, bus: str, events: Any) -> list[dict[str, Any]]:
        found = read_events(events, self._place.name.partition("/")[0])
        return await publish_to(self._bus, found, self._bus.name)

    async def reload(self) -> list[dict[str, Any]]:
        raise Permanent("a bus has no manifests")


def call(place: Place, operation: str, given: dict[str, Any]) -> Any:
    """One operation on the bus, as plain JSON values. Raises EventsError, ValueError."""
    from events.runtime.operations import OPERATIONS

    async def run() -> Any:
        async with open_on(place) as desk:
            return msgspec.to_builtins(await OPERATIONS[operation](desk, given))

    return asyncio.run(run())
