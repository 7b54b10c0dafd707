"""Control packets of MQTT 3.1.1, as far as a subscriber needs them. Pure: bytes in, values out.

Spec  docs.oasis-open.org/mqtt/mqtt/v3.1.1, chapters 2 and 3
"""

from __future__ import annotations

from typing import NamedTuple

CONNACK, PUBLISH, PUBREC, PUBREL, SUBACK, PINGRESP = 2, 3, 5, 6, 9, 13

PING = b"\xc0\x00"

CLEAN, HAS_PASSWORD, HAS_USER = 0x02, 0x40, 0x80

SESSION_PRESENT = 0x01
"""In the answer to a login: there was a session of this client."""

REFUSED = 0x80
"""In the answer to a subscription: the server says no."""


class Malformed(ValueError):
    """Bytes that are no packet."""


class Message(NamedTuple):
    """A PUBLISH as it came in; `number` is its packet identifier, 0 for QoS 0."""

    topic: str
    payload: bytes
    qos: int
    number: int


def connect(client_id: str, keep_alive: int, *, clean: bool, login: tuple[str, str] | None) -> bytes:
    """`keep_alive` is in seconds; `login` is user name and password."""
    flags = (CLEAN if clean else 0) | (HAS_USER | HAS_PASSWORD if login else 0)
    texts = (client_id, *(login or ()))
    head = text_field("MQTT") + bytes((4, flags)) + keep_alive.to_bytes(2)
    return packet(0x10, head + b"".join(map(text_field, texts)))


def subscribe(number: int, topic: str, qos: int) -> bytes:
    return packet(0x82, number.to_bytes(2) + text_field(topic) + bytes((qos,)))


def received(message: Message) -> bytes:
    """The acknowledgement of a message: PUBACK or PUBREC; nothing for QoS 0."""
    if message.qos == 0:
        return b""
    return (b"\x40\x02" if message.qos == 1 else b"\x50\x02") + message.number.to_bytes(2)


def completed(number: int) -> bytes:
    """PUBCOMP, the answer to PUBREL."""
    return b"\x70\x02" + number.to_bytes(2)


def packet(head: int, body: bytes) -> bytes:
    return bytes((head,)) + length_field(len(body)) + body


def length_field(length: int) -> bytes:
    """Seven bits per byte, the lowest first (2.2.3)."""
    found = bytearray()
    while True:
        length, low = divmod(length, 128)
        found.append(low | (0x80 if length else 0))
        if not length:
            return bytes(found)


def text_field(text: str) -> bytes:
    """Raises Malformed for a text that is too long."""
    data = text.encode(errors="surrogateescape")
    if len(data) > 0xFFFF:
        raise Malformed(f"a text of {len(data)} bytes is longer than MQTT allows")
    return len(data).to_bytes(2) + data


def message(flags: int, body: bytes) -> Message:
    """A PUBLISH; `flags` are the low four bits of its first byte. Raises Malformed."""
    qos, at = flags >> 1 & 3, 2 + int.from_bytes(body[:2])
    start = at + 2 if qos else at
    if qos == 3 or len(body) < max(start, 2):
        raise Malformed("a PUBLISH packet that ends early or has QoS 3")
    number = int.from_bytes(body[at:start])
    return Message(body[2:at].decode(errors="replace"), body[start:], qos, number)


def identifier(body: bytes) -> int:
    """Of PUBREL. Raises Malformed."""
    if len(body) < 2:
        raise Malformed("a packet without its identifier")
    return int.from_bytes(body[:2])
