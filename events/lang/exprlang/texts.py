"""Builtins over strings. Positions and lengths count bytes, as in Go."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from events.errors import EvaluationError
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.operators import to_int
from events.lang.exprlang.values import describe
from events.lang.govalue import GoNilStrings, GoStrings, byte_length, canonical, from_bytes, to_bytes

SPACES: Final = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
"""All characters that unicode.IsSpace accepts."""
MAX_REPEAT: Final = 1_000_000
"""Upstream's limit for the second argument of `repeat`."""


def text_of(value: Any) -> str:
    """The value as a string. Raises EvaluationError for other types."""
    if type(value) is str:
        return value
    raise EvaluationError(f"expected a string, got {describe(value)}")


def has(text: Any, part: Any) -> bool:
    """`text contains part`."""
    text, part = text_of(text), text_of(part)
    return part in text or (not part.isascii() and to_bytes(part) in to_bytes(text))


def starts(text: Any, prefix: Any) -> bool:
    """`text startsWith prefix`, hasPrefix."""
    text, prefix = text_of(text), text_of(prefix)
    if text.startswith(prefix):
        return True
    return not prefix.isascii() and to_bytes(text).startswith(to_bytes(prefix))


def ends(text: Any, suffix: Any) -> bool:
    """`text endsWith suffix`, hasSuffix."""
    text, suffix = text_of(text), text_of(suffix)
    if text.endswith(suffix):
        return True
    return not suffix.isascii() and to_bytes(text).endswith(to_bytes(suffix))


def trim(_: Budget, text: Any, *cutset: Any) -> str:
    """Without white space at the ends, or without the given characters."""
    return text_of(text).strip(text_of(cutset[0]) if cutset else SPACES)


def trim_prefix(_: Budget, text: Any, *prefix: Any) -> str:
    """Without a prefix, by default one space."""
    return text_of(text).removeprefix(text_of(prefix[0]) if prefix else " ")


def trim_suffix(_: Budget, text: Any, *suffix: Any) -> str:
    """Without a suffix, by default one space."""
    return text_of(text).removesuffix(text_of(suffix[0]) if suffix else " ")


def upper(_: Budget, text: Any) -> str:
    """In capitals, each character for itself."""
    if text_of(text).isascii():
        return str(text.upper())
    from events.lang.sprig import runes  # loads Sprig

    return runes.upper(text)


def lower(_: Budget, text: Any) -> str:
    """In small letters, each character for itself."""
    if text_of(text).isascii():
        return str(text.lower())
    from events.lang.sprig import runes  # loads Sprig

    return runes.lower(text)


def split(budget: Budget, text: Any, separator: Any, limit: Any = -1) -> GoStrings:
    """The parts between separators, at most `limit` unless that is negative."""
    text, separator, count = text_of(text), text_of(separator), to_int(limit)
    if not count:
        return GoNilStrings()
    parts = text.split(separator, max(count - 1, -1)) if separator else _characters(text, count)
    budget.spend(len(parts))
    return GoStrings(parts)


def split_after(budget: Budget, text: Any, separator: Any, limit: Any = -1) -> GoStrings:
    """As `split`; the parts keep their separators."""
    parts = split(budget, text, separator, limit)
    for index in range(len(parts) - 1):
        parts[index] += separator
    return parts


def _characters(text: str, count: int) -> list[str]:
    if count < 0 or count >= len(text):
        return list(text)
    return [*text[: count - 1], text[count - 1 :]]


def replace(budget: Budget, text: Any, old: Any, new: Any, limit: Any = -1) -> str:
    """With the first `limit` occurrences replaced, all of them if it is negative."""
    text, old, new, count = text_of(text), text_of(old), text_of(new), to_int(limit)
    found = text.count(old) if count < 0 else min(text.count(old), count)
    budget.write(len(text) + found * len(new))
    return canonical(text.replace(old, new, max(count, -1)))


def repeat(budget: Budget, text: Any, times: Any) -> str:
    """The text so many times."""
    count, text = to_int(times), text_of(text)
    if count > MAX_REPEAT:
        raise EvaluationError("memory budget exceeded")
    if count < 0:
        raise EvaluationError("strings: negative Repeat count")
    budget.write(len(text) * count)
    return canonical(text * count)


def join(budget: Budget, texts: Any, *glue: Any) -> str:
    """The strings of a list in one."""
    between = text_of(glue[0]) if glue else ""
    if not (type(texts) is list or describe(texts) in ("[]string", "[]interface {}")):
        raise EvaluationError(f"invalid argument for join (type {describe(texts)})")
    parts = [text_of(text) for text in texts]
    budget.write(sum(map(len, parts)) + len(between) * len(parts))
    return canonical(between.join(parts))


def index_of(_: Budget, text: Any, part: Any) -> int:
    """The byte at which a part first begins, -1 if it does not occur."""
    text, part = text_of(text), text_of(part)
    return text.find(part) if text.isascii() and part.isascii() else to_bytes(text).find(to_bytes(part))


def last_index_of(_: Budget, text: Any, part: Any) -> int:
    """The byte at which a part last begins, -1 if it does not occur."""
    text, part = text_of(text), text_of(part)
    return text.rfind(part) if text.isascii() and part.isascii() else to_bytes(text).rfind(to_bytes(part))


def has_prefix(_: Budget, text: Any, prefix: Any) -> bool:
    """Whether the text starts so."""
    return starts(text, prefix)


def has_suffix(_: Budget, text: Any, suffix: Any) -> bool:
    """Whether the text ends so."""
    return ends(text, suffix)


def to_base64(budget: Budget, text: Any) -> str:
    """Standard alphabet, padded."""
    budget.write(byte_length(text_of(text)) * 4 // 3)
    return base64.b64encode(to_bytes(text)).decode()


def from_base64(_: Budget, text: Any) -> str:
    """Standard alphabet, padded; line ends are skipped. Raises EvaluationError."""
    data = to_bytes(text_of(text)).replace(b"\r", b"").replace(b"\n", b"")
    if len(data) % 4 or b"=" in data[:-2] or (data[-2:-1] == b"=" and data[-1:] != b"="):
        raise EvaluationError("illegal base64 data")
    try:
        return from_bytes(base64.b64decode(data, validate=True))
    except binascii.Error as exc:
        raise EvaluationError("illegal base64 data") from exc
