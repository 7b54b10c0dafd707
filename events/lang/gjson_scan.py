"""Reads JSON text in place: where a value ends, what kind it is, members of objects, elements of arrays.

Tolerant on purpose, as gjson is: text is not validated, and what does not look like JSON is skipped.
On valid JSON every offset is exact. Nothing here recurses, so nesting has no limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

Kind = Literal["String", "Number", "JSON", "True", "False", "Null"]

_TEXT: Final = r'[^"\\]*+(?:\\.[^"\\]*+)*+'  # inside of a string
_FIRST: Final = r'"{\[tfn0-9+\-iIN'  # first characters of values
STRING: Final = re.compile(rf'"{_TEXT}"', re.DOTALL)
BRACKET: Final = re.compile(r"[{\[]")
_TO_BRACKET: Final = re.compile(rf'[^"\[\]{{}}()]*+(?:"{_TEXT}"[^"\[\]{{}}()]*+)*+', re.DOTALL)
_NUMBER: Final = re.compile(r".[^\x00-\x20,\]}]*+", re.DOTALL)
_LITERAL: Final = re.compile(r"[tfn][a-z]*+")
_MEMBER: Final = re.compile(rf'[^"}}]*+(?:}}|"({_TEXT})"[^{_FIRST}]*+)', re.DOTALL)
_FIRST_VALUE: Final = re.compile(rf"[\x00-\x20]*+[{_FIRST}]")
_TO_ELEMENT: Final = re.compile(rf"[^{_FIRST}\]]*+")
_TO_VALUE: Final = re.compile(rf"[^{_FIRST}]*+")
_TO_KEY: Final = re.compile(rf'[^"]*+({STRING.pattern})[\x00-\x20,:]*+', re.DOTALL)
_PIECE: Final = re.compile(r'([^\\\x00-\x1f]++)|\\(?:(["\\/bfnrt])|u(.{4}))', re.DOTALL)
_FOUR_HEX: Final = re.compile(r"[0-9a-fA-F]{4}")
_SECOND_HALF: Final = re.compile(r"\\u(.{4})", re.DOTALL)
_SHORT: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NO_ENDS: Final[Mapping[int, int]] = {}
_WORDS: Final[dict[str, Kind]] = {"t": "True", "f": "False", "n": "Null"}


def container_end(text: str, start: int) -> int:
    """Offset behind the bracket that closes the one at `start`.

    The end of the text when none does, one more when a string does not end.
    """
    depth, i = 1, start + 1
    while True:
        i = _TO_BRACKET.match(text, i).end()  # type: ignore[union-attr] # it matches the empty text, too
        char = text[i : i + 1]
        if not char or char == '"':
            return len(text) + (char == '"')
        depth += 1 if char in "{[(" else -1
        i += 1
        if not depth:
            return i


def bracket_ends(text: str) -> dict[int, int]:
    """What `container_end` gives for every opening bracket, in one pass: for work on nested values."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    i = 0
    while True:
        i = _TO_BRACKET.match(text, i).end()  # type: ignore[union-attr] # it matches the empty text, too
        char = text[i : i + 1]
        if not char or char == '"':
            break
        if char in "{[(":
            opened.append(i)
        elif opened:
            ends[opened.pop()] = i + 1
        i += 1
    return ends | dict.fromkeys(opened, len(text) + (char == '"'))


def value_end(text: str, start: int, ends: Mapping[int, int] | None = None) -> tuple[Kind, int]:
    """Kind and end of the value whose first character is at `start`; end -1: a string without its end.

    `ends` are the `bracket_ends` of the text, if known.
    """
    char = text[start]
    if char == '"':
        found = STRING.match(text, start)
        return "String", found.end() if found else -1
    if char in "{[":
        return "JSON", (ends or _NO_ENDS).get(start) or container_end(text, start)
    if char in "tf" or (char == "n" and text[start + 1 : start + 2] in ("u", "")):
        return _WORDS[char], _span_end(_LITERAL, text, start)
    return "Number", _span_end(_NUMBER, text, start)


def next_member(text: str, i: int) -> tuple[str | None, int]:
    """The name (as spelled) of the next member of an object and where its value starts.

    Without a name: the object ends here, and the offset is the one behind its brace or the end of the text.
    """
    found = _MEMBER.match(text, i)
    if found is None or (found.end() >= len(text) and found[1] is not None):
        return None, len(text)
    return found[1], found.end()


def next_element(text: str, i: int) -> int:
    """Where the next element of an array starts, or where its closing bracket or the text's end is."""
    return _span_end(_TO_ELEMENT, text, i)


def is_end(text: str, i: int) -> bool:
    """Whether `next_element` stopped at the end of the array."""
    return i >= len(text) or text[i] == "]"


def first_value(text: str) -> tuple[Kind, int, int] | None:
    """Kind, start and end of the text as one value, as gjson.Parse; containers reach to the text's end."""
    found = _FIRST_VALUE.match(text)
    if found is None:
        return None
    start = found.end() - 1
    if text[start] in "{[":
        return "JSON", start, len(text)
    kind, end = value_end(text, start)
    return kind, start, end if end >= 0 else len(text)


def iterate(text: str) -> Iterator[tuple[str, Kind, str]]:
    """Name (quoted, "" in arrays), kind and raw text of each member or element, as gjson's ForEach.

    A scalar is its only element. Expects text that starts with the value.
    """
    value = first_value(text)
    if value is None:
        return
    kind, start, end = value
    if kind != "JSON":
        yield "", kind, text[start:end]
        return
    for name, kind, i, stop in children(text, start, end):
        yield name, kind, text[i:stop]


def children(
    text: str, start: int, stop: int, ends: Mapping[int, int] | None = None
) -> Iterator[tuple[str, Kind, int, int]]:
    """Name, kind, start and end of each member or element of the container between `start` and `stop`."""
    name, i, in_object = "", start + 1, text[start] == "{"
    stop = min(stop, len(text))
    while i < stop:
        if in_object:
            found = _TO_KEY.match(text, i)
            if found is None:
                return
            name, i = found[1], found.end()
        i = _span_end(_TO_VALUE, text, i)
        kind, end = value_end(text, i, ends) if i < stop else ("Null", -1)
        if end < 0:
            return
        yield name, kind, i, end
        i = end + 1


def unescape(text: str) -> str:
    r"""The inside of a JSON string, decoded as gjson does.

    Ends at the first control character or wrong escape. A half of a surrogate pair becomes U+FFFD,
    and so does a `\u` escape behind it that does not complete the pair.
    """
    if "\\" not in text:
        return text
    parts: list[str] = []
    i = 0
    while found := _PIECE.match(text, i):
        i = found.end()
        plain, short, code = found.groups()
        if plain is not None:
            parts.append(plain)
        elif short is not None:
            parts.append(_SHORT.get(short, short))
        else:
            char, i = _code_point(text, _hex(code), i)
            parts.append(char)
    return "".join(parts)


def _code_point(text: str, code: int, i: int) -> tuple[str, int]:
    if not 0xD800 <= code <= 0xDFFF:
        return chr(code), i
    second = _SECOND_HALF.match(text, i)
    if second is None:
        return "\ufffd", i
    low = _hex(second[1])
    if code < 0xDC00 <= low <= 0xDFFF:
        return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)), second.end()
    return "\ufffd", second.end()


def _hex(digits: str) -> int:
    return int(digits, 16) if _FOUR_HEX.fullmatch(digits) else 0


def _span_end(pattern: re.Pattern[str], text: str, i: int) -> int:
    found = pattern.match(text, i)
    return found.end() if found else len(text)


_BLANKS: Final = "".join(map(chr, range(0x21)))


def trim(text: str) -> str:
    """Without blanks and control characters at both ends."""
    return text.strip(_BLANKS)


_ESCAPED: Final = re.compile(r'[\x00-\x1f"\\<>&\u2028\u2029\ud800-\udfff]')
_SPELLED: Final = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def go_string(text: str) -> str:
    r"""As a JSON string as Go writes it: `<`, `>`, `&`, U+2028, U+2029 escaped, bad UTF-8 as `\ufffd`."""
    return f'"{_ESCAPED.sub(_spell, text)}"'


def _spell(found: re.Match[str]) -> str:
    char = found[0]
    code = 0xFFFD if "\ud800" <= char <= "\udfff" else ord(char)
    return _SPELLED.get(char) or f"\\u{code:04x}"
