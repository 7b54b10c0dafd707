"""How far a reader takes the log as looked at while nothing comes: what server and replica say is given."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

from events.bus.jetstream_api import led
from events.bus.jetstream_read import BEHIND, COPYING, LogReader
from events.bus.jetstream_settings import Names
from events.testing.virtual import run_virtual


class Server:
    """The leader of the stream, with its end and its replicas; the consumer is at `serving` and silent."""

    name = "default/b"

    def __init__(self, serving: str = "b") -> None:
        self.end, self.serving = 0, serving
        self.copy: dict[str, Any] = {"name": "b", "current": True}
        self.waiting = deque[Any]()
        self.lost, self.received = False, 0

    def lose(self, reason: str) -> None:
        self.lost = True

    async def info(self, stream: str = "") -> dict[str, Any]:
        if not stream:  # of the consumer
            return {"num_pending": 0, "delivered": {"consumer_seq": 0}, "cluster": {"leader": self.serving}}
        cluster = {"leader": "a", "replicas": [self.copy]}
        return {"created": "then", "state": {"first_seq": 1, "last_seq": self.end}, "cluster": cluster}


async def reader_at(server: Server) -> LogReader:
    made = LogReader(cast(Any, server), Names.of("default/b"), cast(Any, None), [("s", "a")], 1, lambda: None)
    made._incarnation, made._puller = "then", cast(Any, server)
    return made


async def looked(reader: LogReader) -> int:
    await reader._look()
    return reader._reached


def test_the_end_of_the_log_counts_at_once_when_the_leader_serves_the_consumer():
    async def body() -> None:
        server = Server(serving="a")
        reader = await reader_at(server)
        server.end = 7
        assert await looked(reader) == 7

    run_virtual(body())


def test_the_end_of_the_log_counts_when_the_replica_had_time_to_copy_it():
    async def body() -> None:
        server = Server()
        reader = await reader_at(server)
        server.end = 7
        assert await looked(reader) == 0
        assert await looked(reader) == 0
        await asyncio.sleep(COPYING)
        server.end = 9
        assert await looked(reader) == 7
        await asyncio.sleep(COPYING)
        assert await looked(reader) == 9

    run_virtual(body())


def test_nothing_counts_while_the_leader_knows_that_the_replica_lags():
    async def body() -> None:
        server = Server()
        reader = await reader_at(server)
        server.end, server.copy["lag"] = 7, 3
        for _ in range(3):
            assert await looked(reader) == 0
            await asyncio.sleep(COPYING)
        del server.copy["lag"]
        assert await looked(reader) == 7

    run_virtual(body())


def test_a_replica_that_does_not_catch_up_is_left():
    async def body() -> None:
        server = Server()
        reader = await reader_at(server)
        server.end, server.copy["current"] = 7, False
        assert await looked(reader) == 0
        await asyncio.sleep(BEHIND - 1)
        assert await looked(reader) == 0
        assert not server.lost
        await asyncio.sleep(1.5)
        assert await looked(reader) == 0
        assert server.lost

    run_virtual(body())


def test_a_replica_that_catches_up_in_time_is_kept():
    async def body() -> None:
        server = Server()
        reader = await reader_at(server)
        server.end = 7
        for _ in range(10):
            for current in (False, True):
                server.copy["current"] = current
                await looked(reader)
                await asyncio.sleep(1)
        assert not server.lost
        assert reader._reached == 7

    run_virtual(body())


def test_who_knows_no_leader_is_not_believed():
    assert led({"state": {}})
    assert led({"cluster": {"leader": "a", "replicas": []}})
    assert not led({"cluster": {"name": "three", "replicas": [{"name": "a", "current": False}]}})
