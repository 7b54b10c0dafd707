"""storageGrid: notifications about objects in a bucket of NetApp StorageGRID, over HTTP.

Spec      EventSource.spec.storageGrid.<eventName>
Payload   {notification, metadata}; notification holds Action, Message, TopicArn and Version
Delivery  at least once: 200 is answered only after the bus has stored the event
Upstream  pkg/eventsources/sources/storagegrid/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import TLS, NonEmpty, Problem, S3Filter, SecretKeySelector, Strings, check_tls
from events.api.eventsource import SourceConfig, WebhookContext


class StorageGridConfig(SourceConfig):
    """One bucket; the endpoint is registered for it."""

    webhook: WebhookContext = Field(description="endpoint that StorageGRID calls")
    events: Strings = Field(description="S3 event names, as in s3:ObjectCreated:*")
    filter: S3Filter | None = Field(None, description="object keys that count")
    topic_arn: NonEmpty = Field(description="URN of the endpoint at StorageGRID")
    bucket: NonEmpty = Field(description="name of the bucket")
    region: str = Field("", description="region of the bucket; us-east-1 when empty")
    auth_token: SecretKeySelector = Field(description="Secret key with a token of the API")
    api_url: NonEmpty = Field(alias="apiURL", description="URL of the API")
    tls: TLS | None = Field(None, description="certificates of the connection to the API")

    def problems(self) -> Iterable[Problem]:
        """Whole certificates."""
        return check_tls(self.tls, severity="warning")
