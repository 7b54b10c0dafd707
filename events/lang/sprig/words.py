"""Words in names: snakecase, kebabcase, camelcase (xstrings 1.5), title, untitle, swapcase, initials.

Classes   each character becomes one letter: U upper case, a other letters (not CJK), N number, D dash or
          underscore, S white space, P punctuation, O the rest; words are then found by one regular expression
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from events.lang.govalue import canonical, to_bytes
from events.lang.sprig import runes
from events.lang.sprig.table import Table

TABLE = Table()

_CONNECTOR: Final = f"-_{runes.SPACES}"
_CONNECTORS: Final = re.compile(f"([{re.escape(_CONNECTOR)}]+)")
_CELL: Final = re.compile("[\ud800-\udfff\ufffd]*[^\ud800-\udfff\ufffd]")
"""A character with what precedes it and is no character: the words below treat both as one."""
_WORD: Final = re.compile("(?P<connector>[DS]+)|(?P<punct>P[PD]*)|(?P<upper>U+(?=Ua)|Ua+|U+)|(?P<letters>a+)"
                          "|(?P<number>N+)|(?P<other>O+)")  # fmt: skip
_CJK: Final = ((0x3400, 0x4D85), (0x4E00, 0x9FCC), (0x20000, 0x2B81D))


class _Word(NamedTuple):
    kind: str
    text: str


@TABLE.function("snakecase", "string")
def snakecase(text: str) -> str:
    """`HTTPServer` -> `http_server`."""
    return _joined(text, "_")


@TABLE.function("kebabcase", "string")
def kebabcase(text: str) -> str:
    """`HTTPServer` -> `http-server`."""
    return _joined(text, "-")


@TABLE.function("camelcase", "string")
def camelcase(text: str) -> str:
    """`http_server` -> `HttpServer`; outer connectors stay, of an inner run all but the last."""
    text = runes.valid(text)
    body = text.lstrip(_CONNECTOR)
    lead = text[: len(text) - len(body)]
    if not body:
        return lead + lead[-1:]  # xstrings 1.5.0 writes the last connector twice
    core = body.rstrip(_CONNECTOR)
    first, *others = _CONNECTORS.split(core)
    rest = [gap[:-1] + _pascal(word) for gap, word in zip(others[::2], others[1::2], strict=True)]
    return lead + _pascal(first) + "".join(rest) + body[len(core) :]


def _pascal(word: str) -> str:
    """Upper case the first character; if it was so already, lower case those of its kind that follow."""
    run = 1
    if runes.is_upper(word[0]):
        while run < len(word) and runes.is_upper(word[run]):
            run += 1
    return runes.upper_char(word[0]) + runes.lower(word[1:run]) + word[run:]


def _joined(text: str, connector: str) -> str:
    words = _words(text)
    out: list[str] = []
    i = 0
    while i < len(words):
        kind = words[i].kind
        out.append(_lowered(words[i], connector))
        i += 1
        if kind not in ("connector", "punct"):
            i = _number(words, i, out, connector) if kind != "number" else _run(words, i, out)
            if i < len(words) and words[i].kind not in ("connector", "punct"):
                out.append(connector)
    return canonical("".join(out))


def _number(words: list[_Word], i: int, out: list[str], connector: str) -> int:
    """A number after a word: part of it (`bld4_floor`) unless small letters follow (`http_2xx`)."""
    if i == len(words) or words[i].kind != "number":
        return i
    if i + 1 == len(words) or words[i + 1].kind != "letters":
        out.append(words[i].text)
        return i + 1
    out.extend([connector, words[i].text])
    return _run(words, i + 1, out)


def _run(words: list[_Word], i: int, out: list[str]) -> int:
    while i < len(words) and words[i].kind in ("letters", "number"):
        out.append(words[i].text)
        i += 1
    return i


def _lowered(word: _Word, connector: str) -> str:
    if word.kind == "connector":
        return "".join([connector if char in _CONNECTOR else char for char in runes.valid(word.text)])
    return runes.mapped(_lower_if_upper, word.text) if word.kind == "upper" else word.text


def _lower_if_upper(char: str) -> str:
    return runes.lower_char(char) if runes.is_upper(char) else char  # title case letters stay


def _words(text: str) -> list[_Word]:
    cells = list(text) if text.isascii() else _CELL.findall(text)
    classes = "".join([_class(cell[-1]) for cell in cells])
    found = [
        _Word(match.lastgroup or "", "".join(cells[match.start() : match.end()]))
        for match in _WORD.finditer(classes)
    ]
    seen = sum(map(len, cells))
    return _with_tail(found, text[seen:])


def _with_tail(words: list[_Word], tail: str) -> list[_Word]:
    """Bytes that are no characters at the end belong to the last word."""
    if not tail:
        return words
    last = words[-1] if words else _Word("other", "")
    return [*words[:-1], _Word(last.kind, last.text + tail)]


@lru_cache(maxsize=4096)
def _class(char: str) -> str:
    if char in "-_":
        return "D"
    if runes.is_space(char):
        return "S"
    if runes.is_punctuation(char):
        return "P"
    if runes.is_upper(char):
        return "U"
    if runes.is_letter(char) and not any(low <= ord(char) <= high for low, high in _CJK):
        return "a"
    return "N" if runes.is_number(char) else "O"


@TABLE.function("title", "string")
def title(text: str) -> str:
    """Title case for each letter that follows a separator (strings.Title)."""
    previous, out = " ", []
    for char in runes.valid(text):
        out.append(runes.title_char(char) if _separates(previous) else char)
        previous = char
    return "".join(out)


def _separates(char: str) -> bool:
    if char.isascii():
        return not (char.isalnum() or char == "_")
    return runes.is_space(char)


@TABLE.function("untitle", "string")
def untitle(text: str) -> str:
    """Lower case for the first character of each word between white space."""
    previous, out = " ", []
    for char in runes.valid(text):
        out.append(runes.lower_char(char) if runes.is_space(previous) and not runes.is_space(char) else char)
        previous = char
    return "".join(out)


@TABLE.function("swapcase", "string")
def swapcase(text: str) -> str:
    """Upper and title case become lower case, lower case becomes upper, at the start of a word title case."""
    after_space, out = True, []
    for char in runes.valid(text):
        changed = _swapped(char, after_space)
        out.append(changed or char)
        after_space = changed is None and runes.is_space(char)
    return "".join(out)


def _swapped(char: str, after_space: bool) -> str | None:
    """The character in the other case, None if it has none."""
    category = runes.category(char)
    if category in ("Lu", "Lt"):
        return runes.lower_char(char)
    if category == "Ll":
        return runes.title_char(char) if after_space else runes.upper_char(char)
    return None


@TABLE.function("initials", "string")
def initials(text: str) -> str:
    """The first byte of each word; goutils reads bytes as Latin-1 characters."""
    return "".join([word[0] for word in _latin_words(text)])


@TABLE.function("nospace", "string")
def nospace(text: str) -> str:
    """Without white space; if there was any, other bytes are read as Latin-1 characters (goutils)."""
    words = _latin_words(text)
    return text if sum(map(len, words)) == len(to_bytes(text)) else "".join(words)


_LATIN_SPACES: Final = re.compile("[\t\n\v\f\r \x85\xa0]+")


def _latin_words(text: str) -> list[str]:
    return [word for word in _LATIN_SPACES.split(to_bytes(text).decode("latin-1")) if word]
