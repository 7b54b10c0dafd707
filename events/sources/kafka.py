"""kafka: records of one Kafka topic.

Spec      EventSource.spec.kafka.<eventName>
Payload   {topic, key, partition, body, timestamp, headers, metadata}
Delivery  at least once: an offset is committed (or, without a group, stored with the event) only after
          the bus has stored the event; the offset makes a second reading harmless
Upstream  pkg/eventsources/sources/kafka/start.go
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pydantic import Field

from events.api.common import (
    AWSMSKIAM,
    SASL,
    Int64,
    KafkaConsumerGroup,
    NonEmpty,
    Problem,
    SchemaRegistry,
    check_choice,
    check_tls,
)
from events.api.eventsource import BrokerSourceConfig


class KafkaConfig(BrokerSourceConfig):
    """One topic, as a member of a consumer group or one partition alone."""

    url: NonEmpty = Field(description="brokers, each host:port, separated by commas")
    topic: NonEmpty = Field(description="topic to read")
    partition: str = Field("", description='partition to read without a group, as text: "0"')
    consumer_group: KafkaConsumerGroup | None = Field(None, description="group to read as a member of")
    limit_events_per_second: Int64 = Field(0, description="at most so many events a second; 0 is no limit")
    version: str = Field("", description="protocol version; has no effect, it is negotiated")
    sasl: SASL | None = Field(None, description="SASL login")
    aws_msk_iam_auth: AWSMSKIAM | None = Field(
        None, description="login to Amazon MSK with IAM; wins over sasl"
    )
    config: str = Field("", description="further settings of the client, as YAML text")
    schema_registry: SchemaRegistry | None = Field(None, description="decodes Avro values; needs jsonBody")

    def problems(self) -> Iterable[Problem]:
        """A group or a partition; whole certificates."""
        yield from self._place()
        yield from check_tls(self.tls)
        if self.consumer_group:
            strategies = ("range", "roundrobin", "sticky")
            given, field = self.consumer_group.rebalance_strategy, "consumerGroup.rebalanceStrategy"
            yield from check_choice(given, field, strategies, "warning")

    def _place(self) -> Iterator[Problem]:
        if not (self.consumer_group or self.partition):
            hint = "as in consumerGroup: {groupName: NAME}"
            yield Problem("", "has neither consumerGroup nor partition", hint, "required")
        if self.partition and not self.consumer_group and not re.fullmatch(r"[+-]?[0-9]+", self.partition):
            yield Problem("partition", f"not a number: {self.partition!r}", 'as in partition: "0"')
