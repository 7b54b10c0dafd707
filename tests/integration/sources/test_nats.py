"""nats against a real server: payloads, queue groups, logins, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import nats
import pytest
from nats.aio.client import Client

from events.clients.http import Sessions
from events.errors import Permanent, Retryable
from events.testing.certificates import Authority
from events.testing.proxy import Proxy
from events.testing.servers.nats import Nats
from events.testing.sources import Rig, rigged
from events.testing.triggers import dead_port

pytestmark = pytest.mark.servers("nats")


@pytest.fixture
async def client(nats_server: Nats) -> AsyncIterator[Client]:
    made = await nats.connect(nats_server.url)
    yield made
    await made.close()


async def begin(rig: Rig, server: Nats, **more: Any) -> None:
    await rig.start("nats", {"url": server.url, "subject": "s.>", **more})


async def test_a_body_is_base64_and_headers_are_lists(nats_server: Nats, client: Client):
    async with rigged() as rig:
        await begin(rig, nats_server, metadata={"team": "a"})
        await client.publish("s.a", b"hi\xff", headers={"X-One": "h\u00e9llo: there", "lower": "2"})
        await client.publish("s.b.c", b"")
        await rig.until(2)
        assert rig.data == [
            {
                "subject": "s.a",
                "body": "aGn/",
                "header": {"X-One": ["h\u00e9llo: there"], "lower": ["2"]},
                "metadata": {"team": "a"},
            },
            {"subject": "s.b.c", "body": "", "metadata": {"team": "a"}},
        ]
        assert list(rig.data[0]) == ["subject", "body", "header", "metadata"]


async def test_every_value_of_a_header_is_there(nats_server: Nats):
    """As nats-py cannot send one name twice, this is written to the socket."""
    head = b"NATS/1.0\r\nTag: a\r\nTag: b\r\nOther: c\r\n\r\n"
    command = b"HPUB s.a %d %d\r\n%bx\r\nPING\r\n" % (len(head), len(head) + 1, head)
    async with rigged() as rig:
        await begin(rig, nats_server)
        reader, writer = await asyncio.open_connection("127.0.0.1", nats_server.port)
        writer.write(b'CONNECT {"verbose":false,"headers":true}\r\n' + command)
        await rig.until(1)
        assert rig.data[0]["header"] == {"Tag": ["a", "b"], "Other": ["c"]}
        writer.close()
        await writer.wait_closed()
        assert reader


async def test_a_json_body_is_embedded_and_what_is_none_is_told(
    nats_server: Nats, client: Client, caplog: pytest.LogCaptureFixture
):
    async with rigged() as rig:
        await begin(rig, nats_server, jsonBody=True)
        for body in (b"", b"{", b'{"a": 1.0}'):
            await client.publish("s.a", body)
        await rig.until(1)
        assert rig.emitted[0].data == b'{"subject":"s.a","body":{"a": 1.0}}'
        assert rig.malformed == 2
        assert "default/es.ev: dropped a message of subject 's.a': not valid JSON" in caplog.text


async def test_a_queue_group_shares(nats_server: Nats, client: Client):
    async with rigged() as one, rigged() as other:
        for rig in (one, other):
            await begin(rig, nats_server, queue="workers")
        for number in range(60):
            await client.publish("s.n", str(number).encode())
        async with asyncio.timeout(10):
            while len(one.emitted) + len(other.emitted) < 60:
                await asyncio.sleep(0.01)
        assert one.emitted
        assert other.emitted
        await asyncio.sleep(0.1)
        assert len(one.emitted) + len(other.emitted) == 60


async def test_what_comes_without_end_is_dropped_and_counted(
    nats_server: Nats, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    from events.sources._queue import Buffer

    monkeypatch.setattr("events.sources.nats.Buffer", lambda ctx: Buffer(ctx, messages=5))
    async with rigged() as rig:
        await begin(rig, nats_server)
        rig.hold.clear()
        for _ in range(20):
            await client.publish("s.n", b"x")
        async with asyncio.timeout(5):
            while rig.dropped < 15:
                await asyncio.sleep(0.01)
        rig.hold.set()
        await rig.until(5)
        await client.publish("s.n", b"x")
        await rig.until(6)
        assert (rig.dropped, len(rig.emitted)) == (15, 6)
        assert caplog.text.count("dropping what comes now") == 1


async def test_a_lost_connection_is_told_and_mended(nats_server: Nats, client: Client):
    async with rigged() as rig, Proxy(nats_server.port) as proxy:
        await begin(rig, nats_server, url=f"nats://127.0.0.1:{proxy.port}")
        rig.ready.clear()
        proxy.cut()
        async with asyncio.timeout(10):
            await rig.ready.wait()
        assert rig.troubles[0].startswith(f"connection to nats://127.0.0.1:{proxy.port} lost")
        async with asyncio.timeout(10):
            while not rig.emitted:
                await client.publish("s.a", b"x")
                await asyncio.sleep(0.05)


# what goes wrong

USERS = """
authorization { users: [
  { user: shop, password: right, permissions: { subscribe: { allow: ["s.>", "_INBOX.>"] } } }
] }
"""
BASIC = {"basic": {part: {"name": "nats", "key": part} for part in ("username", "password")}}


async def test_nobody_there(nats_server: Nats):
    async with rigged() as rig:
        with (
            dead_port() as port,
            pytest.raises(Retryable, match=f":{port}: cannot connect: .* running"),
        ):
            await begin(rig, nats_server, url=f"nats://127.0.0.1:{port}")


async def test_the_next_server_of_the_list_will_do(nats_server: Nats):
    async with rigged() as rig:
        with dead_port() as port:
            await begin(rig, nats_server, url=f"nats://127.0.0.1:{port},{nats_server.url}")


async def test_a_login_that_is_refused(own: Any):
    server = own(Nats(USERS))
    async with rigged({"nats/username": "shop", "nats/password": "wr0ng-one"}) as rig:
        with pytest.raises(Permanent, match="the server refuses the login: check user, password") as caught:
            await begin(rig, server, auth=BASIC)
        assert "wr0ng-one" not in str(caught.value)


async def test_a_subject_that_is_not_allowed(own: Any):
    server = own(Nats(USERS))
    async with rigged({"nats/username": "shop", "nats/password": "right"}) as rig:
        await begin(rig, server, auth=BASIC)
        await rig.stop()
        with pytest.raises(Permanent, match='violation for subscription to "private": give this user'):
            await begin(rig, server, auth=BASIC, subject="private")


async def test_tls_with_the_authority_of_the_server_and_with_another(own: Any):
    authority = Authority()
    pem = authority.pair()
    server = own(SecureNats(pem.cert, pem.key))
    tls = {"caCertSecret": {"name": "tls", "key": "ca"}}
    url = f"nats://localhost:{server.port}"
    async with rigged({"tls/ca": authority.cert}) as rig:
        await begin(rig, server, url=url, tls=tls)
    async with rigged({"tls/ca": Authority("other").cert}) as rig:
        with pytest.raises(Permanent, match=r"TLS: .*: check the certificates in tls"):
            await begin(rig, server, url=url, tls=tls)


class SecureNats(Nats):
    def __init__(self, cert: str, key: str) -> None:
        super().__init__()
        self._pem = cert + key

    def configure(self) -> None:
        path = self.folder / "server.pem"
        path.write_text(self._pem)
        self.extra = f'tls {{ cert_file: "{path}", key_file: "{path}" }}'
        super().configure()


async def test_tls_where_the_server_speaks_none(nats_server: Nats):
    async with rigged() as rig:
        with pytest.raises(Permanent, match="TLS is asked for, but the server does not offer it"):
            await begin(rig, nats_server, tls={"enabled": True})


async def test_the_guard_counts(nats_server: Nats):
    async with rigged() as rig:
        rig.sessions = Sessions("strict")
        with pytest.raises(Permanent, match="not a public address"):
            await begin(rig, nats_server)
