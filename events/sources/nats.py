"""nats: messages of one core NATS subject.

Spec      EventSource.spec.nats.<eventName>
Payload   {subject, body, header, metadata}; header is absent without headers
Delivery  at most once: core NATS keeps nothing for a source that is away
Upstream  pkg/eventsources/sources/nats/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import NATSAuth, NonEmpty, Problem, check_tls
from events.api.eventsource import BrokerSourceConfig


class NATSConfig(BrokerSourceConfig):
    """One subject."""

    url: NonEmpty = Field(description="servers, separated by commas, as in nats://nats:4222")
    subject: NonEmpty = Field(description="subject; * and > are wildcards")
    queue: str | None = Field(None, description="queue group: its members share the messages")
    auth: NATSAuth | None = Field(None, description="login")

    def problems(self) -> Iterable[Problem]:
        """A named queue group, whole certificates."""
        if self.queue == "":
            yield Problem("queue", "is empty", "name the queue group or remove the field", "required")
        yield from check_tls(self.tls)
