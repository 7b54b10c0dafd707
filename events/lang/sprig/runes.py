"""Characters as Go's package unicode sees them: single-character case mappings, classes, white space.

Python's str methods map one character to several (`ß` to `SS`) and look at the context; Go's never do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from events.lang.govalue import to_bytes

SPACES: Final = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
"""All characters that unicode.IsSpace accepts."""

BROKEN: Final = "\ufffd" + "".join(map(chr, range(0xDC80, 0xDD00)))
"""What decoding gives for bytes that are not UTF-8: the replacement character, and how we keep such bytes."""

_SPACE_SET: Final = frozenset(SPACES)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def is_space(char: str) -> bool:
    """unicode.IsSpace."""
    return char in _SPACE_SET


def category(char: str) -> str:
    """The general category of Unicode: `Lu`, `Nd`."""
    return unicodedata.category(char)


def is_upper(char: str) -> bool:
    """unicode.IsUpper: category Lu."""
    return unicodedata.category(char) == "Lu"


def is_punctuation(char: str) -> bool:
    """unicode.IsPunct: the categories P."""
    return unicodedata.category(char)[0] == "P"


def is_number(char: str) -> bool:
    """unicode.IsNumber: the categories N."""
    return unicodedata.category(char)[0] == "N"


def is_letter(char: str) -> bool:
    """unicode.IsLetter: the categories L."""
    return unicodedata.category(char)[0] == "L"


def in_byte_order(texts: Iterable[str]) -> list[str]:
    """The texts sorted as Go compares strings, by their bytes."""
    ordered = sorted(texts)
    return ordered if all(map(str.isascii, ordered)) else sorted(ordered, key=to_bytes)


def valid(text: str) -> str:
    """The text with U+FFFD for each byte that is not UTF-8, as []rune(text) gives it."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


@lru_cache(maxsize=4096)
def upper_char(char: str) -> str:
    """unicode.ToUpper."""
    upper = char.upper()
    if len(upper) == 1:
        return upper
    return title_char(char)  # of a letter like U+1F80 the title case form is also its simple upper case


@lru_cache(maxsize=4096)
def lower_char(char: str) -> str:
    """unicode.ToLower."""
    return "i" if char == "\u0130" else char.lower()


@lru_cache(maxsize=4096)
def title_char(char: str) -> str:
    """unicode.ToTitle."""
    title = char.title()
    return title if len(title) == 1 else char


def upper(text: str) -> str:
    """strings.ToUpper."""
    return text.upper() if text.isascii() else mapped(upper_char, text)


def lower(text: str) -> str:
    """strings.ToLower."""
    return text.lower() if text.isascii() else mapped(lower_char, text)


def mapped(change: Callable[[str], str], text: str) -> str:
    """strings.Map: each character changed, bytes that are not UTF-8 become U+FFFD."""
    return "".join([change(char) for char in valid(text)])
