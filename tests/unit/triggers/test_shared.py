"""Pools of connections belong to the process: triggers of all namespaces and sensors use the same ones."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from events.clients.aws import ClientPool
from events.clients.http import Sessions
from events.clients.kafka import Brokers
from events.clients.kafka_producers import Producers, digest
from events.clients.nats import Login, Servers
from events.clients.nats_links import Links
from events.clients.secrets import LocalSecrets, Ref
from events.kube.local import LocalObjects
from events.registry import adapter_class
from events.triggers._base import Shared, TriggerContext


def secrets(**values: str) -> LocalSecrets:
    held = {Ref("login", key): value.encode() for key, value in values.items()}
    return LocalSecrets(lambda: held, environ={})


async def test_one_pool_for_all_namespaces():
    shared, sessions = Shared(), Sessions("off")
    for namespace in ("a", "b"):
        context = TriggerContext(
            namespace,
            secrets(),
            sessions,
            shared,
            LocalObjects(Path("unused")),
            lambda: 0,
            logging.getLogger(),
        )
        for kind in ("kafka", "nats", "awsLambda"):
            cls: Any = adapter_class("triggers", kind)
            cls(context)
    assert set(shared._made) == {Producers, Links, ClientPool}
    await shared.aclose()
    assert shared._made == {}
    await sessions.aclose()


async def test_logins_are_told_apart_by_what_the_secrets_hold():
    user, password = Ref("login", "user"), Ref("login", "password")
    brokers = Brokers(("a:1",), None, "PLAIN", user, password)
    servers = Servers.of("nats://a:1", Login(user=user, password=password))
    same = secrets(user="me", password="one")
    other = secrets(user="me", password="two")
    assert await digest(brokers, same) == await digest(brokers, secrets(user="me", password="one"))
    assert await digest(brokers, same) != await digest(brokers, other)
    assert await servers.digest(same) == await servers.digest(secrets(user="me", password="one"))
    assert await servers.digest(same) != await servers.digest(other)
