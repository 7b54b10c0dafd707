"""mqtt over websockets, against a real broker: what is another way than over TCP, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiomqtt
import pytest
from aiohttp import WSMsgType, web

import events.clients.mqtt
from events.clients import mqtt_broker
from events.clients.http import Sessions
from events.errors import Permanent, Retryable
from events.testing.certificates import Authority
from events.testing.proxy import Proxy
from events.testing.servers.mosquitto import Mosquitto
from events.testing.sources import Rig, rigged
from events.testing.triggers import dead_port, silent_port

pytestmark = pytest.mark.servers("mosquitto")


async def begin(rig: Rig, url: str, **more: Any) -> None:
    supervised = more.pop("supervised", False)
    raw = {"topic": "t/#", "clientId": f"w{uuid4().hex[:12]}", "url": url, **more}
    await rig.start("mqtt", raw, supervised=supervised)


def url_of(broker: Mosquitto) -> str:
    return f"ws://127.0.0.1:{broker.ws_port}/mqtt"


async def publish(broker: Mosquitto, *messages: tuple[str, bytes, int], **login: Any) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port, **login) as client:
        for topic, body, qos in messages:
            await client.publish(topic, body, qos=qos)


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_messages_of_every_quality_come(mosquitto_server: Mosquitto, qos: int):
    async with rigged() as rig:
        await begin(rig, url_of(mosquitto_server), qos=qos)
        await publish(mosquitto_server, *((f"t/{number}", b"x" * number, qos) for number in range(200)))
        await rig.until(200)
        assert [one["topic"] for one in rig.data] == [f"t/{number}" for number in range(200)]


async def test_a_message_larger_than_a_frame(mosquitto_server: Mosquitto):
    """Mosquitto 2.0 cuts it into frames of 4 KiB, about ten per second."""
    async with rigged() as rig:
        await begin(rig, url_of(mosquitto_server), qos=1, jsonBody=True)
        await publish(mosquitto_server, ("t/large", b'"%b"' % (b"x" * 30_000), 1), ("t/next", b"1", 1))
        await rig.until(2)
        assert [len(str(one["body"])) for one in rig.data] == [30_000, 1]


@pytest.mark.parametrize("qos", [1, 2])
async def test_nothing_is_lost_when_connections_are_cut(mosquitto_server: Mosquitto, qos: int):
    async with rigged() as rig, Proxy(mosquitto_server.ws_port) as proxy:
        settings = {"qos": qos, "connectionBackoff": {"duration": "100ms", "jitter": 0}}
        await begin(rig, f"ws://127.0.0.1:{proxy.port}/", supervised=True, **settings)
        for turn in range(5):
            await publish(mosquitto_server, *((f"t/{turn}/{number}", b"", qos) for number in range(20)))
            proxy.cut()
        async with asyncio.timeout(15):
            while len({one["topic"] for one in rig.data}) < 100:
                await asyncio.sleep(0.05)
        assert rig.failures
        assert all(isinstance(error, Retryable) for error in rig.failures), rig.failures


async def test_a_silent_broker_is_noticed(mosquitto_server: Mosquitto, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events.clients.mqtt, "KEEP_ALIVE", 1)
    async with rigged() as rig, Proxy(mosquitto_server.ws_port) as proxy:
        await begin(rig, f"ws://127.0.0.1:{proxy.port}/")
        await asyncio.sleep(2.5)
        assert not rig.task.done(), "pings are answered"
        proxy.black_hole()
        with pytest.raises(Retryable, match="no answer in time"):
            async with asyncio.timeout(6):
                await rig.task


# login


AUTH = {"username": {"name": "mqtt", "key": "user"}, "password": {"name": "mqtt", "key": "password"}}


async def test_a_login_that_is_refused(own: Any):
    broker = own(Mosquitto(users={"shop": "right"}))
    async with rigged({"mqtt/user": "shop", "mqtt/password": "wr0ng-one"}) as rig:
        with pytest.raises(Permanent) as caught:
            await begin(rig, url_of(broker), auth=AUTH)
        assert str(caught.value).startswith(f"MQTT 127.0.0.1:{broker.ws_port}: not authorized: check auth")
        assert "wr0ng-one" not in str(caught.value)


async def test_the_login_of_the_url(own: Any):
    broker = own(Mosquitto(users={"shop": "right"}))
    async with rigged() as rig:
        await begin(rig, f"ws://shop:right@127.0.0.1:{broker.ws_port}/mqtt")
        await publish(broker, ("t/a", b"x", 1), username="shop", password="right")
        await rig.until(1)


# TLS


@pytest.mark.parametrize("scheme", ["wss", "ws"])
async def test_tls_with_a_certificate_of_our_own(own: Any, scheme: str):
    """`ws` with a tls block is encrypted too."""
    authority = Authority()
    broker = own(Mosquitto(tls=authority.pair(), clients=authority.cert))
    client = authority.pair("client")
    tls = {f"{part}Secret": {"name": "tls", "key": part} for part in ("caCert", "clientCert", "clientKey")}
    secrets = {"tls/caCert": authority.cert, "tls/clientCert": client.cert, "tls/clientKey": client.key}
    async with rigged(secrets) as rig:
        await begin(rig, f"{scheme}://localhost:{broker.wss_port}/mqtt", tls=tls)
        await publish(broker, ("t/a", b"x", 1))
        await rig.until(1)


async def test_tls_with_another_authority(own: Any):
    broker = own(Mosquitto(tls=Authority().pair()))
    async with rigged() as rig:
        with pytest.raises(Permanent, match=r"TLS: .*; check caCertSecret"):
            await begin(rig, f"wss://localhost:{broker.wss_port}/mqtt")


async def test_tls_where_the_broker_speaks_none(mosquitto_server: Mosquitto):
    async with rigged() as rig:
        with pytest.raises((Permanent, Retryable), match=r"does not speak TLS|closed the connection|reset"):
            await begin(rig, f"wss://127.0.0.1:{mosquitto_server.ws_port}")


# what goes wrong before MQTT begins


async def test_nobody_there(mosquitto_server: Mosquitto):
    async with rigged() as rig:
        with dead_port() as port, pytest.raises(Retryable) as caught:
            await begin(rig, f"ws://127.0.0.1:{port}/mqtt")
        text = f"MQTT 127.0.0.1:{port}: Connection refused; is the server running there?"
        assert str(caught.value) == text


async def test_nobody_answers(mosquitto_server: Mosquitto, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mqtt_broker, "CONNECT_TIMEOUT", 0.2)
    async with rigged() as rig:
        with silent_port() as port, pytest.raises(Retryable, match="no answer in time"):
            await begin(rig, f"ws://127.0.0.1:{port}/mqtt")


async def test_a_port_that_speaks_plain_mqtt(mosquitto_server: Mosquitto):
    async with rigged() as rig:
        with pytest.raises(Retryable, match=r"the server closed the connection|reset by peer"):
            await begin(rig, f"ws://127.0.0.1:{mosquitto_server.port}/mqtt")


async def test_an_address_that_the_guard_refuses(mosquitto_server: Mosquitto):
    async with rigged() as rig:
        await rig.sessions.aclose()
        rig.sessions = Sessions("strict")
        with pytest.raises(Permanent, match="is not a public address"):
            await begin(rig, url_of(mosquitto_server))


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[int]:
    """The port of a server that answers every request in this way."""
    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "error"), [(404, Permanent), (401, Permanent), (200, Permanent), (503, Retryable)]
)
async def test_no_websocket_there(mosquitto_server: Mosquitto, status: int, error: type[Exception]):
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with served(answer) as port, rigged() as rig:
        with pytest.raises(error) as caught:
            await begin(rig, f"ws://127.0.0.1:{port}/mqtt?signature=s3cret")
        told = f"no websocket there (HTTP {status}); is the path of the url right?"
        assert str(caught.value) == f"MQTT 127.0.0.1:{port}: {told}"


async def test_a_login_does_not_follow_a_redirect(mosquitto_server: Mosquitto):
    async def answer(request: web.Request) -> web.Response:
        raise web.HTTPFound(url_of(mosquitto_server).replace("ws:", "http:"))

    async with served(answer) as port, rigged() as rig:
        with pytest.raises(Permanent, match="redirected to another address"):
            await begin(rig, f"ws://127.0.0.1:{port}/mqtt")


async def test_path_query_and_protocol_are_those_of_the_url_and_the_login_is_not_in_the_handshake(
    mosquitto_server: Mosquitto,
):
    asked: list[tuple[str, list[str], str | None]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("mqtt",))
        await socket.prepare(request)
        asked.append((request.path_qs, [socket.ws_protocol or ""], request.headers.get("Authorization")))
        await socket.send_str("hello")
        await socket.receive()
        return socket

    async with served(answer) as port, rigged() as rig:
        with pytest.raises(Permanent, match="no binary frame of MQTT: TEXT hello"):
            await begin(rig, f"ws://u:p@127.0.0.1:{port}/a/b?x=1#c")
    assert asked == [("/a/b?x=1", ["mqtt"], None)]


async def test_packets_may_begin_and_end_anywhere_in_frames(mosquitto_server: Mosquitto):
    """Another broker is played: a bridge that cuts what Mosquitto says into frames of one to three bytes."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("mqtt",))
        await socket.prepare(request)
        reader, writer = await asyncio.open_connection("127.0.0.1", mosquitto_server.port)

        async def down() -> None:
            while data := await reader.read(1000):
                for at in range(0, len(data), 3):
                    await socket.send_bytes(data[at : at + 1])
                    await socket.send_bytes(data[at + 1 : at + 3])

        async with asyncio.TaskGroup() as group:
            task = group.create_task(down())
            async for message in socket:
                assert message.type is WSMsgType.BINARY
                writer.write(message.data)
            task.cancel()
        writer.close()
        return socket

    async with served(answer) as port, rigged() as rig:
        await begin(rig, f"ws://127.0.0.1:{port}/", qos=2)
        await publish(mosquitto_server, *((f"t/{number}", b"abcdef", 2) for number in range(20)))
        await rig.until(20)
        assert [one["topic"] for one in rig.data] == [f"t/{number}" for number in range(20)]
