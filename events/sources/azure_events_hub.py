"""azureEventsHub: events of one Azure event hub.

Spec      EventSource.spec.azureEventsHub.<eventName>
Payload   {id, partitionKey, body, metadata}; body is base64 text
Delivery  at least once: the place in each partition is stored with the event
Upstream  pkg/eventsources/sources/azureeventshub/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import NonEmpty, Problem, SecretKeySelector
from events.api.eventsource import FilteredSourceConfig, check_pair


class AzureEventsHubConfig(FilteredSourceConfig):
    """One event hub."""

    fqdn: NonEmpty = Field(description="host of the namespace, as in NAME.servicebus.windows.net")
    hub_name: NonEmpty = Field(description="name of the event hub")
    shared_access_key_name: SecretKeySelector | None = Field(
        None, description="Secret key with the name of the access policy; without it default credentials"
    )
    shared_access_key: SecretKeySelector | None = Field(
        None, description="Secret key with the key of the access policy"
    )

    def problems(self) -> Iterable[Problem]:
        """Both parts of the access policy or none."""
        names = ("sharedAccessKeyName", "sharedAccessKey")
        return check_pair(self.shared_access_key_name, self.shared_access_key, *names)
