"""Fixtures: each real server once per pytest worker, and a factory for tests that break theirs.

A plug-in of pytest: `pytest_plugins = ["events.testing.servers.fixtures"]`. A test that uses one is marked
`@pytest.mark.servers("<name>")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest

from events.testing.disk import Forbidden, SmallDisk
from events.testing.servers._process import Server
from events.testing.servers.argo import Controller, install_crds
from events.testing.servers.elasticmq import ElasticMQ
from events.testing.servers.kafka import Kafka
from events.testing.servers.kubernetes import Kube
from events.testing.servers.minio import Minio
from events.testing.servers.mosquitto import Mosquitto
from events.testing.servers.moto import Moto
from events.testing.servers.nats import Nats
from events.testing.servers.rabbitmq import RabbitMQ
from events.testing.servers.redis import Redis

S = TypeVar("S", bound=Server)
Own = Callable[[S], S]
"""Starts a server that belongs to one test: `own(Nats(max_file=1 << 20))`."""


Disks = Callable[[int], SmallDisk]
"""Mounts a file system of so many bytes, which is gone afterwards."""


@pytest.fixture
def own() -> Iterator[Own[Server]]:
    """For tests that restart, kill, pause or configure a server: theirs alone, gone afterwards."""
    with ExitStack() as stack:
        yield stack.enter_context


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disks]:
    """Ask for it before `own`, so that a server that keeps its data there ends first."""
    with ExitStack() as stack:

        def make(size: int) -> SmallDisk:
            try:
                return stack.enter_context(SmallDisk(tmp_path / "disk", size))
            except Forbidden as exc:
                pytest.skip(f"a small file system cannot be mounted here: {exc}")

        yield make


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Nats]:
    with Nats() as server:
        yield server


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[Kafka]:
    with Kafka() as server:
        yield server


@pytest.fixture(scope="session")
def elasticmq_server() -> Iterator[ElasticMQ]:
    with ElasticMQ() as server:
        yield server


@pytest.fixture(scope="session")
def mosquitto_server() -> Iterator[Mosquitto]:
    with Mosquitto() as server:
        yield server


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Moto]:
    with Moto() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQ]:
    with RabbitMQ() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def minio_server() -> Iterator[Minio]:
    with Minio() as server:
        yield server


@pytest.fixture(scope="session")
def kube_server() -> Iterator[Kube]:
    """One API server for all tests of the worker: each works in namespaces of its own."""
    with Kube() as server:
        yield server


@pytest.fixture
def kube_namespace(kube_server: Kube) -> str:
    return kube_server.namespace(f"t-{uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def argo_crds(kube_server: Kube) -> Kube:
    """The API server with the kinds of Argo Workflows."""
    install_crds(kube_server)
    return kube_server


@pytest.fixture(scope="session")
def argo_controller(argo_crds: Kube) -> Iterator[Controller]:
    """The workflow-controller at work in a namespace of its own."""
    with Controller(argo_crds, f"argo-{uuid4().hex[:12]}") as controller:
        yield controller
