"""The clauses of triggers, on NATS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import pytest

import events.clients.nats
from events.testing.nats import Listener
from events.testing.servers.nats import Nats
from events.testing.triggers import RemoteContract, Rig, parameter

PASSWORD = "pa55word-of-nats"
USERS = f"""
authorization {{
  users: [
    {{ user: all, password: "all" }}
    {{ user: shop, password: "{PASSWORD}", permissions: {{ publish: {{ deny: "secret.>" }} }} }}
  ]
}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Nats]:
    with Nats(USERS) as started:
        yield started


@pytest.mark.servers("nats")
class TestNATS(RemoteContract):
    kind = "nats"
    secrets = MappingProxyType({"nats/user": "shop", "nats/password": PASSWORD})
    parameters = (parameter("text", "nats.subject"),)

    @pytest.fixture(autouse=True)
    def use(self, server: Nats) -> None:
        self.server = server

    @asynccontextmanager
    async def target(self, rig: Rig) -> AsyncIterator[Any]:
        login = {"username": {"name": "nats", "key": "user"}, "password": {"name": "nats", "key": "password"}}
        with Listener(self.server, user="all", **{"pass": "all"}) as self.listener:
            yield {
                "url": self.server.url,
                "subject": "replaced",
                "payload": [parameter("n", "n", useRawData=True)],
                "auth": {"basic": login},
            }

    def fired(self, rig: Rig) -> list[str]:
        return [one.headers["Nats-Msg-Id"] for one in self.listener.all() if one.subject == "hello"]

    def aimed(self, raw: Any, port: int) -> Any:
        return {**raw, "url": f"nats://127.0.0.1:{port}"}

    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events.clients.nats, "CONNECT_TIMEOUT", 0.3)

    async def refusals(self, rig: Rig, raw: Any) -> Sequence[Any]:
        wrong = {"token": {"name": "nats", "key": "user"}}
        missing = {"token": {"name": "none", "key": "none"}}
        return [{**raw, "auth": wrong}, {**raw, "auth": missing}, {**raw, "auth": None}]
