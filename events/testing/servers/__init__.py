"""The real servers of the tests: one module each, fetched into a cache and started as child processes.

`python -m events.testing.servers` gets all that can be had on this machine.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from events.testing.servers._cache import Origin, Unobtainable
from events.testing.servers._ports import free_port, free_ports
from events.testing.servers._process import Absent, Server, ServerError

ORIGINS = {
    "argo": "events.testing.servers.argo:WITH_SERVER",
    "elasticmq": "events.testing.servers.elasticmq:JARS",
    "kafka": "events.testing.servers.kafka:JARS",
    "kubernetes": "events.testing.servers.kubernetes:PROGRAMS",
    "minio": "events.testing.servers.minio:PROGRAM",
    "mosquitto": "events.testing.servers.mosquitto:PACKAGE",
    "moto": "events.testing.servers.moto:MODULE",
    "nats": "events.testing.servers.nats:PROGRAM",
    "rabbitmq": "events.testing.servers.rabbitmq:PACKAGE",
    "redis": "events.testing.servers.redis:PACKAGE",
}
"""Where each server comes from: module and attribute."""


def origin(name: str) -> Origin:
    module, _, attribute = ORIGINS[name].partition(":")
    found: Origin = getattr(import_module(module), attribute)
    return found


@cache
def missing(name: str) -> str | None:
    """Why the server is not there; None when it is. Raises KeyError for a name that nobody knows."""
    return origin(name).missing()


__all__ = [
    "ORIGINS", "Absent", "Server", "ServerError", "Unobtainable", "free_port", "free_ports", "missing",
    "origin",
]  # fmt: skip
