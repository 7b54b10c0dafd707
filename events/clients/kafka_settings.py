"""Settings of Argo Events' Kafka client (the Go struct sarama.Config, as YAML) as arguments of aiokafka.

Names     paths with dots where upper and lower case are the same, as in `consumer.fetch.min`
Durations numbers are nanoseconds; text is as in 500ms
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from events.errors import EvaluationError, ExpressionError
from events.lang.duration import parse_duration
from events.lang.yamldata import yaml_to_json


def whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("is not a whole number")
    return value


def milliseconds(value: Any) -> int:
    nanoseconds = parse_duration(value) if isinstance(value, str) else whole(value)
    return max(1, nanoseconds // 1_000_000)


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is not text")
    return value


def isolation(value: Any) -> str:
    return "read_committed" if whole(value) else "read_uncommitted"


CONSUMER: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "clientid": ("client_id", text),
    "consumer.fetch.default": ("max_partition_fetch_bytes", whole),
    "consumer.fetch.max": ("fetch_max_bytes", whole),
    "consumer.fetch.min": ("fetch_min_bytes", whole),
    "consumer.group.heartbeat.interval": ("heartbeat_interval_ms", milliseconds),
    "consumer.group.instanceid": ("group_instance_id", text),
    "consumer.group.rebalance.timeout": ("rebalance_timeout_ms", milliseconds),
    "consumer.group.session.timeout": ("session_timeout_ms", milliseconds),
    "consumer.isolationlevel": ("isolation_level", isolation),
    "consumer.maxwaittime": ("fetch_max_wait_ms", milliseconds),
    "consumer.retry.backoff": ("retry_backoff_ms", milliseconds),
    "metadata.refreshfrequency": ("metadata_max_age_ms", milliseconds),
    "net.readtimeout": ("request_timeout_ms", milliseconds),
    "rackid": ("client_rack", text),
}
"""What has an equivalent, and what makes its value."""


class Settings(NamedTuple):
    """Arguments of aiokafka, and what could not be followed: setting and reason."""

    arguments: dict[str, Any]
    problems: list[tuple[str, str]]


def consumer_settings(config: str) -> Settings:
    """What the YAML text says for a consumer. Raises ValueError for text that is no mapping in YAML."""
    found = Settings({}, [])
    for path, value in flat(parsed(config)):
        known = CONSUMER.get(path.lower())
        if known is None:
            found.problems.append((path, "has no equivalent here and is not used"))
            continue
        name, made = known
        try:
            found.arguments[name] = made(value)
        except (ValueError, ExpressionError) as exc:
            found.problems.append((path, f"{exc}, and is not used"))
    return found


def parsed(config: str) -> Mapping[str, Any]:
    """Raises ValueError."""
    try:
        made = orjson.loads(yaml_to_json(config.encode())) if config.strip() else {}
    except (EvaluationError, orjson.JSONDecodeError) as exc:
        raise ValueError(str(exc)) from exc
    if not isinstance(made, dict):
        raise ValueError("is not a mapping")
    return made


def flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Paths and values."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
