"""The proxy of the fault tests: each fault, and that it heals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from events.testing.proxy import Proxy

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1024):
        writer.write(data)
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as made:
        yield made


async def connect(proxy: Proxy) -> Streams:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def says(streams: Streams, word: bytes) -> bytes:
    """What comes back; nothing from a connection that was closed, politely or not."""
    reader, writer = streams
    writer.write(word)
    try:
        async with asyncio.timeout(5):
            return await reader.read(1024)
    except ConnectionResetError:
        return b""


async def silent(streams: Streams, word: bytes) -> bool:
    """Nothing comes back for a while, and the connection is not closed either."""
    streams[1].write(word)
    try:
        await asyncio.wait_for(streams[0].read(1024), 0.1)
    except TimeoutError:
        return True
    return False


async def test_it_carries_both_ways_and_ends_with_either_side(proxy: Proxy):
    streams = await connect(proxy)
    assert await says(streams, b"hello") == b"hello"
    assert (proxy.accepted, proxy.connections) == (1, 1)
    streams[1].write_eof()
    assert await streams[0].read() == b""
    streams[1].close()


async def test_cut_closes_connections_and_takes_new_ones(proxy: Proxy):
    first = await connect(proxy)
    assert await says(first, b"one") == b"one"
    proxy.cut()
    assert await says(first, b"two") == b""
    second = await connect(proxy)
    assert await says(second, b"three") == b"three"
    for streams in (first, second):
        streams[1].close()


async def test_a_black_hole_stalls_connections_old_and_new_until_it_heals(proxy: Proxy):
    old = await connect(proxy)
    assert await says(old, b"one") == b"one"
    proxy.black_hole()
    new = await connect(proxy)
    assert await silent(old, b"two")
    assert await silent(new, b"three")
    await proxy.heal()
    assert await says(old, b"") == b"two"
    assert await says(new, b"") == b"three"
    for streams in (old, new):
        streams[1].close()


async def test_refused_connections_work_again_on_the_same_port_when_healed(proxy: Proxy):
    old = await connect(proxy)
    assert await says(old, b"one") == b"one"
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await connect(proxy)
    assert await says(old, b"two") == b"two"
    await proxy.heal()
    new = await connect(proxy)
    assert await says(new, b"three") == b"three"
    for streams in (old, new):
        streams[1].close()


async def test_a_server_that_is_down_looks_like_a_closed_connection():
    async with Proxy(1) as proxy:
        streams = await connect(proxy)
        assert await says(streams, b"one") == b""
        streams[1].close()
