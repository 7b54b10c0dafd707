r"""Tokens of govaluate expressions, and which kind may follow which.

Symbols   run to the next letter, digit, blank, quote or bracket: `a==-1` has the unknown symbol `==-`
Escapes   a backslash takes the next character as it is, in names, symbols and numbers too
Strings   in `'` or `"`; govaluate ends them at either quote, we at the one that opened them; with
          `either_quote` as govaluate does
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, NamedTuple

from events.errors import ExpressionError
from events.lang.govaluate_dates import unix_time
from events.lang.regex import compile_regex
from events.lang.scalars import parse_float

Accept = Callable[[str], bool]

_BLANKS: Final = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_HEXADECIMAL: Final = re.compile("[0-9a-fA-F]+")


class Kind(Enum):
    """What a token is; the values are for messages."""

    NUMBER = "a number"
    BOOLEAN = "a boolean"
    STRING = "a string"
    DATE = "a date"
    PATTERN = "a pattern"
    VARIABLE = "a variable"
    ACCESSOR = "a field"
    PREFIX = "a prefix"
    MODIFIER = "an operator"
    COMPARATOR = "a comparison"
    LOGICAL = "a logical operator"
    TERNARY = "a ternary operator"
    COMMA = "a comma"
    OPEN = "("
    CLOSE = ")"


class Token(NamedTuple):
    """One token: `value` is the constant, the name or the symbol, `position` where it starts."""

    kind: Kind
    value: Any
    position: int


_SYMBOLS: Final = {
    Kind.MODIFIER: frozenset(("+", "-", "*", "/", "%", "**", "&", "|", "^", ">>", "<<")),
    Kind.LOGICAL: frozenset(("&&", "||")),
    Kind.COMPARATOR: frozenset(("==", "!=", ">", ">=", "<", "<=", "=~", "!~")),
    Kind.TERNARY: frozenset(("?", ":", "??")),
}
_PREFIXES: Final = frozenset(("-", "!", "~"))
_WORDS: Final = {
    "true": (Kind.BOOLEAN, True),
    "false": (Kind.BOOLEAN, False),
    "in": (Kind.COMPARATOR, "in"),
    "IN": (Kind.COMPARATOR, "in"),
}
_OPERAND: Final = frozenset(
    (Kind.PREFIX, Kind.NUMBER, Kind.BOOLEAN, Kind.VARIABLE, Kind.STRING, Kind.DATE, Kind.OPEN, Kind.ACCESSOR)
)
_AFTER_VALUE: Final = frozenset(
    (Kind.MODIFIER, Kind.COMPARATOR, Kind.LOGICAL, Kind.CLOSE, Kind.TERNARY, Kind.COMMA)
)
_FOLLOW: Final[dict[Kind | None, frozenset[Kind]]] = {
    None: _OPERAND,
    Kind.OPEN: _OPERAND | {Kind.CLOSE},
    Kind.CLOSE: (_AFTER_VALUE | _OPERAND) - {Kind.PREFIX, Kind.ACCESSOR},
    Kind.NUMBER: _AFTER_VALUE,
    Kind.BOOLEAN: _AFTER_VALUE,
    Kind.STRING: _AFTER_VALUE,
    Kind.PATTERN: _AFTER_VALUE,
    Kind.VARIABLE: _AFTER_VALUE,
    Kind.DATE: _AFTER_VALUE - {Kind.TERNARY},
    Kind.ACCESSOR: _AFTER_VALUE | {Kind.OPEN},
    Kind.PREFIX: (_OPERAND | {Kind.CLOSE}) - {Kind.PREFIX, Kind.STRING, Kind.DATE},
    Kind.MODIFIER: (_OPERAND | {Kind.CLOSE}) - {Kind.DATE},
    Kind.COMPARATOR: _OPERAND | {Kind.CLOSE, Kind.PATTERN},
    Kind.LOGICAL: _OPERAND | {Kind.CLOSE},
    Kind.TERNARY: _OPERAND,
    Kind.COMMA: _OPERAND,
}
_LAST: Final = frozenset(
    kind for kind, follow in _FOLLOW.items() if kind and _AFTER_VALUE - {Kind.TERNARY} <= follow
)


def tokenize(text: str, *, either_quote: bool = False) -> list[Token]:
    """The tokens of an expression, in an order that the grammar allows. Raises ExpressionError."""
    scanner = _Scanner(_SURROGATE.sub("\ufffd", text), either_quote=either_quote)
    tokens: list[Token] = []
    last: Token | None = None
    while scanner.skip_blanks():
        token = scanner.token(last)
        if token.kind not in _FOLLOW[last and last.kind]:
            raise ExpressionError(_misplaced(last, token), text, token.position)
        tokens.append(token)
        last = token
    if last is None or last.kind not in _LAST:
        raise ExpressionError("expression ends where a value is expected", text, len(text))
    kinds = [token.kind for token in tokens]
    if kinds.count(Kind.OPEN) != kinds.count(Kind.CLOSE):
        raise ExpressionError("unbalanced parentheses", text)
    return tokens


def _misplaced(last: Token | None, token: Token) -> str:
    if last is None:
        return f"{token.kind.value} cannot begin an expression"
    if last.kind is Kind.VARIABLE and token.kind is Kind.OPEN:
        return f"there is no function {last.value!r}: expressions have no functions"
    return f"{token.kind.value} cannot follow {last.kind.value}"


class _Scanner:
    """Cuts a text into tokens, one by one."""

    def __init__(self, text: str, *, either_quote: bool) -> None:
        self.text, self.position, self.either_quote = text, 0, either_quote

    def skip_blanks(self) -> bool:
        """Go to the next token; False if there is none."""
        while self.position < len(self.text) and self.text[self.position] in _BLANKS:
            self.position += 1
        return self.position < len(self.text)

    def token(self, last: Token | None) -> Token:
        """Read the token at the position; what it is may depend on the one before."""
        start, char = self.position, self.text[self.position]
        if _is_numeric(char):
            return Token(Kind.NUMBER, self._number(), start)
        if char.isalpha():
            return self._word()
        if char in "'\"":
            return self._string(last)
        if char == "[":
            return Token(Kind.VARIABLE, self._enclosed(lambda other: other != "]"), start)
        if char in "(),":
            self.position += 1
            kind = Kind.COMMA if char == "," else Kind.OPEN if char == "(" else Kind.CLOSE
            return Token(kind, char, start)
        return self._symbol(last)

    def _number(self) -> float:
        start = self.position
        if self.text.startswith("0x", start) and len(self.text) > start + 2:
            self.position += 2
            digits = self._run(lambda char: char in "abcdefABCDEF" or char.isdecimal())
            if not _HEXADECIMAL.fullmatch(digits) or int(digits, 16) >= 1 << 64:
                raise ExpressionError("not a hexadecimal number of 64 bits", self.text, start)
            return float(int(digits, 16))
        try:
            return parse_float(self._run(_is_numeric))
        except ExpressionError as exc:
            raise ExpressionError(exc.message, self.text, start) from exc

    def _word(self) -> Token:
        start = self.position
        word = self._run(lambda char: char.isalpha() or char.isdecimal() or char in "_.")
        if "." in word:
            return self._accessor(word, start)
        kind, value = _WORDS.get(word, (Kind.VARIABLE, word))
        return Token(kind, value, start)

    def _accessor(self, word: str, start: int) -> Token:
        if word.endswith(".") or any(part[:1].islower() for part in word.split(".")[1:]):
            advice = f"write [{word}], or bind the path to a name"
            raise ExpressionError(f"members of objects cannot be read with a dot: {advice}", self.text, start)
        return Token(Kind.ACCESSOR, word, start)

    def _string(self, last: Token | None) -> Token:
        start = self.position
        quotes = "'\"" if self.either_quote else self.text[start]
        value = self._enclosed(lambda char: char not in quotes)
        if (seconds := unix_time(value)) is not None:
            return Token(Kind.DATE, seconds, start)
        if last is not None and last.kind is Kind.COMPARATOR and last.value in ("=~", "!~"):
            return Token(Kind.PATTERN, compile_regex(value), start)
        return Token(Kind.STRING, value, start)

    def _symbol(self, last: Token | None) -> Token:
        start = self.position
        symbol = self._run(_is_symbol)
        if symbol in _PREFIXES and Kind.PREFIX in _FOLLOW[last and last.kind]:
            return Token(Kind.PREFIX, symbol, start)
        for kind, symbols in _SYMBOLS.items():
            if symbol in symbols:
                return Token(kind, symbol, start)
        advice = "write ==" if symbol == "=" else "leave a blank between two operators"
        raise ExpressionError(f"unknown operator {symbol!r}: {advice}", self.text, start)

    def _enclosed(self, inside: Accept) -> str:
        """What stands between the character at the position and the first that is not inside."""
        start = self.position
        self.position += 1
        value = self._run(inside, blanks=True)
        if self.position == len(self.text):
            raise ExpressionError(f"{self.text[start]} is not closed", self.text, start)
        self.position += 1
        return value

    def _run(self, accept: Accept, *, blanks: bool = False) -> str:
        """Read accepted and escaped characters up to another one, and past a blank unless `blanks` count."""
        taken: list[str] = []
        while self.position < len(self.text):
            char = self.text[self.position]
            if char == "\\":
                taken.append(self._escaped())
            elif char in _BLANKS and not blanks:
                self.position += 1
                if taken:
                    break
            elif accept(char):
                taken.append(char)
                self.position += 1
            else:
                break
        return "".join(taken)

    def _escaped(self) -> str:
        if self.position + 1 == len(self.text):
            raise ExpressionError("nothing follows the backslash", self.text, self.position)
        self.position += 2
        return self.text[self.position - 1]


def _is_numeric(char: str) -> bool:
    return char.isdecimal() or char == "."


def _is_symbol(char: str) -> bool:
    return not (char.isalpha() or char.isdecimal() or char in "()[]'\"")
