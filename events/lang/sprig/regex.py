"""Regular expressions with Go's syntax through RE2: find, replace, split, empty matches as in package regexp.

Bytes that are not UTF-8 match as U+FFFD and stay in what is cut out of the text. Unlike in Go, RE2's `\\B`
also matches inside characters beyond ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, TypeAlias

import re2

from events.errors import EvaluationError, ExpressionError
from events.lang.govalue import GoNilStrings, GoStrings, canonical
from events.lang.regex import MAX_MEMORY, Regex, compile_regex
from events.lang.sprig import runes
from events.lang.sprig.table import Table, check_elements, check_size

TABLE = Table()

_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")
_MAX_GROUP: Final = 10**8

_Piece: TypeAlias = str | int
"""A piece of a replacement: text, or the number of a group."""


@TABLE.function("mustRegexMatch", "string, string")
def must_regex_match(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere. Raises EvaluationError for a bad pattern."""
    return _compiled(pattern)[0].search(text)


@TABLE.function("regexMatch", "string, string")
def regex_match(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere; a bad pattern never does."""
    try:
        return must_regex_match(pattern, text)
    except EvaluationError:
        return False


@TABLE.function("regexFind mustRegexFind", "string, string")
def regex_find(pattern: str, text: str) -> str:
    """The first match, empty text if there is none."""
    match = next(_matches(pattern, text), None)
    return "" if match is None else text[match.start() : match.end()]


@TABLE.function("regexFindAll mustRegexFindAll", "string, string, int")
def regex_find_all(pattern: str, text: str, count: int) -> GoStrings:
    """Up to `count` matches (negative: all); a nil list if there is none."""
    found = [text[start:end] for start, end in _spans(pattern, text, count)]
    return GoStrings(found) if found else GoNilStrings()


@TABLE.function("regexSplit mustRegexSplit", "string, string, int")
def regex_split(pattern: str, text: str, count: int) -> GoStrings:
    """The pieces between matches, at most `count` (negative: all)."""
    _compiled(pattern)
    if count == 0:
        return GoNilStrings()
    if pattern and not text:
        return GoStrings([""])
    return GoStrings(_pieces(_spans(pattern, text, count), text, count))


def _pieces(spans: list[tuple[int, int]], text: str, count: int) -> list[str]:
    pieces: list[str] = []
    begin = end = 0
    for start, stop in spans:
        if 0 < count <= len(pieces) + 1:
            break
        end = start
        if stop:
            pieces.append(text[begin:start])
        begin = stop
    return [*pieces, text[begin:]] if end != len(text) else pieces


@TABLE.function("regexReplaceAll mustRegexReplaceAll", "string, string, string")
def regex_replace_all(pattern: str, text: str, replacement: str) -> str:
    """All matches replaced; `$1`, `${name}` stand for groups, `$$` for a dollar sign."""
    names: dict[str, int] = _compiled(pattern)[1].groupindex
    pieces = list(_template(replacement, names))

    return _replaced(
        pattern, text, lambda match: "".join([_piece_text(piece, match, text) for piece in pieces])
    )


def _piece_text(piece: _Piece, match: re2._Match, text: str) -> str:
    """Empty for a group that took no part in the match or does not exist."""
    if isinstance(piece, str):
        return piece
    if piece > match.re.groups:
        return ""
    start, end = match.span(piece)
    return text[start:end] if start >= 0 else ""


@TABLE.function("regexReplaceAllLiteral mustRegexReplaceAllLiteral", "string, string, string")
def regex_replace_all_literal(pattern: str, text: str, replacement: str) -> str:
    """All matches replaced by this very text."""
    return _replaced(pattern, text, lambda match: replacement)


@TABLE.function("regexQuoteMeta", "string")
def regex_quote_meta(text: str) -> str:
    """A pattern that matches this text."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def _replaced(pattern: str, text: str, expanded: Callable[[re2._Match], str]) -> str:
    out: list[str] = []
    size = end = 0
    for match in _matches(pattern, text):
        out += [text[end : match.start()], expanded(match)]
        size += len(out[-1]) + len(out[-2])
        check_size(size)
        end = match.end()
    return canonical("".join([*out, text[end:]]))


@lru_cache(maxsize=128)
def _compiled(pattern: str) -> tuple[Regex, re2._Regexp]:
    """The pattern for tests and for finding. Raises EvaluationError."""
    try:
        regex = compile_regex(pattern)
    except ExpressionError as exc:
        raise EvaluationError(f"error parsing regexp: {exc.message}") from exc
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        return regex, re2.compile(pattern, options)
    except re2.error as exc:
        raise EvaluationError("error parsing regexp: it needs too much memory") from exc


def _matches(pattern: str, text: str) -> Iterator[re2._Match]:
    """All matches, without empty ones right behind another match. Offsets count characters."""
    end = -1
    for match in _compiled(pattern)[1].finditer(runes.valid(text)):
        start, stop = match.span()
        if stop > start or start != end:
            yield match
        end = stop


def _spans(pattern: str, text: str, count: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for match in _matches(pattern, text):
        if 0 <= count <= len(spans):
            break
        spans.append(match.span())
        check_elements(len(spans))
    return spans


def _template(text: str, names: dict[str, int]) -> Iterator[_Piece]:
    """The pieces of a replacement; unknown names stand for nothing, a `$` without a name for itself."""
    before, dollar, rest = text.partition("$")
    while dollar:
        yield before
        name, after = _name(rest)
        if rest.startswith("$"):
            yield "$"
            after = rest[1:]
        elif not name:
            yield "$"
        else:
            group = _group(name, names)
            if group is not None:
                yield group
        before, dollar, rest = after.partition("$")
    yield before


def _name(text: str) -> tuple[str, str]:
    """The name of a group, bare or in braces, and the rest; empty if there is none."""
    brace = text.startswith("{")
    end = start = int(brace)
    while end < len(text) and _names(text[end]):
        end += 1
    if end == start or (brace and text[end : end + 1] != "}"):
        return "", text
    return text[start:end], text[end + brace :]


def _names(char: str) -> bool:
    return char == "_" or runes.is_letter(char) or runes.category(char) == "Nd"


def _group(name: str, names: dict[str, int]) -> int | None:
    digits = name.isascii() and name.isdigit() and not (name[0] == "0" and len(name) > 1)
    if digits and len(name) <= 9 and int(name) < 10 * _MAX_GROUP:
        return int(name)
    return names.get(name)
