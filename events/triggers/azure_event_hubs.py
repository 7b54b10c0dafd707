"""azureEventHubs: one event to an Azure event hub per firing.

Spec      Sensor.spec.triggers[].template.azureEventHubs
Sends     the document built from `payload` as the body of one event
Outcome   done when the hub has taken it
Upstream  pkg/sensors/triggers/azure-event-hubs/azure_event_hubs.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import Problem, SecretKeySelector
from events.api.sensor import Parameters, TriggerConfig, check_parameters


class AzureEventHubsConfig(TriggerConfig):
    """One event hub."""

    fqdn: str = Field("", description="host of the namespace, as in NAME.servicebus.windows.net")
    hub_name: str = Field("", description="name of the event hub")
    shared_access_key_name: SecretKeySelector | None = Field(
        None, description="Secret key with the name of the access policy"
    )
    shared_access_key: SecretKeySelector | None = Field(
        None, description="Secret key with the key of the access policy"
    )
    payload: Parameters = Field([], description="builds the document from values of the events")

    def problems(self) -> Iterable[Problem]:
        """Whole parameters and payload entries, which upstream leaves to the first firing."""
        yield from check_parameters(self.parameters, "parameters", severity="warning")
        yield from check_parameters(self.payload, "payload", severity="warning")
