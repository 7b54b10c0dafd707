"""The API server's client against answers that a healthy server seldom gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from events.errors import Retryable
from events.kube.client import Client
from events.kube.login import Login

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]

    async def log_in() -> Login:
        return Login(f"http://127.0.0.1:{port}")

    client = Client(log_in)
    try:
        yield client
    finally:
        await client.aclose()
        await runner.cleanup()


async def test_a_server_that_prepares_a_kind_is_asked_again():
    asked = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked < 3:
            return web.json_response({"kind": "Status", "message": "storage is (re)initializing"}, status=429)
        return web.json_response({"asked": asked})

    async with served(handler) as client:
        assert await client.request("GET", "/x") == {"asked": 3}


async def test_a_busy_server_is_left_to_who_asked():
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(
            {"kind": "Status", "message": "busy"}, status=429, headers={"Retry-After": "5"}
        )

    async with served(handler) as client:
        with pytest.raises(Retryable, match="busy") as caught:
            await client.request("GET", "/x")
    assert caught.value.after == 5.0


async def test_an_answer_that_is_no_json():
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="<html>welcome</html>")

    async with served(handler) as client:
        with pytest.raises(Retryable, match="is it an API server"):
            await client.request("GET", "/x")


async def test_lines_of_any_length_in_any_pieces():
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for piece in (b'{"a"', b': "' + b"x" * 3_000_000 + b'"}\n{"b": 1}\n\n{"c"', b": 2}\n"):
            await answer.write(piece)
        return answer

    async with served(handler) as client:
        seen = [value async for value in client.stream("/x", {})]
    assert [sorted(value) for value in seen] == [["a"], ["b"], ["c"]]
    assert len(seen[0]["a"]) == 3_000_000


async def test_a_watch_that_breaks_off_is_retryable():
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b'{"a": 1}\n')
        assert request.transport is not None
        request.transport.abort()
        return answer

    async with served(handler) as client:
        stream = client.stream("/x", {})
        assert await anext(stream) == {"a": 1}
        with pytest.raises(Retryable, match="cannot be reached"):
            await anext(stream)


async def test_a_redirect_is_not_followed():
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"})

    async with served(handler) as client:
        with pytest.raises(Retryable, match="is it an API server"):
            await client.request("GET", "/x")
