"""mqtt against a real broker: payloads, sessions, shared subscriptions, and what goes wrong."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import Any
from uuid import uuid4

import aiomqtt
import pytest

import events.clients.mqtt
from events.errors import Permanent, Retryable
from events.testing.certificates import Authority
from events.testing.proxy import Proxy
from events.testing.servers.mosquitto import Mosquitto
from events.testing.sources import Rig, rigged
from events.testing.triggers import dead_port, silent_port

pytestmark = pytest.mark.servers("mosquitto")


async def begin(rig: Rig, broker: Mosquitto, **more: Any) -> None:
    supervised = more.pop("supervised", False)
    raw = {"url": broker.url, "topic": "t/#", "clientId": f"c{uuid4().hex[:12]}", **more}
    await rig.start("mqtt", raw, supervised=supervised)


async def publish(broker: Mosquitto, *messages: tuple[str, bytes, int], **login: Any) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port, **login) as client:
        for topic, body, qos in messages:
            await client.publish(topic, body, qos=qos)


async def test_a_body_is_base64(mosquitto_server: Mosquitto):
    async with rigged() as rig:
        await begin(rig, mosquitto_server, metadata={"team": "a"})
        await publish(mosquitto_server, ("t/\u00e4", b"hi\xff", 0))
        await rig.until(1)
        assert rig.data == [{"topic": "t/\u00e4", "messageId": 0, "body": "aGn/", "metadata": {"team": "a"}}]
        assert rig.source.replay == "none"


@pytest.mark.parametrize("qos", [1, 2])
async def test_a_json_body_is_embedded_and_what_is_none_is_told(
    mosquitto_server: Mosquitto, caplog: pytest.LogCaptureFixture, qos: int
):
    """It is acknowledged too: it would never become an event."""
    settings = {"qos": qos, "clientId": f"j{uuid4().hex[:12]}", "jsonBody": True}
    async with rigged() as rig:
        await begin(rig, mosquitto_server, **settings)
        await publish(mosquitto_server, ("t/a", b"{", qos), ("t/a", b'{"x": 1}', qos))
        await rig.until(1)
        assert rig.source.replay == "acked"
        assert rig.data[0]["body"] == {"x": 1}
        assert rig.data[0]["messageId"] > 0
        assert "dropped a message of topic 't/a': not valid JSON" in caplog.text
        await asyncio.sleep(0.2)
        await rig.stop()
        await begin(rig, mosquitto_server, **settings)
        await publish(mosquitto_server, ("t/a", b"2", qos))
        await rig.until(2)
        assert ([one["body"] for one in rig.data], rig.malformed) == ([{"x": 1}, 2], 1)


@pytest.mark.parametrize("qos", [1, 2])
async def test_the_broker_keeps_what_comes_while_the_source_is_away(mosquitto_server: Mosquitto, qos: int):
    settings = {"qos": qos, "clientId": f"k{uuid4().hex[:12]}"}
    async with rigged() as rig:
        await begin(rig, mosquitto_server, **settings)
        await rig.stop()
        await publish(mosquitto_server, *((f"t/{number}", b"x", qos) for number in range(50)))
        await begin(rig, mosquitto_server, **settings)
        await rig.until(50)
        await asyncio.sleep(0.2)
        assert [one["topic"] for one in rig.data] == [f"t/{number}" for number in range(50)]


async def test_an_edited_topic_filter_counts_also_in_a_session_that_was_kept(mosquitto_server: Mosquitto):
    """The broker goes on with the subscriptions that a session has."""
    settings = {"qos": 1, "clientId": f"e{uuid4().hex[:12]}"}
    async with rigged() as rig:
        await begin(rig, mosquitto_server, **settings, topic="old/#")
        await rig.stop()
        await publish(mosquitto_server, ("old/a", b"x", 1))
        await begin(rig, mosquitto_server, **settings, topic="new/+")
        await publish(mosquitto_server, ("old/b", b"x", 1), ("new/a", b"x", 1))
        await rig.until(1)
        await asyncio.sleep(0.2)
        await rig.stop()
        await begin(rig, mosquitto_server, **settings, topic="old/#")
        await publish(mosquitto_server, ("old/c", b"x", 1))
        await rig.until(2)
        assert [one["topic"] for one in rig.data] == ["new/a", "old/c"], "the others are acknowledged"


async def test_what_is_retained_does_not_come_again_with_every_connection(
    mosquitto_server: Mosquitto, monkeypatch: pytest.MonkeyPatch
):
    """Brokers send it at each subscription: there is one, unless the broker has lost the session.

    Subscriptions are counted and not messages: what was not acknowledged when the connection was cut comes
    again, retained or not.
    """
    topic, client, asked = f"kept/{uuid4().hex}", f"r{uuid4().hex[:12]}", list[str]()
    subscribe = events.clients.mqtt.Connection.subscribe

    async def counted(self: events.clients.mqtt.Connection, topic: str, *more: Any) -> None:
        asked.append(topic)
        await subscribe(self, topic, *more)

    monkeypatch.setattr(events.clients.mqtt.Connection, "subscribe", counted)
    async with rigged() as rig, Proxy(mosquitto_server.port) as proxy:
        settings = {"topic": topic, "qos": 1, "clientId": client, "url": f"tcp://127.0.0.1:{proxy.port}"}
        async with aiomqtt.Client("127.0.0.1", mosquitto_server.port) as other:
            await other.publish(topic, b"retained", qos=1, retain=True)
        await begin(rig, mosquitto_server, **settings, supervised=True)
        await seen(rig, b"retained")
        for number in (b"1", b"2"):
            proxy.cut()
            await publish(mosquitto_server, (topic, number, 1))
            await seen(rig, number)
        assert asked == [topic]
        proxy.refuse()
        proxy.cut()
        async with aiomqtt.Client("127.0.0.1", mosquitto_server.port, identifier=client, clean_session=True):
            pass  # ends the session
        before = bodies(rig).count(b"retained")
        await proxy.heal()
        await seen(rig, b"retained", before + 1)
        assert asked == [topic, topic]
        async with aiomqtt.Client("127.0.0.1", mosquitto_server.port) as other:
            await other.publish(topic, b"", qos=1, retain=True)


def bodies(rig: Rig) -> list[bytes]:
    return [b64decode(one["body"]) for one in rig.data]


async def seen(rig: Rig, body: bytes, times: int = 1) -> None:
    async with asyncio.timeout(20):
        while bodies(rig).count(body) < times:
            await asyncio.sleep(0.01)


async def test_a_message_of_lower_quality_comes_too(mosquitto_server: Mosquitto):
    async with rigged() as rig:
        await begin(rig, mosquitto_server, qos=2)
        await publish(mosquitto_server, ("t/0", b"", 0), ("t/1", b"", 1), ("t/2", b"", 2))
        await rig.until(3)
        assert sorted(one["topic"] for one in rig.data) == ["t/0", "t/1", "t/2"]


async def test_a_shared_subscription_shares(mosquitto_server: Mosquitto):
    async with rigged() as one, rigged() as other:
        for rig in (one, other):
            await begin(rig, mosquitto_server, topic="$share/g/work/#", qos=1)
        await publish(mosquitto_server, *(("work/x", str(number).encode(), 1) for number in range(40)))
        async with asyncio.timeout(10):
            while len(one.emitted) + len(other.emitted) < 40:
                await asyncio.sleep(0.01)
        assert one.emitted
        assert other.emitted
        await asyncio.sleep(0.1)
        assert len({data["body"] for rig in (one, other) for data in rig.data}) == 40


async def test_a_slow_bus_stops_the_broker(mosquitto_server: Mosquitto):
    async with rigged() as rig:
        await begin(rig, mosquitto_server, qos=1)
        rig.hold.clear()
        await publish(mosquitto_server, *(("t/n", str(number).encode(), 1) for number in range(100)))
        await rig.asked.wait()
        assert rig.emitted == []
        rig.hold.set()
        await rig.until(100)
        assert (rig.dropped, len(rig.emitted)) == (0, 100)


async def test_what_comes_without_end_is_dropped_and_counted(
    mosquitto_server: Mosquitto, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("events.sources.mqtt.Buffer", small_buffer)
    async with rigged() as rig:
        await begin(rig, mosquitto_server)
        rig.hold.clear()
        await publish(mosquitto_server, *(("t/n", str(number).encode(), 1) for number in range(20)))
        async with asyncio.timeout(5):
            while rig.dropped < 15:
                await asyncio.sleep(0.01)
        rig.hold.set()
        await rig.until(5)
        assert caplog.text.count("dropping what comes now") == 1


def small_buffer(ctx: Any) -> Any:
    from events.sources._queue import Buffer

    return Buffer(ctx, messages=5)


async def test_the_connection_is_kept_alive_and_a_silent_broker_is_noticed(
    mosquitto_server: Mosquitto, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(events.clients.mqtt, "KEEP_ALIVE", 1)
    async with rigged() as rig, Proxy(mosquitto_server.port) as proxy:
        await begin(rig, mosquitto_server, url=f"tcp://127.0.0.1:{proxy.port}")
        await asyncio.sleep(2.5)
        assert not rig.task.done(), "pings are answered"
        proxy.black_hole()
        with pytest.raises(Retryable, match="no answer in time"):
            async with asyncio.timeout(6):
                await rig.task


# what goes wrong


async def test_nobody_there(mosquitto_server: Mosquitto):
    async with rigged() as rig:
        with dead_port() as port, pytest.raises(Retryable) as caught:
            await begin(rig, mosquitto_server, url=f"tcp://127.0.0.1:{port}")
        text = f"MQTT 127.0.0.1:{port}: Connection refused; is the server running there?"
        assert str(caught.value) == text


async def test_the_pauses_between_attempts_are_those_of_the_manifest(mosquitto_server: Mosquitto):
    backoff = {"duration": "150ms", "factor": 2, "jitter": 0, "steps": 3}
    async with rigged() as rig, Proxy(mosquitto_server.port) as proxy:
        await begin(
            rig, mosquitto_server, url=f"tcp://127.0.0.1:{proxy.port}", connectionBackoff=backoff,
            qos=1, supervised=True,
        )  # fmt: skip
        await publish(mosquitto_server, ("t/a", b"1", 1))
        await rig.until(1)
        proxy.refuse()
        proxy.cut()
        async with asyncio.timeout(10):
            while len(rig.pauses) < 5:
                await asyncio.sleep(0.02)
        await publish(mosquitto_server, ("t/a", b"2", 1))
        await proxy.heal()
        await rig.until(2)
        assert rig.pauses[:5] == [0.15, 0.3, 0.3, 0.3, 0.3]


async def test_nobody_answers(mosquitto_server: Mosquitto, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events.clients.mqtt, "ANSWER", 0.2)
    async with rigged() as rig:
        with silent_port() as port, pytest.raises(Retryable, match="no answer in time"):
            await begin(rig, mosquitto_server, url=f"tcp://127.0.0.1:{port}")


async def test_a_server_of_another_kind(mosquitto_server: Mosquitto):
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n" + b"X-Padding: some\r\n" * 10)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, rigged() as rig:
        with pytest.raises(Permanent, match=f"MQTT 127.0.0.1:{port}: the server does not speak MQTT"):
            await begin(rig, mosquitto_server, url=f"tcp://127.0.0.1:{port}")


@pytest.fixture
def guarded(own: Any) -> Mosquitto:
    """shop may read t/#, nobody may read private/#."""
    return own(Mosquitto(users={"shop": "right"}, acl="user shop\ntopic readwrite t/#\n"))


AUTH = {"username": {"name": "mqtt", "key": "user"}, "password": {"name": "mqtt", "key": "password"}}


async def test_a_login_that_is_refused(guarded: Mosquitto):
    async with rigged({"mqtt/user": "shop", "mqtt/password": "wr0ng-one"}) as rig:
        with pytest.raises(Permanent) as caught:
            await begin(rig, guarded, auth=AUTH)
        text = f"MQTT 127.0.0.1:{guarded.port}: not authorized: check auth, or what the broker allows"
        assert str(caught.value).startswith(text)
        assert "wr0ng-one" not in str(caught.value)


async def test_no_login_where_one_is_wanted(guarded: Mosquitto):
    async with rigged() as rig:
        with pytest.raises(Permanent, match="not authorized"):
            await begin(rig, guarded)


async def test_the_login_of_the_url(guarded: Mosquitto):
    async with rigged() as rig:
        await begin(rig, guarded, url=f"mqtt://shop:right@127.0.0.1:{guarded.port}")
        await publish(guarded, ("t/a", b"x", 1), username="shop", password="right")
        await rig.until(1)


async def test_a_subscription_that_is_refused(mosquitto_server: Mosquitto):
    """Mosquitto takes every subscription and then sends nothing: another broker is played here."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"same")
        writer.write(b"\x20\x02\x00\x00")
        await reader.readuntil(b"t/#\x01")
        writer.write(b"\x90\x03\x00\x01\x80")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, rigged() as rig:
        with pytest.raises(Permanent) as caught:
            await begin(rig, mosquitto_server, url=f"tcp://127.0.0.1:{port}", clientId="same", qos=1)
    told = (
        f"MQTT 127.0.0.1:{port}: subscription to 't/#' refused; does the broker allow this user to read it?"
    )
    assert str(caught.value) == told


@pytest.mark.parametrize(("code", "error"), [(1, Permanent), (2, Permanent), (3, Retryable), (77, Permanent)])
async def test_a_connection_that_is_refused(mosquitto_server: Mosquitto, code: int, error: type[Exception]):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"same")
        writer.write(bytes((0x20, 2, 0, code)))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, rigged() as rig:
        with pytest.raises(error, match=f"MQTT 127.0.0.1:{port}: "):
            await begin(rig, mosquitto_server, url=f"tcp://127.0.0.1:{port}", clientId="same")


async def test_one_client_id_used_twice_is_told(mosquitto_server: Mosquitto):
    async with rigged() as one, rigged() as other:
        await begin(one, mosquitto_server, clientId="same")
        await begin(other, mosquitto_server, clientId="same")
        with pytest.raises(Retryable, match="is another client using the same clientId"):
            async with asyncio.timeout(5):
                await one.task


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://broker", "write tcp://host:1883, ssl://host:8883, ws://host:port/path or wss://host:port/"),
        ("unix:///run/broker", "write tcp://host:1883"),
        ("ws:///mqtt", "write tcp://host:1883"),
        ("tcp://broker:none", "url: "),
        ("tcp://", "write tcp://host:1883"),
    ],
)
async def test_a_url_that_cannot_be_used(mosquitto_server: Mosquitto, url: str, told: str):
    async with rigged() as rig:
        with pytest.raises(Permanent, match=told):
            await begin(rig, mosquitto_server, url=url)


async def test_a_topic_filter_that_is_none(mosquitto_server: Mosquitto):
    async with rigged() as rig:
        with pytest.raises((Permanent, Retryable), match="MQTT 127"):
            await begin(rig, mosquitto_server, topic="a/#/b")


# TLS


@pytest.mark.parametrize("scheme", ["ssl", "tls", "mqtts", "tcp"])
async def test_tls_with_a_certificate_of_our_own(own: Any, scheme: str):
    """`tcp` with a tls block is encrypted too."""
    authority = Authority()
    broker = own(Mosquitto(tls=authority.pair(), clients=authority.cert))
    client = authority.pair("client")
    tls = {f"{part}Secret": {"name": "tls", "key": part} for part in ("caCert", "clientCert", "clientKey")}
    secrets = {"tls/caCert": authority.cert, "tls/clientCert": client.cert, "tls/clientKey": client.key}
    async with rigged(secrets) as rig:
        await begin(rig, broker, url=f"{scheme}://localhost:{broker.tls_port}", tls=tls)
        await publish(broker, ("t/a", b"x", 1))
        await rig.until(1)


async def test_tls_with_another_authority(own: Any):
    broker = own(Mosquitto(tls=Authority().pair()))
    async with rigged() as rig:
        with pytest.raises(Permanent, match=r"TLS: .*; check caCertSecret"):
            await begin(rig, broker, url=f"ssl://localhost:{broker.tls_port}")


async def test_tls_where_the_broker_speaks_none(mosquitto_server: Mosquitto):
    async with rigged() as rig:
        with pytest.raises((Permanent, Retryable), match=r"does not speak TLS|closed the connection|reset"):
            await begin(rig, mosquitto_server, url=f"ssl://127.0.0.1:{mosquitto_server.port}")
