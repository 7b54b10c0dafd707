"""The state records of a shard, as the bus keeps them: small structs in MessagePack, with a format version.

sensor/<name>                     its revisions over the log, and where each dependency starts
condition/<sensor>/<trigger>      what an AND holds
parked/<firing id>                a firing that waits, or a dead letter
blob held/<sensor>/<trigger>/...  one held event
blob body/<firing id>             the chosen events and the rendered request; what one blob cannot
                                  hold goes on in body/<firing id>/1, .../2
blob revision/<sensor>/<hash>     a sensor's spec
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from events.bus._base import Bus, Mark
from events.errors import Damaged
from events.event import Event, EventKey, Position

FORMAT = 1

LONGEST_TEXT = 4096
"""Characters of a reason or an error that are kept."""


class Revision(msgspec.Struct):
    """From just after `after` on, the sensor was this spec."""

    after: Mark
    hash: str
    """`<sensor>/<revision>`: two sensors of the same spec keep their own."""


class Start(msgspec.Struct):
    """A dependency sees the events of its topic above the mark."""

    topic: tuple[str, str]
    mark: Mark


class SensorRecord(msgspec.Struct):
    """`definitions` are hashes of the dependencies, to notice edits."""

    revisions: list[Revision]
    starts: dict[str, Start]
    definitions: dict[str, str]
    conditions: dict[str, str]
    """Trigger -> its conditions in normal form."""
    format: int = FORMAT


class HeldRef(msgspec.Struct):
    """One held event: the blob has the event itself."""

    position: Position
    stored_ns: int
    key: EventKey
    blob: str


class ConditionRecord(msgspec.Struct):
    """`applied`: events up to these offsets have been looked at."""

    applied: dict[int, int]
    held: dict[str, HeldRef]
    format: int = FORMAT


class Parked(msgspec.Struct, kw_only=True):
    """A firing that waits until `due_ns`; None: a dead letter, which waits for the user."""

    sensor: str
    trigger: str
    role: str
    replay: int
    position: Position
    events: dict[str, EventKey]
    attempt: int
    first_ns: int
    due_ns: int | None
    revision: str
    error: str = ""
    pieces: int = 1
    """How many blobs have its body."""
    format: int = FORMAT


class Body(msgspec.Struct, kw_only=True):
    """What a parked firing needs to run: its events, and the request if it was rendered."""

    events: dict[str, Event]
    now_ns: int
    request: bytes | None
    kind: str
    format: int = FORMAT


class Version(msgspec.Struct):
    """What all records have in common."""

    format: int = FORMAT


Record = TypeVar("Record", bound=msgspec.Struct)

_encoder = msgspec.msgpack.Encoder()


def encode(record: msgspec.Struct) -> bytes:
    return _encoder.encode(record)


def decode(data: bytes, kind: type[Record], key: str) -> Record:
    """Raises Damaged for a record of another format or of another shape."""
    try:
        version = msgspec.msgpack.decode(data, type=Version).format
        if version != FORMAT:
            raise Damaged(f"state record {key!r} has format {version}; this release reads {FORMAT}")
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise Damaged(f"state record {key!r} cannot be read: {exc}") from exc


def storable(text: str) -> str:
    """Fit for a record: valid UTF-8, and no longer than LONGEST_TEXT."""
    if len(text) > LONGEST_TEXT:
        text = text[: LONGEST_TEXT - 1] + "…"
    return text if text.isascii() else text.encode(errors="replace").decode()


def sensor_key(sensor: str) -> str:
    return f"sensor/{sensor}"


def condition_key(sensor: str, trigger: str) -> str:
    return f"condition/{sensor}/{trigger}"


def parked_key(firing: str) -> str:
    return f"parked/{firing}"


def body_key(firing: str) -> str:
    return f"body/{firing}"


def body_keys(firing: str, pieces: int) -> list[str]:
    """The blobs that a body of so many pieces lies in."""
    return [body_key(firing), *(f"{body_key(firing)}/{number}" for number in range(1, pieces))]


def in_pieces(firing: str, body: bytes, most: int) -> dict[str, bytes]:
    """A body as blobs of at most so many bytes: several events and a request may be more than a bus takes."""
    cut = [body[at : at + most] for at in range(0, len(body), most)]
    return dict(zip(body_keys(firing, len(cut)), cut, strict=True))


async def read_body(bus: Bus, shard: int, firing: str, pieces: int) -> bytes | None:
    """A parked firing's body; None when some of it is gone. Raises BusUnavailable."""
    found = [await bus.blob(shard, key) for key in body_keys(firing, pieces)]
    whole = [piece for piece in found if piece is not None]
    return b"".join(whole) if len(whole) == pieces else None


def held_key(sensor: str, trigger: str, dependency: str, position: Position) -> str:
    return f"held/{sensor}/{trigger}/{dependency}/{position.partition}-{position.offset}"


def revision_key(digest: str) -> str:
    return f"revision/{digest}"


def stripped(event: Event) -> Event:
    """The event without its decode cache: what can be stored."""
    return msgspec.structs.replace(event, document=None)
