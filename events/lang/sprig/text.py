"""Strings: cutting, trimming, replacing, wrapping, quoting, joining.

Go strings are bytes: where a function counts, it counts bytes and may cut a character into pieces.
"""

from __future__ import annotations

from typing import Any, Final

from events.errors import EvaluationError
from events.lang.gofmt import quote as quoted
from events.lang.gofmt import sprint
from events.lang.govalue import GoStringMap, GoStrings, canonical, from_bytes, to_bytes
from events.lang.sprig import runes
from events.lang.sprig.table import Table, check_elements, check_size

TABLE = Table()
TABLE.add("upper", "string", runes.upper)
TABLE.add("lower", "string", runes.lower)

_MARK: Final = b"..."


@TABLE.function("hello")
def hello() -> str:
    """Sprig's greeting."""
    return "Hello!"


# --- cutting --------------------------------------------------------------------------------------


@TABLE.function("trunc", "int, string")
def trunc(count: int, text: str) -> str:
    """The first `count` bytes, with a negative count the last ones."""
    data = to_bytes(text)
    if count < 0:
        return from_bytes(data[count:]) if len(data) > -count else text
    return from_bytes(data[:count])


@TABLE.function("substr", "int, int, string")
def substr(start: int, end: int, text: str) -> str:
    """Bytes from `start` to `end`; a negative start means 0, an end beyond the text its length."""
    data = to_bytes(text)
    if start < 0:
        return from_bytes(_slice(data, 0, end))
    return from_bytes(_slice(data, start, len(data) if end < 0 or end > len(data) else end))


def _slice(data: bytes, start: int, end: int) -> bytes:
    if not 0 <= start <= end <= len(data):
        raise EvaluationError(f"slice bounds out of range [{start}:{end}] with length {len(data)}")
    return data[start:end]


@TABLE.function("abbrev", "int, string")
def abbrev(width: int, text: str) -> str:
    """Cut to `width` bytes, the last three of them dots."""
    return text if width < 4 else from_bytes(_abbreviated(to_bytes(text), 0, width))


@TABLE.function("abbrevboth", "int, int, string")
def abbrevboth(left: int, right: int, text: str) -> str:
    """Cut to `right` bytes around the offset `left`, with dots on both sides."""
    if right < 4 or (left > 0 and right < 7):
        return text
    return from_bytes(_abbreviated(to_bytes(text), left, right))


def _abbreviated(data: bytes, offset: int, width: int) -> bytes:
    """goutils AbbreviateFull."""
    if len(data) <= width:
        return data
    offset = min(offset, len(data))
    if len(data) - offset < width - 3:
        offset = len(data) - (width - 3)
    if offset <= 4:
        return data[: width - 3] + _MARK
    if offset + width - 3 < len(data):
        # goutils refuses to shorten the rest below four bytes; Sprig drops that error and the text
        return _MARK + (_abbreviated(data[offset:], 0, width - 3) if width >= 7 else b"")
    return _MARK + data[len(data) - (width - 3) :]


# --- trimming and testing ---------------------------------------------------------------------------


@TABLE.function("trim", "string")
def trim(text: str) -> str:
    """Without outer white space."""
    return text.strip(runes.SPACES)


@TABLE.function("trimAll trimall", "string, string")
def trim_all(characters: str, text: str) -> str:
    """Without outer characters of this set; U+FFFD in it stands for any byte that is not UTF-8."""
    if "\ufffd" in runes.valid(characters):
        characters += runes.BROKEN
    return text.strip(characters) if characters else text


@TABLE.function("trimSuffix", "string, string")
def trim_suffix(suffix: str, text: str) -> str:
    """Without this end."""
    return text.removesuffix(suffix)


@TABLE.function("trimPrefix", "string, string")
def trim_prefix(prefix: str, text: str) -> str:
    """Without this beginning."""
    return text.removeprefix(prefix)


@TABLE.function("contains", "string, string")
def contains(part: str, text: str) -> bool:
    """Whether the part occurs in the text."""
    return part in text


@TABLE.function("hasPrefix", "string, string")
def has_prefix(prefix: str, text: str) -> bool:
    """Whether the text begins so."""
    return text.startswith(prefix)


@TABLE.function("hasSuffix", "string, string")
def has_suffix(suffix: str, text: str) -> bool:
    """Whether the text ends so."""
    return text.endswith(suffix)


# --- building ---------------------------------------------------------------------------------------


@TABLE.function("repeat", "int, string")
def repeat(count: int, text: str) -> str:
    """The text `count` times. Raises EvaluationError for a negative count."""
    if count < 0:
        raise EvaluationError("strings: negative Repeat count")
    check_size(count * len(text))
    return text * count


@TABLE.function("replace", "string, string, string")
def replace(old: str, new: str, text: str) -> str:
    """All occurrences replaced; an empty `old` occurs around every character."""
    check_size(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


@TABLE.function("indent", "int, string")
def indent(spaces: int, text: str) -> str:
    """Every line moved to the right. Raises EvaluationError for a negative count."""
    pad = repeat(spaces, " ")
    return pad + replace("\n", "\n" + pad, text)


@TABLE.function("nindent", "int, string")
def nindent(spaces: int, text: str) -> str:
    """A newline, then `indent`."""
    return "\n" + indent(spaces, text)


@TABLE.function("wrap", "int, string")
def wrap(width: int, text: str) -> str:
    """Newlines at spaces so that lines have at most `width` bytes; longer words stay whole."""
    return from_bytes(_wrapped(to_bytes(text), width, b"\n", cut_words=False))


@TABLE.function("wrapWith", "int, string, string")
def wrap_with(width: int, separator: str, text: str) -> str:
    """As `wrap` with this separator (empty: a newline), longer words are cut."""
    return from_bytes(_wrapped(to_bytes(text), width, to_bytes(separator) or b"\n", cut_words=True))


def _wrapped(data: bytes, width: int, separator: bytes, *, cut_words: bool) -> bytes:
    """goutils WrapCustom."""
    width = max(width, 1)
    start, size, out = 0, 0, []
    while len(data) - start > width:
        if data[start : start + 1] == b" ":
            start += 1
            continue
        end, following = _line_end(data, start, width, cut_words)
        out += [data[start:end], separator]
        size += end - start + len(separator)
        check_size(size)
        if following is None:
            return b"".join(out[:-1])
        start = following
    return b"".join([*out, data[start:]])


def _line_end(data: bytes, start: int, width: int, cut_words: bool) -> tuple[int, int | None]:
    """Where the line ends and the next begins; None if this is the last."""
    space = data.rfind(b" ", start, start + width + 1)
    if space >= 0:
        return space, space + 1
    if cut_words:
        return start + width, start + width
    space = data.find(b" ", start + width)
    return (space, space + 1) if space >= 0 else (len(data), None)


@TABLE.function("plural", "string, string, int")
def plural(one: str, many: str, count: int) -> str:
    """`one` for a count of 1, else `many`."""
    return one if count == 1 else many


# --- values to text -----------------------------------------------------------------------------------


@TABLE.function("toString", "any")
def to_string(value: Any) -> str:
    """The text of a value as %v prints it."""
    return value if type(value) is str else sprint(value)


@TABLE.function("toStrings", "any")
def to_strings(value: Any) -> GoStrings:
    """The texts of a list without its nulls; of anything else a list of its text; of nil an empty list."""
    if isinstance(value, GoStrings):
        return value
    if isinstance(value, list):
        return GoStrings([to_string(item) for item in value if item is not None])
    return GoStrings() if value is None else GoStrings([to_string(value)])


@TABLE.function("quote", "...any")
def quote(*values: Any) -> str:
    """Each value as a Go string literal, nulls left out."""
    return " ".join([quoted(canonical(to_string(value))) for value in values if value is not None])


@TABLE.function("squote", "...any")
def squote(*values: Any) -> str:
    """Each value between single quotes, nulls left out."""
    return " ".join([f"'{sprint(value)}'" for value in values if value is not None])


@TABLE.function("cat", "...any")
def cat(*values: Any) -> str:
    """The texts with spaces between, nulls left out."""
    return " ".join([sprint(value) for value in values if value is not None])


# --- lists of strings ---------------------------------------------------------------------------------


@TABLE.function("join", "string, any")
def join(separator: str, value: Any) -> str:
    """The texts of a list with the separator between."""
    texts = to_strings(value)
    check_size(sum(map(len, texts)) + len(texts) * len(separator))
    return canonical(separator.join(texts))


@TABLE.function("splitList", "string, string")
def split_list(separator: str, text: str) -> GoStrings:
    """The pieces between separators; an empty separator gives the characters."""
    return GoStrings(_pieces(text, separator, -1))


@TABLE.function("split", "string, string")
def split(separator: str, text: str) -> GoStringMap:
    """The pieces under the keys `_0`, `_1` and so on."""
    return _numbered(_pieces(text, separator, -1))


@TABLE.function("splitn", "string, int, string")
def splitn(separator: str, count: int, text: str) -> GoStringMap:
    """As `split`, at most `count` pieces (negative: all)."""
    return _numbered(_pieces(text, separator, count))


def _numbered(pieces: list[str]) -> GoStringMap:
    return GoStringMap({f"_{i}": piece for i, piece in enumerate(pieces)})


def _pieces(text: str, separator: str, count: int) -> list[str]:
    """strings.SplitN."""
    if count == 0:
        return []
    if not separator:
        return _characters(text, count)
    limit = text.count(separator) + 1
    check_elements(limit if count < 0 else min(limit, count))
    return text.split(separator, count - 1 if count > 0 else -1)


def _characters(text: str, count: int) -> list[str]:
    if count < 0 or count >= len(text):
        check_elements(len(text))
        return list(text)
    check_elements(count)
    return [*text[: count - 1], text[count - 1 :]]
