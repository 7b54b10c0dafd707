"""What Kafka clients connect through, without a broker."""

from __future__ import annotations

import asyncio
from types import FunctionType
from typing import Any, NamedTuple, cast

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError

from events.clients.http import Refused, Sessions
from events.clients.kafka_guard import HOOK, Gate, rewired
from events.errors import Permanent


class Broker(NamedTuple):
    host: str
    port: int = 9092


class Cluster:
    def __init__(self, *brokers: Broker) -> None:
        self.all = brokers

    def brokers(self) -> tuple[Broker, ...]:
        return self.all


async def nothing() -> None:
    """No pause."""


class Client:
    """As much of the library's client as a gate uses."""

    def __init__(self, *brokers: Broker) -> None:
        self.cluster = Cluster(*brokers)
        self.connected: list[Any] = []

    async def bootstrap(self) -> None:
        await create_conn("bootstrap", 1)

    async def _get_conn(self, node: int, *, group: str = "default") -> Any:
        return await create_conn(f"node-{node}", 2, group=group)


async def create_conn(host: str, port: int, **given: Any) -> Any:
    raise AssertionError("the library's own connection")


class Known(Sessions):
    """Names have addresses; the others have none."""

    def __init__(self, names: dict[str, str]) -> None:
        super().__init__("strict")
        self._names = names

    async def lookup(self, host: str, port: int) -> str:
        if host not in self._names:
            raise OSError(f"{host} has no address")
        if self._names[host].startswith("10."):
            raise Refused(f"{self._names[host]} is not a public address")
        return self._names[host]


def gate_before(client: Any, names: dict[str, str]) -> Gate:
    gate = Gate(Known(names))
    gate.put_before(client)
    return gate


async def test_a_cluster_is_refused_for_one_of_its_brokers():
    names = {"a": "1.1.1.1", "b": "10.0.0.1"}
    gate = gate_before(Client(Broker("away"), Broker("a"), Broker("b")), names)
    with pytest.raises(Refused, match=r"broker b:9092: 10\.0\.0\.1 is not a public address"):
        await gate.judge()
    names["b"] = "1.1.1.2"
    gate.refusal = Refused("before")
    await gate.judge()
    assert gate.refusal is None


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was connected to; `node-9` is refused."""
    made: list[Any] = []

    class Connection:
        def __init__(self, _: Sessions, host: str, port: int, **given: Any) -> None:
            self.host, self.given = host, given
            self._closed_fut = asyncio.get_running_loop().create_future()

        async def connect(self) -> None:
            if self.host == "node-9":
                raise Refused("not a public address")
            await self.given.pop("pause", nothing)()
            made.append((self.host, self.given))

        def close(self) -> asyncio.Future[None]:
            made.remove((self.host, self.given))
            self._closed_fut.set_result(None)
            return self._closed_fut

    monkeypatch.setattr("events.clients.kafka_guard.connection_class", lambda: Connection)
    return made


async def test_a_client_connects_through_its_gate_alone(connections: list[Any]):
    guarded, other = Client(), Client()
    gate = gate_before(guarded, {})
    await guarded.bootstrap()
    await guarded._get_conn(1)
    await guarded._get_conn(2, group="coordination")
    assert connections == [
        ("bootstrap", {}),
        ("node-1", {"group": "default"}),
        ("node-2", {"group": "coordination"}),
    ]
    assert gate.refusal is None
    with pytest.raises(AssertionError, match="the library's own connection"):
        await other.bootstrap()


async def test_nothing_stays_open_behind_a_client(connections: list[Any]):
    client, there = Client(), asyncio.Event()
    gate = gate_before(client, {})
    await client._get_conn(1)
    async with asyncio.TaskGroup() as group:
        late = group.create_task(_late(gate, there))
        await asyncio.sleep(0)
        await gate.aclose()
        assert connections == [], "what was open"
        there.set()
    assert late.result() == "the client was closed meanwhile"
    assert connections == [], "what came later"


async def _late(gate: Gate, there: asyncio.Event) -> str:
    with pytest.raises(KafkaConnectionError) as raised:
        await gate.connect("slow", 1, pause=there.wait)
    return str(raised.value.args[0])


async def test_the_refusal_of_a_broker_that_the_cluster_names_is_told(connections: list[Any]):
    client = Client()
    gate = gate_before(client, {})
    async with asyncio.TaskGroup() as group:
        told = group.create_task(_reason(gate))
        with pytest.raises(Refused):
            await client._get_conn(9)
    assert told.result() == "Kafka at a:1: broker node-9:2: not a public address"
    assert connections == []


async def _reason(gate: Gate) -> str:
    with pytest.raises(Permanent) as raised:
        await gate.shut("Kafka at a:1")
    return str(raised.value)


def test_the_library_connects_in_two_places():
    """A third one would go around the guard."""
    methods = {name: one for name, one in vars(AIOKafkaClient).items() if isinstance(one, FunctionType)}
    assert {name for name, one in methods.items() if HOOK in one.__code__.co_names} == {
        "bootstrap",
        "_get_conn",
    }


def test_a_library_that_connects_otherwise_is_refused():
    def method(self: Any) -> None: ...

    with pytest.raises(Permanent, match="this version of aiokafka"):
        rewired(cast("FunctionType", method), create_conn)
