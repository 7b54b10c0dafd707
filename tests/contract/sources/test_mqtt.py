"""The clauses of sources, on MQTT."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import aiomqtt
import pytest

from events.testing.servers.mosquitto import Mosquitto
from events.testing.sources import QueueContract, Rig

USER, PASSWORD = "shop-user", "s3cret-of-mqtt"


class Mosquittos(QueueContract):
    """A broker with a login. `qos` is of the subscription and of what is published."""

    kind = "mqtt"
    secrets: ClassVar = {"mqtt/user": USER, "mqtt/password": PASSWORD}
    qos = 0

    @property
    def url(self) -> str:
        return self.broker.url

    @pytest.fixture(autouse=True)
    def server(self, own: Any) -> None:
        self.broker: Mosquitto = own(Mosquitto(users={USER: PASSWORD}))

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        auth = {key: {"name": "mqtt", "key": name} for key, name in (("username", "user"), ("password",) * 2)}
        raw = {"url": self.url, "topic": "shop/#", "clientId": "events", "auth": auth, "qos": self.qos}
        await rig.start(self.kind, raw | {"jsonBody": True}, supervised=supervised)

    async def put(self, texts: Sequence[str]) -> None:
        login = {"username": USER, "password": PASSWORD}
        async with aiomqtt.Client("127.0.0.1", self.broker.port, **login) as client:
            for text in texts:
                await client.publish("shop/orders", f'"{text}"', qos=max(self.qos, 1))

    def shows(self, payload: Any) -> str:
        return payload["body"]

    async def restart_server(self) -> None:
        await asyncio.to_thread(self.broker.restart)


@pytest.mark.servers("mosquitto")
class TestMQTT(Mosquittos):
    pass


@pytest.mark.servers("mosquitto")
class TestMQTTAtLeastOnce(Mosquittos):
    qos = 1


@pytest.mark.servers("mosquitto")
class TestMQTTExactlyOnce(Mosquittos):
    qos = 2


@pytest.mark.servers("mosquitto")
class TestMQTTOverWebsocket(Mosquittos):
    qos = 2

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.broker.ws_port}/mqtt"
