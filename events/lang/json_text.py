"""JSON that orjson refuses and Go accepts: half surrogate pairs, bytes that are not UTF-8, deep nesting."""

from __future__ import annotations

import re
from typing import Final

_BLANK: Final = r"[ \t\n\r]*+"
_STRING: Final = r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_VALUE: Final = re.compile(rf"{_BLANK}(?:{_STRING}|{_NUMBER}|true|false|null|(?P<open>[{{\[]))")
_CLOSE: Final = {end: re.compile(rf"{_BLANK}\{end}") for end in "}]"}
_FIRST: Final = {"}": re.compile(rf"{_BLANK}{_STRING}{_BLANK}:"), "]": re.compile("")}
_NEXT: Final = {end: re.compile(rf"{_BLANK},{pattern.pattern}") for end, pattern in _FIRST.items()}
_REST: Final = re.compile(_BLANK)

_SURROGATE: Final = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_PAIR: Final = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF: Final = re.compile(rf"({_PAIR})|{_SURROGATE}|(\\.)", re.DOTALL)
_LONE: Final = re.compile("[\ud800-\udfff]")
_NO_BYTE: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def well_formed(text: str) -> bool:
    """Whether the text is one JSON value as gjson.Valid sees it: RFC 8259, and anything inside of strings
    but control characters and unknown escapes. Nesting has no limit."""
    closers: list[str] = []
    i = 0
    while found := _VALUE.match(text, i):
        i = found.end()
        if opened := found["open"]:
            closers.append("}" if opened == "{" else "]")
            if not _CLOSE[closers[-1]].match(text, i):
                first = _FIRST[closers[-1]].match(text, i)
                if first is None:
                    return False
                i = first.end()
                continue
        while closers and (end := _CLOSE[closers[-1]].match(text, i)):
            i = end.end()
            closers.pop()
        if not closers:
            return _REST.fullmatch(text, i) is not None
        following = _NEXT[closers[-1]].match(text, i)
        if following is None:
            return False
        i = following.end()
    return False


def without_halves(text: str) -> str:
    r"""The text with every `\u` escape of half a surrogate pair as `\ufffd`, as encoding/json reads it."""
    return _HALF.sub(_replacement, text)


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for every byte that is not UTF-8, as encoding/json reads it."""
    return _LONE.sub("\ufffd", text)


def as_bytes(text: str) -> bytes:
    """The bytes of a Go string; a surrogate that stands for no byte becomes U+FFFD."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _NO_BYTE.sub("\ufffd", text).encode("utf-8", "surrogateescape")


def _replacement(found: re.Match[str]) -> str:
    return found[1] or found[2] or "\\ufffd"
