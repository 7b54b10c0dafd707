"""pulsar: messages of one Pulsar topic.

Spec      EventSource.spec.pulsar.<eventName>
Payload   {key, publishTime, body, metadata}
Delivery  at least once: a message is acknowledged only after the bus has stored the event
Upstream  pkg/eventsources/sources/pulsar/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import NonEmpty, Problem, SecretKeySelector, StringMap, Strings, check_choice
from events.api.eventsource import BrokerSourceConfig


class PulsarConfig(BrokerSourceConfig):
    """One subscription."""

    topics: Strings = Field(description="topics; the first one is read")
    type: str = Field("", description="exclusive or shared; exclusive when empty")
    url: NonEmpty = Field(description="pulsar:// or pulsar+ssl:// URL")
    tls_trust_certs_secret: SecretKeySelector | None = Field(None, description="PEM trust roots")
    tls_allow_insecure_connection: bool = Field(
        False, description="do not verify the certificate of the server"
    )
    tls_validate_hostname: bool = Field(False, description="compare the host with the certificate")
    auth_token_secret: SecretKeySelector | None = Field(None, description="Secret key with a token")
    auth_athenz_params: StringMap = Field({}, description="parameters of an Athenz login")
    auth_athenz_secret: SecretKeySelector | None = Field(None, description="private key of an Athenz login")

    def problems(self) -> Iterable[Problem]:
        """A known type of subscription."""
        yield from check_choice(self.type, "type", ("exclusive", "shared"))
        if not self.type:
            hint = "write type: exclusive; upstream refuses an empty one"
            yield Problem("type", "is empty and means exclusive", hint, "upstream-refuses", "warning")
