"""Settings of sarama as arguments of aiokafka."""

from __future__ import annotations

import pytest

from events.clients.kafka_settings import CONSUMER, consumer_settings

CONFIG = """
ClientID: shop
consumer:
  fetch: {min: 10, Default: 2097152}
  maxWaitTime: 250ms
  isolationLevel: 1
  group:
    session: {timeout: 12s}
    heartbeat: {interval: 3000000000}
"""


def test_names_in_any_case_and_durations_as_text_or_nanoseconds():
    found = consumer_settings(CONFIG)
    assert found.arguments == {
        "client_id": "shop", "fetch_min_bytes": 10, "max_partition_fetch_bytes": 2 << 20,
        "fetch_max_wait_ms": 250, "isolation_level": "read_committed", "session_timeout_ms": 12_000,
        "heartbeat_interval_ms": 3000,
    }  # fmt: skip
    assert found.problems == []


def test_what_has_no_equivalent_is_told():
    found = consumer_settings("net: {MaxOpenRequests: 5}\nconsumer: {fetch: {min: many}, maxWaitTime: -1}")
    assert found.arguments == {}
    assert found.problems == [
        ("consumer.fetch.min", "is not a whole number, and is not used"),
        ("consumer.maxWaitTime", "is not a whole number, and is not used"),
        ("net.MaxOpenRequests", "has no equivalent here and is not used"),
    ]


@pytest.mark.parametrize("config", ["", "  \n", "{}"])
def test_nothing_is_nothing(config: str):
    assert consumer_settings(config) == ({}, [])


@pytest.mark.parametrize("config", ["[1]", "text", "a: [", "a: {b"])
def test_what_is_no_mapping_is_refused(config: str):
    with pytest.raises(ValueError, match=r"not a mapping|YAML"):
        consumer_settings(config)


def test_every_argument_is_known_to_the_library():
    import inspect

    from aiokafka import AIOKafkaConsumer

    known = inspect.signature(AIOKafkaConsumer).parameters
    assert {name for name, _ in CONSUMER.values()} <= known.keys()
