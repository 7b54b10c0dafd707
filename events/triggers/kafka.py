"""kafka: one record to a Kafka topic per firing.

Spec      Sensor.spec.triggers[].template.kafka
Sends     the document built from `payload` as the value of one record
Outcome   done when the broker has acknowledged it
Upstream  pkg/sensors/triggers/kafka/kafka.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import (
    SASL,
    TLS,
    Int32,
    NonEmpty,
    Problem,
    SchemaRegistry,
    SecureHeader,
    StringMap,
    check_tls,
)
from events.api.sensor import Parameters, TriggerConfig, check_parameters


class KafkaConfig(TriggerConfig):
    """One topic."""

    url: NonEmpty = Field(description="brokers, each host:port, separated by commas")
    topic: NonEmpty = Field(description="topic to write to")
    partition: Int32 = Field(0, description="not used; see partitioningKey")
    required_acks: Int32 = Field(0, description="acknowledgements to wait for; all replicas when 0")
    compress: bool = Field(False, description="compress records with snappy")
    flush_frequency: Int32 = Field(0, description="how long records may be gathered [ms]")
    tls: TLS | None = Field(None, description="certificates of the connection")
    payload: Parameters = Field(description="builds the document from values of the events")
    partitioning_key: str | None = Field(None, description="key of the record; decides the partition")
    version: str = Field("", description="protocol version; has no effect, it is negotiated")
    sasl: SASL | None = Field(None, description="SASL login")
    schema_registry: SchemaRegistry | None = Field(None, description="encodes the document as Avro")
    headers: StringMap = Field({}, description="headers of the record")
    secure_headers: list[SecureHeader] = Field([], description="headers from Secrets or ConfigMaps")

    def problems(self) -> Iterable[Problem]:
        """Whole payload entries, parameters, certificates."""
        yield from check_parameters(self.parameters, "parameters", severity="warning")
        yield from check_parameters(self.payload, "payload")
        yield from check_tls(self.tls, severity="warning")
