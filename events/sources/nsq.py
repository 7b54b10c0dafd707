"""nsq: messages of one NSQ topic.

Spec      EventSource.spec.nsq.<eventName>
Payload   {body, timestamp, nsqdAddress, metadata}; timestamp is nanoseconds since 1970, as text
Delivery  at least once: a message is finished only after the bus has stored the event
Upstream  pkg/eventsources/sources/nsq/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import NonEmpty, Problem, check_tls
from events.api.eventsource import BrokerSourceConfig


class NSQConfig(BrokerSourceConfig):
    """One topic and channel."""

    host_address: NonEmpty = Field(description="host:port of nsqlookupd (HTTP)")
    topic: NonEmpty = Field(description="topic to read")
    channel: NonEmpty = Field(description="channel to read as")

    def problems(self) -> Iterable[Problem]:
        """Whole certificates."""
        return check_tls(self.tls)
