"""emitter: messages of one channel of an emitter.io broker.

Spec      EventSource.spec.emitter.<eventName>
Payload   {topic, body, metadata}
Delivery  at most once: the broker keeps nothing for a source that is away
Upstream  pkg/eventsources/sources/emitter/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import NonEmpty, Problem, SecretKeySelector, check_tls
from events.api.eventsource import BrokerSourceConfig


class EmitterConfig(BrokerSourceConfig):
    """One channel."""

    broker: NonEmpty = Field(description="URL of the broker, as in tcp://broker:8080")
    channel_key: NonEmpty = Field(description="key that opens the channel")
    channel_name: NonEmpty = Field(description="name of the channel")
    username: SecretKeySelector | None = Field(None, description="Secret key with the user name")
    password: SecretKeySelector | None = Field(None, description="Secret key with the password")

    def problems(self) -> Iterable[Problem]:
        """Whole certificates."""
        return check_tls(self.tls)
