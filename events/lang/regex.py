r"""Regular expressions as Go's package regexp reads them, through RE2: linear time, bounded memory.

Language  RE2 syntax without `\C`; searches are unanchored; `$` is the end of the text
Text      matched as bytes; a byte that is not UTF-8 counts as one U+FFFD, as in Go
Shortcut  plain literals, with or without `^` and `$`, are compared without RE2
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import re2

from events.errors import ExpressionError

Search = Callable[[str], bool]

MAX_MEMORY: Final = 8 << 20  # bytes for one pattern, its automata included; RE2's own default

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LITERAL: Final = re.compile(r"(\^?)([^\\.+*?()|\[\]{}^$\ufffd\ud800-\udfff]*)(\$?)")
_QUOTED_OR_ESCAPE: Final = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Regex:
    """A compiled pattern. `search(text)` tells whether it matches anywhere in the text."""

    source: str
    search: Search = field(repr=False, compare=False)


def compile_regex(pattern: str) -> Regex:
    """Compile Go (RE2) syntax. Raises ExpressionError; a pattern that needs too much memory is one."""
    literal = _LITERAL.fullmatch(pattern)
    return Regex(pattern, _literal_search(*literal.groups()) if literal else _automaton(pattern))


def go_bytes(text: str) -> bytes:
    """The bytes of a Go string. Surrogates that stand for no byte are written as CESU-8 does."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _literal_search(start: str, literal: str, end: str) -> Search:
    if start and end:
        return lambda text: text == literal
    if start:
        return lambda text: text.startswith(literal)
    if end:
        return lambda text: text.endswith(literal)
    return lambda text: literal in text


def _automaton(pattern: str) -> Search:
    _check(pattern)
    search = _compile(pattern).search
    return lambda text: search(_matchable(text)) is not None


def _check(pattern: str) -> None:
    """Refuse what RE2 accepts and Go does not."""
    for escape in _QUOTED_OR_ESCAPE.finditer(pattern):
        if escape[1] == "C":
            raise ExpressionError(r"invalid escape sequence \C", pattern, escape.start())


def _compile(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    options.never_capture = True
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as exc:
        reason = exc.args[0].decode(errors="replace") if exc.args else "unknown"
        raise ExpressionError(f"not a regular expression: {reason}", pattern) from exc
    except UnicodeEncodeError as exc:
        raise ExpressionError("regular expression is not UTF-8", pattern, exc.start) from exc
    re2.purge()  # its cache would keep 128 patterns alive, of events too
    return compiled


def _matchable(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode()
