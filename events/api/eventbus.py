"""EventBus: which bus an EventSource and a Sensor of a namespace use.

Spec      EventBus.spec
Upstream  pkg/apis/events/v1alpha1/eventbus_types.go
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field

from events.api.common import (
    SASL,
    TLS,
    Condition,
    ContainerTemplate,
    Envelope,
    Int32,
    Int64,
    KafkaConsumerGroup,
    Model,
    NonEmpty,
    Persistence,
    Pods,
    Problem,
    SecretKeySelector,
    Strings,
    check_choice,
    check_duration,
    check_tls,
)


class NATSConfig(Model):
    """A NATS Streaming server that exists already."""

    url: NonEmpty = Field(description="URL of the server")
    cluster_id: NonEmpty = Field(alias="clusterID", description="id of the cluster")
    auth: str = Field("", description="none (also when empty) or token")
    access_secret: SecretKeySelector | None = Field(None, description="Secret key with YAML that has a token")

    def problems(self) -> Iterable[Problem]:
        """A known login."""
        return check_choice(self.auth, "auth", ("none", "token", "basic"))


class NativeStrategy(Pods):
    """NATS Streaming that upstream's controller makes; here it means the bus of the product."""

    replicas: Int32 = Field(0, description="servers; 3 when fewer")
    auth: str = Field("", description="none (also when empty) or token")
    persistence: Persistence | None = Field(None, description="volume for the data")
    container_template: ContainerTemplate | None = Field(None, description="settings of the main container")
    metrics_container_template: ContainerTemplate | None = Field(
        None, description="settings of the metrics container"
    )
    max_age: str = Field("", description="how long events are kept; 72h when empty")
    max_msgs: Int64 | None = Field(None, description="how many events are kept; 1000000 when absent")
    max_bytes: str = Field("", description="how much is kept; 1GB when empty")
    max_subs: Int64 | None = Field(None, description="how many subscriptions are possible; 1000 when absent")
    max_payload: str = Field("", description="largest event; 1MB when empty")
    raft_heartbeat_timeout: str = Field("", description="Raft heartbeat; 2s when empty")
    raft_election_timeout: str = Field("", description="Raft election; 2s when empty")
    raft_lease_timeout: str = Field("", description="Raft lease; 1s when empty")
    raft_commit_timeout: str = Field("", description="Raft commit; 100ms when empty")

    def problems(self) -> Iterable[Problem]:
        """A known login, durations."""
        yield from check_choice(self.auth, "auth", ("none", "token"))
        yield from check_duration(self.max_age, "maxAge")
        yield from check_duration(self.raft_heartbeat_timeout, "raftHeartbeatTimeout")
        yield from check_duration(self.raft_election_timeout, "raftElectionTimeout")
        yield from check_duration(self.raft_lease_timeout, "raftLeaseTimeout")
        yield from check_duration(self.raft_commit_timeout, "raftCommitTimeout")


class NATSBus(Model):
    """NATS Streaming, which its makers have given up."""

    native: NativeStrategy | None = Field(None, description="made by the controller")
    exotic: NATSConfig | None = Field(None, description="exists already")

    def problems(self) -> Iterable[Problem]:
        """Exactly one of the two."""
        if bool(self.native) == bool(self.exotic):
            said = "has both native and exotic" if self.native else "has neither native nor exotic"
            yield Problem("", said, "write exactly one of native and exotic", "choice")


class JetStreamBus(Pods):
    """NATS JetStream that the controller makes."""

    version: NonEmpty = Field(description="version of NATS, as listed in the controller's settings; latest")
    replicas: Int32 | None = Field(None, description="servers, 1 or at least 3; 3 when absent")
    container_template: ContainerTemplate | None = Field(None, description="settings of the main container")
    reloader_container_template: ContainerTemplate | None = Field(
        None, description="settings of the reloader container"
    )
    metrics_container_template: ContainerTemplate | None = Field(
        None, description="settings of the metrics container"
    )
    persistence: Persistence | None = Field(None, description="volume for the data")
    settings: str | None = Field(None, description="NATS configuration text; replaces that of the controller")
    start_args: Strings = Field([], description="further arguments of the server")
    stream_config: str | None = Field(
        None, description="YAML text with maxMsgs, maxAge, maxBytes, replicas, duplicates, retention, discard"
    )
    max_payload: str | None = Field(None, description="largest event; 1MB when absent")

    def problems(self) -> Iterable[Problem]:
        """A number of servers that can agree."""
        if self.replicas is not None and (self.replicas == 2 or self.replicas <= 0):
            yield Problem("replicas", f"{self.replicas} servers cannot work", "write 1, 3 or 5", "choice")


class JetStreamConfig(Model):
    """A NATS JetStream that exists already."""

    url: NonEmpty = Field(description="URL of the server, as in nats://nats:4222")
    access_secret: SecretKeySelector | None = Field(
        None, description="Secret key with YAML that has username and password"
    )
    stream_config: str = Field("", description="YAML text, used as it is; see jetstream.streamConfig")
    tls: TLS | None = Field(None, description="certificates of the connection")

    def problems(self) -> Iterable[Problem]:
        """Whole certificates, which upstream leaves to the first connection."""
        return check_tls(self.tls, severity="warning")


class KafkaBus(Model):
    """A Kafka that exists already."""

    url: NonEmpty = Field(description="brokers, each host:port, separated by commas")
    topic: str = Field("", description="topic of the events; NAMESPACE-EVENTBUS when empty")
    version: str = Field("", description="protocol version; has no effect, it is negotiated")
    tls: TLS | None = Field(None, description="certificates of the connection")
    sasl: SASL | None = Field(None, description="SASL login")
    consumer_group: KafkaConsumerGroup | None = Field(None, description="group of the sensors")
    partitioner: str = Field("", description="random (also when empty), hash, roundrobin or manual")

    def problems(self) -> Iterable[Problem]:
        """Whole certificates, which upstream leaves to the first connection."""
        yield from check_tls(self.tls, severity="warning")
        known = ("random", "hash", "roundrobin", "manual")
        yield from check_choice(self.partitioner, "partitioner", known, "warning")


class EventBusSpec(Model):
    """The bus; the first one given counts: nats, jetstream, kafka, jetstreamExotic."""

    nats: NATSBus | None = Field(None, description="NATS Streaming")
    jetstream: JetStreamBus | None = Field(None, description="NATS JetStream, made by the controller")
    kafka: KafkaBus | None = Field(None, description="Kafka that exists already")
    jetstream_exotic: JetStreamConfig | None = Field(None, description="NATS JetStream that exists already")

    @property
    def kinds(self) -> list[str]:
        """Which buses are given, in order of precedence."""
        return [path[0] for path, _ in self.children() if isinstance(path[0], str)]

    def problems(self) -> Iterator[Problem]:
        """One bus."""
        if not self.kinds:
            hint = "write nats, jetstream, kafka or jetstreamExotic"
            yield Problem("", "names no bus", hint, "required")
        for kind in self.kinds[1:]:
            yield Problem(
                kind, f"is not used: {self.kinds[0]} wins", "remove one of them", "ignored", "warning"
            )


class BusConfig(Model):
    """How to reach the bus, as the controller found out."""

    nats: NATSConfig | None = Field(None, description="NATS Streaming")
    jetstream: JetStreamConfig | None = Field(None, description="NATS JetStream")
    kafka: KafkaBus | None = Field(None, description="Kafka")


class EventBusStatus(Model):
    """Status of an EventBus."""

    conditions: list[Condition] = Field([], description="conditions, sorted by type")
    config: BusConfig | None = Field(None, description="how to reach the bus")


class EventBus(Envelope):
    """An EventBus as it stands in a manifest."""

    kind: Literal["EventBus"] = Field("EventBus", description="EventBus")
    spec: EventBusSpec = Field(description="the bus")
    status: EventBusStatus | None = Field(None, description="set by the controller")
