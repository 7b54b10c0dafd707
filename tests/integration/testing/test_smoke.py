"""Each test server serves its own client, and keeps over a restart what it says it keeps."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import aiohttp
import pytest

from events.testing.certificates import Authority
from events.testing.servers.elasticmq import REGION, ElasticMQ
from events.testing.servers.fixtures import Own
from events.testing.servers.kafka import Kafka
from events.testing.servers.mosquitto import Mosquitto
from events.testing.servers.moto import Moto
from events.testing.servers.nats import Nats, NatsCluster
from events.testing.servers.rabbitmq import RabbitMQ
from events.testing.servers.redis import Redis


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.servers("nats")
async def test_nats_answers_its_client_and_keeps_streams_over_a_restart(own: Own):
    import nats

    server = own(Nats(max_file=1 << 20))
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name="s", subjects=["s.>"])
    await client.jetstream().publish("s.a", b"hello")
    await client.close()
    server.kill()
    await asyncio.to_thread(server.start)
    client = await nats.connect(server.url)
    info = await client.jetstream().stream_info("s")
    await client.close()
    assert info.state.messages == 1
    assert server.monitoring.startswith("http://127.0.0.1:")


@pytest.mark.servers("nats")
async def test_three_nats_servers_replicate_a_stream():
    import nats

    with NatsCluster() as cluster:
        client = await nats.connect(cluster.url.split(","))
        jetstream = client.jetstream()
        info = await jetstream.add_stream(name="s", subjects=["s"], num_replicas=3)
        assert info.cluster is not None
        leader = cluster.named(str(info.cluster.leader))
        await jetstream.publish("s", b"one")
        follower = next(node for node in cluster.nodes if node is not leader)
        await asyncio.to_thread(follower.restart)
        await jetstream.publish("s", b"two")
        assert (await jetstream.stream_info("s")).state.messages == 2
        await client.close()


@pytest.mark.servers("kafka")
async def test_kafka_answers_its_client(kafka_server: Kafka):
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    async with AIOKafkaProducer(bootstrap_servers=kafka_server.brokers) as producer:
        await producer.send_and_wait("smoke", b"hello")
    async with AIOKafkaConsumer(
        "smoke", bootstrap_servers=kafka_server.brokers, group_id="smoke", auto_offset_reset="earliest"
    ) as consumer:
        record = await asyncio.wait_for(consumer.getone(), 20)
    assert record.value == b"hello"


@pytest.mark.servers("kafka")
async def test_kafka_with_passwords_encryption_and_permissions(own: Own, authority: Authority):
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import AuthenticationFailedError, KafkaConnectionError, TopicAuthorizationFailedError

    users = {"ada": "secret-1", "admin": "secret-2"}
    server = own(Kafka(users=users, mechanism="SCRAM-SHA-256", tls=authority.pair(), acls=True))
    context = ssl.create_default_context(cadata=authority.cert)

    def producer(user: str, password: str) -> Any:
        return AIOKafkaProducer(
            bootstrap_servers=server.secured, security_protocol=server.protocol, ssl_context=context,
            sasl_mechanism="SCRAM-SHA-256", sasl_plain_username=user, sasl_plain_password=password,
        )  # fmt: skip

    async with producer("admin", "secret-2") as works:
        await works.send_and_wait("t", b"hello")
    async with producer("ada", "secret-1") as denied:
        with pytest.raises(TopicAuthorizationFailedError):
            await denied.send_and_wait("t", b"hello")
    wrong = producer("ada", "secret-2")
    with pytest.raises((AuthenticationFailedError, KafkaConnectionError)):
        await wrong.start()
    await wrong.stop()


@pytest.mark.servers("redis")
async def test_redis_keeps_its_data_when_it_is_killed(own: Own, authority: Authority):
    from redis.asyncio import Redis as Client

    server = own(Redis(tls=authority.pair()))
    async with Client(port=server.port) as client:
        await client.set("a", "1")
    server.kill()
    server.start()
    async with Client(port=server.tls_port, ssl=True, ssl_ca_data=authority.cert) as client:
        assert await client.get("a") == b"1"


@pytest.mark.servers("redis")
async def test_redis_with_a_password(own: Own):
    from redis.asyncio import Redis as Client
    from redis.exceptions import AuthenticationError

    server = own(Redis("requirepass secret-1"))
    async with Client(port=server.port, password="secret-1") as client:
        assert await client.ping()
    async with Client(port=server.port) as client:
        with pytest.raises(AuthenticationError):
            await client.ping()


@pytest.mark.servers("mosquitto")
async def test_mosquitto_with_passwords_permissions_and_encryption(own: Own, authority: Authority):
    from aiomqtt import Client, MqttError

    users = {"ada": "secret-1", "bob": "secret-2"}
    server = own(Mosquitto(users=users, acl="user ada\ntopic readwrite #\n", tls=authority.pair()))
    context = ssl.create_default_context(cadata=authority.cert)
    async with Client("127.0.0.1", server.port, username="ada", password="secret-1") as first:
        await first.subscribe("a/+")
        async with Client(
            "127.0.0.1", server.tls_port, username="ada", password="secret-1", tls_context=context
        ) as second:
            await second.publish("a/b", b"hello", qos=1)
        message = await asyncio.wait_for(anext(aiter(first.messages)), 10)
    assert message.payload == b"hello"
    with pytest.raises(MqttError):
        async with Client("127.0.0.1", server.port, username="bob", password="secret-1"):
            raise AssertionError


@pytest.mark.servers("mosquitto")
async def test_mosquitto_keeps_retained_messages_over_a_restart(own: Own):
    from aiomqtt import Client

    server = own(Mosquitto())
    async with Client("127.0.0.1", server.port) as client:
        await client.publish("a", b"kept", qos=1, retain=True)
    server.restart()
    async with Client("127.0.0.1", server.port) as client:
        await client.subscribe("a")
        message = await asyncio.wait_for(anext(aiter(client.messages)), 10)
    assert message.payload == b"kept"


@pytest.mark.servers("rabbitmq")
async def test_rabbitmq_answers_its_client_and_its_api(rabbitmq_server: RabbitMQ):
    import aiormq

    connection = await aiormq.connect(rabbitmq_server.url)
    channel = await connection.channel()
    await channel.queue_declare("smoke", durable=True)
    await channel.basic_publish(b"hello", routing_key="smoke")
    got = await channel.basic_get("smoke", no_ack=True)
    await connection.close()
    assert got.body == b"hello"
    async with (
        aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth("guest", "guest")}
        ) as session,
        session.get(f"{rabbitmq_server.management}/queues/%2F/smoke") as answer,
    ):
        assert (await answer.json())["durable"] is True


@pytest.mark.servers("rabbitmq")
async def test_rabbitmq_keeps_durable_queues_and_encrypts(own: Own, authority: Authority):
    import aiormq

    server = own(RabbitMQ(tls=authority.pair()))
    connection = await aiormq.connect(server.url)
    channel = await connection.channel()
    await channel.queue_declare("kept", durable=True)
    await connection.close()
    await asyncio.to_thread(server.restart)
    context = ssl.create_default_context(cadata=authority.cert)
    connection = await aiormq.connect(f"amqps://guest:guest@127.0.0.1:{server.tls_port}/", context=context)
    channel = await connection.channel()
    declared = await channel.queue_declare("kept", passive=True)
    await connection.close()
    assert declared.queue == "kept"


async def one_message(url: str, region: str) -> str:
    """Sent to a new queue and received from it."""
    from aiobotocore.session import get_session

    made = get_session().create_client(
        "sqs", endpoint_url=url, region_name=region, aws_access_key_id="a", aws_secret_access_key="b"
    )
    async with made as sqs:
        queue = (await sqs.create_queue(QueueName="smoke"))["QueueUrl"]
        await sqs.send_message(QueueUrl=queue, MessageBody="hello")
        got = await sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)
    body: str = got["Messages"][0]["Body"]
    return body


@pytest.mark.servers("elasticmq")
async def test_elasticmq_answers_its_client(elasticmq_server: ElasticMQ):
    assert await one_message(elasticmq_server.url, REGION) == "hello"


@pytest.mark.servers("moto")
async def test_moto_answers_its_client(moto_server: Moto):
    assert await one_message(moto_server.url, "us-east-1") == "hello"
