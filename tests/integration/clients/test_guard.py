"""The address guard where connections are made: names that change their meaning, redirects, all ways out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from events.clients.aws import Account, Clients, translated
from events.clients.exchange import Sending, exchange
from events.clients.http import Guard, Refused, Sessions
from events.clients.schema_registry import Registry, Schemas
from events.clients.secrets import LocalSecrets, Ref
from events.errors import Permanent
from events.testing.triggers import Target, dead_port, serving

Names = Callable[..., None]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """`names("a", "b")`: what names mean, one answer after the other; the last one stays."""

    def set_names(*answers: str) -> None:
        left = list(answers)

        async def getaddrinfo(host: Any, port: int, **_: Any) -> list[Any]:
            address = left.pop(0) if len(left) > 1 else left[0]
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            place = (address, port, 0, 0) if ":" in address else (address, port)
            return [(family, socket.SOCK_STREAM, 6, "", place)]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)

    return set_names


@pytest.fixture
async def target() -> AsyncIterator[tuple[Target, str]]:
    one = Target()
    async with serving(one.handle) as url:
        yield one, url.replace("127.0.0.1", "rebound.example")


async def fetch(sessions: Sessions, url: str, *, lanes: bool) -> Any:
    sending = Sending("GET", url, {}, None, 5.0)
    return await exchange(sessions.get(), sending, lanes=sessions.lanes if lanes else None)


@pytest.fixture(params=["allow-private", "strict"])
async def sessions(request: pytest.FixtureRequest) -> AsyncIterator[Sessions]:
    guard: Guard = request.param
    one = Sessions(guard)
    yield one
    await one.aclose()


METADATA = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "fd00:ec2::254",
    "100.100.100.200",
]


@pytest.mark.parametrize("lanes", [True, False], ids=["lane", "session"])
@pytest.mark.parametrize("address", METADATA)
async def test_names_of_metadata_services_are_refused(
    names: Names, sessions: Sessions, address: str, lanes: bool
):
    names(address)
    with pytest.raises(Permanent, match="is not an address to connect to"):
        await fetch(sessions, "http://harmless.example/latest/meta-data", lanes=lanes)


@pytest.mark.parametrize("lanes", [True, False], ids=["lane", "session"])
@pytest.mark.parametrize("address", ["169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"])
async def test_their_addresses_are_refused(sessions: Sessions, address: str, lanes: bool):
    with pytest.raises(Permanent, match="address guard"):
        await fetch(sessions, f"http://{address}/latest/meta-data", lanes=lanes)


@pytest.mark.parametrize("lanes", [True, False], ids=["lane", "session"])
async def test_a_name_that_was_harmless_before_is_judged_when_it_is_connected_to(
    names: Names, target: tuple[Target, str], lanes: bool
):
    """Each look at the name is judged by itself: a first good answer opens no door for the next one."""
    server, url = target
    server.answers = [web.Response(headers={"Connection": "close"})]
    sessions = Sessions("allow-private")
    names("127.0.0.1", "169.254.169.254")
    assert (await fetch(sessions, url, lanes=lanes)).status == 200
    if not lanes:
        sessions.get().connector.clear_dns_cache()  # type: ignore[union-attr] # it has one
    with pytest.raises(Permanent, match="address guard"):
        await fetch(sessions, url, lanes=lanes)
    assert len(server.seen) == 1
    await sessions.aclose()


@pytest.mark.parametrize("lanes", [True, False], ids=["lane", "session"])
async def test_a_redirect_to_a_metadata_service_is_refused(lanes: bool):
    server, sessions = Target(), Sessions("allow-private")
    server.answers = [web.Response(status=302, headers={"Location": "http://169.254.169.254/latest"})]
    async with serving(server.handle) as url:
        with pytest.raises(Permanent, match=r"169\.254\.169\.254 is not an address to connect to"):
            await fetch(sessions, url, lanes=lanes)
    assert len(server.seen) == 1
    await sessions.aclose()


async def test_sockets_of_other_protocols(names: Names, sessions: Sessions):
    names("169.254.169.254")
    with pytest.raises(Refused):
        await sessions.connect("mail.example", 25)
    with pytest.raises(Refused):
        await sessions.lookup("git.example", 22)


async def test_one_good_address_is_enough_to_connect_to(monkeypatch: pytest.MonkeyPatch):
    sessions = Sessions("allow-private")
    async with serving(Target().handle) as url:
        port = int(url.rpartition(":")[2])

        async def both(host: Any, port: int, **_: Any) -> list[Any]:
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, ("169.254.169.254", port)), (*kind, ("127.0.0.1", port))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
        assert await sessions.lookup("both.example", port) == "127.0.0.1"
        (await sessions.connect("both.example", port)).close()
        assert (await fetch(sessions, f"http://both.example:{port}/", lanes=True)).status == 200
        assert (await fetch(sessions, f"http://both.example:{port}/", lanes=False)).status == 200
    await sessions.aclose()


@pytest.mark.parametrize("first", ["127.0.0.1", "169.254.169.254"])
async def test_a_host_that_is_down_is_not_taken_for_a_refused_one(
    monkeypatch: pytest.MonkeyPatch, first: str
):
    """One of its addresses may answer later."""
    sessions = Sessions("allow-private")

    async def both(host: Any, port: int, **_: Any) -> list[Any]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        addresses = sorted(["127.0.0.1", "169.254.169.254"], key=lambda one: one != first)
        return [(*kind, (one, port)) for one in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    with dead_port() as port, pytest.raises(ConnectionRefusedError):
        await sessions.connect("both.example", port)
    await sessions.aclose()


async def test_aws(monkeypatch: pytest.MonkeyPatch, sessions: Sessions):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    secrets = LocalSecrets(lambda: {Ref("aws", "id"): b"AKIA", Ref("aws", "key"): b"secret"}, environ={})
    clients = Clients(secrets, sessions)
    account = Account("us-east-1", Ref("aws", "id"), Ref("aws", "key"), "", "http://169.254.169.254")
    client = await clients.get("s3", account)
    with pytest.raises(Permanent, match="is not an address to connect to"), translated("s3"):
        await client.list_buckets()
    await clients.aclose()


async def test_aws_roles(monkeypatch: pytest.MonkeyPatch, sessions: Sessions):
    """The role is asked for at the same guard."""
    for name, text in (
        ("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_ENDPOINT_URL_STS", "http://169.254.169.254"),
    ):  # fmt: skip
        monkeypatch.setenv(name, text)
    clients = Clients(LocalSecrets(dict, environ={}), sessions)
    account = Account("us-east-1", role_arn="arn:aws:iam::1:role/x", endpoint="http://127.0.0.1:1")
    client = await clients.get("s3", account)
    with pytest.raises(Permanent, match="is not an address to connect to"), translated("s3"):
        await client.list_buckets()
    await clients.aclose()


async def test_schema_registries(sessions: Sessions):
    schemas = Schemas(Registry("http://169.254.169.254"), LocalSecrets(dict, environ={}), sessions)
    with pytest.raises(Permanent, match="is not an address to connect to"):
        await schemas.get(1)


async def test_a_proxy_of_the_environment_is_not_used(
    monkeypatch: pytest.MonkeyPatch, target: tuple[Target, str]
):
    """A proxy would connect where the guard does not see it."""
    server, _ = target
    async with serving(Target().handle) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("http_proxy", proxy)
        sessions = Sessions("allow-private")
        async with (
            serving(server.handle) as url,
            sessions.get().get(url, timeout=aiohttp.ClientTimeout(5)) as got,
        ):
            assert got.status == 200
        await sessions.aclose()
    assert len(server.seen) == 1
