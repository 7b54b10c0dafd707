"""mqtt: messages of one MQTT topic filter.

Spec      EventSource.spec.mqtt.<eventName>
Payload   {topic, messageId, body, metadata}
Delivery  at most once: the subscription has QoS 0
Upstream  pkg/eventsources/sources/mqtt/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import BasicAuth, NonEmpty, Problem, check_login, check_tls
from events.api.eventsource import BrokerSourceConfig


class MQTTConfig(BrokerSourceConfig):
    """One topic filter."""

    url: NonEmpty = Field(description="URL of the broker, as in tcp://broker:1883 or ssl://broker:8883")
    topic: NonEmpty = Field(description="topic filter; + and # are wildcards")
    client_id: NonEmpty = Field(description="client id, unique at the broker")
    auth: BasicAuth | None = Field(None, description="user name and password")

    def problems(self) -> Iterable[Problem]:
        """Whole login and certificates."""
        yield from check_tls(self.tls)
        yield from check_login(self.auth)
