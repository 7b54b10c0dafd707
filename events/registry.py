"""Which kinds of sources and triggers there are, and where the module of each lies.

Names     spec key `redisStream` = module `redis_stream` = classes `RedisStreamConfig` and
          `RedisStreamSource`; the case of letters in class names is free (`SQSConfig`)
Others    a distribution adds kinds with entry points in the groups `events_trigger.sources` and
          `events_trigger.triggers`: name = spec key, value = module with the two classes
Imports   a module is imported when one of its classes is asked for, never before
"""

from __future__ import annotations

import importlib
import re
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from events.errors import ManifestError, MissingExtra, UnknownKind

if TYPE_CHECKING:
    from types import ModuleType

Group: TypeAlias = Literal["sources", "triggers"]

_SOURCES = (
    "amqp", "azureEventsHub", "azureQueueStorage", "azureServiceBus", "bitbucket", "bitbucketserver",
    "calendar", "emitter", "file", "generic", "gerrit", "github", "gitlab", "hdfs", "kafka", "minio",
    "mns", "mqtt", "nats", "nsq", "pubSub", "pulsar", "redis", "redisStream", "resource", "s3", "sftp",
    "slack", "sns", "sqs", "storageGrid", "stripe", "webhook",
)  # fmt: skip

_TRIGGERS = (
    "k8s", "argoWorkflow", "http", "awsLambda", "azureEventHubs", "azureServiceBus", "kafka", "pulsar",
    "nats", "slack", "openWhisk", "custom", "log", "email",
)  # fmt: skip
"""In the order in which upstream looks for them: the first one in a template runs."""

_BUILT_IN: dict[Group, tuple[str, ...]] = {"sources": _SOURCES, "triggers": _TRIGGERS}
_SUFFIX: dict[Group, str] = {"sources": "source", "triggers": "trigger"}

_EVENT_TYPES = {"pubSub": "pubsub", "storageGrid": "storagegrid"}
"""CloudEvent types that differ from the spec key."""


def source_kinds() -> tuple[str, ...]:
    """Spec keys of all event sources, those of other distributions last."""
    return (*_SOURCES, *_others("sources"))


def trigger_kinds() -> tuple[str, ...]:
    """Template keys of all triggers in order of precedence, those of other distributions last."""
    return (*_TRIGGERS, *_others("triggers"))


def event_type(kind: str) -> str:
    """The `type` attribute of the CloudEvents of a source kind."""
    return _EVENT_TYPES.get(kind, kind)


def is_kind(group: Group, kind: str) -> bool:
    """True when the registry knows the kind, with or without an adapter."""
    return kind in _BUILT_IN[group] or kind in _others(group)


def module_name(group: Group, kind: str) -> str:
    """Dotted name of the module of a kind. Raises UnknownKind."""
    if kind in _BUILT_IN[group]:
        return f"events.{group}." + re.sub("([A-Z])", r"_\1", kind).lower()
    if kind in _others(group):
        return _others(group)[kind]
    raise UnknownKind(f"no {_SUFFIX[group]} of kind {kind!r}")


def config_class(group: Group, kind: str) -> type[Any]:
    """The config model of a kind. Raises UnknownKind; ManifestError for a module that is broken."""
    found = _class(group, kind, "config")
    if found is None:
        raise ManifestError(f"module {module_name(group, kind)} has no class {kind}Config")
    return found


def adapter_class(group: Group, kind: str) -> type[Any] | None:
    """The adapter of a kind, None while there is none.

    Raises UnknownKind, MissingExtra when a library it declares in `requires` is not installed, and
    ManifestError for a module that is broken.
    """
    found = _class(group, kind, _SUFFIX[group])
    if found is None:
        return None
    if found.extra and not all(map(_importable, found.requires)):
        raise MissingExtra(kind, found.extra)
    return found


def _class(group: Group, kind: str, suffix: str) -> type[Any] | None:
    wanted = f"{kind}{suffix}".lower()
    for name, value in vars(_module(group, kind)).items():
        if isinstance(value, type) and name.lower() == wanted:
            return value
    return None


def _module(group: Group, kind: str) -> ModuleType:
    name = module_name(group, kind)
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise ManifestError(f"{kind}: cannot import {name}: {exc}") from exc


def _importable(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the package that a dotted name lies in
        return False


@cache
def _others(group: Group) -> dict[str, str]:
    from importlib.metadata import entry_points  # slow to import, and hardly ever needed

    found = entry_points(group=f"events_trigger.{group}")
    return {entry.name: entry.value for entry in found if entry.name not in _BUILT_IN[group]}
