"""Which engine a bus runs on: chosen by its EventBus manifest, or by one URL for all buses.

Manifest  kafka and jetstreamExotic are servers that exist already; jetstream and nats.native are made by
          upstream's controller and run on the embedded bus here, as a namespace without an EventBus does;
          nats.exotic (NATS Streaming) is refused. With the annotation
          `events-trigger/shared-with-argo-events: "true"` kafka or jetstreamExotic is shared with Argo Events
URL       memory:, file:FOLDER, nats://HOST:PORT, tls://HOST:PORT, kafka://HOST:PORT[,HOST:PORT]
Imports   the module of an engine and its client library are imported when a bus of it is made
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from events.bus.retention import Retention
from events.errors import ManifestError, MissingExtra
from events.runtime.folder import DataFolder, bus_file

if TYPE_CHECKING:
    from events.api.eventbus import EventBus
    from events.bus._base import Bus
    from events.clients.secrets import Secrets

log = logging.getLogger(__name__)

SHARDS = 8
"""Of a bus that several processes share, unless told otherwise."""

SHARED_WITH_ARGO_EVENTS = "events-trigger/shared-with-argo-events"
"""Annotation of an EventBus with kafka or jetstreamExotic."""

URLS = "memory:, file:FOLDER, nats://HOST:PORT, tls://HOST:PORT or kafka://HOST:PORT"


class Means(NamedTuple):
    """What a process lends to its buses."""

    folder: DataFolder | None
    secrets: Callable[[str], Secrets]
    """Of a namespace."""
    durability: str = "power"
    retention: Retention = Retention()
    shards: int | None = None
    """None: what fits the engine."""
    create: bool = True
    """Whether what the bus needs on its servers may be made when it is missing."""


class Choice(NamedTuple):
    """An engine and what it is to be made from. `settings` differ when the bus has to be made anew."""

    engine: str
    settings: Any
    notice: str = ""

    @property
    def shared(self) -> bool:
        """Whether several processes may have the bus open."""
        return self.engine in ENGINES and ENGINES[self.engine].shared


class Engine(NamedTuple):
    """How to make a bus. `make` gets (settings, namespace, name, means)."""

    make: Callable[[Any, str, str, Means], Bus]
    shared: bool = False
    extra: str = ""
    requires: str = ""


# choosing


def choose(manifest: EventBus | None, url: str | None = None) -> Choice:
    """Raises ManifestError for a URL or a manifest that names no bus that can be run."""
    if url is not None:
        return of_url(url)
    if manifest is None:
        return Choice("embedded", None)
    kind = manifest.spec.kinds[0] if manifest.spec.kinds else ""
    if kind == "kafka":
        return Choice("kafka", (manifest.spec.kafka, shares_with_argo_events(manifest)))
    if kind == "jetstreamExotic":
        return Choice("jetstream", (manifest.spec.jetstream_exotic, shares_with_argo_events(manifest)))
    if kind == "nats" and manifest.spec.nats is not None and manifest.spec.nats.exotic is not None:
        raise ManifestError(
            "NATS Streaming is not supported: its makers have given it up; name a server with JetStream "
            "under jetstreamExotic, or kafka",
            field="spec.nats.exotic",
        )
    written = "nats.native" if kind == "nats" else kind
    return Choice("embedded", None, f"{written or 'an empty spec'} runs on the embedded bus here")


def shares_with_argo_events(manifest: EventBus) -> bool:
    """Whether Argo Events is on the same bus: then its names and its form of events are used."""
    return (manifest.metadata.annotations or {}).get(SHARED_WITH_ARGO_EVENTS) == "true"


def of_url(url: str) -> Choice:
    """Raises ManifestError, with the URL as far as it is no secret."""
    scheme, mark, rest = url.partition(":")
    if scheme == "memory" and mark and not rest:
        return Choice("memory", None)
    if scheme == "file" and rest:
        return Choice("embedded", Path(rest.removeprefix("//")).absolute())
    if scheme in {"nats", "tls", "kafka"} and named(url):
        return Choice("kafka" if scheme == "kafka" else "jetstream", url)
    raise ManifestError(f"{shown(url)!r} is not the URL of a bus; write {URLS}")


def named(url: str) -> bool:
    """Whether every server of the URL has a host, and a port that is one."""
    if not url.partition("://")[2]:
        return False
    scheme = url.partition("://")[0]
    servers = [one if "://" in one else f"{scheme}://{one}" for one in url.split(",")]
    try:
        return all(parts.hostname and parts.port != 0 for parts in map(urlsplit, servers))
    except ValueError:
        return False


def shown(url: str) -> str:
    """Without what stands before the @ of each server."""
    return ",".join(
        f"{one.partition('://')[0]}://{one.rpartition('@')[2]}" if "@" in one and "://" in one
        else one.rpartition("@")[2]
        for one in url.split(",")
    )  # fmt: skip


# making


def make(choice: Choice, namespace: str, name: str, means: Means) -> Bus:
    """A bus that is not open yet. Raises MissingExtra, ManifestError, Permanent for a name that fits not."""
    engine = ENGINES.get(choice.engine)
    if engine is None:
        raise ManifestError(f"this version has no {choice.engine} bus")
    if engine.requires and find_spec(engine.requires) is None:
        raise MissingExtra(f"the {choice.engine} bus", engine.extra)
    return engine.make(choice.settings, namespace, name, means)


def make_memory(_: Any, namespace: str, name: str, means: Means) -> Bus:
    from events.bus.memory import MemoryBus, MemoryLog

    return MemoryBus(f"{namespace}/{name}", shards=means.shards or 1, log=MemoryLog(means.retention))


def make_embedded(folder: Path | None, namespace: str, name: str, means: Means) -> Bus:
    from events.bus.embedded import EmbeddedBus

    if folder is not None:
        file = bus_file(folder, namespace, name)
    else:
        assert means.folder is not None
        file = means.folder.bus(namespace, name)
    return EmbeddedBus(
        file, f"{namespace}/{name}", shards=means.shards or 1,
        durability="process" if means.durability == "process" else "power", retention=means.retention,
    )  # fmt: skip


def make_kafka(settings: Any, namespace: str, name: str, means: Means) -> Bus:
    from events.bus.kafka import KafkaBus
    from events.bus.kafka_topics import Creation
    from events.clients.kafka import Brokers

    secrets, shards = means.secrets(namespace), means.shards or SHARDS
    creation = Creation(keep=means.retention.max_age) if means.create else None
    if not isinstance(settings, str):
        spec, shared = settings
        return KafkaBus.of(
            spec, namespace, name, secrets=secrets, shards=shards, creation=creation, shared=shared
        )
    return KafkaBus(
        Brokers.of(settings), f"{namespace}-{name}", f"{namespace}/{name}", secrets=secrets, shards=shards,
        creation=creation,
    )  # fmt: skip


def make_jetstream(settings: Any, namespace: str, name: str, means: Means) -> Bus:
    from events.bus import jetstream

    whole, shards = f"{namespace}/{name}", means.shards or SHARDS
    if isinstance(settings, str):
        return jetstream.from_url(settings, whole, shards=shards, create=means.create)
    config, shared = settings
    secrets = means.secrets(namespace)
    return jetstream.from_manifest(config, whole, secrets, shards=shards, shared=shared, create=means.create)


ENGINES: dict[str, Engine] = {
    "memory": Engine(make_memory),
    "embedded": Engine(make_embedded),
    "kafka": Engine(make_kafka, shared=True, extra="kafka", requires="aiokafka"),
    "jetstream": Engine(make_jetstream, shared=True, extra="nats", requires="nats"),
}
"""By name."""
