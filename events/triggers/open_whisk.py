"""openWhisk: one invocation of an Apache OpenWhisk action per firing.

Spec      Sensor.spec.triggers[].template.openWhisk
Sends     the document built from `payload`
Outcome   the answer of the action (`policy.status` judges it)
Upstream  pkg/sensors/triggers/apache-openwhisk/apache-openwhisk.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import NonEmpty, Problem, SecretKeySelector
from events.api.sensor import Parameters, TriggerConfig, check_parameters


class OpenWhiskConfig(TriggerConfig):
    """One action."""

    host: NonEmpty = Field(description="host:port or URL of the API")
    version: str = Field("", description="version of the API; v1 when empty")
    namespace: str = Field("", description="namespace of the action; _ when empty")
    auth_token: SecretKeySelector | None = Field(None, description="Secret key with user:password")
    action_name: NonEmpty = Field(description="name of the action")
    payload: Parameters = Field(description="builds the document from values of the events")

    def problems(self) -> Iterable[Problem]:
        """Whole parameters and payload entries."""
        yield from check_parameters(self.parameters, "parameters")
        yield from check_parameters(self.payload, "payload")
