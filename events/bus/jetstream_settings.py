"""How the streams of a bus are called and made: from the EventBus, with the defaults of upstream.

Spec      EventBus.spec.jetstreamExotic.streamConfig: YAML text with maxMsgs, maxAge, maxBytes, replicas,
          duplicates, retention, discard (any case)
Upstream  pkg/eventbus/jetstream/base/jetstream.go CreateStream
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import yaml

from events.bus._base import DEDUPE_WINDOW
from events.errors import ExpressionError, Permanent
from events.lang.duration import parse_duration

NS = 10**9
OLD, NEW = "old", "new"
DISCARD = {"0": OLD, "old": OLD, "discardold": OLD, "1": NEW, "new": NEW, "discardnew": NEW}
LIMITS = {"0", "limits", "limitspolicy", ""}

UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")


class StreamSettings(msgspec.Struct, frozen=True):
    """Of the stream of events. None: no limit. Ages in seconds."""

    replicas: int = 1
    discard: str = OLD
    max_messages: int | None = None
    max_bytes: int | None = None
    max_age: float | None = None
    duplicates: float = DEDUPE_WINDOW

    @classmethod
    def of(cls, text: str) -> StreamSettings:
        """From the YAML text of an EventBus. Raises Permanent that names the field."""
        given = {str(key).lower(): value for key, value in as_mapping(text).items()}
        retention = str(given.get("retention", "")).lower()
        if retention not in LIMITS:
            raise bad("retention", retention, "only `limits` (0) keeps events for readers that come later")
        discard = str(given.get("discard", OLD)).lower()
        if discard not in DISCARD:
            raise bad("discard", discard, "write old (0) or new (1)")
        window = seconds(given, "duplicates") or DEDUPE_WINDOW
        return cls(
            replicas=number(given, "replicas") or 1,
            discard=DISCARD[discard],
            max_messages=limit(number(given, "maxmsgs")),
            max_bytes=limit(number(given, "maxbytes")),
            max_age=seconds(given, "maxage"),
            duplicates=window,
        )


def as_mapping(text: str) -> Mapping[Any, Any]:
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as exc:
        raise bad("", "", f"not YAML: {exc}") from exc
    if not isinstance(found, dict):
        raise bad("", "", "not a mapping: write lines like `maxMsgs: 50000`")
    return found


def bad(field: str, value: str, hint: str) -> Permanent:
    place = f"streamConfig.{field}" if field else "streamConfig"
    return Permanent(f"EventBus {place}: {value!r}: {hint}" if value else f"EventBus {place}: {hint}")


def number(given: Mapping[str, Any], key: str) -> int | None:
    value = given.get(key)
    if value is None:
        return None
    try:
        return int(float(value))
    except (TypeError, ValueError) as exc:
        raise bad(key, str(value), "not a number") from exc


def limit(value: int | None) -> int | None:
    """JetStream reads 0 and -1 as no limit."""
    return value if value is not None and value > 0 else None


def seconds(given: Mapping[str, Any], key: str) -> float | None:
    value = given.get(key)
    if value in (None, "", 0):
        return None
    try:
        return (value if isinstance(value, int | float) else parse_duration(str(value))) / NS
    except (ValueError, ExpressionError) as exc:
        raise bad(key, str(value), "write a duration, as in 72h") from exc


def token(text: str) -> str:
    """Any text as one token of a subject, and part of a stream's name: `=2E` for a dot, `=` for none."""
    raw = text.encode(errors="surrogatepass")
    return UNSAFE.sub(lambda found: b"=%02X" % found[0][0], raw).decode() or "="


def untoken(text: str) -> str:
    """What `token` was given."""
    if "=" not in text:
        return text
    if text == "=":
        return ""
    first, *rest = text.split("=")
    raw = first.encode() + b"".join(bytes([int(one[:2], 16)]) + one[2:].encode() for one in rest)
    return raw.decode(errors="surrogatepass")


class Names(NamedTuple):
    """Streams and subject prefixes of one bus instance. `shared`: the stream of Argo Events."""

    events: str
    topics: str
    """Events lie below it: `<topics>.<source>.<subject>`."""
    state: str
    keys: str
    """Everything but events lies below it."""
    shared: bool

    @classmethod
    def of(cls, name: str, *, shared: bool = False) -> Names:
        """`name` is namespace/eventbus."""
        namespace, _, bus = name.partition("/")
        one, two = token(namespace), token(bus)
        own = f"EVENTS_{one}_{two}"
        keys = f"events-state.{one}.{two}"
        if shared:
            return cls("default", "default", f"{own}_STATE", keys, shared=True)
        return cls(own, f"events.{one}.{two}", f"{own}_STATE", keys, shared=False)

    def topic(self, source: str, subject: str) -> str:
        return f"{self.topics}.{token(source)}.{token(subject)}"


def events_stream(names: Names, settings: StreamSettings) -> dict[str, Any]:
    """The configuration of the stream of events. Times are in nanoseconds."""
    return {
        "name": names.events,
        "subjects": [f"{names.topics}.*.*"],
        "storage": "file",
        "retention": "limits",
        "discard": settings.discard,
        "num_replicas": settings.replicas,
        "max_msgs": settings.max_messages or -1,
        "max_bytes": settings.max_bytes or -1,
        "max_age": round((settings.max_age or 0) * NS),
        "duplicate_window": round(window(settings) * NS),
    }


def window(settings: StreamSettings) -> float:
    """The window of duplicates cannot be longer than events are kept."""
    return min(settings.duplicates, settings.max_age or settings.duplicates)


def state_stream(names: Names, settings: StreamSettings) -> dict[str, Any]:
    """The configuration of the stream of states: no limits; what goes has a time to live."""
    return {
        "name": names.state,
        "subjects": [f"{names.keys}.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "num_replicas": settings.replicas,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "allow_atomic": True,
        "allow_msg_ttl": True,
        "allow_rollup_hdrs": True,
    }


def unlike(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Which settings of an existing stream differ, in words."""
    empty = (None, 0, -1)
    return [
        f"{key} is {found.get(key)!r}, not {value!r}"
        for key, value in wanted.items()
        if found.get(key) != value and not (value in empty and found.get(key) in empty)
    ]
