"""generic: events of a server of your own, over gRPC.

Spec      EventSource.spec.generic.<eventName>
Payload   {body, metadata}
Delivery  at most once: the protocol knows no acknowledgement
Upstream  pkg/eventsources/sources/generic/start.go; service generic.Eventing
"""

from __future__ import annotations

from pydantic import Field

from events.api.common import NonEmpty, SecretKeySelector
from events.api.eventsource import BodySourceConfig


class GenericConfig(BodySourceConfig):
    """One stream of events."""

    url: NonEmpty = Field(description="gRPC target, as in host:port")
    config: NonEmpty = Field(description="text that is handed to the server")
    insecure: bool = Field(False, description="plain text instead of TLS")
    auth_secret: SecretKeySelector | None = Field(None, description="Secret key with a bearer token")
