"""Tokens of filter expressions, as antonmedv/expr 1.15.5 cuts them.

Offsets are 0-based characters of the text. Bytes that are not UTF-8 count as U+FFFD, as in Go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from events.errors import ExpressionError

IDENTIFIER: Final = "identifier"
NUMBER: Final = "number"
STRING: Final = "string"
OPERATOR: Final = "operator"
BRACKET: Final = "bracket"
EOF: Final = "end of expression"

WORD_OPERATORS: Final = frozenset(
    {"not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let"}
)

_SPACE: Final = r"[\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_BLANK: Final = re.compile(rf"(?:{_SPACE}|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_ESCAPE: Final = r"\\(?:[abfnrtv\\Q]|[0-3][0-7]{2}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"
_STRING: Final = re.compile("|".join(rf"Q(?:[^Q\\\n]++|{_ESCAPE})*+Q".replace("Q", quote) for quote in "\"'"))
_ESCAPED: Final = re.compile(r"\\(?:([abfnrtv\\\"'])|([0-7]{3})|[xuU]([0-9a-fA-F]+))")
_CONTROL: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NUMBER: Final = re.compile(
    "|".join(
        rf"\.?{prefix}{digits}*(?:\.(?!\.){digits}*)?(?:[eE][+-]?{digits}*)?"
        for prefix, digits in (
            ("0[xX]", "[0-9a-fA-F_]"),
            ("0[oO]", "[0-7_]"),
            ("0[bB]", "[01_]"),
            ("(?=[0-9])", "[0-9_]"),
        )
    )
)
_SYMBOL: Final = re.compile(r"\?[.?]?|\|\|?|\.\.?|[&!=*<>][&=*]?|[,:;%+\-^/]|##?")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MAX_RUNE: Final = 0x10FFFF


@dataclass(frozen=True, slots=True)
class Token:
    """One token: what it is, its text (of a string: the decoded value) and where it starts."""

    kind: str
    value: str
    position: int

    def is_(self, kind: str, value: str) -> bool:
        """Whether it is this very operator or bracket."""
        return self.value == value and self.kind == kind

    def __str__(self) -> str:
        return f"{self.kind} {self.value!r}" if self.value else self.kind


def tokenize(text: str) -> list[Token]:
    """All tokens, the last one being EOF. Raises ExpressionError."""
    source = _SURROGATE.sub("\ufffd", text)
    tokens: list[Token] = []
    position = _skip_blank(source, 0)
    while position < len(source):
        token, position = _next_token(source, position)
        tokens.append(token)
        if token.kind is OPERATOR and token.value[0] == "#":
            position = _pointer_name(source, position, tokens)
        position = _skip_blank(source, position)
    tokens.append(Token(EOF, "", len(source)))
    return tokens


def is_word_part(char: str) -> bool:
    """Whether the character may stand in an identifier: letter, digit, `_` or `$`."""
    return char in ("_", "$") or char.isalpha() or char.isdecimal()


def is_name(text: str) -> bool:
    """Whether the text may follow a dot, which also holds for operators that are words."""
    return bool(text) and not text[0].isdecimal() and all(map(is_word_part, text))


def _skip_blank(source: str, position: int) -> int:
    match = _BLANK.match(source, position)
    position = match.end() if match else position
    if source.startswith("/*", position):
        raise ExpressionError("unclosed comment", source, position)
    return position


def _next_token(source: str, position: int) -> tuple[Token, int]:
    char = source[position]
    if char in "\"'":
        return _string(source, position)
    if "0" <= char <= "9" or (char == "." and source[position + 1 : position + 2] in tuple("0123456789")):
        return _number(source, position)
    if char in "([{)]}":
        return Token(BRACKET, char, position), position + 1
    if is_word_part(char):
        return _word(source, position)
    match = _SYMBOL.match(source, position)
    if match is None:
        raise ExpressionError(f"unrecognized character {char!r}", source, position)
    return Token(OPERATOR, match.group(), position), match.end()


def _word(source: str, position: int) -> tuple[Token, int]:
    end = _word_end(source, position)
    word = source[position:end]
    return Token(OPERATOR if word in WORD_OPERATORS else IDENTIFIER, word, position), end


def _word_end(source: str, position: int) -> int:
    while position < len(source) and is_word_part(source[position]):
        position += 1
    return position


def _pointer_name(source: str, position: int, tokens: list[Token]) -> int:
    """The name right behind `#`, which is an identifier whatever it looks like."""
    end = _word_end(source, position)
    if end > position:
        tokens.append(Token(IDENTIFIER, source[position:end], position))
    return end


def _number(source: str, position: int) -> tuple[Token, int]:
    match = _NUMBER.match(source, position)
    if match is None or is_word_part(source[match.end() : match.end() + 1] or " "):
        raise ExpressionError("bad number syntax", source, position)
    return Token(NUMBER, match.group(), position), match.end()


def _string(source: str, position: int) -> tuple[Token, int]:
    match = _STRING.match(source, position)
    if match is None:
        raise ExpressionError("string not terminated, or with a bad escape", source, position)
    body = match.group()[1:-1].replace("\r\n", "\n").replace("\r", "\n")
    try:
        value = _ESCAPED.sub(_unescaped, body) if "\\" in body else body
    except OverflowError as exc:
        raise ExpressionError("escape is no Unicode character", source, position) from exc
    return Token(STRING, value, position), match.end()


def _unescaped(match: re.Match[str]) -> str:
    char, octal, hexadecimal = match.groups()
    if char is not None:
        return _CONTROL.get(char, char)
    code = int(octal, 8) if octal else int(hexadecimal, 16)
    if code > _MAX_RUNE:
        raise OverflowError
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
