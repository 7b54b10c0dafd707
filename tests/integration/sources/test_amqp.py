"""amqp against a real broker: what is declared, payloads, acknowledgements, and what goes wrong."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiormq
import pytest
from aiormq.abc import AbstractChannel
from yarl import URL

from events.errors import Permanent, Retryable
from events.testing.certificates import Authority
from events.testing.proxy import Proxy
from events.testing.servers.rabbitmq import PASSWORD, USER, RabbitMQ
from events.testing.sources import Rig, rigged
from events.testing.triggers import dead_port

pytestmark = [pytest.mark.servers("rabbitmq"), pytest.mark.timeout(60)]

Properties = aiormq.spec.Basic.Properties


@pytest.fixture
async def channel(rabbitmq_server: RabbitMQ) -> AsyncIterator[AbstractChannel]:
    connection = await aiormq.connect(rabbitmq_server.url)
    try:
        yield await connection.channel()
    finally:
        await connection.close()


@pytest.fixture
def name() -> str:
    return f"n{uuid4().hex}"


def config(broker: RabbitMQ, name: str, **more: Any) -> dict[str, Any]:
    """Acknowledged, from a queue that outlives the source."""
    return {
        "url": broker.url,
        "exchangeName": f"x{name}",
        "exchangeType": "topic",
        "exchangeDeclare": {"autoDelete": True},
        "routingKey": "orders.*",
        "queueDeclare": {"name": name},
        "consume": {"autoAck": False},
        **more,
    }


async def begin(rig: Rig, broker: RabbitMQ, name: str, **more: Any) -> None:
    supervised = more.pop("supervised", False)
    await rig.start("amqp", config(broker, name, **more), supervised=supervised)


async def send(channel: AbstractChannel, name: str, *bodies: bytes, **properties: Any) -> None:
    for body in bodies:
        await channel.basic_publish(
            body, exchange=f"x{name}", routing_key="orders.new", properties=Properties(**properties)
        )


async def waiting(channel: AbstractChannel, name: str) -> int:
    """Messages of the queue that nobody has got."""
    found = await channel.queue_declare(name, passive=True)
    return found.message_count or 0


async def test_every_property_is_in_the_payload(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    async with rigged() as rig:
        await begin(rig, rabbitmq_server, name, jsonBody=True, metadata={"team": "a"})
        await send(
            channel, name, b'{"message": "hi"}', content_type="application/json", content_encoding="gzip",
            delivery_mode=2, priority=3, correlation_id="c-1", reply_to="answers", expiration="60000",
            message_id="m-1", timestamp=datetime(2026, 7, 18, 12, tzinfo=UTC), message_type="order",
            app_id="shop", user_id=USER,
        )  # fmt: skip
        await rig.until(1)
        assert list(rig.data[0].items()) == [
            ("contentType", "application/json"),
            ("contentEncoding", "gzip"),
            ("deliveryMode", 2),
            ("priority", 3),
            ("correlationId", "c-1"),
            ("replyTo", "answers"),
            ("expiration", "60000"),
            ("messageId", "m-1"),
            ("timestamp", "2026-07-18 12:00:00 +0000 UTC"),
            ("type", "order"),
            ("appId", "shop"),
            ("exchange", f"x{name}"),
            ("routingKey", "orders.new"),
            ("body", {"message": "hi"}),
            ("metadata", {"team": "a"}),
        ]


async def test_what_is_not_set_is_empty(rabbitmq_server: RabbitMQ, name: str):
    async with rigged() as rig:
        await begin(rig, rabbitmq_server, name)
        await publish_bare(rig, rabbitmq_server, f"x{name}", b"hi\xff")
        await rig.until(1)
        [data] = rig.data
        assert (data["timestamp"], data["body"]) == ("0001-01-01 00:00:00 +0000 UTC", "aGn/")
        assert {data[key] for key in ("contentType", "messageId", "type", "appId", "expiration")} == {""}
        assert {data[key] for key in ("deliveryMode", "priority")} == {0}
        assert rig.emitted[0].id is None


@pytest.mark.parametrize(
    ("wire", "properties", "shown"),
    [
        ("shortstr", {"correlation_id": b"\xffid"}, {"correlationId": "\ufffdid"}),
        ("timestamp", {"timestamp": 1784376000123}, {"timestamp": "2026-07-18 12:00:00.123 +0000 UTC"}),
        ("timestamp", {"timestamp": 1784376000 * 10**9}, {"timestamp": "2026-07-18 12:00:00 +0000 UTC"}),
        ("table", {"headers": b"\x00\x00\x00\x03\x01\xffV"}, {}),
    ],
    ids=["not-utf-8", "milliseconds", "nanoseconds", "headers"],
)  # fmt: skip
async def test_values_that_the_library_cannot_read_end_no_connection(
    rabbitmq_server: RabbitMQ,
    channel: AbstractChannel,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    wire: str,
    properties: dict[str, Any],
    shown: dict[str, str],
):
    """The broker would deliver such a message again and again."""
    from pamqp import encode

    written = {
        "shortstr": lambda value: bytes((len(value),)) + (value if type(value) is bytes else value.encode()),
        "timestamp": lambda value: value.to_bytes(8),
        "table": lambda value: value,
    }
    async with rigged() as rig:
        await begin(rig, rabbitmq_server, name)
        with monkeypatch.context() as patched:
            patched.setitem(encode.METHODS, wire, written[wire])
            await send(channel, name, b"a", **properties)
        await send(channel, name, b"b")
        await rig.until(2)
        assert [one["body"] for one in rig.data] == ["YQ==", "Yg=="]
        assert {key: rig.data[0][key] for key in shown} == shown


async def publish_bare(rig: Rig, broker: RabbitMQ, exchange: str, body: bytes) -> None:
    """A message without any property, which aiormq would not send."""
    message = {
        "properties": {}, "routing_key": "orders.new", "payload": b64encode(body).decode(),
        "payload_encoding": "base64",
    }  # fmt: skip
    login = {"Authorization": "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
    url = f"{broker.management}/exchanges/%2F/{exchange}/publish"
    async with rig.sessions.get().post(URL(url, encoded=True), json=message, headers=login) as answer:
        assert await answer.json() == {"routed": True}


async def test_a_message_id_and_the_content_make_the_event_id(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    async with rigged() as rig:
        await begin(rig, rabbitmq_server, name)
        await send(channel, name, b"one", b"one", b"other", message_id="always")
        await rig.until(3)
        one, again, other = [str(payload.id) for payload in rig.emitted]
        assert one == again != other
        assert one.startswith("always:")


async def test_what_can_never_be_an_event_goes_to_the_dead_letters(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    await channel.exchange_declare(f"d{name}", exchange_type="fanout", auto_delete=True)
    dead = (await channel.queue_declare(exclusive=True)).queue or ""
    await channel.queue_bind(dead, f"d{name}")
    queue = {"name": name, "arguments": f"x-dead-letter-exchange: d{name}\nx-max-length: 100\n"}
    async with rigged() as rig:
        rig.limit = 5000
        await begin(rig, rabbitmq_server, name, jsonBody=True, queueDeclare=queue)
        large = b'"' + b"x" * 9000 + b'"'
        await send(channel, name, b"1", b"{", b"2", large, b"3")
        await rig.until(3)
        assert [one["body"] for one in rig.data] == [1, 2, 3]
        async with asyncio.timeout(5):
            while await waiting(channel, dead) < 2:
                await asyncio.sleep(0.02)
        bodies = [(await channel.basic_get(dead, no_ack=True)).body for _ in range(2)]
        assert sorted(bodies) == sorted([b"{", large])
        assert rig.malformed == 1


async def test_no_more_than_the_prefetch_is_taken(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    async with rigged() as rig:
        await begin(rig, rabbitmq_server, name, consume={"autoAck": False, "prefetchCount": 5})
        rig.hold.clear()
        await send(channel, name, *(str(number).encode() for number in range(20)))
        await rig.asked.wait()
        await asyncio.sleep(0.2)
        assert await waiting(channel, name) == 15
        rig.hold.set()
        await rig.until(20)


async def test_a_source_that_stops_gives_back_what_it_had(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    async with rigged() as rig:
        await begin(rig, rabbitmq_server, name)
        rig.hold.clear()
        await send(channel, name, b"a", b"b")
        await rig.asked.wait()
        await rig.stop()
        async with asyncio.timeout(5):
            while await waiting(channel, name) != 2:
                await asyncio.sleep(0.02)
    await channel.queue_delete(name)


async def test_what_the_broker_has_forgotten_is_stored_when_the_source_stops(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    async with rigged() as rig:
        await begin(rig, rabbitmq_server, name, consume={"autoAck": True})
        rig.hold.clear()
        await send(channel, name, b"a", b"b", b"c")
        await rig.asked.wait()
        while await waiting(channel, name):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        asyncio.get_running_loop().call_later(0.1, rig.hold.set)
        await rig.stop()
        assert [one["body"] for one in rig.data] == ["YQ==", "Yg==", "Yw=="]


async def test_without_blocks_the_queue_is_the_sources_own(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    """Durable exchange, exclusive queue named by the broker, autoAck."""
    raw = config(rabbitmq_server, name)
    for block in ("exchangeDeclare", "queueDeclare", "consume"):
        del raw[block]
    async with rigged() as rig:
        await rig.start("amqp", raw)
        assert rig.source.replay == "none"
        await channel.exchange_declare(f"x{name}", exchange_type="topic", durable=True)
        await send(channel, name, b"a")
        await rig.until(1)
    await channel.exchange_delete(f"x{name}")


async def test_every_option_is_taken(rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str):
    """With noWait nobody answers: the queue is there nevertheless when messages come."""
    async with rigged() as rig:
        await begin(
            rig, rabbitmq_server, name,
            exchangeDeclare={"durable": True, "autoDelete": True, "noWait": True},
            queueDeclare={"name": name, "durable": True, "autoDelete": True, "noWait": True},
            queueBind={"noWait": True},
            consume={"autoAck": False, "exclusive": True, "consumerTag": "me", "noWait": True},
        )  # fmt: skip
        await channel.exchange_declare(f"x{name}", exchange_type="topic", durable=True, auto_delete=True)
        await send(channel, name, b"a")
        await rig.until(1)
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await channel.basic_consume(name, print)


async def test_the_default_exchange_needs_no_binding(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    async with rigged() as rig:
        await begin(rig, rabbitmq_server, name, exchangeName="")
        await channel.basic_publish(b"a", routing_key=name)
        await rig.until(1)
        await channel.queue_delete(name)


async def test_a_queue_that_was_deleted_is_declared_anew(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    async with rigged() as rig:
        await begin(rig, rabbitmq_server, name, supervised=True)
        await channel.queue_delete(name)
        async with asyncio.timeout(10):
            while not (rig.failures and rig.ready.is_set()):
                await asyncio.sleep(0.02)
        assert "has ended the consumer; was the queue deleted?" in str(rig.failures[0])
        await send(channel, name, b"a")
        await rig.until(1)
        await channel.queue_delete(name)


async def test_an_exchange_that_was_deleted_is_bound_again(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("events.sources.amqp.BIND_AGAIN", 0.1)
    async with rigged() as rig:
        await begin(rig, rabbitmq_server, name)
        await channel.exchange_delete(f"x{name}")
        await channel.exchange_declare(f"x{name}", exchange_type="topic", auto_delete=True)
        await asyncio.sleep(0.5)
        await send(channel, name, b"a")
        await rig.until(1)
        assert not rig.task.done()


async def test_a_connection_that_is_cut_is_made_anew(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    async with rigged() as rig, Proxy(rabbitmq_server.port) as proxy:
        url = rabbitmq_server.url.replace(str(rabbitmq_server.port), str(proxy.port))
        await begin(rig, rabbitmq_server, name, url=url, exchangeDeclare={}, supervised=True)
        proxy.cut()
        async with asyncio.timeout(10):
            while not (rig.failures and rig.ready.is_set()):
                await asyncio.sleep(0.02)
        assert isinstance(rig.failures[0], Retryable)
        await send(channel, name, b"a")
        await rig.until(1)
    await channel.queue_delete(name)
    await channel.exchange_delete(f"x{name}")


# what goes wrong


async def test_a_bus_that_is_away_for_longer_than_the_broker_waits(own: Any, name: str):
    """Half an hour, unless it is told otherwise: it closes the channel then."""
    broker = own(RabbitMQ(advanced="[{rabbit, [{channel_tick_interval, 500}, {consumer_timeout, 1000}]}]."))
    connection = await aiormq.connect(broker.url)
    try:
        async with rigged() as rig:
            await begin(rig, broker, name, supervised=True)
            rig.hold.clear()
            await send(await connection.channel(), name, b"a")
            async with asyncio.timeout(20):
                while not rig.failures:
                    await asyncio.sleep(0.05)
            assert isinstance(rig.failures[0], Retryable)
            assert "delivery acknowledgement on channel 1 timed out" in str(rig.failures[0])
            rig.hold.set()
            await rig.until(1, 20)
            assert [one["body"] for one in rig.data] == ["YQ=="]
    finally:
        await connection.close()


async def refusal(broker: RabbitMQ, name: str, secrets: Any = None, **more: Any) -> str:
    async with rigged(secrets) as rig:
        with pytest.raises(Permanent) as caught:
            await begin(rig, broker, name, **more)
        return str(caught.value)


async def test_nobody_there(rabbitmq_server: RabbitMQ, name: str):
    async with rigged() as rig:
        with dead_port() as port, pytest.raises(Retryable) as caught:
            await begin(rig, rabbitmq_server, name, url=f"amqp://guest:s3cret@127.0.0.1:{port}/")
        text = f"AMQP 127.0.0.1:{port}: Connection refused; is the server running there?"
        assert str(caught.value) == text


async def test_a_login_that_is_refused(rabbitmq_server: RabbitMQ, name: str):
    place = f"AMQP 127.0.0.1:{rabbitmq_server.port}"
    wrong = f"amqp://{USER}:wr0ng-one@127.0.0.1:{rabbitmq_server.port}/"
    told = f"{place}: login refused; check user and password"
    assert await refusal(rabbitmq_server, name, url=wrong) == told


async def test_auth_wins_over_the_url(rabbitmq_server: RabbitMQ, name: str):
    auth = {part: {"name": "amqp", "key": part} for part in ("username", "password")}
    url = f"amqp://nobody:nothing@127.0.0.1:{rabbitmq_server.port}/"
    async with rigged({"amqp/username": USER, "amqp/password": PASSWORD}) as rig:
        await begin(rig, rabbitmq_server, name, url=url, auth=auth, queueDeclare={"exclusive": True})


async def test_a_virtual_host_that_is_not_there(rabbitmq_server: RabbitMQ, name: str):
    url = f"{rabbitmq_server.url}nowhere"
    async with rigged() as rig:
        with pytest.raises(Retryable, match="virtual host 'nowhere' refused; does it exist"):
            await begin(rig, rabbitmq_server, name, url=url)


async def test_an_exchange_with_other_options(rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str):
    await channel.exchange_declare(f"x{name}", exchange_type="fanout")
    told = await refusal(rabbitmq_server, name)
    assert "PRECONDITION_FAILED - inequivalent arg 'type' for exchange" in told
    assert told.endswith("write the options that it was made with, or delete it")
    await channel.exchange_delete(f"x{name}")


async def test_an_exchange_of_a_type_that_nobody_knows(rabbitmq_server: RabbitMQ, name: str):
    assert "unknown exchange type" in await refusal(rabbitmq_server, name, exchangeType="wrong")


async def test_a_name_that_is_not_allowed(rabbitmq_server: RabbitMQ, name: str):
    told = await refusal(rabbitmq_server, name, exchangeName="amq.mine")
    assert "ACCESS_REFUSED" in told
    assert told.endswith("give the user this permission (rabbitmqctl set_permissions)")


async def test_a_queue_that_another_connection_owns(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    """It may be free later."""
    await channel.queue_declare(name, exclusive=True)
    async with rigged() as rig:
        with pytest.raises(Retryable, match="RESOURCE_LOCKED"):
            await begin(rig, rabbitmq_server, name)


async def test_a_consumer_that_wants_to_be_alone_waits(
    rabbitmq_server: RabbitMQ, channel: AbstractChannel, name: str
):
    await channel.queue_declare(name)
    await channel.basic_consume(name, print)
    async with rigged() as rig:
        with pytest.raises(Retryable, match="exclusive use"):
            await begin(rig, rabbitmq_server, name, consume={"autoAck": False, "exclusive": True})


@pytest.mark.parametrize("arguments", ["[1]", "a: b: c", "text"])
async def test_arguments_that_are_no_map(rabbitmq_server: RabbitMQ, name: str, arguments: str):
    queue = {"name": name, "arguments": arguments}
    told = await refusal(rabbitmq_server, name, queueDeclare=queue)
    assert told.startswith("queueDeclare.arguments: is not ")


@pytest.mark.parametrize("url", ["http://h", "amqp://", "amqp://u:s3cret@h:port/"])
async def test_a_url_that_cannot_be_used_is_not_shown(rabbitmq_server: RabbitMQ, name: str, url: str):
    told = await refusal(rabbitmq_server, name, url=url)
    assert told.startswith("url: ")
    assert "s3cret" not in told


async def test_tls_with_a_certificate_that_is_known(own: Any, name: str):
    authority = Authority()
    broker = own(RabbitMQ(tls=authority.pair()))
    secrets = {"tls/ca": authority.cert}
    tls = {"caCertSecret": {"name": "tls", "key": "ca"}}
    url = f"amqps://{USER}:{PASSWORD}@localhost:{broker.tls_port}/"
    connection = await aiormq.connect(broker.url)
    try:
        async with rigged(secrets) as rig:
            await begin(rig, broker, name, url=url, tls=tls)
            await send(await connection.channel(), name, b"a")
            await rig.until(1)
        told = await refusal(broker, name, url=url)
        assert told.endswith("; check caCertSecret")
    finally:
        await connection.close()
