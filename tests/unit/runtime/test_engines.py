"""Which engine a manifest or a URL means, and what is said when it means none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from events.api.eventbus import EventBus
from events.bus.embedded import EmbeddedBus
from events.bus.kafka_topics import Creation
from events.bus.memory import MemoryBus
from events.bus.retention import Retention
from events.clients.secrets import LocalSecrets
from events.errors import ManifestError, MissingExtra, Permanent
from events.runtime import engines
from events.runtime.engines import ENGINES, Engine, Means, choose, make, of_url
from events.runtime.folder import DataFolder


def bus(**spec: Any) -> EventBus:
    return EventBus.model_validate({"metadata": {"name": "default"}, "spec": spec})


def means(tmp_path: Path, **given: Any) -> Means:
    return Means(DataFolder(tmp_path), lambda _: LocalSecrets(dict, environ={}), **given)


@pytest.mark.parametrize(
    ("manifest", "engine", "notice"),
    [
        (None, "embedded", ""),
        (bus(jetstream={"version": "latest"}), "embedded", "jetstream runs on the embedded bus here"),
        (bus(nats={"native": {}}), "embedded", "nats.native runs on the embedded bus here"),
        (bus(jetstreamExotic={"url": "nats://nats:4222"}), "jetstream", ""),
        (bus(kafka={"url": "kafka:9092"}), "kafka", ""),
        (bus(kafka={"url": "kafka:9092"}, jetstreamExotic={"url": "nats://nats:4222"}), "kafka", ""),
    ],
)
def test_a_manifest_names_its_engine(manifest: EventBus | None, engine: str, notice: str):
    choice = choose(manifest)
    assert (choice.engine, choice.notice) == (engine, notice)


def test_nats_streaming_is_refused_with_what_to_write_instead():
    with pytest.raises(ManifestError, match=r"jetstreamExotic, or kafka") as caught:
        choose(bus(nats={"exotic": {"url": "nats://stan:4222", "clusterID": "stan"}}))
    assert caught.value.field == "spec.nats.exotic"


@pytest.mark.parametrize(
    ("url", "engine"),
    [
        ("memory:", "memory"),
        ("file:/var/lib/bus", "embedded"),
        ("file:///var/lib/bus", "embedded"),
        ("nats://nats:4222", "jetstream"),
        ("nats://a:4222,nats://b:4222", "jetstream"),
        ("tls://user:secret@nats:4222", "jetstream"),
        ("kafka://a:9092,b:9092", "kafka"),
        ("kafka://[::1]:9092", "kafka"),
    ],
)
def test_a_url_names_its_engine_and_wins_over_the_manifest(url: str, engine: str):
    assert choose(bus(nats={"exotic": {"url": "x", "clusterID": "y"}}), url).engine == engine


@pytest.mark.parametrize(
    "url",
    [
        "", "memory", "memory:x", "file:", "nats:", "nats://", "nats://nats:port", "nats://nats:99999",
        "nats://nats:0", "kafka://a:9092,:9093", "redis://redis:6379", "http://u:secret@host",
        "nats://user:secret@", "nats://user:secret@host:port",
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_bus_is_refused_without_its_secrets(url: str):
    with pytest.raises(ManifestError, match="is not the URL of a bus; write memory:, file:FOLDER") as caught:
        of_url(url)
    assert "secret" not in str(caught.value)


def test_the_same_settings_are_equal_and_edited_ones_are_not():
    one = choose(bus(jetstreamExotic={"url": "nats://nats:4222"}))
    assert one == choose(bus(jetstreamExotic={"url": "nats://nats:4222"}))
    assert one != choose(bus(jetstreamExotic={"url": "nats://nats:4222", "streamConfig": "maxAge: 1h"}))
    assert one != choose(bus(kafka={"url": "nats:4222"}))


async def test_embedded_buses_lie_in_the_data_folder_or_in_the_folder_of_the_url(tmp_path: Path):
    folder = tmp_path / "elsewhere"
    lent = means(tmp_path / "data", retention=Retention(max_bytes=10**6))
    for choice, file in (
        (choose(None), tmp_path / "data" / "bus" / "ci.main.sqlite"),
        (of_url(f"file:{folder}"), folder / "ci.main.sqlite"),
    ):
        made = make(choice, "ci", "main", lent)
        assert isinstance(made, EmbeddedBus)
        assert (made.name, made.shards) == ("ci/main", 1)
        await made.open()
        await made.aclose()
        assert file.is_file()


def test_the_number_of_shards_can_be_chosen(tmp_path: Path):
    made = make(of_url("memory:"), "ci", "main", means(tmp_path, shards=3))
    assert isinstance(made, MemoryBus)
    assert made.shards == 3


@pytest.mark.parametrize("annotation", ["true", "false", None])
def test_an_annotation_shares_the_topic_of_kafka_with_argo_events(tmp_path: Path, annotation: str | None):
    annotations = {} if annotation is None else {"events-trigger/shared-with-argo-events": annotation}
    plain = bus(kafka={"url": "kafka:9092"})
    manifest = EventBus.model_validate(
        {"metadata": {"name": "default", "annotations": annotations}, "spec": plain.spec}
    )
    made: Any = make(choose(manifest), "ci", "main", means(tmp_path))
    assert made._wire.shared == (annotation == "true")
    assert (choose(manifest) == choose(plain)) == (annotation != "true"), "the bus has to be made anew"


@pytest.mark.parametrize("settings", [bus(kafka={"url": "kafka:9092"}), "kafka://kafka:9092"])
def test_topics_are_made_with_the_retention_or_not_at_all(tmp_path: Path, settings: EventBus | str):
    choice = of_url(settings) if isinstance(settings, str) else choose(settings)
    made: Any = make(choice, "ci", "main", means(tmp_path, retention=Retention(max_age=3600.0)))
    assert made._creation == Creation(keep=3600.0)
    looking: Any = make(choice, "ci", "main", means(tmp_path, create=False))
    assert looking._creation is None


def test_a_name_that_cannot_be_a_file_is_refused(tmp_path: Path):
    with pytest.raises(Permanent, match="cannot be the name of a bus"):
        make(choose(None), "ci", "../main", means(tmp_path))


def test_an_engine_whose_library_is_missing_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    engine = Engine(engines.make_memory, shared=True, extra="nats", requires="no_such_library")
    monkeypatch.setitem(ENGINES, "jetstream", engine)
    with pytest.raises(MissingExtra, match=r"the jetstream bus needs an extra: .*events-trigger\[nats\]"):
        make(of_url("nats://nats:4222"), "ci", "main", means(tmp_path))
