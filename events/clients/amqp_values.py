"""Values of AMQP messages that the library cannot read: it would end the connection, again and again.

Text      bytes that are not UTF-8 are replaced, as Go's JSON does
Times     of senders that count in milli-, micro- or nanoseconds are taken for that
Headers   a table with something unreadable in it counts as empty: nobody here asks for headers
Library   pamqp (under aiormq), which leaves no choice but to change its tables of decoders
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

LATEST = 0xFFFFFFFF
"""Seconds since 1970, as in pamqp itself: what is more was not counted in seconds."""


def install() -> None:
    """For all connections of the process; may be called again."""
    from pamqp import decode

    decode.METHODS |= {"shortstr": short_text, "timestamp": moment, "table": table}
    decode.TABLE_MAPPING[b"T"] = moment


def short_text(value: bytes) -> tuple[int, str]:
    """Bytes consumed and the text. Raises ValueError for a value that ends early."""
    end = 1 + number(value, 1)
    return end, value[1:end].decode(errors="replace")


def moment(value: bytes) -> tuple[int, datetime]:
    """Bytes consumed and the time. Raises ValueError for a value that ends early."""
    seconds: float = number(value, 8)
    while seconds > LATEST:
        seconds /= 1000
    return 8, datetime.fromtimestamp(seconds, UTC)


def table(value: bytes) -> tuple[int, dict[str, Any]]:
    """Bytes consumed and the entries."""
    from pamqp.decode import field_table

    try:
        return field_table(value)
    except ValueError:
        return 4 + number(value, 4), {}


def number(value: bytes, size: int) -> int:
    if len(value) < size:
        raise ValueError("a value ends early")
    return int.from_bytes(value[:size])
