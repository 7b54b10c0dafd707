"""minio: dozens of objects of a real server; promptness, pings and reconnects on a stand-in.

The real server hands its lines on in blocks of about 4 kB (see events/testing/servers/minio.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from events.clients import minio as client
from events.errors import Permanent, Retryable
from events.sources import minio as source
from events.testing.aws import cloud
from events.testing.certificates import Authority
from events.testing.minio import ACCESS_KEY, BUCKET, Listening, record
from events.testing.servers.minio import Minio
from events.testing.sources import Rig, rigged
from events.testing.triggers import Target, serving

SECRETS = {"store/user": ACCESS_KEY, "store/password": "s3cret-of-the-store"}
KEYS = {"accessKey": {"name": "store", "key": "user"}, "secretKey": {"name": "store", "key": "password"}}


def raw_of(address: str, bucket: str = BUCKET, **config: Any) -> dict[str, Any]:
    events = ["s3:ObjectCreated:*"]
    return {
        "endpoint": address,
        "bucket": {"name": bucket},
        "insecure": True,
        "events": events,
        **KEYS,
        **config,
    }


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Listening, str]]:
    server = Listening()
    await server.start()
    try:
        yield server, f"127.0.0.1:{server.port}"
    finally:
        await server.stop()


async def heard(server: Listening, count: int = 1) -> None:
    async with asyncio.timeout(5):
        while server.listeners < count:
            await asyncio.sleep(0.01)


@pytest.mark.servers("minio")
async def test_dozens_of_objects_of_a_real_server(minio_server: Minio):
    login = {"store/user": Minio.user, "store/password": Minio.password}
    aws_login = {"aws/id": Minio.user, "aws/key": Minio.password}
    async with cloud(minio_server.url, aws_login) as store, rigged(login) as rig:
        bucket = await store.bucket()
        keys = {"prefix": "in/", "suffix": ".txt"}
        await rig.start("minio", raw_of(minio_server.address, bucket, filter=keys))
        await store.put(bucket, [f"in/ä {number:02}.txt" for number in range(60)])
        await store.put(bucket, ["out/a.txt", "in/a.csv"])
        await rig.until(40, 20)
        things = [data["notification"][0]["s3"]["object"] for data in rig.data]
        assert [thing["key"] for thing in things] == [
            f"in/ä {number:02}.txt" for number in range(len(things))
        ]
        assert {data["notification"][0]["eventName"] for data in rig.data} == {"s3:ObjectCreated:Put"}


@pytest.mark.servers("minio")
async def test_refusals_of_a_real_server(minio_server: Minio):
    login = {"store/user": Minio.user, "store/password": Minio.password}
    place = f"MinIO bucket 'missing' (http://{minio_server.address})"
    async with rigged(login) as rig:
        missing = await failure(rig, raw_of(minio_server.address, "missing"))
        assert isinstance(missing, Retryable), "it may be created"
        assert str(missing).startswith(f"{place}: 404 NoSuchBucket: The specified bucket does not exist")
        assert str(missing).endswith("; create the bucket, or correct bucket, region and endpoint")
    async with rigged({**login, "store/password": "wrong-password"}) as rig:
        refused = await failure(rig, raw_of(minio_server.address, "missing"))
        assert isinstance(refused, Permanent)
        assert str(refused).startswith(f"{place}: 403 SignatureDoesNotMatch")
        assert str(refused).endswith("; check accessKey, secretKey and sessionToken")


async def failure(rig: Rig, raw: dict[str, Any]) -> Exception:
    with pytest.raises((Retryable, Permanent)) as caught:
        await rig.start("minio", raw)
    return caught.value


async def test_a_notification_in_upstream_s_shape_at_once():
    async with listening() as (server, address), rigged(SECRETS) as rig:
        filtered = {"filter": {"prefix": "a ", "suffix": ".txt"}, "events": ["s3:ObjectCreated:*", "s3:x"]}
        await rig.start("minio", raw_of(address, metadata={"k": "v"}, **filtered))
        await server.send("a b.txt")
        await rig.until(1, 2)
        assert rig.data == [{"notification": [record("a b.txt")], "metadata": {"k": "v"}}]
        assert server.asked == [
            {"events": ["s3:ObjectCreated:*", "s3:x"], "ping": ["1"], "prefix": ["a "], "suffix": [".txt"]}
        ]


async def test_a_line_in_pieces_and_one_that_is_not_json(caplog: pytest.LogCaptureFixture):
    async with listening() as (server, address), rigged(SECRETS) as rig:
        await rig.start("minio", raw_of(address))
        server.silent = True
        await asyncio.sleep(0.1)
        await server.raw(b"{no\n")
        await server.raw(b'{"Records":[{"half":')
        await asyncio.sleep(0.1)
        await server.raw(b'"1"}]}\n{"Records":[]}\n')
        await rig.until(1)
        assert rig.data == [{"notification": [{"half": "1"}]}]
        assert rig.malformed == 1
    assert "dropped a line of the stream: a line that is not JSON" in caplog.text


async def test_a_stream_that_ends_and_a_server_that_was_away(caplog: pytest.LogCaptureFixture):
    async with listening() as (server, address), rigged(SECRETS) as rig:
        await rig.start("minio", raw_of(address), supervised=True)
        server.end()
        await heard(server)
        await server.stop()
        await asyncio.sleep(0.2)
        await server.start()
        await heard(server)
        await server.send("after")
        await rig.until(1)
    assert {type(error) for error in rig.failures} == {Retryable}
    assert len(server.asked) == 3


async def test_a_stream_without_pings_is_dead(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "SHORTEST_LIMIT", 0.5)
    async with listening() as (server, address), rigged(SECRETS) as rig:
        await rig.start("minio", raw_of(address), supervised=True)
        await asyncio.sleep(0.3)
        server.silent = True
        async with asyncio.timeout(5):
            while not rig.failures:
                await asyncio.sleep(0.01)
        server.silent = False
        await heard(server)
        assert "nothing has come for" in str(rig.failures[0])
        assert "not even a ping" in str(rig.failures[0])


@pytest.mark.parametrize(
    ("pauses", "limit"),
    [([], 300), ([1.0], 300), ([1.0, 1.1], 15), ([1.0, 4.0, 1.0], 40), ([1.0, 240.0], 300)],
)
def test_how_long_a_silence_may_be(pauses: list[float], limit: float):
    assert client.limit_after(pauses) == limit


async def test_a_server_that_answers_late_is_taken_as_listening(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(source, "ASSUMED", 0.2)
    late = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if "location" not in request.query_string:
            await late.wait()
        return web.Response(text="")

    async with serving(handle) as url, rigged(SECRETS) as rig:
        await rig.start("minio", raw_of(url.removeprefix("http://")))
        assert rig.ready.is_set()
        await rig.stop()
        late.set()


async def test_while_the_bus_is_slow_the_newest_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(source, "Buffer", partial(source.Buffer, messages=5))
    async with listening() as (server, address), rigged(SECRETS) as rig:
        rig.hold.clear()
        await rig.start("minio", raw_of(address))
        for number in range(10):
            await server.send(str(number))
        async with asyncio.timeout(5):
            while not rig.dropped:
                await asyncio.sleep(0.01)
        rig.hold.set()
        await rig.until(5)
        assert 4 <= rig.dropped <= 5
        assert rig.data[0]["notification"][0]["s3"]["object"]["key"] == "0"


async def test_a_server_that_is_down_and_one_that_is_not_minio():
    async with rigged(SECRETS) as rig:
        down = await failure(rig, raw_of("127.0.0.1:9"))
        assert isinstance(down, Retryable)
        assert str(down) == "MinIO bucket 'input' (http://127.0.0.1:9): Connection refused"
    target = Target()
    async with rigged(SECRETS) as rig, serving(target.handle) as url:
        target.answers = [web.Response(status=404, text="not found")]
        other = await failure(rig, raw_of(url.removeprefix("http://")))
        assert isinstance(other, Permanent)
        assert str(other).endswith(
            "is it a store with MinIO's notification API? the source s3 works with others"
        )


async def test_a_store_that_answers_with_a_listing():
    target = Target()
    async with rigged(SECRETS) as rig, serving(target.handle) as url:
        listing = web.Response(text="<ListBucketResult/>", content_type="application/xml")
        target.answers = [web.Response(text="<LocationConstraint/>"), listing]
        other = await failure(rig, raw_of(url.removeprefix("http://")))
    assert isinstance(other, Permanent)
    assert "sends no notifications; is it a store with MinIO's notification API?" in str(other)


async def test_a_login_that_may_not():
    async with listening() as (_, address), rigged({**SECRETS, "store/user": "another"}) as rig:
        refused = await failure(rig, raw_of(address))
    assert isinstance(refused, Permanent)
    assert f"MinIO bucket 'input' (http://{address}): 403 InvalidAccessKeyId" in str(refused)


async def test_the_certificate_is_verified_against_the_given_roots(tmp_path: Path):
    authority = Authority()
    target = Target()
    server_context = authority.server_context(tmp_path)
    runner = web.ServerRunner(web.Server(target.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context)
    await site.start()
    address = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        raw = raw_of(address, insecure=False)
        async with rigged({**SECRETS, "ca/pem": authority.cert}) as rig:
            untrusted = await failure(rig, raw)
            assert isinstance(untrusted, Permanent)
            assert "certificate verify failed" in str(untrusted)
            target.answers = [web.Response(status=403, text="")]
            known = await failure(rig, {**raw, "caCertificate": {"name": "ca", "key": "pem"}})
            assert "403" in str(known)
    finally:
        await runner.cleanup()
