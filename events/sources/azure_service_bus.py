"""azureServiceBus: messages of one Azure Service Bus queue or subscription.

Spec      EventSource.spec.azureServiceBus.<eventName>
Payload   {applicationProperties, body, contentType, correlationID, enqueuedTime, messageID, replyTo,
          sequenceNumber, subject, metadata}
Delivery  at least once: a message is completed only after the bus has stored the event
Upstream  pkg/eventsources/sources/azureservicebus/start.go
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from events.api.common import TLS, Problem, SecretKeySelector, check_tls
from events.api.eventsource import BodySourceConfig, check_pair


class AzureServiceBusConfig(BodySourceConfig):
    """One queue, or one subscription of a topic."""

    connection_string: SecretKeySelector | None = Field(
        None, description="Secret key with the connection string; wins over fullyQualifiedNamespace"
    )
    fully_qualified_namespace: str = Field("", description="host of the namespace, with default credentials")
    queue_name: str = Field("", description="queue to receive from")
    topic_name: str = Field("", description="topic, instead of a queue; goes with subscriptionName")
    subscription_name: str = Field("", description="subscription of the topic")
    tls: TLS | None = Field(None, description="certificates of the connection")
    defer_delete: bool = Field(False, description="lock a message and complete it when its event is stored")

    def problems(self) -> Iterable[Problem]:
        """A namespace in one of two forms; a queue or a subscription."""
        if not (self.connection_string or self.fully_qualified_namespace):
            hint = "write one of them"
            yield Problem("", "has neither connectionString nor fullyQualifiedNamespace", hint, "required")
        yield from self._entity()
        yield from check_tls(self.tls, severity="warning")

    def _entity(self) -> Iterator[Problem]:
        if self.queue_name and (self.topic_name or self.subscription_name):
            yield Problem("queueName", "cannot be combined with a topic", "use two events", "choice")
        elif not (self.queue_name or self.topic_name or self.subscription_name):
            hint = "write queueName, or topicName and subscriptionName"
            yield Problem("", "has neither a queue nor a topic", hint, "required")
        else:
            yield from check_pair(self.topic_name, self.subscription_name, "topicName", "subscriptionName")
