"""The Kafka bus and a broker whose disk is full: nothing that was taken is lost, and all goes on later."""

from __future__ import annotations

import asyncio

import pytest

from events.errors import BusUnavailable
from events.testing.bus_harness import TOPIC, Seen, event, read_until
from events.testing.servers.fixtures import Disks, Own
from events.testing.servers.kafka import Kafka
from tests.integration.bus.kafka_rig import PATIENCE, Committer, Sender, healthy, opened

pytestmark = [pytest.mark.servers("kafka"), pytest.mark.timeout(90)]


async def test_a_full_disk_ends_the_broker_and_what_it_had_taken_is_there_when_it_is_back(
    small_disk: Disks, own: Own[Kafka]
):
    disk = small_disk(24 << 20)
    broker = await asyncio.to_thread(own, Kafka(data=disk.place / "data"))
    async with opened(broker.brokers) as bus:
        start = await bus.head()
        reader, seen = await bus.read([TOPIC], start), Seen(start)
        async with Sender(bus, 400_000) as sender, Committer(bus) as committer:
            await healthy(bus, wanted=False)
            assert len(sender.done) > 20
            assert f"{broker.brokers}: a broker cannot be reached" in bus.health().detail
            with pytest.raises(BusUnavailable, match="a broker cannot be reached"):
                await bus.publish([event("refused")])
            assert "No space left on device" in broker.new_log
            assert not broker.running, "a broker that lives has to be asked whether it stores"
            disk.grow(256 << 20)
            await asyncio.to_thread(broker.start)
            await healthy(bus)
            await sender.reach(20)
            await committer.reach(5)
        await read_until(reader, seen, await bus.head(), PATIENCE)
        assert set(sender.done) <= set(seen.ids)
        assert len(seen.ids) == len(set(seen.ids)), "a double was handed out"
        assert set(committer.done) <= set((await bus.load(0)).records)
