"""webhook: payload shape, and statuses that a sender can act on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from events.errors import BusFull, TooLarge
from events.testing.sources import Rig, rigged

BASE: dict[str, Any] = {"endpoint": "/in", "port": "0", "method": "POST"}
JSON = {"Content-Type": "application/json"}


async def send(
    rig: Rig, body: bytes = b"{}", method: str = "POST", path: str = "/in", **headers: str
) -> tuple[int, str, dict[str, str]]:
    url = f"http://127.0.0.1:{rig.listeners.ports[0]}{path}"
    named = {**JSON, **{key.replace("_", "-"): value for key, value in headers.items()}}
    async with rig.sessions.get().request(method, url, data=body, headers=named) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


async def test_body_header_and_metadata_in_upstream_s_shape():
    async with rigged() as rig:
        await rig.start("webhook", {**BASE, "metadata": {"team": "shop"}})
        status, text, _ = await send(rig, b'{"message": "hello", "n": 1.50}', x_trace_id="7")
        assert (status, text) == (200, "success")
        (data,) = rig.data
        assert data["body"] == {"message": "hello", "n": 1.5}
        assert data["metadata"] == {"team": "shop"}
        assert data["header"]["X-Trace-Id"] == ["7"]
        assert data["header"]["Content-Type"] == ["application/json"]
        assert data["header"]["Content-Length"] == ["31"]
        assert "Host" not in data["header"]
        assert b'{"message": "hello", "n": 1.50}' in rig.emitted[0].data, "the body stays byte for byte"


async def test_query_of_a_get_is_the_body():
    async with rigged() as rig:
        await rig.start("webhook", {**BASE, "method": "GET"})
        await send(rig, b"", "GET", "/in?id=7&tag=a&tag=b&empty=")
        assert rig.data[0]["body"] == {"id": ["7"], "tag": ["a", "b"], "empty": [""]}


async def test_form_fields_are_lists():
    async with rigged() as rig:
        await rig.start("webhook", BASE)
        await send(rig, b"a=1&b=x+y&a=2", Content_Type="application/x-www-form-urlencoded")
        assert rig.data[0]["body"] == {"a": ["1", "2"], "b": ["x y"]}


@pytest.mark.parametrize("body", [b"", b"{", b"nope", b'{"a":1}x', b'{"a":01}', b'"\x01"', b"[1,]"])
async def test_what_is_no_json_is_400(body: bytes):
    async with rigged() as rig:
        await rig.start("webhook", BASE)
        status, _, _ = await send(rig, body)
        assert status == 400
        assert not rig.emitted


@pytest.mark.parametrize("body", [b"[1,2]", b"5", b'"text"', b"null", b'{"a":"\\ud800"}', b'{"a":"\xff"}'])
async def test_any_json_that_go_takes_is_taken(body: bytes):
    async with rigged() as rig:
        await rig.start("webhook", BASE)
        assert (await send(rig, body))[0] == 200
        assert len(rig.data) == 1


async def test_wrong_method_is_405_and_names_the_right_one():
    async with rigged() as rig:
        await rig.start("webhook", BASE)
        status, _, headers = await send(rig, method="PUT")
        assert (status, headers["Allow"]) == (405, "POST")


async def test_unknown_path_is_404_and_health_is_200():
    async with rigged() as rig:
        await rig.start("webhook", BASE)
        assert (await send(rig, path="/other"))[0] == 404
        assert (await send(rig, method="GET", path="/health"))[:2] == (200, "OK")


async def test_bearer_token():
    async with rigged({"auth/token": "right\n"}) as rig:
        await rig.start("webhook", {**BASE, "authSecret": {"name": "auth", "key": "token"}})
        assert (await send(rig))[0] == 401
        assert (await send(rig, Authorization="Bearer wrong"))[0] == 401
        assert (await send(rig, Authorization="Basic right"))[0] == 401
        assert (await send(rig, Authorization="Bearer right"))[0] == 200
        assert rig.data[0]["header"]["Authorization"] == ["*** Masked Auth Secret ***"]


async def test_larger_than_max_payload_size_is_413():
    async with rigged() as rig:
        await rig.start("webhook", {**BASE, "maxPayloadSize": 100})
        assert (await send(rig, b'"' + b"x" * 98 + b'"'))[0] == 200
        assert (await send(rig, b'"' + b"x" * 99 + b'"'))[0] == 413


async def test_larger_without_a_length_is_413():
    async def chunks() -> Any:
        for _ in range(1000):
            yield b"x" * 1000

    async with rigged() as rig:
        await rig.start("webhook", {**BASE, "maxPayloadSize": 10_000})
        url = f"http://127.0.0.1:{rig.listeners.ports[0]}/in"
        async with rig.sessions.get().post(url, data=chunks()) as answer:
            assert answer.status == 413


async def test_full_bus_is_503_with_retry_after():
    async with rigged() as rig:
        await rig.start("webhook", BASE)
        rig.refuse = BusFull("full", after=7)
        status, text, headers = await send(rig)
        assert (status, headers["Retry-After"]) == (503, "7")
        assert "full" in text


async def test_larger_than_the_bus_takes_is_413():
    async with rigged() as rig:
        await rig.start("webhook", BASE)
        rig.refuse = TooLarge(10, 5)
        assert (await send(rig))[0] == 413


async def test_two_sources_share_a_port_and_a_second_one_on_the_path_is_refused():
    async with rigged() as first, rigged() as second, rigged() as third:
        await first.start("webhook", BASE)
        port = str(first.listeners.ports[0])
        for other in (second, third):
            await other.listeners.aclose()
            other.listeners = first.listeners
        await second.start("webhook", {**BASE, "port": port, "endpoint": "/other"})
        assert (await send(first, path="/in"))[0] == 200
        assert (await send(first, path="/other"))[0] == 200
        assert (len(first.emitted), len(second.emitted)) == (1, 1)
        await third.start("webhook", {**BASE, "port": port}, wait=False)
        await asyncio.wait([third.task])
        assert "already served" in str(third.task.exception())
        third.errors.clear()


async def test_path_templates_match_one_segment():
    async with rigged() as rig:
        await rig.start("webhook", {**BASE, "endpoint": "/hooks/{team}/in"})
        assert (await send(rig, path="/hooks/shop/in"))[0] == 200
        assert (await send(rig, path="/hooks/a/b/in"))[0] == 404


async def test_concurrent_requests_are_all_stored():
    async with rigged() as rig:
        await rig.start("webhook", BASE)
        statuses = await asyncio.gather(*(send(rig, b'{"n":%d}' % n) for n in range(100)))
        assert {status for status, _, _ in statuses} == {200}
        assert sorted(data["body"]["n"] for data in rig.data) == list(range(100))
