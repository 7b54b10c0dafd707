"""Files or decoded objects to validated manifests and findings.

Everything that is wrong is told at once: a broken document, object or event hides no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from events.api.common import API_VERSION, Envelope
from events.api.eventbus import EventBus
from events.api.eventsource import EventSource
from events.api.model import Holder, Problem, Severity, walk
from events.api.origin import Key, Origin, dotted
from events.api.sensor import Sensor
from events.errors import ManifestError
from events.manifest.decode import decode, warnings
from events.manifest.files import File, read_files
from events.manifest.findings import Finding, Manifests, Report
from events.manifest.identity import Identity, identify
from events.manifest.kinds import Configs, read_events, read_triggers
from events.manifest.plain import config_map_data, secret_data
from events.manifest.tidy import tidy
from events.manifest.yamltext import MAX_DEPTH, is_deeper, read_documents

GROUP = API_VERSION.partition("/")[0]
KINDS = ("EventSource", "Sensor", "EventBus")

SURROGATE = re.compile("[\ud800-\udfff]")

Kind = TypeVar("Kind", bound=Envelope)


def load(
    paths: Sequence[str | Path], *, namespace: str = "default", stdin: BinaryIO | None = None
) -> Manifests:
    """All manifests in the files and folders. "-" is standard input.

    `namespace` is that of objects that name none. Raises nothing for bad input: see `findings`.
    """
    loading = _Loading(namespace)
    for file in read_files(paths, stdin):
        if isinstance(file, ManifestError):
            loading.unreadable(file, file.file)
        else:
            loading.file(file)
    return loading.manifests


def load_objects(objects: Iterable[dict[str, Any]], *, namespace: str = "default") -> Manifests:
    """As `load`, for objects that are decoded already, as from an API server."""
    loading = _Loading(namespace)
    for item in objects:
        if is_deeper(item, MAX_DEPTH):
            loading.unreadable(ManifestError(f"nests deeper than {MAX_DEPTH} levels"), None)
        else:
            loading.document(item, Origin())
    return loading.manifests


@dataclass(slots=True)
class _Loading:
    """One call of `load`."""

    namespace: str
    manifests: Manifests = field(default_factory=Manifests)
    known: dict[Identity, tuple[Origin, Any]] = field(default_factory=dict)

    def unreadable(self, error: ManifestError, file: str | None) -> None:
        code = "unreadable" if error.line is None else "yaml"
        self.manifests.findings.append(Finding("error", code, file, error.line, "", error.message))

    def file(self, file: File) -> None:
        for document in read_documents(file.data):
            if isinstance(document, ManifestError):
                self.unreadable(document, file.name)
            else:
                self.document(document.value, Origin(file.name, document.lines), chosen=file.chosen)
                self.manifests.findings += (
                    Finding("warning", "duplicate-key", file.name, line, "", message)
                    for line, message in document.doubts
                )

    def document(self, raw: Any, origin: Origin, *, chosen: bool = True) -> None:
        """One document: an object, or a list of objects. In folders, other YAML is only doubtful."""
        report = Report(origin)
        if not _is_object(raw):
            hint = "a manifest has apiVersion and kind"
            severity: Severity = "error" if chosen else "warning"
            report.add(Problem("", "is not a Kubernetes object", hint, "not-an-object", severity))
        elif raw["kind"].endswith("List") and isinstance(raw.get("items"), list):
            lines = origin.lines.inner.get("items") if origin.lines else None
            for index, item in enumerate(raw["items"]):
                self.document(item, Origin(origin.file, lines.inner.get(index) if lines else None))
        else:
            self._object(raw, report)
        self.manifests.findings += sorted(report.findings, key=lambda finding: finding.line or 0)

    def _object(self, raw: dict[str, Any], report: Report) -> None:
        kind, version = raw["kind"], raw["apiVersion"]
        core = version == "v1" and kind in ("Secret", "ConfigMap")
        ours = kind in KINDS and version.partition("/")[0] == GROUP
        if not (core or ours):
            self.manifests.objects.append(raw)
            self.manifests.origins.append(report.origin)
            return
        identity = identify(raw, self.namespace)
        if isinstance(identity, Problem):
            report.object = kind
            report.add(identity)
            return
        report.object = str(identity)
        if self._is_new(identity, raw, report):
            self._data(identity, raw, report) if core else self._ours(identity, raw, report)
        if report.failed:
            self.manifests.broken.add(identity)

    def _is_new(self, identity: Identity, raw: dict[str, Any], report: Report) -> bool:
        """False for an object that was there already; that is an error unless it is the same."""
        if identity not in self.known:
            self.known[identity] = report.origin, raw
            return True
        before, same = self.known[identity]
        place = f"{before.file}:{before.line()}" if before.file else "before"
        severity: Severity = "warning" if same == raw else "error"
        hint = "rename or remove one of them"
        report.add(Problem("metadata.name", f"is there already: {place}", hint, "duplicate-object", severity))
        return False

    def _data(self, identity: Identity, raw: dict[str, Any], report: Report) -> None:
        name = (identity.namespace, identity.name)
        if identity.kind == "Secret":
            if (secret := secret_data(raw, report)) is not None:
                self.manifests.secrets[name] = secret
        elif (config_map := config_map_data(raw, report)) is not None:
            self.manifests.config_maps[name] = config_map

    def _ours(self, identity: Identity, raw: dict[str, Any], report: Report) -> None:
        if raw["apiVersion"] != API_VERSION:
            said = f"unknown version {raw['apiVersion']!r}"
            report.add(Problem("apiVersion", said, f"write apiVersion: {API_VERSION}", "version"))
            return
        if (path := half_character(raw)) is not None:
            said = "holds half of a surrogate pair, which is no character"
            report.add(Problem(dotted(path), said, "write the character itself", "not-unicode"))
            return
        raw = {**raw, "metadata": {**raw["metadata"], "namespace": identity.namespace}}
        if identity.kind == "EventSource":
            _keep(self.manifests.event_sources, _envelope(EventSource, raw, report))
        elif identity.kind == "Sensor":
            _keep(self.manifests.sensors, _envelope(Sensor, raw, report))
        else:
            _keep(self.manifests.event_buses, _envelope(EventBus, raw, report))


def half_character(raw: Any) -> tuple[Key, ...] | None:
    """Where a key or a text is not Unicode: nothing could store or send it."""
    unread: list[tuple[Any, tuple[Key, ...]]] = [(raw, ())]
    while unread:
        value, path = unread.pop()
        if isinstance(value, str):
            if not value.isascii() and SURROGATE.search(value):
                return path
        elif isinstance(value, dict):
            if any(isinstance(key, str) and SURROGATE.search(key) for key in value):
                return path
            unread += [(inner, (*path, key)) for key, inner in value.items()]
        elif isinstance(value, list):
            unread += [(inner, (*path, index)) for index, inner in enumerate(value)]
    return None


def _is_object(raw: Any) -> bool:
    return isinstance(raw, dict) and all(isinstance(raw.get(key), str) for key in ("apiVersion", "kind"))


def _keep(objects: list[Kind], made: Kind | None) -> None:
    if made is not None:
        objects.append(made)


def _envelope(model: type[Kind], raw: dict[str, Any], report: Report) -> Kind | None:
    """The model of an object, None when there is any error about it."""
    tidied, problems = tidy(model, raw, report.origin.lines)
    for problem in problems:
        report.add(problem)
    configs = _configs(tidied, report)
    made = decode(model, tidied)
    if isinstance(made, list):
        for problem in made:
            report.add(problem)
        return None
    made.attach_origin(report.origin)
    _attach(made, configs)
    for problem in warnings(made):
        report.add(problem)
    return None if report.failed else made


def _configs(raw: dict[str, Any], report: Report) -> Configs:
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        return {}
    if raw["kind"] == "EventSource":
        return read_events(spec, report)
    return read_triggers(spec, report) if raw["kind"] == "Sensor" else {}


def _attach(made: Envelope, configs: Configs) -> None:
    """Put the configs where the models look for them."""
    for path, inner in list(walk(made)):
        if isinstance(inner, Holder):
            inner.configs.update(
                {at[len(path) :]: config for at, config in configs.items() if at[: len(path)] == path}
            )
