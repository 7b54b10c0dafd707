"""custom: calls a trigger server of your own, over gRPC.

Spec      Sensor.spec.triggers[].template.custom
Sends     FetchResource with `spec`, Execute with the resource and the document built from `payload`,
          then ApplyPolicy with the answer
Outcome   what ApplyPolicy says; `success: false` is a failure
Upstream  pkg/sensors/triggers/custom-trigger/custom-trigger.go; service triggers.Trigger
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import NonEmpty, Problem, SecretKeySelector, StringMap
from events.api.sensor import Parameters, TriggerConfig, check_parameters


class CustomConfig(TriggerConfig):
    """One server."""

    server_url: NonEmpty = Field(alias="serverURL", description="gRPC target, as in host:port")
    secure: bool = Field(False, description="TLS with the certificate in certSecret instead of plain text")
    cert_secret: SecretKeySelector | None = Field(None, description="PEM trust roots of the connection")
    server_name_override: str = Field("", description="host to expect in the certificate of the server")
    spec: StringMap = Field(description="map of text that describes the resource to the server")
    payload: Parameters = Field([], description="builds the document from values of the events")

    def problems(self) -> Iterable[Problem]:
        """A certificate where one is needed; whole parameters."""
        if self.secure and not self.cert_secret:
            hint = "as in certSecret: {name: SECRET, key: KEY}"
            yield Problem("certSecret", "is missing, but secure is true", hint, "required")
        yield from check_parameters(self.parameters, "parameters")
        yield from check_parameters(self.payload, "payload", severity="warning")
