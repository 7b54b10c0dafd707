"""sns: notifications of one Amazon SNS topic, over HTTP.

Spec      EventSource.spec.sns.<eventName>
Payload   {header, body, metadata}; body is the envelope that SNS sent
Delivery  at least once: 200 is answered only after the bus has stored the event; the message id makes a
          redelivery harmless
Upstream  pkg/eventsources/sources/awssns/start.go
"""

from __future__ import annotations

from pydantic import Field

from events.api.common import NonEmpty
from events.api.eventsource import AWSSourceConfig, HookSourceConfig


class SNSConfig(AWSSourceConfig, HookSourceConfig):
    """One topic; the endpoint is subscribed to it."""

    topic_arn: NonEmpty = Field(description="ARN of the topic")
    region: NonEmpty = Field(description="AWS region of the topic")
    validate_signature: bool = Field(False, description="verify the signature of every message")
