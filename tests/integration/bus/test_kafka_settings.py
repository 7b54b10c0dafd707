"""The Kafka bus and its settings: logins, certificates, topics that are missing or unfit, shared topics."""

from __future__ import annotations

import json
import secrets

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from events.api.eventbus import KafkaBus as Spec
from events.bus._base import Changes, Mark
from events.bus.kafka import KafkaBus
from events.bus.kafka_topics import Creation
from events.clients.kafka import Brokers
from events.clients.secrets import LocalSecrets, Ref
from events.errors import BusUnavailable, Permanent, TooLarge
from events.testing.bus_harness import TOPIC, beginning, event, events, read_all
from events.testing.certificates import Authority
from events.testing.servers.fixtures import Own
from events.testing.servers.kafka import Kafka

pytestmark = [pytest.mark.servers("kafka"), pytest.mark.timeout(60)]


def store(**values: str) -> LocalSecrets:
    held = {Ref("kafka", key): value.encode() for key, value in values.items()}
    return LocalSecrets(lambda: held, environ={})


def selector(key: str) -> dict[str, str]:
    return {"name": "kafka", "key": key}


def make(
    address: str,
    topic: str = "",
    shards: int = 1,
    creation: Creation | None = None,
    *,
    shared: bool = False,
) -> KafkaBus:
    name, brokers = topic or f"t{secrets.token_hex(6)}", Brokers.of(address)
    return KafkaBus(brokers, name, secrets=store(), shards=shards, creation=creation, shared=shared)


async def create(broker: Kafka, *topics: NewTopic) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.brokers)
    await admin.start()
    answer = await admin.create_topics(list(topics))
    await admin.close()
    assert all(code == 0 for _, code, *_ in answer.topic_errors), answer


async def works(bus: KafkaBus) -> None:
    await bus.open()
    await bus.publish(events(2))
    assert (await read_all(bus, [TOPIC])).ids == ["e0", "e1"]
    lease = await bus.lease("shard/0")
    await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))
    await bus.aclose()


# --- logins ---


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_logins_over_tls(own: Own[Kafka], mechanism: str):
    authority = Authority()
    broker = own(Kafka(users={"me": "word"}, mechanism=mechanism, tls=authority.pair("127.0.0.1")))
    spec = Spec.model_validate(
        {
            "url": broker.secured,
            "tls": {"caCertSecret": selector("ca")},
            "sasl": {
                "mechanism": mechanism,
                "userSecret": selector("user"),
                "passwordSecret": selector("word"),
            },
        }
    )
    known = {"ca": authority.cert, "user": "me", "word": "word"}
    await works(KafkaBus.of(spec, "argo", "default", secrets=store(**known), shards=1))
    wrong = KafkaBus.of(spec, "argo", "default", secrets=store(**{**known, "word": "guess"}), shards=1)
    with pytest.raises(Permanent, match="check the secrets of sasl") as raised:
        await wrong.open()
    assert "guess" not in str(raised.value)
    strangers = store(**{**known, "ca": Authority().cert})
    with pytest.raises(Permanent, match="caCertSecret"):
        await KafkaBus.of(spec, "argo", "default", secrets=strangers, shards=1).open()


async def test_client_certificates(own: Own[Kafka]):
    authority = Authority()
    broker = own(Kafka(tls=authority.pair("127.0.0.1"), clients=authority.cert))
    tls = {"caCertSecret": selector("ca")}
    pair = authority.pair("client")
    known = store(ca=authority.cert, cert=pair.cert, key=pair.key)
    shown = {**tls, "clientCertSecret": selector("cert"), "clientKeySecret": selector("key")}
    await works(KafkaBus.of(Spec.model_validate({"url": broker.secured, "tls": shown}), "argo", "default",
                            secrets=known, shards=1))  # fmt: skip
    bare = Spec.model_validate({"url": broker.secured, "tls": tls})
    with pytest.raises(BusUnavailable, match=broker.secured):
        await KafkaBus.of(bare, "argo", "default", secrets=known, shards=1).open()


# --- topics ---


async def test_missing_topics_are_named_with_what_they_need(kafka_server: Kafka):
    bus = make(kafka_server.brokers, "missing", shards=3)
    with pytest.raises(Permanent) as raised:
        await bus.open()
    for part in ("missing (", "missing-state (4 partitions, cleanup.policy=compact)", "missing-decisions (3"):
        assert part in str(raised.value)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.brokers)
    await admin.start()
    assert "missing" not in await admin.list_topics(), "asking has created it"
    await admin.close()


async def test_topics_that_exist_are_used(kafka_server: Kafka):
    compact = {"cleanup.policy": "compact"}
    await create(
        kafka_server, NewTopic("mine", 2, 1), NewTopic("mine-decisions", 1, 1),
        NewTopic("mine-state", 2, 1, topic_configs=compact),
    )  # fmt: skip
    await works(make(kafka_server.brokers, "mine"))


async def test_settings_that_would_lose_something_are_refused(kafka_server: Kafka):
    compact = {"cleanup.policy": "compact"}
    await create(
        kafka_server, NewTopic("a", 1, 1), NewTopic("a-state", 2, 1), NewTopic("a-decisions", 1, 1),
        NewTopic("b", 1, 1, topic_configs=compact), NewTopic("b-decisions", 1, 1),
        NewTopic("b-state", 2, 1, topic_configs=compact),
    )  # fmt: skip
    with pytest.raises(Permanent, match="a-state has cleanup"):
        await make(kafka_server.brokers, "a").open()
    with pytest.raises(Permanent, match="b is compacted"):
        await make(kafka_server.brokers, "b").open()


async def test_another_number_of_shards_is_refused(kafka_server: Kafka):
    await works(make(kafka_server.brokers, "shards", 2, Creation(1)))
    with pytest.raises(Permanent, match="made for 2 shards, not 3"):
        await make(kafka_server.brokers, "shards", 3, Creation(1)).open()


async def test_who_makes_no_topics_takes_the_shards_that_are_there(kafka_server: Kafka):
    await works(make(kafka_server.brokers, "looked-at", 3, Creation(1)))
    bus = make(kafka_server.brokers, "looked-at", 8)
    await bus.open()
    assert bus.shards == 3
    assert (await bus.load(2)).mark is None
    await bus.aclose()


@pytest.mark.parametrize(("shared", "least"), [(False, 15_900), (True, 11_900)])
async def test_the_limit_of_the_topic_is_that_of_the_bus(kafka_server: Kafka, shared: bool, least: int):
    small, name = {"max.message.bytes": "20000"}, f"small-{shared}"
    compact = {"cleanup.policy": "compact"}
    await create(
        kafka_server, NewTopic(name, 1, 1, topic_configs=small), NewTopic(f"{name}-decisions", 1, 1),
        NewTopic(f"{name}-state", 2, 1, topic_configs=compact),
    )  # fmt: skip
    bus = make(kafka_server.brokers, name, shared=shared)
    await bus.open()
    assert least < bus.max_event_bytes < least + 100
    await bus.publish([event("whole", data=bytes(bus.max_event_bytes))])
    await bus.publish([event(f"{n}", data=bytes(9_000)) for n in range(5)])
    with pytest.raises(TooLarge):
        await bus.publish([event("x" * 5_000, data=bytes(bus.max_event_bytes))])
    assert len((await read_all(bus, [TOPIC])).ids) == 6
    await bus.aclose()


async def test_an_event_fits_the_state_with_something_beside_it(kafka_server: Kafka):
    tight = {"cleanup.policy": "compact", "max.message.bytes": "20000"}
    await create(
        kafka_server, NewTopic("tight", 1, 1), NewTopic("tight-decisions", 1, 1),
        NewTopic("tight-state", 2, 1, topic_configs=tight),
    )  # fmt: skip
    bus = make(kafka_server.brokers, "tight")
    await bus.open()
    assert bus.max_event_bytes == 15_000
    lease = await bus.lease("shard/0")
    await bus.commit(0, lease.epoch, Changes(blobs={"held": bytes(bus.max_event_bytes + 4_000)}))
    await bus.aclose()


# --- others on the same topic ---


async def test_argo_events_and_we_read_each_other(kafka_server: Kafka):
    bus = make(kafka_server.brokers, "shared", creation=Creation(2), shared=True)
    await bus.open()
    async with AIOKafkaProducer(bootstrap_servers=kafka_server.brokers) as theirs:
        value = {
            "specversion": "1.0", "id": "aa", "source": "orders", "type": "webhook", "subject": "incoming",
            "datacontenttype": "application/json", "time": "2026-07-18T12:57:49Z",
            "data_base64": "eyJhIjoxfQ==",
        }  # fmt: skip
        await theirs.send_and_wait("shared", json.dumps(value).encode(), b"orders.incoming")
        await theirs.send_and_wait("shared", b"not an event", b"orders.incoming")
    await bus.publish([event("ours", data=b'{"b":2}')])
    seen = await read_all(bus, [TOPIC])
    assert [(one.event.id, one.event.data) for one in seen.deliveries] == [
        ("aa", b'{"a":1}'),
        ("ours", b'{"b":2}'),
    ]
    partition = seen.deliveries[1].position.partition
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_server.brokers, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition("shared", partition)])
    found = [await consumer.getone() for _ in range(3)][-1]
    await consumer.stop()
    assert found.key == b"orders.incoming"
    assert json.loads(found.value)["data_base64"] == "eyJiIjoyfQ=="
    await bus.aclose()


async def test_a_topic_may_hold_events_of_both_forms(kafka_server: Kafka):
    shared = make(kafka_server.brokers, "both", creation=Creation(1), shared=True)
    await shared.open()
    await shared.publish([event("theirs", data=b'{"a":1}')])
    ours = make(kafka_server.brokers, "both", creation=Creation(1))
    await ours.open()
    await ours.publish([event("ours", data=b'{"b":2}'), event("none", data=None)])
    for bus in (shared, ours):
        seen = [(one.event.id, one.event.data) for one in (await read_all(bus, [TOPIC])).deliveries]
        assert seen == [("theirs", b'{"a":1}'), ("ours", b'{"b":2}'), ("none", None)]
        await bus.aclose()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_server.brokers)
    await consumer.start()
    consumer.assign([TopicPartition("both", 0)])
    consumer.seek(TopicPartition("both", 0), 1)
    raw = await consumer.getone()
    await consumer.stop()
    assert (raw.key, raw.value) == (b"orders.incoming", b'{"b":2}')


async def test_marks_are_seen_by_the_tools_for_consumer_lag(kafka_server: Kafka):
    bus = make(kafka_server.brokers, "lag", creation=Creation(2))
    await bus.open()
    await bus.publish(events(7))
    head = await bus.head()
    lease = await bus.lease("shard/0")
    await bus.commit(0, lease.epoch, Changes(mark=beginning(head)))
    await bus.commit(0, lease.epoch, Changes(mark=Mark(head.incarnation, head.offsets)))
    await bus.aclose()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.brokers)
    await admin.start()
    found = await admin.list_consumer_group_offsets("lag-0")
    await admin.close()
    assert {place.partition: one.offset for place, one in found.items()} == head.offsets
