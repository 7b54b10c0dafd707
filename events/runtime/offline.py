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
from events.runtime.records import Parked, encode, parked_key

ONLY_RUNNING = "a dead letter can only be rendered anew while the instance runs"


@asynccontextmanager
async def open_offline(folder: DataFolder) -> AsyncIterator[Offline]:
    """The stores of the folder. Raises NotThere when there is none, InUse, Permanent, Damaged."""
    if not folder.is_ours:
        what = "is not a data folder" if folder.path.exists() else "does not exist"
        raise NotThere(f"{folder.path} {what}; `events run` makes one, --data names another")
    async with AsyncExitStack() as stack:
        folder.acquire(patience=0)
        stack.callback(folder.release)
        objects = LocalObjects(folder.objects)
        await objects.open()
        stack.push_async_callback(objects.aclose)
        desk = Offline(folder, objects, stack)
        for namespace, name, _ in folder.buses():
            await desk.open_bus(namespace, name)
        yield desk


class Offline:
    """Answers the same questions as a running instance."""

    def __init__(self, folder: DataFolder, objects: LocalObjects, stack: AsyncExitStack) -> None:
        """`stack` closes what is opened here."""
        self._folder, self._objects, self._stack = folder, objects, stack
        self._buses: dict[str, Bus] = {}
        self.history = History(self._buses)

    async def open_bus(self, namespace: str, name: str) -> Bus:
        """The bus of that name; it is made when it is not there. Raises Damaged, Permanent."""
        bus = EmbeddedBus(self._folder.bus(namespace, name), f"{namespace}/{name}")
        await bus.open()
        self._stack.push_async_callback(bus.aclose)
        self._buses[bus.name] = bus
        return bus

    def status(self) -> dict[str, Any]:
        return {
            "ready": False, "running": False, "data": str(self._folder.path), "sources": [], "sensors": [],
            "buses": [{"name": name, "ready": True, "reason": ""} for name in self._buses],
            "kubernetes": None, "listeners": [], "triggers": [], "findings": [],
        }  # fmt: skip

    async def objects(self, kind: str | None, namespace: str | None) -> list[dict[str, Any]]:
        return await self._objects.find(kind, namespace)

    async def retry(self, firing: str, *, render: bool) -> bool:
        """Make the dead letter due: the next `events run` sends it."""
        if render:
            raise Permanent(ONLY_RUNNING)
        for bus in self._buses.values():
            for shard, found, record in await parked(bus):
                if found == firing and record.due_ns is None:
                    await make_due(bus, shard, firing, record)
                    return True
        return False

    async def publish(self, namespace: str, bus: str, events: Any) -> list[dict[str, Any]]:
        """Store events for the next `events run`; a bus that is not there yet is made."""
        name, found = f"{namespace}/{bus}", read_events(events, namespace)
        return await publish_to(self._buses.get(name) or await self.open_bus(namespace, bus), found, name)

    async def reload(self) -> list[dict[str, Any]]:
        raise Permanent("nothing runs on this data folder")


async def make_due(bus: Bus, shard: int, firing: str, record: Parked) -> None:
    """Have a dead letter sent by the next owner of its shard."""
    due = msgspec.structs.replace(record, due_ns=0, attempt=0)
    lease = await bus.lease(f"shard/{shard}")
    await bus.commit(shard, lease.epoch, Changes(records={parked_key(firing): encode(due)}))
    await lease.release()


def call(folder: DataFolder, operation: str, given: dict[str, Any]) -> Any:
    """One operation on the folder, as plain JSON values. Raises EventsError, ValueError."""
    from events.runtime.operations import OPERATIONS

    async def run() -> Any:
        async with open_offline(folder) as desk:
            return msgspec.to_builtins(await OPERATIONS[operation](desk, given))

    return asyncio.run(run())
