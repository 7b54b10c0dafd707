"""Fields that upstream has removed or advises against, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from events.api.model import Problem, walk
from events.manifest import Finding
from events.tools.lint.subjects import Index, as_text, warning

if TYPE_CHECKING:
    from events.api.eventbus import EventBus
    from events.api.eventsource import EventSource
    from events.api.sensor import Sensor

_KIND_OF_OBJECT = "remove it: apiVersion and kind of the object say it"
_CONDITIONS = "write the condition into triggers[].template.conditions, as in conditions: a || b"
REMOVED: Final = {
    "spec.circuit": _CONDITIONS,
    "spec.dependencyGroups": _CONDITIONS,
    "spec.triggers.*.template.switch": _CONDITIONS,
    "spec.triggers.*.switch": _CONDITIONS,
    "spec.triggers.*.resourceParameters": "write parameters into the trigger's kind, as in k8s.parameters",
    "spec.triggers.*.templateParameters": "write parameters beside template",
    "spec.triggers.*.template.k8s.group": _KIND_OF_OBJECT,
    "spec.triggers.*.template.k8s.version": _KIND_OF_OBJECT,
    "spec.triggers.*.template.k8s.resource": _KIND_OF_OBJECT,
    "spec.triggers.*.template.argoWorkflow.group": _KIND_OF_OBJECT,
    "spec.triggers.*.template.argoWorkflow.version": _KIND_OF_OBJECT,
    "spec.triggers.*.template.argoWorkflow.resource": _KIND_OF_OBJECT,
    "spec.triggers.*.template.group": _KIND_OF_OBJECT,
    "spec.triggers.*.template.version": _KIND_OF_OBJECT,
    "spec.triggers.*.template.resource": "write template.k8s.source.resource",
    "spec.triggers.*.template.source": "write template.k8s.source",
    "spec.triggers.*.policy.backoff": "write policy.k8s.backoff",
    "spec.triggers.*.policy.state": "write policy.k8s.labels",
    "spec.triggers.*.policy.errorOnBackoffTimeout": "write policy.k8s.errorOnBackoffTimeout",
    "spec.triggers.*.template.http.serverURL": "write url",
    "spec.triggers.*.template.http.timeoutSeconds": "write timeout",
    "spec.dependencies.*.deadlineSeconds": "write conditionsReset into the trigger's template",
    "spec.dependencies.*.connected": "remove it: dependencies are always connected",
    "spec.dependencies.*.gatewayName": "write eventSourceName",
    "spec.dependencies.*.filters.name": "remove it: filters have no name",
    "spec.eventProtocol": "remove it: events come over the EventBus",
    "spec.subscription": "remove it: events come over the EventBus; dependencies name what is wanted",
    "spec.port": "remove it: sensors do not listen",
    "spec.serviceLabels": "write spec.service.metadata.labels",
    "spec.serviceAnnotations": "write spec.service.metadata.annotations",
    "spec.serviceAccountName": "write spec.template.serviceAccountName",
    "spec.replica": "write replicas",
    "spec.type": "remove it: the keys below spec name the kinds of events",
    "spec.*.*.verifyCert": "write insecureSkipVerify into tls",
    "spec.native.antiAffinity": "write affinity",
    "spec.nats.native.antiAffinity": "write affinity",
}
"""Fields that older manifests have and that do nothing any more. A star stands for one or more keys."""

BESIDE: Final = ("retryStrategy", "policy", "rateLimit", "atLeastOnce", "dlqTrigger", "parameters")
"""Fields of a trigger that are written into its `template` by mistake."""


def refined(finding: Finding) -> Finding:
    """A finding about a field without effect, told as what it is: removed, or in the wrong place."""
    if finding.code != "unknown-field":
        return finding
    if (hint := _removed(finding.field)) is not None:
        return replace(finding, code="removed-field", hint=hint)
    *_, parent, name = ("", *finding.field.split("."))
    if parent == "template" and name in BESIDE and ".triggers." in f".{finding.field}":
        said = "has no effect here"
        return replace(finding, code="misplaced-field", message=said, hint="write it beside template")
    return finding


def _removed(field: str) -> str | None:
    known = (hint for pattern, hint in REMOVED.items() if fnmatchcase(field, pattern))
    return next(known, None)


SOURCE_FIELDS: Final = {
    ("github", "owner"): "write repositories: [{owner: OWNER, names: [NAME]}]",
    ("github", "repository"): "write repositories: [{owner: OWNER, names: [NAME]}]",
    ("bitbucket", "owner"): "write repositories: [{owner: OWNER, repositorySlug: NAME}]",
    ("bitbucket", "repositorySlug"): "write repositories: [{owner: OWNER, repositorySlug: NAME}]",
    ("bitbucket", "projectKey"): "remove it: it is not used",
    ("bitbucketserver", "projectKey"): "write repositories: [{projectKey: KEY, repositorySlug: NAME}]",
    ("bitbucketserver", "repositorySlug"): "write repositories: [{projectKey: KEY, repositorySlug: NAME}]",
    ("gitlab", "projectID"): "write projects: [NAME]",
}
TRIGGER_FIELDS: Final = {
    ("kafka", "partition"): "write partitioningKey",
    ("azureServiceBus", "subscriptionName"): "remove it: it is not used",
}


def check_source(source: EventSource, index: Index) -> Iterator[Problem]:
    """Deprecated fields of event sources."""
    for entry in source.spec.events():
        path = ("spec", entry.kind, entry.name)
        for (kind, name), hint in SOURCE_FIELDS.items():
            if kind == entry.kind and isinstance(entry.config, dict) and entry.config.get(name):
                yield warning((*path, name), "deprecated-field", "is deprecated", hint)


def check_sensor(sensor: Sensor, index: Index) -> Iterator[Problem]:
    """Deprecated fields of sensors, and `atLeastOnce: false`."""
    if sensor.spec.error_on_failed_round:
        hint = "remove it"
        yield warning(("spec", "errorOnFailedRound"), "deprecated-field", "has no effect", hint)
    for path, inner in walk(sensor):
        if getattr(inner, "at_least_once", None) is False:
            said = "a crash may lose a firing for good"
            hint = "write atLeastOnce: true, or leave it out: firings are retried and recorded then too"
            yield warning((*path, "atLeastOnce"), "may-lose-firings", said, hint)
        if "template" in path:
            yield from _trigger(path, inner)


def _trigger(path: tuple[str | int, ...], inner: object) -> Iterator[Problem]:
    for (kind, name), hint in TRIGGER_FIELDS.items():
        given = getattr(inner, "model_fields_set", ())
        if path[-2:] == ("template", kind) and _python(name) in given:
            yield warning((*path, name), "deprecated-field", "is not used", hint)


def _python(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def check_bus(bus: EventBus) -> Iterator[Problem]:
    """NATS Streaming has come to its end."""
    if bus.spec.nats is not None:
        said = "NATS Streaming is no longer maintained"
        yield warning(("spec", "nats"), "deprecated-field", said, "write jetstream: {version: latest}")


def check_kind(raw: dict[str, Any]) -> Iterator[Problem]:
    """Kinds of objects that Argo Events had before 1.0."""
    group = as_text(raw.get("apiVersion")).partition("/")[0]
    if raw.get("kind") == "Gateway" and group == "argoproj.io":
        said = "the kind Gateway is gone: nothing reads this object"
        yield warning(("kind",), "removed-field", said, "write an EventSource: it names its events itself")
