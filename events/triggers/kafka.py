"""kafka: one record to a Kafka topic per firing.

Spec      Sensor.spec.triggers[].template.kafka
Sends     the document built from `payload` as the value of one record, as Avro with schemaRegistry; the
          firing id in the header Idempotency-Key, unless `headers` has one
Outcome   done when the brokers have acknowledged the record: its partition and offset
Repeats   a record whose acknowledgement was lost is written again, with the same firing id
Upstream  pkg/sensors/triggers/kafka/kafka.go
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import ClassVar

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
from events.clients.avro import NotAvro
from events.clients.kafka import Brokers, translated
from events.clients.kafka_producers import Producers, Sending
from events.clients.schema_registry import Registry, Schemas
from events.clients.secrets import Ref
from events.errors import ExpressionError, Permanent
from events.event import Firing, Outcome, Request
from events.sensors.parameters import compile_payload
from events.triggers._base import Render, Trigger, TriggerContext
from events.triggers._secure import ref_of
from events.triggers._text import Body, as_bytes


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


SEND_TIMEOUT = 30.0
"""Seconds until a record has to be acknowledged."""

FIRING_HEADER = "Idempotency-Key"
ACKS = {0: -1, -1: -1, 1: 1}
"""What `requiredAcks` means: upstream takes 0 for "not given", which is all replicas."""


class KafkaRequest(Request, kw_only=True):
    """One record."""

    brokers: Brokers
    sending: Sending
    topic: str
    key: str | None
    content: Body
    headers: dict[str, str]
    secure: dict[str, Ref]
    registry: Registry | None = None
    schema: int = 0

    @property
    def payload(self) -> str:
        """The document as text."""
        return self.content.text


class KafkaTrigger(Trigger[KafkaConfig, KafkaRequest]):
    """Sends through shared producers."""

    kind: ClassVar[str] = "kafka"
    extra: ClassVar[str | None] = "kafka"
    requires: ClassVar[tuple[str, ...]] = ("aiokafka",)
    request: ClassVar[type[Request]] = KafkaRequest

    def __init__(self, ctx: TriggerContext) -> None:
        super().__init__(ctx)
        self._producers = ctx.shared.get(Producers, partial(Producers, ctx.sessions))
        self._registries: dict[Registry, Schemas] = {}

    @classmethod
    def compile(cls, cfg: KafkaConfig) -> Render:
        payload, brokers, sending = compile_payload(cfg.payload), brokers_of(cfg), sending_of(cfg)
        registry = registry_of(cfg)
        secure = {item.name: ref_of(item) for item in cfg.secure_headers}
        schema = cfg.schema_registry.schema_id if cfg.schema_registry else 0

        def render(firing: Firing) -> KafkaRequest:
            return KafkaRequest(
                brokers=brokers, sending=sending, topic=cfg.topic, key=cfg.partitioning_key,
                content=Body.of(payload(firing) or ""), headers=dict(cfg.headers), secure=secure,
                registry=registry, schema=schema,
            )  # fmt: skip

        return render

    async def fire(self, request: KafkaRequest, firing: str) -> Outcome:
        """Raises Retryable (brokers away), Permanent (login, permission, no such topic, schema)."""
        value, headers = await self._value(request), await self._headers(request, firing)
        key = None if request.key is None else request.key.encode()
        place = f"{request.brokers.place}, topic {request.topic!r}"
        producer = await self._producers.get(request.brokers, request.sending, self.ctx.secrets)
        with translated(place):
            async with asyncio.timeout(SEND_TIMEOUT):
                done = await producer.send_and_wait(request.topic, value, key=key, headers=headers)
        name = f"{done.topic}/{done.partition}/{done.offset}"
        return Outcome(detail=f"record {name}", link=f"kafka:{name}")

    async def _value(self, request: KafkaRequest) -> bytes:
        if request.registry is None:
            return request.content.encode()
        schemas = self._registries.get(request.registry)
        if schemas is None:
            schemas = Schemas(request.registry, self.ctx.secrets, self.ctx.sessions)
            self._registries[request.registry] = schemas
        try:
            return await schemas.encode(request.payload, request.schema)
        except NotAvro as exc:
            raise Permanent(f"schema {request.schema}: {exc}") from exc

    async def _headers(self, request: KafkaRequest, firing: str) -> list[tuple[str, bytes]]:
        read = self.ctx.secrets.read
        found = request.headers | {name: await read(ref) for name, ref in request.secure.items()}
        return [(name, as_bytes(text)) for name, text in ({FIRING_HEADER: firing} | found).items()]


def brokers_of(cfg: KafkaConfig) -> Brokers:
    """Raises ExpressionError."""
    try:
        return Brokers.of(cfg.url, cfg.tls, cfg.sasl)
    except Permanent as exc:
        raise ExpressionError(str(exc), cfg.url) from exc


def sending_of(cfg: KafkaConfig) -> Sending:
    """Raises ExpressionError."""
    acks = ACKS.get(cfg.required_acks)
    if acks is None:
        raise ExpressionError("requiredAcks has to be -1 (all replicas) or 1", str(cfg.required_acks))
    return Sending(acks, "snappy" if cfg.compress else None, max(0, cfg.flush_frequency))


def registry_of(cfg: KafkaConfig) -> Registry | None:
    """Raises ExpressionError."""
    if cfg.schema_registry is None:
        return None
    try:
        return Registry.of(cfg.schema_registry)
    except ValueError as exc:
        raise ExpressionError(str(exc), cfg.schema_registry.url) from exc
