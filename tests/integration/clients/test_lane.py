"""The fast lane: what it does with odd servers. Its good manners are tested with the HTTP trigger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from events.clients.lane import Broken, Lanes, Limits, NoConnection, Reply, place_of
from events.clients.lookups import Lookups

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    """Every connection is handed to `serve` and closed when it returns."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x?y=1"
    finally:
        server.close()
        await server.wait_closed()


async def request_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), 0
    )
    return head + await reader.readexactly(length)


def answering(*answers: bytes) -> tuple[list[bytes], Serve]:
    """Answers on each connection in turn, then closes it."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            seen.append(await request_of(reader))
            writer.write(answer)
            await writer.drain()

    return seen, serve


@pytest.fixture
async def lanes() -> AsyncIterator[Lanes]:
    lanes = Lanes(lambda _: None, "tests", Lookups())
    yield lanes
    lanes.close()


async def post(lanes: Lanes, url: str, method: str = "POST", seconds: float = 5.0, **more: float) -> Reply:
    place = place_of(url)
    assert place is not None
    loop = asyncio.get_running_loop()
    limits = Limits(loop.time() + seconds, more.get("connect", 5.0), more.get("body", 5.0), 10, 100)
    return await lanes.exchange(method, place, {"X-A": "1"}, b"hello", limits)


async def test_what_is_sent(lanes: Lanes):
    seen, serve = answering(OK)
    async with serving(serve) as url:
        assert await post(lanes, url) == Reply(200, {"content-length": "2"}, b"ok", True)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /x?y=1 HTTP/1.1"
    assert lines[1].startswith(b"Host: 127.0.0.1:")
    assert {b"User-Agent: tests", b"Accept: */*", b"X-A: 1", b"Content-Length: 5"} == set(lines[2:])
    assert body == b"hello"


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            200,
            b"abcde",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the "),
        (b"HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbad", 500, b"bad"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000, 200, b"x" * 10),
    ],
)
async def test_answers_of_all_kinds(lanes: Lanes, answer: bytes, status: int, text: bytes):
    _, serve = answering(answer)
    async with serving(serve) as url:
        reply = await post(lanes, url)
    assert (reply.status, reply.text, reply.complete) == (status, text, True)


async def test_connections_are_used_again_and_replaced_when_the_other_side_closed_them(lanes: Lanes):
    seen, serve = answering(OK, OK)
    async with serving(serve) as url:
        for _ in range(6):
            assert (await post(lanes, url)).status == 200
        place = place_of(url)
        assert place is not None
        assert lanes.pool(place).made == 3
    assert len(seen) == 6


async def test_concurrent_exchanges_have_connections_of_their_own(lanes: Lanes):
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            await asyncio.sleep(0.02)
            writer.write(OK)

    async with serving(slow) as url:
        replies = await asyncio.gather(*(post(lanes, url) for _ in range(300)))
        assert {reply.status for reply in replies} == {200}
        place = place_of(url)
        assert place is not None
        assert lanes.pool(place).made <= 128
        lanes.close()


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 20", b"nonsense\r\n\r\n", b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n"]
)
async def test_no_answer_is_broken(lanes: Lanes, answer: bytes):
    _, serve = answering(answer)
    async with serving(serve) as url:
        with pytest.raises(Broken):
            await post(lanes, url)


HINTS = b"HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\nLink: </x>\r\n\r\n"


async def test_what_comes_before_the_answer_is_none(lanes: Lanes):
    """Neither a status, nor the beginning of the body's time."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(HINTS)
        await writer.drain()
        await asyncio.sleep(0.3)
        writer.write(OK)
        await writer.drain()

    async with serving(slow) as url:
        reply = await post(lanes, url, body=0.1)
    assert (reply.status, reply.text) == (200, b"ok")
    assert "link" not in reply.headers
    _, serve = answering(HINTS)
    async with serving(serve) as url:
        with pytest.raises(Broken):
            await post(lanes, url)


async def test_a_head_without_end_is_broken(lanes: Lanes):
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with serving(endless) as url:
        with pytest.raises(Broken, match="no end"):
            await post(lanes, url)


async def test_a_body_that_is_cut_short_is_told(lanes: Lanes):
    _, serve = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    async with serving(serve) as url:
        reply = await post(lanes, url)
    assert (reply.status, reply.text, reply.complete) == (200, b"abc", False)


async def test_deadlines(lanes: Lanes):
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        await gone.wait()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        await gone.wait()

    async with serving(silent) as url:
        with pytest.raises(TimeoutError):
            await post(lanes, url, seconds=0.1)
        gone.set()
    gone.clear()
    async with serving(endless) as url:
        assert not (await post(lanes, url, body=0.1)).complete
        gone.set()


async def test_addresses_are_checked_before_they_are_connected_to():
    def refuse(address: str) -> None:
        raise OSError(f"not {address}")

    lanes = Lanes(refuse, "tests", Lookups())
    with pytest.raises(OSError, match=r"not 127\.0\.0\.1"):
        await post(lanes, "http://127.0.0.1:9/")
    lanes.close()


async def test_a_target_that_takes_no_connection_is_told_apart(lanes: Lanes, monkeypatch: pytest.MonkeyPatch):
    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never, raising=False)
    with pytest.raises(NoConnection):
        await post(lanes, "http://127.0.0.1:9/", connect=0.05)


@pytest.mark.parametrize("text", ["a\r\nB: c", "a\nb", "a\rb", "a\0b"])
async def test_headers_stay_one_line(lanes: Lanes, text: str):
    place = place_of("http://127.0.0.1:9/")
    assert place is not None
    with pytest.raises(ValueError, match="line break"):
        await lanes.exchange("POST", place, {"X": text}, b"", Limits(1e9, 1, 1, 1, 1))


def test_what_is_left_to_others():
    assert place_of("http://user:pass@host/") is None
    assert place_of("ftp://host/") is None
    assert place_of("/path") is None


def test_hosts_as_they_are_written_on_the_wire():
    six = place_of("https://[::1]:8443/é?q=ü")
    assert six is not None
    assert (six.host, six.port, six.secure, six.authority) == ("::1", 8443, True, "[::1]:8443")
    assert six.path.isascii()
    plain = place_of("http://example.test")
    assert plain is not None
    assert (plain.authority, plain.port, plain.path) == ("example.test", 80, "/")
