"""EventSource: envelope, base of the config models of all kinds, and structs that several kinds share.

Spec      EventSource.spec; kind -> event name -> config. The configs stay raw here: their models live
          beside the adapters in `events.sources`
Upstream  pkg/apis/events/v1alpha1/eventsource_types.go
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from pydantic import Field

from events.api.common import (
    TLS,
    Backoff,
    Envelope,
    Holder,
    Int32,
    Int64,
    Metadata,
    Model,
    NonEmpty,
    Objects,
    Problem,
    SecretKeySelector,
    Status,
    StringMap,
    Template,
)
from events.registry import is_kind, source_kinds


class SourceConfig(Model):
    """Base of the config of one event, of every kind."""

    metadata: StringMap = Field({}, description="copied to `metadata` of the event data")

    @property
    def filter_expression(self) -> str:
        """The expression (expr-lang syntax) an event must satisfy; empty without one."""
        return ""

    @property
    def backoff(self) -> Backoff | None:
        """Pauses between attempts to start; None: those of every source."""
        return None


class EventSourceFilter(Model):
    """Which events are kept."""

    expression: str = Field("", description="expr-lang expression over the event data; must give true")


class FilteredSourceConfig(SourceConfig):
    """Base of the kinds whose `filter` is an expression over the event data."""

    filter: EventSourceFilter | None = Field(None, description="drops events for which it is not true")

    @property
    def filter_expression(self) -> str:
        """The expression (expr-lang syntax) an event must satisfy; empty without one."""
        return self.filter.expression if self.filter else ""


class WebhookContext(Model):
    """An HTTP endpoint of this process, and its address as seen from outside."""

    endpoint: NonEmpty = Field(description="path of the URL, as in /push")
    method: str = Field("", description="HTTP method to accept")
    port: NonEmpty = Field(description='TCP port to listen on, as text: "12000"')
    url: str = Field("", description="public base URL, for kinds that register themselves at a provider")
    server_cert_secret: SecretKeySelector | None = Field(
        None, description="PEM certificate of the server; goes with serverKeySecret"
    )
    server_key_secret: SecretKeySelector | None = Field(None, description="PEM key of the server")
    metadata: StringMap = Field({}, description="copied to `metadata` of the event data")
    auth_secret: SecretKeySelector | None = Field(
        None, description="bearer token that a request must carry in its Authorization header"
    )
    max_payload_size: Int64 = Field(1048576, description="largest body accepted [bytes]")

    def problems(self) -> Iterable[Problem]:
        """The port is an integer, path and certificate are whole."""
        if not re.fullmatch(r"[+-]?[0-9]+", self.port):
            yield Problem("port", f"not a port number: {self.port!r}", 'write it as text: port: "12000"')
        elif not 0 <= int(self.port) <= 65535:
            yield Problem("port", f"no such port: {self.port}", "0 to 65535")
        if not self.endpoint.startswith("/"):
            hint = f"write endpoint: /{self.endpoint}"
            yield Problem("endpoint", "does not start with a slash", hint, severity="warning")
        if (self.server_cert_secret is None) != (self.server_key_secret is None):
            hint = "serverCertSecret and serverKeySecret go together; with one of them plain HTTP is served"
            yield Problem("", "has only one of server certificate and key", hint, "tls", "warning")


class HookSourceConfig(FilteredSourceConfig):
    """Base of the kinds that a provider calls over HTTP."""

    webhook: WebhookContext = Field(description="endpoint that the provider calls")


class BodySourceConfig(FilteredSourceConfig):
    """Base of the kinds whose messages have a body of bytes."""

    json_body: bool = Field(
        False, description="the body is JSON and is embedded as such instead of as base64"
    )


class BrokerSourceConfig(BodySourceConfig):
    """Base of the kinds that keep a connection to a message broker."""

    tls: TLS | None = Field(None, description="certificates of the connection")
    connection_backoff: Backoff | None = Field(
        None, description="pauses between attempts to connect; after its steps the last one is repeated"
    )

    @property
    def backoff(self) -> Backoff | None:
        """As the manifest says."""
        return self.connection_backoff


class AWSSourceConfig(FilteredSourceConfig):
    """Base of the kinds that call an AWS API."""

    access_key: SecretKeySelector | None = Field(
        None, description="Secret key with the access key id; without it the default credentials are used"
    )
    secret_key: SecretKeySelector | None = Field(None, description="Secret key with the secret access key")
    role_arn: str = Field("", alias="roleARN", description="role to assume")
    endpoint: str = Field("", description="URL of the API; that of AWS when empty")

    def problems(self) -> Iterable[Problem]:
        """Both keys or none."""
        return check_pair(self.access_key, self.secret_key, "accessKey", "secretKey")


def check_pair(one: object, other: object, name: str, other_name: str) -> Iterator[Problem]:
    """Two fields that make sense together only. Empty text counts as absent."""
    if bool(one) != bool(other):
        said = f"has {name if one else other_name} without {other_name if one else name}"
        yield Problem("", said, "write both or none", "choice")


class WatchPath(Model):
    """Which files of a folder count."""

    directory: NonEmpty = Field(description="folder to watch, absolute")
    path: str = Field("", description="file below the folder; exactly one of path and pathRegexp")
    path_regexp: str = Field("", description="RE2 expression to find in the path below the folder")

    def problems(self) -> Iterable[Problem]:
        """Absolute folder; exactly one relative path or expression."""
        if not self.directory.startswith("/"):
            yield Problem("directory", "is not absolute", f"write directory: /{self.directory}")
        yield from self._choice()

    def _choice(self) -> Iterator[Problem]:
        if bool(self.path) == bool(self.path_regexp):
            said = "has both path and pathRegexp" if self.path else "has neither path nor pathRegexp"
            yield Problem("", said, "write exactly one of path and pathRegexp", "choice")
        if self.path.startswith("/"):
            yield Problem("path", "is absolute", "write it relative to directory")
        elif "/" in self.path:
            said = "never matches: folders below the directory are not looked at"
            yield Problem("path", said, "write the folder to directory", "choice", "warning")


class Service(Model):
    """Service in front of the pods, on a cluster."""

    ports: Objects = Field([], description="ports of the Service; it is made when there are any")
    cluster_ip: str = Field("", alias="clusterIP", description="address of the Service")
    metadata: Metadata | None = Field(None, description="labels and annotations of the Service")


ACTIVE_ACTIVE = frozenset(
    (
        "webhook", "sns", "sqs", "github", "gitlab", "gerrit", "slack", "storageGrid", "stripe", "bitbucket",
        "bitbucketserver", "azureQueueStorage", "mns",
    )
)  # fmt: skip
"""Kinds of which upstream runs every replica; of the others it runs one, and refuses a mixture."""


class EventEntry(NamedTuple):
    """One event of an EventSource as it stands in the manifest."""

    kind: str
    name: str
    config: Any
    """Raw; a mapping unless the manifest is wrong."""


class EventSourceSpec(Holder):
    """The events of an EventSource. The maps of the kinds are raw, see `events`; models: `configs`."""

    event_bus_name: str = Field("", description="EventBus of the same namespace; default when empty")
    template: Template | None = Field(None, description="pod template, on a cluster")
    service: Service | None = Field(None, description="Service in front of the pods, on a cluster")
    replicas: Int32 | None = Field(None, description="pods on a cluster; 1 when absent")

    @classmethod
    def allows(cls, name: str) -> bool:
        """Kinds of event sources."""
        return is_kind("sources", name)

    @classmethod
    def suggestions(cls) -> Iterable[str]:
        """Kinds of event sources."""
        return source_kinds()

    @property
    def kinds(self) -> dict[str, Any]:
        """Raw maps by kind."""
        return {key: value for key, value in (self.model_extra or {}).items() if is_kind("sources", key)}

    def events(self) -> Iterator[EventEntry]:
        """Every event, in the order of the manifest."""
        for kind, named in self.kinds.items():
            if isinstance(named, dict):
                yield from (EventEntry(kind, name, config) for name, config in named.items())

    def problems(self) -> Iterable[Problem]:
        """Maps of events, names that are unique over all kinds."""
        for kind, named in self.kinds.items():
            if not isinstance(named, dict):
                yield Problem(kind, "is not a map", f"write {kind}: {{EVENT-NAME: {{...}}}}", "type")
        events = [*self.events()]
        yield from self._names(events)
        if not events:
            yield Problem("", "has no events", "", "no-events", "warning")
        if len({event.kind in ACTIVE_ACTIVE for event in events}) > 1:
            said = "mixes kinds that run on every replica with kinds that run on one"
            yield Problem(
                "", said, "upstream refuses it: use two EventSources", "upstream-refuses", "warning"
            )

    @staticmethod
    def _names(events: list[EventEntry]) -> Iterator[Problem]:
        counts = Counter(event.name for event in events)
        for kind, name, _ in events:
            if counts[name] > 1:
                yield Problem(
                    f"{kind}.{name}", f"two events have the name {name!r}", "rename one", "duplicate"
                )
                counts[name] = 1
            if not name or re.search(r"[\s.*>]", name):
                said = f"the name {name!r} does not work on every bus"
                yield Problem(
                    f"{kind}.{name}", said, "use letters, digits, - and _", "unsafe-name", "warning"
                )


class EventSource(Envelope):
    """An EventSource as it stands in a manifest."""

    kind: Literal["EventSource"] = Field("EventSource", description="EventSource")
    spec: EventSourceSpec = Field(description="the events")
    status: Status | None = Field(None, description="set by the controller")
