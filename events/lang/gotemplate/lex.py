"""Tokens of a Go template: text between actions, and the words inside `{{ }}`."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final, NamedTuple, NoReturn

from events.errors import ExpressionError

SPACES: Final = " \t\r\n"
KEYWORDS: Final = frozenset(
    ["block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"]
)


class Kind(Enum):
    """What a token is. CHAR is a comma or a character that no rule accepts."""

    TEXT = auto()
    OPEN = auto()
    CLOSE = auto()
    SPACE = auto()
    ASSIGN = auto()
    DECLARE = auto()
    PIPE = auto()
    LEFT_PAREN = auto()
    RIGHT_PAREN = auto()
    DOT = auto()
    FIELD = auto()
    VARIABLE = auto()
    IDENTIFIER = auto()
    KEYWORD = auto()
    BOOL = auto()
    STRING = auto()
    RAW_STRING = auto()
    CHARACTER = auto()
    NUMBER = auto()
    COMPLEX = auto()
    CHAR = auto()
    END = auto()


class Token(NamedTuple):
    """`start` is an offset into the template."""

    kind: Kind
    text: str
    start: int


def tokens(source: str) -> list[Token]:
    """All tokens of a template, END last. Raises ExpressionError with the offset of what does not fit."""
    return list(_Lexer(source).run())


def is_alphanumeric(char: str) -> bool:
    """Whether a character may stand in a name: letters, decimal digits, underscore."""
    if char.isascii():
        return char.isalnum() or char == "_"
    category = unicodedata.category(char)
    return category[0] == "L" or category == "Nd"


class _Lexer:
    def __init__(self, source: str) -> None:
        self.source, self.at, self.start, self.depth = source, 0, 0, 0

    def run(self) -> Iterator[Token]:
        while self.at < len(self.source):
            yield from self.text()
            if self.at < len(self.source):
                yield from self.action()
        yield Token(Kind.END, "", self.at)

    # text and delimiters

    def text(self) -> Iterator[Token]:
        """Text up to the next action that is no comment, without the spaces that trim markers take."""
        begin = self.at
        opening = self.source.find("{{", begin)
        end = len(self.source) if opening < 0 else opening
        self.at = end
        text = self.source[begin:end]
        if opening >= 0 and self.trims_left(end + 2):
            text = text.rstrip(SPACES)
        if text:
            yield Token(Kind.TEXT, text, begin)

    def trims_left(self, at: int) -> bool:
        return self.source.startswith("-", at) and self.source[at + 1 : at + 2] in tuple(SPACES)

    def trims_right(self) -> bool:
        return self.source[self.at : self.at + 1] in tuple(SPACES) and self.source.startswith(
            "-}}", self.at + 1
        )

    def at_close(self) -> bool:
        return self.source.startswith("}}", self.at) or self.trims_right()

    def close(self) -> None:
        """Step over a closing delimiter and what its trim marker takes."""
        trims = self.trims_right()
        self.at += 4 if trims else 2
        if trims:
            rest = self.source[self.at :]
            self.at += len(rest) - len(rest.lstrip(SPACES))

    def action(self) -> Iterator[Token]:
        """One action with its delimiters; nothing for a comment."""
        opening, self.start = self.at, self.at
        self.at += 4 if self.trims_left(self.at + 2) else 2
        if self.source.startswith("/*", self.at):
            self.comment()
            return
        yield Token(Kind.OPEN, "{{", opening)
        self.depth = 0
        while not self.at_close():
            self.start = self.at
            yield self.word()
        if self.depth:
            self.fail("unclosed left paren")
        yield Token(Kind.CLOSE, "}}", self.at)
        self.close()

    def comment(self) -> None:
        end = self.source.find("*/", self.at + 2)
        if end < 0:
            self.fail("unclosed comment")
        self.at = end + 2
        if not self.at_close():
            self.fail("comment ends before closing delimiter")
        self.close()

    # words inside an action

    def word(self) -> Token:
        char = self.peek()
        known = _WORDS.get(char)
        if known is not None:
            return known(self)
        if char == "":
            self.fail("unclosed action")
        if is_alphanumeric(char):
            return self.identifier()
        self.at += 1
        if not (char.isascii() and char.isprintable()):
            self.fail(f"unrecognized character in action: {char!r}")
        return self.token(Kind.CHAR)

    def space(self) -> Token:
        while self.peek() in tuple(SPACES) and not self.at_close():
            self.at += 1
        return self.token(Kind.SPACE)

    def single(self, kind: Kind) -> Token:
        self.at += 1
        return self.token(kind)

    def declare(self) -> Token:
        self.at += 1
        if self.peek() != "=":
            self.fail("expected :=")
        return self.single(Kind.DECLARE)

    def parenthesis(self) -> Token:
        opens = self.peek() == "("
        self.depth += 1 if opens else -1
        if self.depth < 0:
            self.fail("unexpected right paren")
        return self.single(Kind.LEFT_PAREN if opens else Kind.RIGHT_PAREN)

    def dot(self) -> Token:
        following = self.source[self.at + 1 : self.at + 2]
        if "0" <= following <= "9" or following == "":
            return self.number()
        return self.name(Kind.FIELD)

    def name(self, kind: Kind) -> Token:
        """A field or variable; the mark alone is the dot or `$`."""
        self.at += 1
        while is_alphanumeric(self.peek() or " "):
            self.at += 1
        self.check_terminator()
        alone = self.at - self.start == 1
        return self.token(Kind.DOT if alone and kind is Kind.FIELD else kind)

    def identifier(self) -> Token:
        while is_alphanumeric(self.peek() or " "):
            self.at += 1
        self.check_terminator()
        word = self.source[self.start : self.at]
        if word in KEYWORDS:
            return self.token(Kind.KEYWORD)
        return self.token(Kind.BOOL if word in ("true", "false") else Kind.IDENTIFIER)

    def check_terminator(self) -> None:
        char = self.peek()
        if char and char not in " \t\r\n.,|:)(" and not self.source.startswith("}}", self.at):
            self.fail(f"bad character {char!r}", self.at)

    def quoted(self) -> Token:
        mark = self.peek()
        what, kind = _QUOTED[mark]
        self.at += 1
        while (char := self.peek()) != mark:
            if char == "\\":
                self.at += 1
            if self.peek() in ("", "\n"):
                self.fail(f"unterminated {what}")
            self.at += 1
        return self.single(kind)

    def raw_quoted(self) -> Token:
        end = self.source.find("`", self.at + 1)
        if end < 0:
            self.fail("unterminated raw quoted string")
        self.at = end + 1
        return self.token(Kind.RAW_STRING)

    # numbers: a rough scan, the parser checks them

    def number(self) -> Token:
        kind = Kind.NUMBER
        self.scan_number()
        if self.peek() in ("+", "-"):
            kind = Kind.COMPLEX
            self.scan_number()
            if self.source[self.at - 1] != "i":
                self.fail("bad number syntax")
        return self.token(kind)

    def scan_number(self) -> None:
        self.accept("+-")
        digits, exponent = "0123456789_", "eE"
        if self.accept("0"):
            for marks, others in _BASES:
                if self.accept(marks):
                    digits, exponent = others, "pP" if marks == "xX" else ""
        self.accept_run(digits)
        if self.accept("."):
            self.accept_run(digits)
        if exponent and self.accept(exponent):
            self.accept("+-")
            self.accept_run("0123456789_")
        self.accept("i")
        if is_alphanumeric(self.peek() or " "):
            self.fail("bad number syntax")

    def accept(self, chars: str) -> bool:
        char = self.peek()
        found = char != "" and char in chars
        self.at += found
        return found

    def accept_run(self, chars: str) -> None:
        while self.accept(chars):
            pass

    # shared

    def peek(self) -> str:
        return self.source[self.at : self.at + 1]

    def token(self, kind: Kind) -> Token:
        return Token(kind, self.source[self.start : self.at], self.start)

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        raise ExpressionError(message, self.source, self.start if at is None else at)


_BASES: Final = (("xX", "0123456789abcdefABCDEF_"), ("oO", "01234567_"), ("bB", "01_"))
_QUOTED: Final = {'"': ("quoted string", Kind.STRING), "'": ("character constant", Kind.CHARACTER)}
_WORDS: Final[dict[str, Callable[[_Lexer], Token]]] = {
    **dict.fromkeys(SPACES, _Lexer.space),
    **dict.fromkeys("+-0123456789", _Lexer.number),
    **dict.fromkeys("()", _Lexer.parenthesis),
    **dict.fromkeys("\"'", _Lexer.quoted),
    "`": _Lexer.raw_quoted,
    ":": _Lexer.declare,
    ".": _Lexer.dot,
    "$": lambda lexer: lexer.name(Kind.VARIABLE),
    "=": lambda lexer: lexer.single(Kind.ASSIGN),
    "|": lambda lexer: lexer.single(Kind.PIPE),
}
