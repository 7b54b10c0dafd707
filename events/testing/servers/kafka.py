"""kafka: one Apache Kafka broker in KRaft mode, or three that form a cluster.

Listeners  a plain one without login for the broker and for tests; a second one with `users`, `tls`, `via` or
           `told`
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from events.testing.certificates import Pair
from events.testing.servers._cache import Maven, command
from events.testing.servers._cluster import Cluster
from events.testing.servers._ports import free_ports
from events.testing.servers._process import Server

VERSION = "4.1.1"
JARS = Maven(
    "kafka", VERSION, f"org.apache.kafka:kafka_2.13:{VERSION}", f"org.apache.kafka:kafka-server:{VERSION}",
    f"org.apache.kafka:kafka-tools:{VERSION}", "org.slf4j:slf4j-simple:1.7.36",
)  # fmt: skip
LOGGING = "-Dorg.slf4j.simpleLogger"
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class Kafka(Server):
    """What can be chosen.

    auto_create          a topic that is used comes into being, with one partition
    users, mechanism     names and passwords of the second listener
    tls                  certificate of the second listener
    clients              the authority (PEM) of the certificates that clients of the second listener must show
    acls                 users may do what an ACL allows and no more; `admin` may do all
    via                  port that clients of the second listener are sent to: a proxy
    told                 host that they are sent to
    session_timeout_min  the shortest session of a group member that the broker takes [s]
    data                 where its data lies: a folder of its own, which is not removed with the server
    """

    name = "kafka"
    origin = JARS
    port_count: ClassVar[int] = 3
    memory: ClassVar[str] = "384m"

    def __init__(
        self,
        *,
        auto_create: bool = True,
        users: Mapping[str, str] | None = None,
        mechanism: Mechanism = "PLAIN",
        tls: Pair | None = None,
        clients: str | None = None,
        acls: bool = False,
        via: int = 0,
        told: str = "127.0.0.1",
        session_timeout_min: float = 1.0,
        data: Path | None = None,
    ) -> None:
        super().__init__()
        self._data, self._cluster_id = data, new_id()
        self.auto_create, self.acls, self.session_timeout_min = auto_create, acls, session_timeout_min
        self.users, self.mechanism = dict(users or {}), mechanism
        self.tls, self.clients, self.via, self.told = tls, clients, via, told

    @property
    def brokers(self) -> str:
        """host:port of the listener without login."""
        return f"127.0.0.1:{self.port}"

    @property
    def secured(self) -> str:
        """host:port of the second listener."""
        return f"127.0.0.1:{self.ports[2]}"

    @property
    def controller(self) -> int:
        """The port of this node's part in the quorum."""
        return self.ports[1]

    @property
    def protocol(self) -> str:
        """Of the second listener."""
        return ("SASL_" if self.users else "") + ("SSL" if self.tls else "PLAINTEXT")

    def configure(self) -> None:
        self.write_settings()
        self._format()

    def write_settings(self) -> None:
        """As `users` and the like are now; they count from the next start on."""
        settings = self._settings() | self._second() | self._login() | self._encryption()
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        (self.folder / "server.properties").write_text(text)

    def _settings(self) -> dict[str, object]:
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller}",
            "listeners": f"PLAINTEXT://{self.brokers},CONTROLLER://127.0.0.1:{self.controller}",
            "advertised.listeners": f"PLAINTEXT://{self.brokers}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self._data or self.folder / "data",
            "num.partitions": 1,
            "auto.create.topics.enable": str(self.auto_create).lower(),
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "broker.heartbeat.interval.ms": 500,
            "broker.session.timeout.ms": 2000,  # how long a killed broker counts as there, and may not start
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": int(self.session_timeout_min * 1000),
            "log.cleaner.dedupe.buffer.size": 4 << 20,
        }

    def _second(self) -> dict[str, object]:
        if not (self.users or self.tls or self.via or self.told != "127.0.0.1"):
            return {}
        first, added = self._settings(), f"CLIENTS://{self.secured}"
        told = f"CLIENTS://{self.told}:{self.via or self.ports[2]}"
        protocols = "listener.security.protocol.map"
        return {
            "listeners": f"{first['listeners']},{added}",
            "advertised.listeners": f"{first['advertised.listeners']},{told}",
            protocols: f"{first[protocols]},CLIENTS:{self.protocol}",
        }

    def _login(self) -> dict[str, object]:
        settings: dict[str, object] = {}
        if self.users:
            module = "plain.PlainLoginModule" if self.mechanism == "PLAIN" else "scram.ScramLoginModule"
            known = "".join(f' user_{name}="{word}"' for name, word in self.users.items())
            listener = "listener.name.clients"
            settings[f"{listener}.sasl.enabled.mechanisms"] = self.mechanism
            settings[f"{listener}.{self.mechanism.lower()}.sasl.jaas.config"] = (
                f"org.apache.kafka.common.security.{module} required"
                f"{known if self.mechanism == 'PLAIN' else ''};"
            )
        if self.acls:
            settings["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
            settings["super.users"] = "User:ANONYMOUS;User:admin"
        return settings

    def _encryption(self) -> dict[str, object]:
        if self.tls is None:
            return {}
        store, listener = self.folder / "server.pem", "listener.name.clients.ssl"
        store.write_text(self.tls.key + self.tls.cert)
        settings: dict[str, object] = {
            f"{listener}.keystore.type": "PEM",
            f"{listener}.keystore.location": store,
        }
        if self.clients is not None:
            trusted = self.folder / "clients.pem"
            trusted.write_text(self.clients)
            settings[f"{listener}.truststore.type"] = "PEM"
            settings[f"{listener}.truststore.location"] = trusted
            settings[f"{listener}.client.auth"] = "required"
        return settings

    def _format(self) -> None:
        words = self._java("kafka.tools.StorageTool", "-Xmx128m")
        words += ["format", "--cluster-id=" + self._cluster_id]
        words += ["-c", str(self.folder / "server.properties")]
        if self.mechanism != "PLAIN":
            for name, word in self.users.items():
                words += ["--add-scram", f"{self.mechanism}=[name={name},password={word}]"]
        command(*words, cwd=self.folder)

    def _java(self, main: str, memory: str) -> list[str]:
        quiet = (f"{LOGGING}.defaultLogLevel=warn", f"{LOGGING}.log.kafka.server.KafkaRaftServer=info")
        return JARS.java(main, memory, *quiet)

    def command(self) -> list[str]:
        return [*self._java("kafka.Kafka", f"-Xmx{self.memory}"), str(self.folder / "server.properties")]

    def ready(self) -> bool:
        return "Kafka Server started" in self.new_log


class Node(Kafka):
    """One of a cluster: what it takes is stored when two of the three have it."""

    memory = "224m"

    def __init__(self, number: int, voters: Mapping[int, int], cluster_id: str) -> None:
        """`voters`: the ports of the quorum, by number of the node."""
        super().__init__(auto_create=False)
        self.number, self._voters, self._cluster_id = number, voters, cluster_id

    @property
    def controller(self) -> int:
        return self._voters[self.number]

    def _settings(self) -> dict[str, object]:
        voters = ",".join(f"{number}@127.0.0.1:{port}" for number, port in self._voters.items())
        return super()._settings() | {
            "node.id": self.number,
            "controller.quorum.voters": voters,
            "default.replication.factor": 3,
            "min.insync.replicas": 2,
            "offsets.topic.replication.factor": 3,
            "transaction.state.log.replication.factor": 3,
            "transaction.state.log.min.isr": 2,
        }


class KafkaCluster(Cluster[Node]):
    """Three nodes."""

    @property
    def brokers(self) -> str:
        """All nodes, with commas between."""
        return ",".join(node.brokers for node in self.nodes)

    def numbered(self, number: int) -> Node:
        """The node with this id, by which brokers tell of the leader of a partition for example."""
        return next(node for node in self.nodes if node.number == number)

    def make(self) -> list[Node]:
        voters = dict(enumerate(free_ports(3), 1))
        cluster_id = new_id()
        return [Node(number, voters, cluster_id) for number in voters]


def new_id() -> str:
    return urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
