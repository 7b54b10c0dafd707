from __future__ import annotations

from typing import Any

import pytest

from events.api.eventbus import EventBusSpec
from events.manifest.decode import decode

URL = "nats://nats:4222"


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ({"nats": {"native": {}}}, []),
        ({"nats": {"native": {"replicas": 1, "auth": "token", "maxAge": "72h"}}}, []),
        ({"nats": {"exotic": {"url": URL, "clusterID": "c"}}}, []),
        ({"jetstream": {"version": "latest", "replicas": 5}}, []),
        ({"jetstreamExotic": {"url": URL, "tls": {}}}, []),
        ({"kafka": {"url": "kafka:9092"}}, []),
        ({}, [("", "required")]),
        ({"nats": {}}, [("nats", "choice")]),
        ({"nats": {"native": {}, "exotic": {"url": URL, "clusterID": "c"}}}, [("nats", "choice")]),
        ({"nats": {"exotic": {"url": URL}}}, [("nats.exotic.clusterID", "required")]),
        ({"nats": {"exotic": {"clusterID": "c"}}}, [("nats.exotic.url", "required")]),
        ({"nats": {"native": {"auth": "basic"}}}, [("nats.native.auth", "choice")]),
        ({"nats": {"native": {"maxAge": "3d"}}}, [("nats.native.maxAge", "duration")]),
        ({"jetstream": {"version": ""}}, [("jetstream.version", "required")]),
        ({"jetstream": {"version": "latest", "replicas": 2}}, [("jetstream.replicas", "choice")]),
        ({"jetstream": {"version": "latest", "replicas": 0}}, [("jetstream.replicas", "choice")]),
        ({"kafka": {}}, [("kafka.url", "required")]),
        (
            {"kafka": {"url": "k", "sasl": {"mechanism": "X"}}},
            [("kafka.sasl.mechanism", "choice"), ("kafka.sasl", "required")],
        ),
        ({"jetstreamExotic": {"url": ""}}, [("jetstreamExotic.url", "required")]),
    ],
)
def test_rules(raw: dict[str, Any], found: list[tuple[str, str]]) -> None:
    made = decode(EventBusSpec, raw)
    assert found == ([(p.field, p.code) for p in made] if isinstance(made, list) else [])


def test_the_first_of_several_buses_counts() -> None:
    spec = EventBusSpec.model_validate({"kafka": {"url": "k"}, "jetstream": {"version": "latest"}})
    assert spec.kinds == ["jetstream", "kafka"]
    assert [(p.field, p.code) for p in spec.problems()] == [("kafka", "ignored")]
