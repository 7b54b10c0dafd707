"""The API of an instance over HTTP: statuses, parameters, and errors that are JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from events.runtime.api import application
from events.runtime.folder import DataFolder
from events.runtime.offline import open_offline
from events.web.pages import Server


class Client:
    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session, self._url = session, f"http://127.0.0.1:{port}/v1/"

    async def ask(self, method: str, operation: str, **more: Any) -> tuple[int, Any]:
        async with self._session.request(method, self._url + operation, **more) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    folder = DataFolder(tmp_path)
    folder.acquire()
    folder.release()
    async with open_offline(folder) as desk, aiohttp.ClientSession() as session:
        server = Server(application(desk))
        yield Client(session, await server.tcp("127.0.0.1", 0))
        await server.aclose()


EVENT = {"specversion": "1.0", "id": "1", "source": "s", "subject": "e", "type": "t", "data": {"a": 1}}


async def test_looking_is_possible_with_get_and_post(client: Client):
    assert await client.ask("GET", "events", params={"limit": "3"}) == (200, [])
    assert await client.ask("POST", "events", json={"limit": 3}) == (200, [])
    assert await client.ask("POST", "events") == (200, [])
    status, found = await client.ask("GET", "status")
    assert status == 200
    assert found["running"] is False


async def test_changing_is_post_only(client: Client):
    status, found = await client.ask("GET", "publish", params={"bus": "default"})
    assert status == 400
    assert found == {"error": "publish changes something: use POST"}
    assert (await client.ask("POST", "publish", json={"events": [EVENT]}))[0] == 200
    status, found = await client.ask("GET", "explain", params={"id": "1"})
    assert status == 200
    assert found[0]["event"]["data"] == {"a": 1}


@pytest.mark.parametrize(
    ("operation", "body", "status"),
    [
        ("nope", b"{}", 404),
        ("explain", b'{"id": "unknown"}', 404),
        ("explain", b"{}", 400),
        ("events", b"[", 400),
        ("events", b"[]", 400),
        ("events", b'{"sorce": "x"}', 400),
        ("decisions", b'{"results": "lost"}', 400),
        ("publish", b'{"events": [{"data": 1}]}', 400),
        ("publish", b'{"events": [' + b"[" * 5000, 400),
        ("reload", b"{}", 409),
    ],
)
async def test_errors_have_a_status_and_a_text(client: Client, operation: str, body: bytes, status: int):
    found, told = await client.ask("POST", operation, data=body)
    assert found == status
    assert list(told) == ["error"]
    assert told["error"]
