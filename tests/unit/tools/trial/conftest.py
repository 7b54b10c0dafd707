"""Manifests for trials: a sensor with one trigger, and what tests change about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from events.event import Event
from events.tools.trial.manifests import Setup, load_setup

NOW = 1_768_467_600_000_000_000
"""2026-01-15T09:00:00Z"""


def dependency(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "eventSourceName": "hook", "eventName": name, **more}


def trigger(name: str = "call", conditions: str = "", **more: Any) -> dict[str, Any]:
    payload = [{"src": {"dependencyName": "a", "dataKey": "n", "value": "none"}, "dest": "n"}]
    template = {"name": name, "conditions": conditions, "http": {"url": "http://x", "payload": payload}}
    template.update(more.pop("template", {}))
    return {"template": template, **more}


def sensor(
    name: str = "s", dependencies: list[Any] | None = None, triggers: list[Any] | None = None, **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Sensor",
        "metadata": {"name": name},
        "spec": {
            "dependencies": dependencies or [dependency("a")],
            "triggers": triggers or [trigger()],
            **spec,
        },
    }


def source(expression: str = "", bus: str = "") -> dict[str, Any]:
    endpoint: dict[str, Any] = {"endpoint": "/a", "port": "12000", "method": "POST"}
    if expression:
        endpoint["filter"] = {"expression": expression}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "EventSource",
        "metadata": {"name": "hook"},
        "spec": {"eventBusName": bus, "webhook": {"a": endpoint}},
    }


def event(name: str = "a", number: Any = 1, identifier: str = "") -> Event:
    data = orjson.dumps({"n": number})
    return Event(identifier or f"{name}{number}", "hook", name, "webhook", NOW, data)


class Made:
    """The makers above, for tests: they cannot import this file."""

    NOW = NOW
    dependency = staticmethod(dependency)
    trigger = staticmethod(trigger)
    sensor = staticmethod(sensor)
    source = staticmethod(source)
    event = staticmethod(event)


@pytest.fixture
def made() -> type[Made]:
    return Made


Load = Callable[..., Setup]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_objects(*objects: Any) -> Setup:
        file = tmp_path / "manifests.yaml"
        file.write_bytes(b"\n---\n".join(map(orjson.dumps, objects)))
        return load_setup([file])

    return load_objects
