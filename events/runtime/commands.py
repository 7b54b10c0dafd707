"""Orders to the owner of a shard, wherever its process is: events of a topic of their own on the bus.

Every owner reads the topic and does what is meant for its shard; a crash meanwhile has it read again, and a
letter that is on its way already is not sent twice. Whoever ordered it sees the answer in what the owner
records.
"""

from __future__ import annotations

import asyncio
import secrets
import time

import msgspec

from events.bus._base import Bus, DecisionQuery, Topic
from events.errors import NotThere, Permanent
from events.event import Event
from events.runtime.records import Parked, decode, parked_key

TOPIC: Topic = ("_events", "command")
"""No EventSource can be called so."""

ANSWER = 10.0
"""Seconds that an owner gets to answer."""

REFUSED = "not sent again: "
"""What the error of a dead letter begins with when an order about it was refused."""


class Retry(msgspec.Struct):
    """Send a dead letter again."""

    shard: int
    firing: str
    render: bool = False


def event_of(order: Retry) -> Event:
    return Event(
        f"retry-{order.firing}-{secrets.token_hex(4)}", *TOPIC, "command", time.time_ns(),
        msgspec.json.encode(order),
    )  # fmt: skip


def order_in(event: Event) -> Retry:
    """Raises msgspec.MsgspecError for what is no order."""
    return msgspec.json.decode(event.data or b"", type=Retry)


async def retry(bus: Bus, order: Retry, answer: float = ANSWER) -> bool:
    """Have the owner send a dead letter again; False: nobody has answered yet, the order stays on the bus.

    Raises NotThere when there is no such dead letter, Permanent when the owner refused.
    """
    before = await dead_letter(bus, order)
    if before is None:
        raise NotThere(f"there is no dead letter {order.firing}")
    ordered_ns = time.time_ns()
    await bus.publish([event_of(order)])
    try:
        async with asyncio.timeout(answer):
            while not await _obeyed(bus, order, before, ordered_ns):
                await asyncio.sleep(0.2)
    except TimeoutError:
        return False
    return True


async def _obeyed(bus: Bus, order: Retry, before: Parked, ordered_ns: int) -> bool:
    now = await dead_letter(bus, order)
    if now is None:
        return True
    if now.error != before.error and now.error.startswith(REFUSED):
        raise Permanent(now.error)
    query = DecisionQuery(firing=order.firing, since_ns=ordered_ns, limit=1)
    return bool(await bus.find_decisions(query))


async def dead_letter(bus: Bus, order: Retry) -> Parked | None:
    key = parked_key(order.firing)
    data = (await bus.load(order.shard)).records.get(key)
    record = None if data is None else decode(data, Parked, key)
    return record if record is not None and record.due_ns is None else None
