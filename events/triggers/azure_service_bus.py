"""azureServiceBus: one message to an Azure Service Bus queue or topic per firing.

Spec      Sensor.spec.triggers[].template.azureServiceBus
Sends     the document built from `payload` as the body of one message
Outcome   done when the bus has taken it
Upstream  pkg/sensors/triggers/azure-service-bus/azure_service_bus.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import TLS, Problem, SecretKeySelector, check_tls
from events.api.sensor import Parameters, TriggerConfig, check_parameters


class AzureServiceBusConfig(TriggerConfig):
    """One queue or topic."""

    connection_string: SecretKeySelector | None = Field(
        None, description="Secret key with the connection string"
    )
    queue_name: str = Field("", description="queue to send to; wins over topicName")
    topic_name: str = Field("", description="topic to send to")
    subscription_name: str = Field("", description="not used")
    tls: TLS | None = Field(None, description="certificates of the connection")
    payload: Parameters = Field([], description="builds the document from values of the events")

    def problems(self) -> Iterable[Problem]:
        """Whole parameters, payload entries, certificates, which upstream leaves to the first firing."""
        yield from check_parameters(self.parameters, "parameters", severity="warning")
        yield from check_parameters(self.payload, "payload", severity="warning")
        yield from check_tls(self.tls, severity="warning")
