"""kafka source: what needs no broker."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from events.api.common import Problem
from events.sources._kafka_partition import Kept, kept_place, stored_offset
from events.sources.kafka import KafkaConfig, KafkaSource, go_time
from events.testing.sources import rigged

BASE = {"url": "kafka:9092", "topic": "t", "partition": "0"}


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (1784376000123, "2026-07-18 12:00:00.123 +0000 UTC"),
        (1784376000120, "2026-07-18 12:00:00.12 +0000 UTC"),
        (1784376000000, "2026-07-18 12:00:00 +0000 UTC"),
        (0, "1970-01-01 00:00:00 +0000 UTC"),
        (-1, "0001-01-01 00:00:00 +0000 UTC"),
    ],
)
def test_times_as_go_prints_them(milliseconds: int, text: str):
    assert go_time(milliseconds) == text


def problems(config: str) -> list[Problem]:
    return list(KafkaConfig.model_validate({**BASE, "config": config}).problems())


def test_settings_without_equivalent_are_a_warning():
    [found] = problems("net: {maxOpenRequests: 5}")
    assert (found.field, found.severity) == ("config", "warning")
    assert "net.maxOpenRequests has no equivalent here" in found.message


def test_settings_that_are_no_yaml_are_a_warning():
    [found] = problems("a: [")
    assert (found.field, found.severity) == ("config", "warning")
    assert not problems("consumer: {fetch: {min: 1}}")


def test_neither_group_nor_partition():
    with pytest.raises(ValidationError, match="has neither consumerGroup nor partition"):
        KafkaConfig.model_validate({"url": "kafka:9092", "topic": "t"})


def test_a_cursor_is_of_one_place():
    from aiokafka import TopicPartition

    stored = stored_offset(TopicPartition("t", 3), 41, 1784376000123)
    assert kept_place(stored, "t", 3) == Kept(41, 1784376000123)
    assert kept_place(stored, "t", 2) is None
    assert kept_place(stored, "u", 3) is None
    assert kept_place(None, "t", 3) is None


@pytest.mark.parametrize(
    ("place", "alone"), [({"partition": "0"}, True), ({"consumerGroup": {"groupName": "g"}}, False)]
)
async def test_a_partition_is_read_by_one_process_and_a_group_by_all(place: dict[str, object], alone: bool):
    async with rigged() as rig:
        cfg = KafkaConfig.model_validate({"url": "kafka:9092", "topic": "t", **place})
        assert KafkaSource(cfg, rig.context()).leader_only is alone
