"""JSON text that is put together from parts, without decoding what comes from outside."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

import msgspec
import orjson


class _Skip(msgspec.Struct):
    """Decoding to a struct without fields checks the syntax and builds nothing."""


_skip_object = msgspec.json.Decoder(_Skip)


def checked_json(text: bytes) -> bytes:
    """The text itself if it is JSON. Raises ValueError."""
    try:
        text.decode()
        _skip_object.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # also: JSON, but not an object
        return checked_slowly(text)
    return text


def checked_slowly(text: bytes) -> bytes:
    """Anything that Go takes for JSON, also what the fast decoder refuses (lone surrogates, bad UTF-8)."""
    from events.lang.document import Document

    if not Document(text).valid:
        raise ValueError("not valid JSON")
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="replace").encode()
    return text


def body_json(raw: bytes, as_json: bool) -> bytes:
    """A message body as it stands in an event: the JSON that it is, else base64 text, as Go encodes bytes.

    Raises ValueError when it is to be JSON and is not.
    """
    return checked_json(raw) if as_json else b'"%b"' % b64encode(raw)


def metadata_json(metadata: Mapping[str, str]) -> bytes:
    """`,"metadata":{...}` to go behind the other members, or nothing."""
    return b',"metadata":' + orjson.dumps(dict(metadata)) if metadata else b""
