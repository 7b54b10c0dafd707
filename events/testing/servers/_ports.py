"""Free ports of 127.0.0.1."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

LOWEST, HIGHEST = 15_000, 32_000
"""Below the range that the system takes the ports of outgoing connections from: a server that is down for a
moment finds its port free again, and a client that tries it meanwhile cannot meet itself there."""


def free_ports(count: int) -> list[int]:
    """So many different ports, all free a moment ago."""
    with ExitStack() as held:
        return [_bound(held) for _ in range(count)]


def free_port() -> int:
    return free_ports(1)[0]


def _bound(held: ExitStack) -> int:
    while True:
        sock = held.enter_context(socket.socket())
        try:
            sock.bind(("127.0.0.1", port := random.randint(LOWEST, HIGHEST)))  # noqa: S311 - no secret
        except OSError:
            continue
        return port
