"""The address guard in front of brokers: Kafka and NATS, what they name themselves, names that change."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from events.clients.http import Guard, Sessions
from events.clients.nats import Servers, connect
from events.clients.secrets import LocalSecrets, Ref
from events.clients.tls import TlsRefs
from events.errors import Permanent, Retryable
from events.testing.certificates import Authority
from events.testing.kafka import put
from events.testing.proxy import Proxy
from events.testing.servers import free_port
from events.testing.servers.fixtures import Own
from events.testing.servers.kafka import Kafka
from events.testing.servers.nats import Nats, NatsCluster
from events.testing.sources import Rig as SourceRig
from events.testing.sources import rigged as source_rigged
from events.testing.triggers import Rig, dead_port, parameter, rigged

HOME, METADATA = "127.0.0.1", "169.254.169.254"
REFUSED = r"169\.254\.169\.254 is not an address to connect to \(address guard 'allow-private': see --guard"
NO_SECRETS = LocalSecrets(dict, environ={})


class Names:
    """What names mean: one answer after the other, the last one stays. `asked` has every look at a name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._answers: dict[str, list[str]] = {}
        self.asked: list[str] = []

    def mean(self, name: str, *answers: str) -> None:
        if not self._answers:
            loop = asyncio.get_running_loop()
            self._real = loop.getaddrinfo
            self._patch.setattr(loop, "getaddrinfo", self._look)
        self._answers[name] = list(answers)

    async def _look(self, host: Any, port: Any, **given: Any) -> Any:
        if (answers := self._answers.get(host)) is None:
            return await self._real(host, port, **given)
        self.asked.append(host)
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


async def until(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


# Kafka

AUTHORITY = Authority()
CA = {"caCertSecret": {"name": "tls", "key": "ca"}}
KEPT = {"tls/ca": AUTHORITY.cert}
TOPIC = "t"


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    """Its second listener sends clients to a name and a port, and has a certificate for the name."""
    with Kafka(tls=AUTHORITY.pair("broker.example"), told="broker.example", via=free_port()) as server:
        yield server


@pytest.fixture
async def door(kafka: Kafka) -> AsyncIterator[Proxy]:
    """In front of the second listener, where its clients are sent to."""
    proxy = Proxy(kafka.ports[2])
    proxy.port = kafka.via
    async with proxy:
        yield proxy


def reading(url: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "topic": TOPIC, "partition": "0", **more}


def writing(url: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "topic": TOPIC, "payload": [parameter("n", "n")], **more}


@asynccontextmanager
async def at_work(guard: Guard) -> AsyncIterator[tuple[SourceRig, Rig]]:
    """For a source and for a trigger behind the guard."""
    async with source_rigged(KEPT) as source, rigged(KEPT) as trigger:
        source.sessions, trigger.sessions = Sessions(guard), Sessions(guard)
        yield source, trigger


async def ends(source: SourceRig, told: str) -> None:
    """The source ends for good, and says this."""
    await asyncio.wait([source.task], timeout=25)
    assert source.task.done(), "it still runs"
    with pytest.raises(Permanent, match=told):
        await source.task


async def again(work: Callable[[], Awaitable[Any]]) -> None:
    """Until it is done or fails for good, as firings are repeated."""
    async with asyncio.timeout(40):
        while True:
            try:
                await work()
                return
            except Retryable:
                await asyncio.sleep(0.2)


@pytest.mark.servers("kafka")
@pytest.mark.timeout(60)
async def test_a_kafka_broker_that_is_refused_sees_no_connection(kafka: Kafka):
    async with Proxy(kafka.port) as proxy, at_work("strict") as (source, trigger):
        url = f"127.0.0.1:{proxy.port}"
        told = rf"Kafka at {url}: broker {url}: 127\.0\.0\.1 is not a public address .*see --guard"
        await source.start("kafka", reading(url), wait=False)
        await ends(source, told)
        with pytest.raises(Permanent, match=told):
            await trigger.run("kafka", writing(url), {"n": 1})
        assert proxy.accepted == 0


@pytest.mark.servers("kafka")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("guard", ["off", "allow-private"])
async def test_other_guards_let_kafka_pass(kafka: Kafka, guard: Guard):
    async with at_work(guard) as (source, trigger):
        await put(kafka.brokers, TOPIC, [b"0"])
        await source.start("kafka", reading(kafka.brokers))
        await trigger.run("kafka", writing(kafka.brokers), {"n": 1})
        await source.until(1)
        await source.stop()


@pytest.mark.servers("kafka")
@pytest.mark.timeout(60)
async def test_one_broker_that_may_be_connected_to_is_enough_to_begin_with(kafka: Kafka):
    async with at_work("allow-private") as (source, trigger):
        await put(kafka.brokers, TOPIC, [b"0"])
        url = f"{METADATA}:9092,{kafka.brokers}"
        await source.start("kafka", reading(url))
        await trigger.run("kafka", writing(url), {"n": 1})
        await source.until(1)
        await source.stop()


@pytest.mark.servers("kafka")
@pytest.mark.timeout(60)
async def test_a_broker_that_is_down_is_waited_for_whatever_the_guard_says_of_another_one():
    with dead_port() as port:
        async with at_work("allow-private") as (_, trigger):
            with pytest.raises(Retryable, match="is it up, and is the address right"):
                await trigger.run("kafka", writing(f"127.0.0.1:{port},{METADATA}:9092"), {"n": 1})


@pytest.mark.servers("kafka")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("more", [{}, {"consumerGroup": {"groupName": "g"}, "partition": ""}])
async def test_an_address_that_a_kafka_broker_names_is_judged(
    kafka: Kafka, door: Proxy, names: Names, more: dict[str, Any]
):
    names.mean("broker.example", METADATA)
    told = f"Kafka at {kafka.secured}: broker broker.example:{door.port}: {REFUSED}"
    async with at_work("allow-private") as (source, trigger):
        await source.start("kafka", reading(kafka.secured, tls=CA, **more), wait=False)
        await ends(source, told)
        with pytest.raises(Permanent, match=told):
            await trigger.run("kafka", writing(kafka.secured, tls=CA), {"n": 1})
        assert door.accepted == 0


@pytest.mark.servers("kafka")
@pytest.mark.timeout(60)
async def test_tls_of_kafka_verifies_the_name_that_was_looked_up(kafka: Kafka, door: Proxy, names: Names):
    names.mean("broker.example", HOME)
    names.mean("other.example", HOME)
    async with at_work("allow-private") as (source, trigger):
        await put(kafka.brokers, TOPIC, [b"0"])
        await source.start("kafka", reading(f"broker.example:{door.port}", tls=CA))
        await trigger.run("kafka", writing(f"broker.example:{door.port}", tls=CA), {"n": 1})
        await source.until(1)
        await source.stop()
        with pytest.raises(Permanent, match=r"TLS: .*other\.example"):
            await trigger.run("kafka", writing(f"other.example:{door.port}", tls=CA), {"n": 1})


@pytest.mark.servers("kafka")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("more", [{}, {"consumerGroup": {"groupName": "h"}, "partition": ""}])
async def test_a_name_of_kafka_is_judged_at_every_connection(
    kafka: Kafka, door: Proxy, names: Names, more: dict[str, Any]
):
    """Good when the brokers were looked at, refused when one is connected to."""
    await put(kafka.brokers, TOPIC, [b"0"])
    names.mean("broker.example", HOME, METADATA)
    async with at_work("allow-private") as (source, _):
        await source.start("kafka", reading(kafka.secured, tls=CA, **more), wait=False)
        await ends(source, f"broker broker.example:{door.port}: {REFUSED}")
        assert door.accepted == 0


@pytest.mark.servers("kafka")
@pytest.mark.timeout(90)
async def test_a_kafka_broker_that_moves_to_a_refused_address(kafka: Kafka, door: Proxy, names: Names):
    await put(kafka.brokers, TOPIC, [b"0"])
    names.mean("broker.example", HOME)
    told = f"broker broker.example:{door.port}: {REFUSED}"
    async with at_work("allow-private") as (source, trigger):
        await source.start("kafka", reading(kafka.secured, tls=CA))
        out = writing(kafka.secured, tls=CA)
        await trigger.run("kafka", out, {"n": 1})
        await source.until(1)
        names.mean("broker.example", METADATA)
        door.cut()
        await ends(source, told)
        with pytest.raises(Permanent, match=told):
            await again(lambda: trigger.run("kafka", out, {"n": 2}))
        names.mean("broker.example", HOME)
        await again(lambda: trigger.run("kafka", out, {"n": 3}))


# NATS


def in_server(folder: Path, authority: Authority, name: str) -> str:
    """Settings of a server with a certificate for this name."""
    pair = authority.pair(name)
    (folder / "cert.pem").write_text(pair.cert)
    (folder / "key.pem").write_text(pair.key)
    return f'tls {{ cert_file: "{folder}/cert.pem", key_file: "{folder}/key.pem" }}'


@pytest.mark.servers("nats")
async def test_a_nats_server_that_is_refused_sees_no_connection(nats_server: Nats):
    async with Proxy(nats_server.port) as proxy:
        servers = Servers.of(f"nats://127.0.0.1:{proxy.port}")
        told = rf"test: {servers.shown}: 127\.0\.0\.1 is not a public address .*see --guard"
        with pytest.raises(Permanent, match=told):
            await connect(servers, NO_SECRETS, "test", Sessions("strict"))
        assert proxy.accepted == 0


@pytest.mark.servers("nats")
async def test_a_name_of_nats_is_looked_up_once_for_each_connection(nats_server: Nats, names: Names):
    """A second look would lead elsewhere than what was checked."""
    names.mean("nats.example", HOME, METADATA)
    servers = Servers.of(f"nats://nats.example:{nats_server.port}")
    link = await connect(servers, NO_SECRETS, "test", Sessions("allow-private"))
    assert link.client._transport._io_writer.get_extra_info("peername")[0] == HOME
    assert names.asked == ["nats.example"]
    await link.aclose()


@pytest.mark.servers("nats")
async def test_a_name_of_nats_is_judged_at_every_reconnect(nats_server: Nats, names: Names):
    names.mean("nats.example", HOME, METADATA)
    async with Proxy(nats_server.port) as proxy, source_rigged() as rig:
        rig.sessions = Sessions("allow-private")
        config = {"url": f"nats://nats.example:{proxy.port}", "subject": "a"}
        await rig.start("nats", config)
        proxy.cut()
        await asyncio.wait([rig.task], timeout=15)
        with pytest.raises(Retryable, match=f"ended the connection: {REFUSED}"):
            await rig.task
        await rig.start("nats", config, wait=False)
        await ends(rig, f"event source default/es.ev: nats://nats.example:{proxy.port}: {REFUSED}")
        assert proxy.accepted == 1


@pytest.mark.servers("nats")
async def test_a_trigger_of_nats_is_refused_once_its_server_has_moved(nats_server: Nats, names: Names):
    names.mean("nats.example", HOME)
    async with Proxy(nats_server.port) as proxy, at_work("allow-private") as (_, trigger):
        url = f"nats://nats.example:{proxy.port}"
        config = {"url": url, "subject": "a", "payload": [parameter("n", "n")]}
        await trigger.run("nats", config, {"n": 1})
        names.mean("nats.example", METADATA)
        proxy.cut()
        with pytest.raises(Permanent, match=f"{url}: {REFUSED}"):
            await again(lambda: trigger.run("nats", config, {"n": 2}))
        assert proxy.accepted == 1
        names.mean("nats.example", HOME)
        await trigger.run("nats", config, {"n": 3})


@pytest.mark.servers("nats")
async def test_a_server_that_a_nats_server_names_is_judged(names: Names):
    """The refused one is left out; the other one is used on."""
    names.mean("sibling.example", METADATA)
    sessions = Sessions("allow-private")
    with NatsCluster('client_advertise: "sibling.example:4222"') as cluster:
        await leaves_it_out(cluster.nodes[0], sessions)


async def leaves_it_out(server: Nats, sessions: Sessions) -> None:
    async with Proxy(server.port) as proxy:
        link = await connect(Servers.of(f"nats://127.0.0.1:{proxy.port}"), NO_SECRETS, "test", sessions)
        known: Any = link.client
        assert {one.netloc for one in known.discovered_servers} == {"sibling.example:4222"}
        turns: list[bool] = []
        link.watchers.append(turns.append)
        while not known.refused:
            proxy.cut()
            await until(lambda: turns[-1:] == [True])
            turns.clear()
        assert known.refused == {"sibling.example:4222"}
        assert link.up
        await link.aclose()


@pytest.mark.servers("nats")
async def test_a_nats_server_that_is_down_is_waited_for_whatever_the_guard_says_of_another_one():
    with dead_port() as port:
        servers = Servers.of(f"nats://127.0.0.1:{port},nats://{METADATA}:4222")
        with pytest.raises(Retryable, match="cannot connect"):
            await connect(servers, NO_SECRETS, "test", Sessions("allow-private"))


@pytest.mark.servers("nats")
async def test_tls_of_nats_verifies_the_name_that_was_looked_up(own: Own[Nats], names: Names, tmp_path: Path):
    server = own(Nats(in_server(tmp_path, AUTHORITY, "nats.example")))
    names.mean("nats.example", HOME)
    names.mean("other.example", HOME)
    known = LocalSecrets(lambda: {Ref("tls", "ca"): AUTHORITY.cert.encode()}, environ={})
    sessions, refs = Sessions("allow-private"), TlsRefs(ca=Ref("tls", "ca"))
    link = await connect(Servers.of(f"tls://nats.example:{server.port}", tls=refs), known, "test", sessions)
    await link.flushed()
    await link.aclose()
    with pytest.raises(Permanent, match=r"TLS: .*check the certificates"):
        await connect(Servers.of(f"tls://other.example:{server.port}", tls=refs), known, "test", sessions)
