"""The examples of message brokers: linted, and run as they are but for their addresses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiomqtt
import aiormq
import nats
import pytest
from redis.asyncio import Redis as RedisClient

from events.testing.nats import Listener
from events.testing.servers.mosquitto import Mosquitto
from events.testing.servers.nats import Nats
from events.testing.servers.rabbitmq import RabbitMQ
from events.testing.servers.redis import Redis
from tests.e2e.examples import example, logged

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.mark.servers("redis")
async def test_redis(tmp_path: Path, redis_server: Redis):
    replaced = {"127.0.0.1:6379": redis_server.address}
    async with (
        example(tmp_path, "event-sources/redis.yaml", replaced) as instance,
        RedisClient(port=redis_server.port) as client,
    ):
        await client.publish("orders", '{"order": 6, "total": 99}')
        await client.publish("orders", '{"order": 7, "total": 120}')
        await logged(instance, '"order": 7')
        assert '"order": 6' not in instance.told()


@pytest.mark.servers("redis")
async def test_redis_stream(tmp_path: Path, redis_server: Redis):
    replaced = {"127.0.0.1:6379": redis_server.address}
    async with (
        example(tmp_path, "event-sources/redis-stream.yaml", replaced) as instance,
        RedisClient(port=redis_server.port) as client,
    ):
        await client.xadd("orders", {"order": "seven"})
        await logged(instance, '{"order":"seven"}')
        assert await instance.terminate() == 0
        await client.xadd("orders", {"order": "eight"})
        await instance.start()
        await logged(instance, '{"order":"eight"}')
        assert instance.told().count('{"order":"seven"}') == 1
        await client.delete("orders")


@pytest.mark.servers("mosquitto")
async def test_mqtt(tmp_path: Path, mosquitto_server: Mosquitto):
    replaced = {"tcp://127.0.0.1:1883": mosquitto_server.url}
    async with example(tmp_path, "event-sources/mqtt.yaml", replaced) as instance:
        async with aiomqtt.Client("127.0.0.1", mosquitto_server.port) as client:
            await client.publish("house/cellar/temperature", '{"celsius": 12}', qos=1)
            await client.publish("house/kitchen/temperature", '{"celsius": 31.5}', qos=1)
            await logged(instance, "house/kitchen/temperature")
            assert await instance.terminate() == 0
            await client.publish("house/attic/temperature", '{"celsius": 44}', qos=1)
        await instance.start()
        await logged(instance, "house/attic/temperature")
        assert "house/cellar/temperature" not in instance.told()


@pytest.mark.servers("rabbitmq")
async def test_amqp(tmp_path: Path, rabbitmq_server: RabbitMQ):
    connection = await aiormq.connect(rabbitmq_server.url)
    channel = await connection.channel()
    await channel.exchange_declare("rejected", exchange_type="fanout")
    dead = (await channel.queue_declare(exclusive=True)).queue or ""
    await channel.queue_bind(dead, "rejected")
    replaced = {"amqp://guest:guest@127.0.0.1:5672/": rabbitmq_server.url}
    try:
        async with example(tmp_path, "event-sources/amqp.yaml", replaced) as instance:
            for body in (b'{"order": 7}', b"not JSON"):
                await channel.basic_publish(body, exchange="shop", routing_key="order.new")
            await logged(instance, '"order": 7', "not valid JSON")
            assert await instance.terminate() == 0
            await channel.basic_publish(b'{"order": 8}', exchange="shop", routing_key="order.new")
            await instance.start()
            await logged(instance, '"order": 8')
            assert (await channel.basic_get(dead, no_ack=True)).body == b"not JSON"
    finally:
        await connection.close()


@pytest.mark.servers("nats")
async def test_nats(tmp_path: Path, nats_server: Nats):
    replaced = {"nats://127.0.0.1:4222": nats_server.url}
    async with example(tmp_path, "event-sources/nats.yaml", replaced) as instance:
        client = await nats.connect(nats_server.url)
        await client.publish("orders.new", b'{"order": 7}')
        await client.close()
        await logged(instance, '"subject":"orders.new"')


@pytest.mark.servers("nats")
async def test_nats_trigger(tmp_path: Path, nats_server: Nats):
    replaced = {"nats://127.0.0.1:4222": nats_server.url}
    async with example(tmp_path, "triggers/nats.yaml", replaced):
        with Listener(nats_server, "invoices.*") as listener:
            client = await nats.connect(nats_server.url)
            await client.publish("orders.new", b'{"order": 7, "customer": "ann"}')
            await client.close()
            async with asyncio.timeout(20):
                while not listener.all():
                    await asyncio.sleep(0.1)
            [invoice] = listener.all()
            assert (invoice.subject, json.loads(invoice.data)) == ("invoices.ann", {"order": 7})
