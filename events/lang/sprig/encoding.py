"""Base64 and Base32. As in Sprig, the result for text that does not decode is the decoder's error message."""

from __future__ import annotations

import base64
import re
from typing import Final

from events.lang.govalue import from_bytes, to_bytes
from events.lang.sprig.table import Table

TABLE = Table()

_LINE_BREAKS: Final = b"\r\n"
_BASE64: Final = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_BASE64_DIGITS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_BASE32: Final = re.compile(rb"[A-Z2-7]*")
_PAD: Final = ord("=")


@TABLE.function("b64enc", "string")
def b64enc(text: str) -> str:
    """Standard Base64 with padding."""
    return base64.b64encode(to_bytes(text)).decode()


@TABLE.function("b64dec", "string")
def b64dec(text: str) -> str:
    """The text behind Base64; line breaks are ignored."""
    try:
        return from_bytes(decode_base64(to_bytes(text)))
    except ValueError as exc:
        return str(exc)


@TABLE.function("b32enc", "string")
def b32enc(text: str) -> str:
    """Standard Base32 with padding."""
    return base64.b32encode(to_bytes(text)).decode()


@TABLE.function("b32dec", "string")
def b32dec(text: str) -> str:
    """The text behind Base32; line breaks are ignored."""
    data = to_bytes(text).translate(None, _LINE_BREAKS)
    try:
        return from_bytes(_decode_base32(data))
    except ValueError as exc:
        return str(exc)


def decode_base64(data: bytes) -> bytes:
    """The bytes behind standard Base64. Raises ValueError with Go's message."""
    clean = data.translate(None, _LINE_BREAKS)
    if _BASE64.fullmatch(clean):
        return base64.b64decode(clean)
    raise ValueError(f"illegal base64 data at input byte {_first_fault(data)}")


def _first_fault(data: bytes) -> int:
    """Where Go's decoder stops; line breaks count."""
    places = [i for i, byte in enumerate(data) if byte not in _LINE_BREAKS]
    for count, i in enumerate(places):
        if data[i] in _BASE64_DIGITS:
            continue
        if data[i] != _PAD or count % 4 < 2:
            return i
        return _fault_after_padding(data, places[count + 1 :], count % 4)
    return len(data) - len(places) % 4


def _fault_after_padding(data: bytes, rest: list[int], place: int) -> int:
    """The fault behind a first `=`, the third or fourth character of its group."""
    if place == 3:
        return rest[0]
    if not rest:
        return len(data)
    return rest[1] if data[rest[0]] == _PAD else rest[0] - 1


def _decode_base32(data: bytes) -> bytes:
    match = _BASE32.match(data)
    end = match.end() if match else 0
    if end < len(data):
        _check_padding(data, end)
    elif end % 8:
        raise _fault32(len(data) - end % 8)
    return base64.b32decode(data[:end] + b"=" * (-end % 8))


def _check_padding(data: bytes, start: int) -> None:
    """The rest of the group must be padding; what Go's decoder does not look at behind it is ignored."""
    place, rest = start % 8, data[start + 1 :]
    if data[start] != _PAD or place < 2 or len(rest) >= 8:
        raise _fault32(start)
    if len(rest) + place < 7:
        raise _fault32(len(data))
    for k, byte in enumerate(rest[: 7 - place]):
        if byte != _PAD:
            raise _fault32(start + k)
    if place in (3, 6):
        raise _fault32(start)


def _fault32(offset: int) -> ValueError:
    return ValueError(f"illegal base32 data at input byte {offset}")
