"""What the owner of a shard finds of its former owner."""

from __future__ import annotations

from typing import NamedTuple

from events.bus._base import Bus, Mark, ShardState
from events.event import Event
from events.runtime.memory import Memory
from events.runtime.records import ConditionRecord, HeldRef, Parked, decode, revision_key
from events.runtime.roster import Roster


class Lost(NamedTuple):
    """A held event whose blob is gone."""

    sensor: str
    trigger: str
    dependency: str
    held: HeldRef


class Former(NamedTuple):
    """Reading begins at `start`; up to `head` it may meet what the former owner handled already."""

    start: Mark
    head: Mark
    renewed: bool
    """The log was made anew: places in the old one mean nothing."""
    done: set[str]
    parked: dict[str, Parked]
    memories: dict[tuple[str, str], Memory]
    lost: list[Lost]


async def take_over(bus: Bus, shard: int, roster: Roster) -> Former:
    """Read everything, after the lease is ours. Raises BusUnavailable, Damaged."""
    state = await bus.load(shard)
    head = await bus.head()
    start = start_at(state.mark, head)
    await adopt_sensors(bus, shard, roster, state, start)
    renewed = state.mark is not None and state.mark.incarnation != head.incarnation
    memories, lost = await adopt_memories(bus, shard, state)
    if renewed:
        for memory in memories.values():
            memory.applied = {}
    return Former(start, head, renewed, set(state.done), parked_of(state), memories, lost)


def start_at(mark: Mark | None, head: Mark) -> Mark:
    """At the mark; at the head for a new shard; at the beginning of a new log or partition."""
    if mark is None:
        return head
    known = mark.offsets if mark.incarnation == head.incarnation else {}
    return Mark(head.incarnation, {**dict.fromkeys(head.offsets, 0), **known})


async def adopt_sensors(bus: Bus, shard: int, roster: Roster, state: ShardState, start: Mark) -> None:
    specs: dict[str, bytes] = {}
    for name in roster.adopt(state.records, start):
        spec = await bus.blob(shard, revision_key(name))
        if spec is not None:
            specs[name] = spec
    roster.remember(specs)


async def adopt_memories(
    bus: Bus, shard: int, state: ShardState
) -> tuple[dict[tuple[str, str], Memory], list[Lost]]:
    memories: dict[tuple[str, str], Memory] = {}
    lost: list[Lost] = []
    for key, data in state.records.items():
        if not key.startswith("condition/"):
            continue
        _, sensor, trigger = key.split("/", 2)
        record = decode(data, ConditionRecord, key)
        events: dict[str, Event] = {}
        for name, ref in record.held.items():
            blob = await bus.blob(shard, ref.blob)
            if blob is None:
                lost.append(Lost(sensor, trigger, name, ref))
            else:
                events[name] = decode(blob, Event, ref.blob)
        memory = memories[sensor, trigger] = Memory(sensor, trigger)
        memory.restore(record, events)
    return memories, lost


def parked_of(state: ShardState) -> dict[str, Parked]:
    """Firing id -> record, dead letters among them."""
    return {
        key.removeprefix("parked/"): decode(data, Parked, key)
        for key, data in state.records.items()
        if key.startswith("parked/")
    }
