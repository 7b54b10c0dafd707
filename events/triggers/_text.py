"""Text as triggers send it. Payloads of Go are bytes, so text made of one may hold lone surrogates here."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """A body in a request: readable text, and the exact bytes where the text cannot say them."""

    text: str
    exact: bytes | None = None

    @classmethod
    def of(cls, text: str) -> Body:
        """`text` with lone surrogates for what is not valid UTF-8."""
        if sound(text):
            return cls(text)
        data = as_bytes(text)
        return cls(data.decode(errors="replace"), data)

    def encode(self) -> bytes:
        """What is sent."""
        return self.text.encode() if self.exact is None else self.exact


def sound(text: str) -> bool:
    """Whether the text can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_bytes(text: str) -> bytes:
    """The bytes that the text stands for."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="replace")


def decoded(text: str) -> Any:
    """JSON decoded as Go does it: invalid UTF-8 becomes U+FFFD. Raises ValueError."""
    return orjson.loads(text if sound(text) else as_bytes(text).decode(errors="replace"))
