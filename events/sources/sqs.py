"""sqs: messages of one Amazon SQS queue.

Spec      EventSource.spec.sqs.<eventName>
Payload   {messageId, messageAttributes, body, metadata}
Delivery  at least once: a message is deleted only after the bus has stored the event
Upstream  pkg/eventsources/sources/awssqs/start.go
"""

from __future__ import annotations

from pydantic import Field

from events.api.common import Int64, NonEmpty, SecretKeySelector
from events.api.eventsource import AWSSourceConfig, BodySourceConfig


class SQSConfig(AWSSourceConfig, BodySourceConfig):
    """One queue."""

    region: NonEmpty = Field(description="AWS region of the queue")
    queue: NonEmpty = Field(description="name of the queue")
    wait_time_seconds: Int64 = Field(0, description="long poll [s]; 3 when 0")
    queue_account_id: str = Field("", description="AWS account of the queue; that of the login when empty")
    dlq: bool = Field(False, description="keep messages whose body is not JSON instead of deleting them")
    session_token: SecretKeySelector | None = Field(None, description="Secret key with the session token")
