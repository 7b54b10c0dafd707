"""jq syntax: program text to a tree.

Grammar   gojq's, which is jq 1.7's with operators allowed in the sources of `reduce`, `foreach` and `as`, and
          pipes within object values
Promise   a tree, or ExpressionError with the offset
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from events.errors import ExpressionError
from events.lang.jq import tree
from events.lang.jq.values import is_number, negate, parse_number

# --- Tokens ---------------------------------------------------------------------------------------

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_KEYWORDS: Final = frozenset([
    "and", "as", "break", "catch", "def", "elif", "else", "end", "false", "foreach", "if", "import",
    "include", "label", "module", "null", "or", "reduce", "then", "true", "try",
])  # fmt: skip
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#(?:\\(?:\r\n?|[\\\n])?|[^\\\r\n])*)*")
_TOKEN: Final = re.compile(
    rf"""
      (?P<field>\.{_NAME})
    | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
    | (?P<name>{_NAME}(?:::{_NAME})?)
    | (?P<variable>\${_NAME}(?:::{_NAME})?)
    | (?P<format>@[A-Za-z0-9_]+)
    | (?P<symbol>\?//|//=|//|\.\.|\|=|\+=|-=|\*=|/=|%=|==|!=|<=|>=|[][.|,(){{}}:;=<>+*/%?"-])
    """,
    re.VERBOSE,
)
_CHUNK: Final = re.compile(r'(?:[^"\\]+|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*')
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Token(NamedTuple):
    """`kind` is field, number, name, variable, format, or the keyword or symbol itself; empty at the end."""

    kind: str
    text: str
    start: int
    end: int


# --- Parser ---------------------------------------------------------------------------------------

_UPDATES: Final = ("=", "|=", "+=", "-=", "*=", "/=", "%=", "//=")
_COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=")
_LEVELS: Final = {
    "//": 0,
    **dict.fromkeys(_UPDATES, 1),
    "or": 2,
    "and": 3,
    **dict.fromkeys(_COMPARISONS, 4),
    **dict.fromkeys("+-", 5),
    **dict.fromkeys("*/%", 6),
}
_ALONE: Final = frozenset((1, 4))  # levels whose operators do not chain
_FORMATS: Final = {"@text": "tostring", "@json": "tojson"} | {
    f"@{name}": f"@{name}" for name in ("html", "uri", "urid", "csv", "tsv", "sh", "base64", "base64d")
}
_WORDS: Final = {"null": None, "true": True, "false": False}


def parse(text: str) -> tree.Node:
    """The tree of a program. Raises ExpressionError."""
    try:
        return _Parser(text).program()
    except RecursionError as exc:
        raise ExpressionError("the jq program is nested too deeply", text) from exc


def _runs_on(text: str, number: re.Match[str]) -> bool:
    """Whether something that cannot follow a number does."""
    following = text[number.end() : number.end() + 1]
    whole = "e" not in number[0].lower()
    return (following.isalpha() and following.isascii()) or following == "_" or (whole and following == ".")


def _text(parts: list[tree.Node]) -> tree.Node:
    if not parts:
        return tree.Literal("")
    return parts[0] if isinstance(parts[0], tree.Literal) and len(parts) == 1 else tree.Text(tuple(parts))


def _format(name: str, start: int | None) -> tree.Node:
    """The function of a format like `@csv`; one that does not exist is an error when it runs."""
    function = _FORMATS.get(name)
    return tree.Call(function, (), start) if function else tree.Call("format", (tree.Literal(name[1:]),))


def _unescaped(chunk: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", json.loads(f'"{chunk}"', strict=False))


def _joined(symbol: str, left: tree.Node, right: tree.Node) -> tree.Node:
    return tree.Update(symbol[:-1], left, right) if symbol in _UPDATES else tree.Binary(symbol, left, right)


def _signed(sign: str, operand: tree.Node) -> tree.Node:
    if isinstance(operand, tree.Literal) and is_number(operand.value):
        return tree.Literal(negate(operand.value)) if sign == "-" else operand
    return tree.Unary(sign, operand)


def _tried(term: tree.Node) -> tree.Node:
    """`?` after a suffix covers that suffix alone, whose keys then see the value before it."""
    last: tree.Node
    if isinstance(term, tree.Index):
        last = tree.Index(tree.IDENTITY, term.key)
    elif isinstance(term, tree.Slice):
        last = tree.Slice(tree.IDENTITY, term.start, term.end)
    else:
        last = tree.Iterate(tree.IDENTITY)
    base = term.base if isinstance(term, (tree.Index, tree.Slice, tree.Iterate)) else term
    return tree.Binary("|", base, tree.Try(last, None))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.token = Token("", "", 0, 0)
        self.go_to(0)

    # Tokens

    def go_to(self, place: int) -> None:
        """Read the token at or after `place`."""
        start = _BLANK.match(self.text, place).end()  # type: ignore[union-attr]  # matches nothing, too
        found = _TOKEN.match(self.text, start)
        if found is None:
            if start < len(self.text):
                raise ExpressionError(f"unexpected {self.text[start]!r}", self.text, start)
            self.token = Token("", "", start, start)
            return
        kind, text = found.lastgroup or "", found[0]
        if kind == "number" and _runs_on(self.text, found):
            raise ExpressionError("invalid number", self.text, start)
        if kind == "symbol" or (kind == "name" and text in _KEYWORDS):
            kind = text
        self.token = Token(kind, text, start, found.end())

    def take(self, *kinds: str) -> Token | None:
        """The token, if it is of one of these kinds."""
        token = self.token
        if token.kind not in kinds:
            return None
        self.go_to(token.end)
        return token

    def need(self, *kinds: str) -> Token:
        token = self.take(*kinds)
        if token is None:
            raise self.unexpected()
        return token

    def unexpected(self) -> ExpressionError:
        token = self.token
        what = "unexpected end of the program" if not token.kind else f"unexpected {token.text!r}"
        return ExpressionError(what, self.text, token.start)

    # Queries

    def program(self) -> tree.Node:
        if self.take("module"):
            self.term()
            self.need(";")
        if self.token.kind in ("import", "include"):
            raise ExpressionError("modules cannot be loaded", self.text, self.token.start)
        program = self.query()
        if self.token.kind:
            raise self.unexpected()
        return program

    def query(self) -> tree.Node:
        left = self.commas()
        return tree.Binary("|", left, self.query()) if self.take("|") else left

    def commas(self) -> tree.Node:
        left = self.operand()
        while self.take(","):
            left = tree.Binary(",", left, self.operand())
        return left

    def operand(self) -> tree.Node:
        if self.token.kind == "def":
            return tree.Define(*self.definition(), self.query())
        if self.take("label"):
            name = self.need("variable").text
            self.need("|")
            return tree.Label(name, self.query())
        source = self.expression()
        return self.binding(source) if self.take("as") else source

    def binding(self, source: tree.Node) -> tree.Node:
        patterns = [self.pattern()]
        while self.take("?//"):
            patterns.append(self.pattern())
        self.need("|")
        return tree.Bind(source, tuple(patterns), self.query())

    def definition(self) -> tuple[str, tuple[str, ...], tree.Node]:
        self.need("def")
        name = self.need("name").text
        parameters = []
        if self.take("("):
            parameters.append(self.need("name", "variable").text)
            while self.take(";"):
                parameters.append(self.need("name", "variable").text)
            self.need(")")
        self.need(":")
        definition = self.query()
        self.need(";")
        return name, tuple(parameters), definition

    def pattern(self) -> tree.Pattern:
        if variable := self.take("variable"):
            return tree.Pattern(variable.text)
        parts: list[tuple[int | tree.Node, tree.Pattern]] = []
        if self.take("["):
            parts.append((0, self.pattern()))
            while self.take(","):
                parts.append((len(parts), self.pattern()))
            self.need("]")
            return tree.Pattern(None, tuple(parts))
        self.need("{")
        parts.extend(self.member_pattern())
        while self.take(","):
            parts.extend(self.member_pattern())
        self.need("}")
        return tree.Pattern(None, tuple(parts))

    def member_pattern(self) -> list[tuple[int | tree.Node, tree.Pattern]]:
        variable = self.token.text if self.token.kind == "variable" else None
        key = self.key()
        parts: list[tuple[int | tree.Node, tree.Pattern]] = []
        if variable:
            key = tree.Literal(variable[1:])
            parts.append((key, tree.Pattern(variable)))
        if variable is None or self.token.kind == ":":
            self.need(":")
            parts.append((key, self.pattern()))
        return parts

    # Operators

    def expression(self, level: int = 0) -> tree.Node:
        left = self.term()
        while (found := _LEVELS.get(self.token.kind, -1)) >= level:
            symbol = self.token.kind
            self.go_to(self.token.end)
            right = self.expression(found if symbol == "//" else found + 1)
            left = _joined(symbol, left, right)
            if found in _ALONE and _LEVELS.get(self.token.kind) == found:
                raise self.unexpected()
        return left

    # Terms

    def term(self) -> tree.Node:
        if sign := self.take("+", "-"):
            return _signed(sign.kind, self.term())
        if self.take("try"):
            body = self.term()
            return tree.Try(body, self.term() if self.take("catch") else None)
        return self.suffixes(self.primary())

    def suffixes(self, term: tree.Node) -> tree.Node:
        bare = True  # a term without suffix: `?` covers all of it, else only the last suffix
        while True:
            if self.take("?"):
                term = tree.Try(term, None) if bare else _tried(term)
                bare = True
                continue
            suffixed = self.suffix(term)
            if suffixed is None:
                return term
            term, bare = suffixed, False

    def suffix(self, term: tree.Node) -> tree.Node | None:
        if field := self.take("field"):
            return tree.Index(term, tree.Literal(field.text[1:]))
        if self.token.kind == "[":
            return self.brackets(term)
        if self.take("."):
            if self.token.kind == "[":
                return self.brackets(term)
            return tree.Index(term, self.string())
        return None

    def brackets(self, base: tree.Node) -> tree.Node:
        self.need("[")
        if self.take("]"):
            return tree.Iterate(base)
        if self.take(":"):
            suffixed: tree.Node = tree.Slice(base, tree.Literal(None), self.query())
        else:
            start = self.query()
            suffixed = (
                tree.Slice(base, start, self.slice_end()) if self.take(":") else tree.Index(base, start)
            )
        self.need("]")
        return suffixed

    def slice_end(self) -> tree.Node:
        return tree.Literal(None) if self.token.kind == "]" else self.query()

    def primary(self) -> tree.Node:
        read = _PRIMARIES.get(self.token.kind)
        if read is None:
            raise self.unexpected()
        return read(self)

    def dot(self) -> tree.Node:
        self.need(".")
        if self.token.kind == "[":
            return self.brackets(tree.IDENTITY)
        return tree.Index(tree.IDENTITY, self.string()) if self.token.kind == '"' else tree.IDENTITY

    def field(self) -> tree.Node:
        return tree.Index(tree.IDENTITY, tree.Literal(self.need("field").text[1:]))

    def recurse(self) -> tree.Node:
        return tree.Call("recurse", (), self.need("..").start)

    def number(self) -> tree.Node:
        return tree.Literal(parse_number(self.need("number").text))

    def word(self) -> tree.Node:
        return tree.Literal(_WORDS[self.need(*_WORDS).kind])

    def variable(self) -> tree.Node:
        name = self.need("variable")
        return tree.Call(name.text, (), name.start)

    def call(self) -> tree.Node:
        name = self.need("name")
        arguments = []
        if self.take("("):
            arguments.append(self.query())
            while self.take(";"):
                arguments.append(self.query())
            self.need(")")
        return tree.Call(name.text, tuple(arguments), name.start)

    def formatted(self) -> tree.Node:
        name = self.need("format")
        convert = _format(name.text, name.start)
        return self.string(convert) if self.token.kind == '"' else convert

    def text_literal(self) -> tree.Node:
        return self.string()

    def string(self, convert: tree.Node | None = None) -> tree.Node:
        """A string; `convert` turns what is interpolated into text."""
        if self.token.kind != '"':
            raise self.unexpected()
        parts: list[tree.Node] = []
        place = self.token.start + 1
        while True:
            end = self.chunk_end(place)
            if end > place:
                parts.append(tree.Literal(_unescaped(self.text[place:end])))
            if self.text[end] == '"':
                self.go_to(end + 1)
                return _text(parts)
            self.go_to(end + 2)
            parts.append(tree.Binary("|", self.query(), convert or tree.Call("tostring")))
            if self.token.kind != ")":
                raise self.unexpected()
            place = self.token.end

    def chunk_end(self, place: int) -> int:
        """Where plain text ends: at the closing quote or at `\\(`."""
        end = _CHUNK.match(self.text, place).end()  # type: ignore[union-attr]  # matches nothing, too
        if self.text.startswith(('"', "\\("), end):
            return end
        if end >= len(self.text) - 1:
            raise ExpressionError("the string does not end", self.text, place - 1)
        raise ExpressionError("invalid escape sequence in a string", self.text, end)

    def parentheses(self) -> tree.Node:
        self.need("(")
        inner = self.query()
        self.need(")")
        return inner

    def array(self) -> tree.Node:
        self.need("[")
        if self.take("]"):
            return tree.Array(None)
        body = self.query()
        self.need("]")
        return tree.Array(body)

    def object(self) -> tree.Node:
        self.need("{")
        members = []
        while self.token.kind != "}":
            members.append(self.member())
            if not self.take(","):
                break
        self.need("}")
        return tree.Object(tuple(members))

    def member(self) -> tuple[tree.Node, tree.Node | None]:
        opener = self.token
        key = self.key()
        if opener.kind == "variable" and self.token.kind != ":":
            return tree.Literal(opener.text[1:]), key
        if opener.kind == "(" or self.token.kind == ":":
            self.need(":")
            return key, self.member_value()
        return key, tree.Index(tree.IDENTITY, key) if isinstance(key, tree.Literal) else None

    def key(self) -> tree.Node:
        if self.token.kind == '"':
            return self.string()
        if self.token.kind == "(":
            return self.parentheses()
        if self.token.kind == "variable":
            return self.variable()
        name = self.need("name", *_KEYWORDS).text
        return tree.Literal(name)

    def member_value(self) -> tree.Node:
        left = self.expression()
        return tree.Binary("|", left, self.member_value()) if self.take("|") else left

    def condition(self) -> tree.Node:
        self.need("if", "elif")
        condition = self.query()
        self.need("then")
        then = self.query()
        if self.token.kind == "elif":
            return tree.If(condition, then, self.condition())
        otherwise = self.query() if self.take("else") else tree.IDENTITY
        self.need("end")
        return tree.If(condition, then, otherwise)

    def reduce(self) -> tree.Node:
        self.need("reduce")
        source, pattern = self.fold_source()
        self.need("(")
        start = self.query()
        self.need(";")
        update = self.query()
        self.need(")")
        return tree.Reduce(source, pattern, start, update)

    def foreach(self) -> tree.Node:
        self.need("foreach")
        source, pattern = self.fold_source()
        self.need("(")
        start = self.query()
        self.need(";")
        update = self.query()
        extract = self.query() if self.take(";") else tree.IDENTITY
        self.need(")")
        return tree.Foreach(source, pattern, start, update, extract)

    def fold_source(self) -> tuple[tree.Node, tree.Pattern]:
        source = self.expression()
        self.need("as")
        return source, self.pattern()

    def break_(self) -> tree.Node:
        start = self.need("break").start
        return tree.Break(self.need("variable").text, start)


_PRIMARIES: Final[dict[str, Callable[[_Parser], tree.Node]]] = {
    ".": _Parser.dot,
    "..": _Parser.recurse,
    "field": _Parser.field,
    "number": _Parser.number,
    "null": _Parser.word,
    "true": _Parser.word,
    "false": _Parser.word,
    "name": _Parser.call,
    "variable": _Parser.variable,
    "format": _Parser.formatted,
    '"': _Parser.text_literal,
    "(": _Parser.parentheses,
    "[": _Parser.array,
    "{": _Parser.object,
    "if": _Parser.condition,
    "reduce": _Parser.reduce,
    "foreach": _Parser.foreach,
    "break": _Parser.break_,
}
