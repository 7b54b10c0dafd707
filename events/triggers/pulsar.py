"""pulsar: one message to a Pulsar topic per firing.

Spec      Sensor.spec.triggers[].template.pulsar
Sends     the document built from `payload`
Outcome   done when the broker has acknowledged it
Upstream  pkg/sensors/triggers/pulsar/pulsar.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import TLS, Backoff, Problem, SecretKeySelector, StringMap
from events.api.sensor import Parameters, TriggerConfig, check_parameters


class PulsarConfig(TriggerConfig):
    """One topic."""

    url: str = Field("", description="pulsar:// or pulsar+ssl:// URL")
    topic: str = Field("", description="topic to publish to")
    payload: Parameters = Field([], description="builds the document from values of the events")
    tls_trust_certs_secret: SecretKeySelector | None = Field(None, description="PEM trust roots")
    tls_allow_insecure_connection: bool = Field(
        False, description="do not verify the certificate of the server"
    )
    tls_validate_hostname: bool = Field(False, description="compare the host with the certificate")
    tls: TLS | None = Field(None, description="client certificate and key; wins over the other logins")
    auth_token_secret: SecretKeySelector | None = Field(None, description="Secret key with a token")
    connection_backoff: Backoff | None = Field(None, description="pauses between attempts to connect")
    auth_athenz_params: StringMap = Field({}, description="parameters of an Athenz login")
    auth_athenz_secret: SecretKeySelector | None = Field(None, description="private key of an Athenz login")

    def problems(self) -> Iterable[Problem]:
        """Whole parameters and payload entries, which upstream leaves to the first firing."""
        yield from check_parameters(self.parameters, "parameters", severity="warning")
        yield from check_parameters(self.payload, "payload", severity="warning")
