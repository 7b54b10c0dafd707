"""nats: one message to a core NATS subject per firing.

Spec      Sensor.spec.triggers[].template.nats
Sends     the document built from `payload`
Outcome   done when the server has taken the message
Upstream  pkg/sensors/triggers/nats/nats.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import TLS, NATSAuth, NonEmpty, Problem, check_tls
from events.api.sensor import Parameters, TriggerConfig, check_parameters


class NATSConfig(TriggerConfig):
    """One subject."""

    url: NonEmpty = Field(description="servers, separated by commas, as in nats://nats:4222")
    subject: NonEmpty = Field(description="subject to publish to")
    payload: Parameters = Field(description="builds the document from values of the events")
    tls: TLS | None = Field(None, description="certificates of the connection")
    auth: NATSAuth | None = Field(None, description="login")

    def problems(self) -> Iterable[Problem]:
        """Whole payload entries, parameters, certificates."""
        yield from check_parameters(self.parameters, "parameters", severity="warning")
        yield from check_parameters(self.payload, "payload")
        yield from check_tls(self.tls, severity="warning")
