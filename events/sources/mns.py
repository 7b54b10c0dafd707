"""mns: messages of one queue of Alibaba Cloud's message service.

Spec      EventSource.spec.mns.<eventName>
Payload   {messageId, body, metadata}; body is always text
Delivery  at least once: a message is deleted only after the bus has stored the event
Upstream  pkg/eventsources/sources/alibabacloudmns/start.go
"""

from __future__ import annotations

from pydantic import Field

from events.api.common import NonEmpty, SecretKeySelector
from events.api.eventsource import BodySourceConfig


class MNSConfig(BodySourceConfig):
    """One queue."""

    endpoint: NonEmpty = Field(description="URL of the account's endpoint")
    queue: NonEmpty = Field(description="name of the queue")
    access_key: SecretKeySelector = Field(description="Secret key with the access key id")
    secret_key: SecretKeySelector = Field(description="Secret key with the access key secret")
