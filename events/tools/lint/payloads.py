"""What the data of events looks like, as far as it is the same for all events of a source kind."""

from __future__ import annotations

import re
from typing import Any, Final

from events.api.model import Problem
from events.api.origin import Path
from events.errors import ManifestError
from events.registry import adapter_class, is_kind
from events.tools.lint.subjects import warning
from events.tools.lint.suggestions import did_you_mean

_HOOK: Final = ("headers", "body")
_FILE: Final = ("name", "op")
_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "amqp": (
        "contentType", "contentEncoding", "deliveryMode", "priority", "correlationId", "replyTo",
        "expiration", "messageId", "timestamp", "type", "appId", "exchange", "routingKey", "body",
    ),
    "azureEventsHub": ("id", "partitionKey", "body"),
    "azureQueueStorage": ("body", "messageID", "insertionTime"),
    "azureServiceBus": (
        "applicationProperties", "body", "contentType", "correlationID", "enqueuedTime", "messageID",
        "replyTo", "sequenceNumber", "subject",
    ),
    "bitbucket": _HOOK, "bitbucketserver": _HOOK, "gerrit": _HOOK, "github": _HOOK, "gitlab": _HOOK,
    "calendar": ("eventTime",),
    "emitter": ("topic", "body"),
    "file": _FILE, "hdfs": _FILE, "sftp": _FILE,
    "generic": ("body",),
    "kafka": ("topic", "key", "partition", "body", "timestamp", "headers"),
    "minio": ("notification",), "s3": ("notification",), "storageGrid": ("notification",),
    "mns": ("messageId", "body"),
    "mqtt": ("topic", "messageId", "body"),
    "nats": ("subject", "body", "header"),
    "nsq": ("body", "timestamp", "nsqdAddress"),
    "pubSub": ("id", "body", "attributes", "publishTime"),
    "pulsar": ("key", "publishTime", "body"),
    "redis": ("channel", "pattern", "body"),
    "redisStream": ("stream", "message_id", "values"),
    "resource": ("type", "body", "oldBody", "group", "version", "resource"),
    "sns": ("header", "body"), "webhook": ("header", "body"),
    "sqs": ("messageId", "messageAttributes", "body"),
    "stripe": ("event",),
}  # fmt: skip
"""Members of the data by kind, besides `metadata`. Slack hands on what it got, whatever that is."""

HEADERS: Final = {
    kind: "header" if kind in ("sns", "webhook") else "headers"
    for kind in ("bitbucket", "bitbucketserver", "gerrit", "github", "gitlab", "sns", "webhook")
}
"""Kinds that get HTTP requests, and the member with the headers: name in Go's spelling -> list of values."""

_FIRST: Final = re.compile(r"([\w-]+)(?:[.|].*)?", re.DOTALL)
_HEADER: Final = re.compile(r"(headers?)\.([\w-]+)(\..*)?", re.DOTALL)


def known_keys(kind: str) -> frozenset[str]:
    """Members that the data of a kind's events may have; empty where anything may be there."""
    keys = frozenset(_KEYS.get(kind, ()))
    return keys | _example(kind).keys() | {"metadata"} if keys else keys


def _example(kind: str) -> dict[str, Any]:
    """The example that an adapter declares."""
    if not is_kind("sources", kind):
        return {}
    try:
        found = getattr(adapter_class("sources", kind), "example", None)
    except ManifestError:
        return {}
    return found if isinstance(found, dict) else {}


def check_path(at: Path, path: str, kind: str) -> Problem | None:
    """A path into the data of events of a kind that finds nothing there, whatever the event."""
    keys, first = known_keys(kind), _FIRST.fullmatch(path)
    if not keys or first is None:
        return None
    if first[1] not in keys:
        return _unknown(at, path, first[1], kind, keys)
    header = _HEADER.fullmatch(path)
    if header and HEADERS.get(kind) == header[1] and header[2] != canonical(header[2]):
        said = f"names of headers are spelled {canonical(header[2])}: this one is never there"
        hint = f"write {header[1]}.{canonical(header[2])}{header[3] or ''}"
        return warning(at, "header-spelling", said, hint)
    return None


def _unknown(at: Path, path: str, first: str, kind: str, keys: frozenset[str]) -> Problem:
    said = f"events of {kind} have no {first!r} at the top of their data"
    hint = did_you_mean(first, sorted(keys))
    if "body" in keys and hint.startswith("there are"):
        hint = f"write body.{path} if it is in the body"
    return warning(at, "unknown-path", said, hint)


def canonical(name: str) -> str:
    """A header's name as Go spells it: X-Github-Event."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def text_paths(kind: str, path: str) -> bool:
    """True for a path that finds text in every event of the kind."""
    header = _HEADER.fullmatch(path)
    if header and HEADERS.get(kind) == header[1]:
        return bool(re.fullmatch(r"\.[0-9]+", header[3] or ""))
    return path in ("topic", "channel", "stream", "name") and path in known_keys(kind)
