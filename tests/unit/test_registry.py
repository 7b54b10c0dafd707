from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from events import registry
from events.errors import ManifestError, MissingExtra, UnknownKind
from events.registry import (
    adapter_class,
    config_class,
    event_type,
    is_kind,
    module_name,
    source_kinds,
    trigger_kinds,
)


@pytest.mark.parametrize(
    ("group", "kind", "module"),
    [
        ("sources", "redisStream", "events.sources.redis_stream"),
        ("sources", "azureEventsHub", "events.sources.azure_events_hub"),
        ("sources", "bitbucketserver", "events.sources.bitbucketserver"),
        ("sources", "s3", "events.sources.s3"),
        ("triggers", "k8s", "events.triggers.k8s"),
        ("triggers", "openWhisk", "events.triggers.open_whisk"),
    ],
)
def test_module_of_a_kind(group: Any, kind: str, module: str) -> None:
    assert module_name(group, kind) == module


@pytest.mark.parametrize(
    ("group", "kind", "name"),
    [
        ("sources", "redisStream", "RedisStreamConfig"),
        ("sources", "sqs", "SQSConfig"),
        ("triggers", "http", "HTTPConfig"),
        ("triggers", "awsLambda", "AWSLambdaConfig"),
    ],
)
def test_config_class_whatever_the_case_of_its_letters(group: Any, kind: str, name: str) -> None:
    assert config_class(group, kind).__name__ == name


def test_every_kind_has_a_config_class() -> None:
    for kind in source_kinds():
        config_class("sources", kind)
    for kind in trigger_kinds():
        config_class("triggers", kind)


def test_triggers_come_in_the_order_in_which_upstream_looks_for_them() -> None:
    assert trigger_kinds()[:4] == ("k8s", "argoWorkflow", "http", "awsLambda")
    assert trigger_kinds()[-2:] == ("log", "email")
    assert len(trigger_kinds()) == 14


def test_event_types() -> None:
    assert {kind: event_type(kind) for kind in source_kinds() if event_type(kind) != kind} == {
        "pubSub": "pubsub",
        "storageGrid": "storagegrid",
    }


def test_an_unknown_kind() -> None:
    assert not is_kind("sources", "http")
    assert not is_kind("sources", "Webhook")
    with pytest.raises(UnknownKind, match="no source of kind 'nope'"):
        config_class("sources", "nope")


def plant(monkeypatch: pytest.MonkeyPatch, kind: str, **members: Any) -> None:
    """A module of another distribution that declares the source kind."""
    module = ModuleType("other_distribution")
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    entry = importlib.metadata.EntryPoint(kind, module.__name__, "events_trigger.sources")
    found = {"events_trigger.sources": [entry]}
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: found.get(group, []))
    registry._others.cache_clear()
    monkeypatch.setattr(registry, "_others", registry._others.__wrapped__)


class CarrierPigeonConfig:
    pass


class CarrierPigeonSource:
    extra = None
    requires = ()


def test_kinds_of_other_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(
        monkeypatch,
        "carrierPigeon",
        CarrierPigeonConfig=CarrierPigeonConfig,
        CarrierPigeonSource=CarrierPigeonSource,
    )
    assert source_kinds()[-1] == "carrierPigeon"
    assert is_kind("sources", "carrierPigeon")
    assert config_class("sources", "carrierPigeon") is CarrierPigeonConfig
    assert adapter_class("sources", "carrierPigeon") is CarrierPigeonSource
    assert not is_kind("triggers", "carrierPigeon")


def test_other_distributions_cannot_replace_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "webhook", WebhookConfig=CarrierPigeonConfig)
    assert config_class("sources", "webhook") is not CarrierPigeonConfig
    assert source_kinds().count("webhook") == 1


def test_no_adapter_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "pigeon", PigeonConfig=CarrierPigeonConfig)
    assert adapter_class("sources", "pigeon") is None


@pytest.mark.parametrize("name", ["no_such_library_at_all", "no_such_package.part", "json.no_such_part"])
def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    class PigeonSource:
        extra = "pigeon"
        requires = ("json", name)

    plant(monkeypatch, "pigeon", PigeonSource=PigeonSource)
    with pytest.raises(MissingExtra, match=r"pip install 'events-trigger\[pigeon\]'"):
        adapter_class("sources", "pigeon")


def test_a_library_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    class PigeonSource:
        extra = "pigeon"
        requires = ("json", "email.mime")

    plant(monkeypatch, "pigeon", PigeonSource=PigeonSource)
    assert adapter_class("sources", "pigeon") is PigeonSource


def test_a_module_without_config(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "pigeon")
    with pytest.raises(ManifestError, match="has no class pigeonConfig"):
        config_class("sources", "pigeon")


def test_a_module_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "pigeon")
    monkeypatch.delitem(sys.modules, "other_distribution")
    with pytest.raises(ManifestError, match="pigeon: cannot import other_distribution"):
        config_class("sources", "pigeon")


def test_importing_the_registry_imports_nothing_heavy() -> None:
    code = "import sys, events.registry; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"pydantic", "yaml", "importlib.metadata"} & set(loaded.split())
    assert [name for name in loaded.split() if name.startswith(("events.sources", "events.triggers"))] == []
