"""Fixtures: each real server once per pytest worker, and a factory for tests that break theirs.

A plug-in of pytest: `pytest_plugins = ["events.testing.servers.fixtures"]`. A test that uses one is marked
`@pytest.mark.servers("<name>")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeVar

import pytest

from events.testing.servers._process import Server
from events.testing.servers.kafka import Kafka
from events.testing.servers.nats import Nats

S = TypeVar("S", bound=Server)
Own = Callable[[S], S]
"""Starts a server that belongs to one test: `own(Nats(max_file=1 << 20))`."""


@pytest.fixture
def own() -> Iterator[Own[Server]]:
    """For tests that restart, kill, pause or configure a server: theirs alone, gone afterwards."""
    with ExitStack() as stack:
        yield stack.enter_context


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Nats]:
    with Nats() as server:
        yield server


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[Kafka]:
    with Kafka() as server:
        yield server
