"""A process that holds shard 0 of a bus and writes on: `jetstream_holder.py URL NAME`.

Prints `held EPOCH`, then `wrote N` for every commit that was taken, and at last `fenced` or `lost`.
"""

from __future__ import annotations

import asyncio
import sys

from events.bus._base import Changes
from events.bus.jetstream import JetStreamBus
from events.clients.nats import Servers
from events.errors import BusUnavailable, Fenced


def say(text: str) -> None:
    print(text, flush=True)


async def main(url: str, name: str) -> None:
    bus = JetStreamBus(Servers.of(url), name, shards=2)
    await bus.open()
    lease = await bus.lease("shard/0", ttl=2.0)
    say(f"held {lease.epoch}")
    number = 0
    while True:
        number += 1
        changes = Changes({"x": b"%d" % number}, {"a": b"%d" % number, "b": b"%d" % number})
        try:
            await bus.commit(0, lease.epoch, changes)
        except Fenced:
            say("lost" if lease.lost.is_set() else "fenced")
            break
        except BusUnavailable:
            continue
        say(f"wrote {number}")
        await asyncio.sleep(0.01)
    await bus.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
