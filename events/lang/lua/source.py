"""Lua source as gopher-lua reads it, rewritten for the Lua 5.1 of the C library.

Text      numbers become text as in Go: the operands of `..` are wrapped in a call
Escapes   an unknown escape like `\\u` is the character itself
Goto      is not in Lua 5.1: scripts with it run on the Lua 5.2 engine
Nothing else is changed, lines keep their numbers, and syntax is checked by the engine.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from events.errors import ExpressionError

TEXT: Final = "__text"
"""Name of the function that turns the operands of `..` into text; the script's chunk gets it."""

_TOKEN: Final = re.compile(
    r"""
      (?P<blank>[ \t\r\n\v\f]+|--\[(?P<level>=*)\[.*?\](?P=level)\]|--(?!\[=*\[)[^\r\n]*)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>0[xX][0-9A-Fa-f]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
    | (?P<string>"(?:[^"\\\r\n]|\\(?:\r\n?|\n\r?|.))*"|'(?:[^'\\\r\n]|\\(?:\r\n?|\n\r?|.))*')
    | (?P<long>\[(?P<quotes>=*)\[.*?\](?P=quotes)\])
    | (?P<symbol>\.\.\.|\.\.|::|==|~=|<=|>=|[-+*/%^#<>=(){}\[\];:,.])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_KNOWN_ESCAPES: Final = frozenset("abfnrtv\\\"'0123456789\r\n")
_KEYWORDS: Final = frozenset([
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local",
    "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
])  # fmt: skip
_BINARY: Final = {
    "or": 1, "and": 2, "<": 3, ">": 3, "<=": 3, ">=": 3, "~=": 3, "==": 3, "..": 4, "+": 5, "-": 5, "*": 6,
    "/": 6, "%": 6, "^": 8,
}  # fmt: skip
_CONCAT: Final = 4
_UNARY: Final = 7
_RIGHT: Final = frozenset(("..", "^"))
_MAX_DEPTH: Final = 180  # the engine takes 200 levels


class Source(NamedTuple):
    """Rewritten text, and whether it needs `goto`."""

    text: str
    has_goto: bool


class _Token(NamedTuple):
    """`kind` is name, number, string, or the keyword or symbol; `before` is white space and comments."""

    kind: str
    text: str
    before: str
    start: int


def rewrite(script: str) -> Source:
    """The script for the engine. Raises ExpressionError for what is not made of Lua's tokens and blocks."""
    writer = _Writer(script, _tokens(script))
    writer.block()
    writer.end()
    kinds = {token.kind for token in writer.tokens}
    return Source("".join(writer.out), bool({"goto", "::"} & kinds))


def _tokens(script: str) -> list[_Token]:
    tokens, at, before = [], 0, ""
    while at < len(script):
        found = _TOKEN.match(script, at)
        if found is None:
            raise ExpressionError(f"unexpected {script[at]!r} in the Lua script", script, at)
        kind, text = found.lastgroup or "", found[0]
        if kind == "symbol" or text in _KEYWORDS:
            kind = text
        elif kind == "string":
            text = _ESCAPE.sub(_known_escape, text)
        elif kind == "long":
            kind = "string"
        if kind == "blank":
            before += text
        else:
            tokens.append(_Token(kind, text, before, at))
            before = ""
        at = found.end()
    return [*tokens, _Token("", "", before, at)]


def _known_escape(escape: re.Match[str]) -> str:
    return escape[0] if escape[1] in _KNOWN_ESCAPES else escape[1]


class _Writer:
    """Copies tokens to `out`. Expressions are read by precedence, all else is passed on as it comes."""

    def __init__(self, script: str, tokens: list[_Token]) -> None:
        self.script, self.tokens, self.at = script, tokens, 0
        self.out: list[str] = []
        self.depth = 0

    @property
    def kind(self) -> str:
        return self.tokens[self.at].kind

    def copy(self) -> str:
        token = self.tokens[self.at]
        self.at += 1
        self.out.append(token.before + token.text)
        return token.kind

    def need(self, kind: str) -> None:
        if self.kind != kind:
            raise self.unexpected()
        self.copy()

    def unexpected(self) -> ExpressionError:
        token = self.tokens[self.at]
        what = f"unexpected {token.text!r}" if token.kind else "unexpected end"
        return ExpressionError(f"{what} in the Lua script", self.script, token.start)

    def end(self) -> None:
        if self.kind:
            raise self.unexpected()
        self.copy()

    def block(self) -> None:
        """Statements up to the keyword that ends the block."""
        empty = True  # whether a `;` here would end no statement, which only gopher-lua takes
        while self.kind not in _BLOCK_ENDS:
            if self.kind == ";" and empty:
                self.drop()
                continue
            empty = self.kind in _NO_STATEMENT
            self.statement_part()

    def drop(self) -> None:
        self.out.append(self.tokens[self.at].before)
        self.at += 1

    def statement_part(self) -> None:
        if self.kind in ("if", "do"):
            self.copy()
            self.nested()
        elif self.kind == "function":
            self.copy()
            while self.kind in ("name", ".", ":"):
                self.copy()
            self.function_body()
        elif self.kind in _STARTS:
            self.expression(0)
        else:
            self.copy()

    def nested(self) -> None:
        """A block and its `end`; the branches of an `if` are blocks one after the other."""
        self.deeper()
        self.block()
        while self.kind in ("elseif", "else"):
            self.copy()
            self.block()
        self.need("end")
        self.depth -= 1

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ExpressionError(
                "the Lua script is nested too deeply", self.script, self.tokens[self.at].start
            )

    def function_body(self) -> None:
        self.need("(")
        while self.kind in ("name", ",", "..."):
            self.copy()
        self.need(")")
        self.nested()

    # Expressions

    def expression(self, limit: int) -> None:
        """Copies an expression of operators that bind tighter than `limit`; wraps the operands of `..`."""
        self.deeper()
        start = len(self.out)
        self.operand()
        while (level := _BINARY.get(self.kind, 0)) > limit:
            symbol = self.kind
            if symbol == "..":
                self.wrap(start)
            self.copy()
            right = len(self.out)
            self.expression(level - 1 if symbol in _RIGHT else level)
            if symbol == "..":
                self.wrap(right)
        self.depth -= 1

    def wrap(self, start: int) -> None:
        """Put what was written from `start` on into a call of TEXT, unless it is text already."""
        if len(self.out) == start + 1 and self.out[start].lstrip()[:1] in _QUOTES:
            return
        if self.out[start].lstrip().startswith(TEXT):
            return
        self.out[start] = f" {TEXT}({self.out[start]}"
        self.out.append(")")

    def operand(self) -> None:
        if self.kind in ("not", "-", "#"):
            self.copy()
            self.expression(_UNARY)
        elif self.kind == "function":
            self.copy()
            self.function_body()
        elif self.kind in ("name", "("):
            self.primary()
        elif self.kind == "{":
            self.table()
        elif self.kind in _ATOMS:
            self.copy()
        else:
            raise self.unexpected()

    def primary(self) -> None:
        if self.copy() == "(":
            self.expression(0)
            self.need(")")
        while self.kind in _SUFFIXES:
            self.suffix()

    def suffix(self) -> None:
        if self.kind in (".", ":"):
            self.copy()
            self.need("name")
        elif self.kind == "string":
            self.copy()
        elif self.kind == "{":
            self.table()
        else:
            self.arguments("]" if self.copy() == "[" else ")")

    def arguments(self, closing: str) -> None:
        while self.kind != closing:
            self.expression(0)
            if self.kind != ",":
                break
            self.copy()
        self.need(closing)

    def table(self) -> None:
        self.need("{")
        while self.kind != "}":
            self.field()
            if self.kind not in (",", ";"):
                break
            self.copy()
        self.need("}")

    def field(self) -> None:
        if self.kind == "[":
            self.copy()
            self.expression(0)
            self.need("]")
            self.need("=")
        elif self.kind == "name" and self.tokens[self.at + 1].kind == "=":
            self.copy()
            self.need("=")
        self.expression(0)


_BLOCK_ENDS: Final = frozenset(("", "end", "elseif", "else"))
_NO_STATEMENT: Final = frozenset((";", "then", "repeat"))
_ATOMS: Final = frozenset(("nil", "true", "false", "number", "string", "..."))
_STARTS: Final = _ATOMS | {"name", "(", "{", "not", "-", "#"}
_SUFFIXES: Final = frozenset((".", ":", "[", "(", "{", "string"))
_QUOTES: Final = ('"', "'", "[")
