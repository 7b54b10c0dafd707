"""A data folder without a running instance: the tools look into the stores, or change them, themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec

from events.bus._base import Bus, Changes
from events.bus.embedded import EmbeddedBus
from events.errors import NotThere, Permanent
from events.kube.local import LocalObjects
from events.runtime.desk import publish_to, read_events
from events.runtime.folder import DataFolder
from events.runtime.history import History, parked
from events.runtime.records import encode, parked_key


@asynccontextmanager
async def open_offline(folder: DataFolder) -> AsyncIterator[Offline]:
    """The stores of the folder. Raises NotThere when there is none, Permanent, Damaged."""
    if not folder.path.is_dir():
        raise NotThere(f"there is no data folder {folder.path}; `events run` makes one (or give --data)")
    async with AsyncExitStack() as stack:
        folder.acquire()
        stack.callback(folder.release)
        buses: dict[str, Bus] = {}
        for namespace, name, file in folder.buses():
            bus = EmbeddedBus(file, f"{namespace}/{name}")
            await bus.open()
            stack.push_async_callback(bus.aclose)
            buses[bus.name] = bus
        objects = LocalObjects(folder.objects)
        await objects.open()
        stack.push_async_callback(objects.aclose)
        yield Offline(folder, buses, objects)


class Offline:
    """Answers the same questions as a running instance."""

    def __init__(self, folder: DataFolder, buses: dict[str, Bus], objects: LocalObjects) -> None:
        self._folder, self._buses, self._objects = folder, buses, objects
        self.history = History(buses)

    def status(self) -> dict[str, Any]:
        return {
            "ready": False, "running": False, "data": str(self._folder.path), "sources": [], "sensors": [],
            "buses": [{"name": name, "ready": True, "reason": ""} for name in self._buses],
            "listeners": [], "triggers": [], "findings": [],
        }  # fmt: skip

    async def objects(self, kind: str | None, namespace: str | None) -> list[dict[str, Any]]:
        return await self._objects.find(kind, namespace)

    async def retry(self, firing: str, *, render: bool) -> bool:
        """Make the dead letter due: the next `events run` sends it."""
        if render:
            raise Permanent("a dead letter can only be rendered anew while the instance runs")
        for bus in self._buses.values():
            for shard, found, record in await parked(bus):
                if found == firing and record.due_ns is None:
                    due = msgspec.structs.replace(record, due_ns=0, attempt=0)
                    lease = await bus.lease(f"shard/{shard}")
                    await bus.commit(shard, lease.epoch, Changes(records={parked_key(firing): encode(due)}))
                    await lease.release()
                    return True
        return False

    async def publish(self, namespace: str, bus: str, events: Any) -> list[dict[str, Any]]:
        """Store events for the next `events run`; a bus that is not there yet is made."""
        name = f"{namespace}/{bus}"
        if name not in self._buses:
            made = EmbeddedBus(self._folder.bus(namespace, bus), name)
            await made.open()
            try:
                return await publish_to(made, read_events(events, namespace), name)
            finally:
                await made.aclose()
        return await publish_to(self._buses[name], read_events(events, namespace), name)

    async def reload(self) -> list[dict[str, Any]]:
        raise Permanent("nothing runs on this data folder")


def call(folder: DataFolder, operation: str, given: dict[str, Any]) -> Any:
    """One operation on the folder, as plain JSON values. Raises EventsError, ValueError."""
    from events.runtime.operations import OPERATIONS

    async def run() -> Any:
        async with open_offline(folder) as desk:
            return msgspec.to_builtins(await OPERATIONS[operation](desk, given))

    return asyncio.run(run())
