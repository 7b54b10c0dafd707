"""What only JetStream has: logins, settings of streams, the form it shares with Argo Events, many topics."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import secrets
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, DeliverPolicy

from events.api.eventbus import EventBus, JetStreamConfig
from events.bus._base import Changes, EventQuery
from events.bus.jetstream import JetStreamBus, from_manifest, from_url
from events.bus.jetstream_settings import StreamSettings
from events.clients.nats import Servers
from events.clients.secrets import LocalSecrets, Ref
from events.errors import Permanent
from events.event import Event
from events.runtime.engines import Means, choose, make
from events.runtime.folder import DataFolder
from events.testing.bus_harness import beginning, event, events, read_all
from events.testing.certificates import Authority
from events.testing.natskeys import NKey, credentials
from events.testing.servers.fixtures import Own
from events.testing.servers.nats import Nats

pytestmark = pytest.mark.servers("nats")

ANN = NKey("U", b"ann")
CONFIG, FILE = credentials()
LOGINS = {
    "user and password": ('authorization { user: ann, password: "pw" }', "username: ann\npassword: pw\n"),
    "token": ('authorization { token: "s3cr3t" }', "token: s3cr3t\n"),
    "nkey": (f"authorization {{ users: [ {{ nkey: {ANN.public} }} ] }}", f"nkey: {ANN.seed}\n"),
    "credentials file": (CONFIG, json.dumps({"credentials": FILE})),
}


def known(**values: str) -> LocalSecrets:
    held = {Ref("bus", key): value.encode() for key, value in values.items()}
    return LocalSecrets(lambda: held, environ={})


def config(url: str, **given: Any) -> JetStreamConfig:
    return JetStreamConfig.model_validate({"url": url, **given})


async def works(bus: JetStreamBus) -> None:
    """Everything that needs a permission."""
    await bus.open()
    start = beginning(await bus.head())
    await bus.publish(events(3))
    assert (await read_all(bus, [("orders", "incoming")], start)).ids == ["e0", "e1", "e2"]
    lease = await bus.lease("shard/0")
    await bus.commit(0, lease.epoch, Changes(records={"a": b"1"}))
    assert (await bus.load(0)).records == {"a": b"1"}
    await bus.aclose()


# logins


@pytest.mark.parametrize("how", LOGINS)
async def test_every_login_of_the_access_secret_works(own: Own[Nats], how: str):
    text, secret = LOGINS[how]
    given = config(own(Nats(text)).url, accessSecret={"name": "bus", "key": "login"})
    await works(from_manifest(given, "default/default", known(login=secret)))
    wrong = from_manifest(given, "default/default", known(login="username: bob\npassword: guess"))
    with pytest.raises(Permanent, match="refuses the login"):
        await wrong.open()
    assert "guess" not in repr(vars(wrong))


async def test_tls(own: Own[Nats], tmp_path: Path):
    authority = Authority()
    pair = authority.pair()
    (tmp_path / "cert.pem").write_text(pair.cert)
    (tmp_path / "key.pem").write_text(pair.key)
    server = own(Nats(f'tls {{ cert_file: "{tmp_path}/cert.pem", key_file: "{tmp_path}/key.pem" }}'))
    given = config(server.url, tls={"caCertSecret": {"name": "bus", "key": "ca"}})
    await works(from_manifest(given, "default/default", known(ca=authority.cert)))
    with pytest.raises(Permanent, match="check the certificates"):
        await from_manifest(given, "default/default", known(ca=Authority().cert)).open()


async def test_tls_that_the_server_does_not_offer(nats_server: Nats):
    with pytest.raises(Permanent, match="TLS is asked for"):
        await from_url(nats_server.url.replace("nats:", "tls:")).open()


async def test_a_permission_that_is_missing_is_named(own: Own[Nats]):
    rights = 'publish: { deny: ["$JS.API.>"] }'
    users = f'users: [ {{ user: ann, password: "pw", permissions: {{ {rights} }} }} ]'
    server = own(Nats(f"authorization {{ {users} }}"))
    with pytest.raises(Permanent, match=r"permissions violation.*give this user the permission"):
        await from_url(server.url.replace("//", "//ann:pw@")).open()


# settings


@pytest.fixture
def name() -> str:
    return f"default/b{secrets.token_hex(6)}"


TEXT = """
maxMsgs: 1e4
maxBytes: 10000000
maxAge: 72h
replicas: 1
duplicates: 300s
discard: 1
retention: 0
"""


async def test_the_settings_of_the_manifest_are_those_of_the_stream(nats_server: Nats, name: str):
    bus = from_manifest(config(nats_server.url, streamConfig=TEXT), name, known())
    await bus.open()
    found = (await bus._api.info(bus._names.events))["config"]
    hour = 3600 * 10**9
    expected = {
        "max_msgs": 10_000, "max_bytes": 10_000_000, "max_age": 72 * hour, "num_replicas": 1,
        "duplicate_window": 300 * 10**9, "discard": "new", "retention": "limits",
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    await bus.aclose()


async def test_a_stream_that_differs_is_told_and_left_as_it_is(
    nats_server: Nats, name: str, caplog: pytest.LogCaptureFixture
):
    first = from_manifest(config(nats_server.url, streamConfig="maxMsgs: 10"), name, known())
    await first.open()
    await first.aclose()
    assert not caplog.records
    second = from_manifest(config(nats_server.url, streamConfig="maxMsgs: 20\nmaxAge: 1h"), name, known())
    await second.open()
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "max_msgs is 10, not 20" in line
    assert "max_age is 0" in line
    assert "used as it is" in line
    assert (await second._api.info(second._names.events))["config"]["max_msgs"] == 10
    await second.aclose()


async def test_a_stream_that_removes_what_was_read_is_refused(nats_server: Nats, name: str):
    bus = JetStreamBus(Servers.of(nats_server.url), name)
    client = Client()
    await client.connect(nats_server.url)
    await client.jetstream().add_stream(
        name=bus._names.events, subjects=[f"{bus._names.topics}.*.*"], retention="workqueue"
    )
    await client.close()
    with pytest.raises(Permanent, match="retention is 'workqueue'"):
        await bus.open()
    assert not bus.health().ready


async def test_large_events_are_refused_by_the_limit_of_the_server(own: Own[Nats]):
    bus = from_url(own(Nats("max_payload: 65536")).url)
    await bus.open()
    assert bus.max_event_bytes == 49152
    await bus.publish([event("a", data=bytes(bus.max_event_bytes - 500))])
    await bus.aclose()


# Argo Events


@pytest.fixture
async def upstream(own: Own[Nats]) -> Any:
    """What Argo Events would have made: its stream, and a client beside ours."""
    server = own(Nats())
    client = Client()
    await client.connect(server.url)
    js = client.jetstream()
    await js.add_stream(name="default", subjects=["default.*.*"], duplicate_window=120)
    yield server, js
    await client.close()


def written_by_upstream(data: bytes) -> bytes:
    """As pkg/eventsources/eventing.go builds it with the CloudEvents SDK."""
    return json.dumps({
        "specversion": "1.0", "id": "3b4b6ba3c4414d3c8a5d3a4a9c4d1f00", "source": "webhook",
        "type": "webhook", "subject": "example", "datacontenttype": "application/json",
        "time": "2026-11-21T10:00:00.123456789Z", "data_base64": base64.b64encode(data).decode(),
    }).encode()  # fmt: skip


async def test_what_argo_events_publishes_is_read(upstream: Any, caplog: pytest.LogCaptureFixture):
    server, js = upstream
    bus = JetStreamBus(Servers.of(server.url), shared=True)
    await bus.open()
    start = beginning(await bus.head())
    body = written_by_upstream(b'{"a":1}')
    await js.publish("default.webhook.example", body, headers={"Nats-Msg-Id": json.loads(body)["id"]})
    await js.publish("default.webhook.example", b"not an event")
    seen = await read_all(bus, [("webhook", "example")], start)
    [found] = [delivery.event for delivery in seen.deliveries]
    assert (found.source, found.subject, found.type) == ("webhook", "example", "webhook")
    assert found.data == b'{"a":1}'
    assert found.datacontenttype == "application/json"
    assert [one.event.id for one in await bus.find_events(EventQuery(id=found.id))] == [found.id]
    assert any("is no event" in record.getMessage() for record in caplog.records)
    await bus.aclose()


async def test_what_we_publish_is_what_argo_events_reads(upstream: Any):
    server, js = upstream
    bus = JetStreamBus(Servers.of(server.url), shared=True)
    await bus.open()
    sent = Event("an-id", "webhook", "example", "webhook", 1_763_719_200_000_000_000, b'{"a":1}')
    await bus.publish([sent])
    assert (await bus.publish([sent]))[0].duplicate
    pull = await js.pull_subscribe(
        "default.webhook.example", "group-1", config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
    )
    [message] = await pull.fetch(1)
    assert message.subject == "default.webhook.example"
    assert "an-id" in message.headers["Nats-Msg-Id"]
    found = json.loads(message.data)
    assert found.pop("time").startswith("2025-11-21T10:00:00")
    assert found == {
        "specversion": "1.0", "id": "an-id", "source": "webhook", "type": "webhook", "subject": "example",
        "datacontenttype": "application/json", "data_base64": base64.b64encode(b'{"a":1}').decode(),
    }  # fmt: skip
    await bus.aclose()


async def test_the_stream_of_argo_events_is_made_when_it_is_missing(own: Own[Nats]):
    bus = JetStreamBus(Servers.of(own(Nats()).url), shared=True)
    await works(bus)


# topics


async def test_more_topics_than_filters(nats_server: Nats, name: str):
    bus = JetStreamBus(Servers.of(nats_server.url), name, settings=StreamSettings())
    await bus.open()
    start = beginning(await bus.head())
    topics = [(f"source {n % 7}", f"event.{n}") for n in range(500)]
    await bus.publish([event(f"{n}", topic) for n, topic in enumerate(topics)])
    seen = await read_all(bus, topics[:450], start)
    assert seen.ids == [f"{n}" for n in range(450)]
    many = [(f"s{n}", "e") for n in range(300)]
    await bus.publish([event(f"many{n}", topic) for n, topic in enumerate(many)])
    seen = await read_all(bus, [*many[:250], topics[3]], start)
    assert seen.ids == ["3", *[f"many{n}" for n in range(250)]]
    await bus.aclose()


async def test_two_buses_of_one_server_do_not_see_each_other(nats_server: Nats, name: str):
    one, two = (JetStreamBus(Servers.of(nats_server.url), f"{name}{n}") for n in "ab")
    await one.open()
    await two.open()
    start = beginning(await two.head())
    await one.publish([event("a")])
    assert (await read_all(two, [("orders", "incoming")], start)).ids == []
    await one.aclose()
    await two.aclose()


async def test_a_bus_that_was_closed_leaves_no_consumer(nats_server: Nats, name: str):
    bus = JetStreamBus(Servers.of(nats_server.url), name)
    await bus.open()
    for _ in range(3):
        reader = await bus.read([("orders", "incoming")], await bus.head())
        await bus.find_events(EventQuery())
        await reader.aclose()
    async with asyncio.timeout(5):
        while (await bus._api.info(bus._names.events))["state"]["consumer_count"]:
            await asyncio.sleep(0.02)
    await bus.aclose()


# chosen by manifest or URL


def means(folder: Path, **given: Any) -> Means:
    return Means(DataFolder(folder), lambda _: known(), **given)


async def test_the_bus_of_a_url_and_of_a_manifest_is_the_same(nats_server: Nats, name: str, tmp_path: Path):
    namespace, _, bus_name = name.partition("/")
    manifest = EventBus.model_validate({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "EventBus", "metadata": {"name": bus_name},
        "spec": {"jetstreamExotic": {"url": nats_server.url}},
    })  # fmt: skip
    lent = means(tmp_path, shards=3)
    one = make(choose(manifest), namespace, bus_name, lent)
    await one.open()
    await one.publish([event("a")])
    two = make(choose(None, nats_server.url), namespace, bus_name, lent._replace(create=False, shards=None))
    await two.open()
    assert two.shards == 3
    assert [found.event.id for found in await two.find_events(EventQuery())] == ["a"]
    await one.aclose()
    await two.aclose()


async def test_tools_make_no_bus(nats_server: Nats, name: str, tmp_path: Path):
    namespace, _, bus_name = name.partition("/")
    bus = make(choose(None, nats_server.url), namespace, bus_name, means(tmp_path, create=False))
    with pytest.raises(Permanent, match="no bus was made there"):
        await bus.open()


def test_an_annotation_shares_the_bus_with_argo_events(tmp_path: Path):
    manifest = EventBus.model_validate({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "EventBus",
        "metadata": {"name": "default", "annotations": {"events-trigger/shared-with-argo-events": "true"}},
        "spec": {"jetstreamExotic": {"url": "nats://nats:4222"}},
    })  # fmt: skip
    bus: Any = make(choose(manifest), "default", "default", means(tmp_path))
    assert bus._names.events == "default"
