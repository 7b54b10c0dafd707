"""decisions: how a decision is stored, the same on every engine that stores it as bytes."""

from __future__ import annotations

import json

import msgspec

from events.event import Decision


def encoded(decision: Decision) -> bytes:
    """MessagePack, or ASCII JSON (which starts with a brace) where text has lone surrogates."""
    try:
        return msgspec.msgpack.encode(decision)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(decision)).encode()


def decoded(body: bytes) -> Decision:
    """What `encoded` was given. Raises msgspec.MsgspecError for what it did not make."""
    if body.startswith(b"{"):
        return msgspec.convert(json.loads(body), Decision)
    return msgspec.msgpack.decode(body, type=Decision)
