"""From the text of a JSONPath to its steps, cut as github.com/evilmonkeyinc/jsonpath 0.8.1 does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from events.errors import EvaluationError
from events.lang.exprlang.jsonpath_script import Expression

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")


class Step:
    """One step of a path."""


class Root(Step):
    """`$`"""


class Current(Step):
    """`@`"""


class Wildcard(Step):
    """`*`"""


class Recursive(Step):
    """`..`"""


class Length(Step):
    """`.length`"""


@dataclass(frozen=True, slots=True)
class Key(Step):
    """`.name`, `['name']`"""

    name: str


@dataclass(frozen=True, slots=True)
class Index(Step):
    """`[0]`"""

    index: int


@dataclass(frozen=True, slots=True)
class Filter(Step):
    """`[?(expression)]`"""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Script(Step):
    """`[(expression)]`"""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Range(Step):
    """`[start:stop:stride]`; each an int, an Expression or None."""

    start: Any
    stop: Any
    stride: Any


@dataclass(frozen=True, slots=True)
class Union(Step):
    """`[0,1]`, `['a','b']`; each a str, an int or an Expression."""

    arguments: tuple[Any, ...]


def parse_path(text: str) -> list[Step]:
    """The steps of a path. Raises EvaluationError."""
    return [_parse_step(piece) for piece in split_path(text)]


def _refuse(text: str) -> NoReturn:
    raise EvaluationError(f"no JSONPath: {text!r}")


# --- Pieces


def split_path(text: str) -> list[str]:
    """The pieces of a path: `$`, `.`-less names, `..`, subscripts with their brackets."""
    if text[:1] not in ("$", "@") or text[1:2] not in ("", ".", "["):
        _refuse(text)
    splitter = _Splitter()
    for char in text[1:]:
        splitter.take(char)
    return [text[0], *splitter.finish()]


class _Splitter:
    """Puts characters together to pieces. Brackets of subscripts are counted over the whole path."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._piece = ""
        self._quotes = 0
        self._parentheses = 0
        self._brackets = 0

    def take(self, char: str) -> None:
        """The next character."""
        if not self._piece:
            self._quotes = self._parentheses = 0
        self._quotes += char == "'"
        self._parentheses += (char == "(") - (char == ")")
        self._brackets += (char == "[") - (char == "]")
        self._piece += char
        if self._piece == "..":
            self._emit("..")
        elif char == "[":
            self._open()
        elif "[" in self._piece:
            if char == "]" and not self._brackets and not self._is_inside():
                self._emit(self._piece.removeprefix("."))
        elif char == "." and self._piece != "." and not self._is_inside():
            self._emit(self._piece[:-1].removeprefix("."), ".")

    def _open(self) -> None:
        """A bracket that is not the first of its piece ends a name, unless it lies within a subscript."""
        if self._piece not in ("[", ".[") and self._piece.count("[") == 1:
            self._emit(self._piece[:-1].removeprefix("."), "[")

    def _is_inside(self) -> bool:
        return self._quotes % 2 == 1 or self._parentheses != 0

    def _emit(self, piece: str, following: str = "") -> None:
        self._pieces.append(piece)
        self._piece = following

    def finish(self) -> list[str]:
        """All pieces."""
        if self._piece:
            self._emit(self._piece.removeprefix("."))
        return self._pieces


# --- Steps

_SIMPLE: Final[dict[str, type[Step]]] = {
    "$": Root,
    "@": Current,
    "*": Wildcard,
    "..": Recursive,
    "length": Length,
}


def _parse_step(piece: str) -> Step:
    piece = piece.strip()
    if not piece:
        _refuse(piece)
    if piece in _SIMPLE:
        return _SIMPLE[piece]()
    if piece[0] != "[":
        return Key(piece)
    inner = piece[1:-1].strip()
    if piece[-1] != "]" or not inner:
        _refuse(piece)
    if inner == "*":
        return Wildcard()
    if inner[0] == "?":
        if not (inner.startswith("?(") and inner.endswith(")")):
            _refuse(piece)
        return Filter(Expression(inner[2:-1].strip()))
    return _parse_subscript(piece, _Arguments(piece).read(inner))


def _parse_subscript(piece: str, arguments: list[Any]) -> Step:
    if len(arguments) == 1:
        return _parse_single(piece, arguments[0])
    values, colons, commas = _separate(arguments)
    if colons and not commas and colons <= 2:
        if colons == 1 and len(values) == 1:
            values.append(None)
        if len(values) < 2:
            _refuse(piece)
        start, stop, *stride = [_bound(piece, value) for value in values]
        return Range(start, stop, stride[0] if stride else None)
    if commas and not colons and commas < len(values):
        return Union(tuple(_selector(piece, value) for value in values))
    _refuse(piece)


def _parse_single(piece: str, argument: Any) -> Step:
    if isinstance(argument, int):
        return Index(argument)
    if _is_key(argument):
        return Key(argument[1:-1])
    if _is_script(argument):
        return Script(Expression(argument[1:-1]))
    _refuse(piece)


def _separate(arguments: list[Any]) -> tuple[list[Any], int, int]:
    """The arguments without separators, and how many colons and commas there were; `::` has an empty one."""
    values: list[Any] = []
    colons = commas = 0
    after_colon = False
    for argument in arguments:
        if argument == ":":
            colons += 1
            if after_colon:
                values.append(None)
            after_colon = True
            continue
        after_colon = False
        if argument == ",":
            commas += 1
        else:
            values.append(argument)
    return values, colons, commas


def _bound(piece: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return Expression(value[1:-1]) if _is_script(value) else _refuse(piece)


def _selector(piece: str, value: Any) -> Any:
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _is_script(value):
        return Expression(value[1:-1])
    return value[1:-1] if isinstance(value, str) and _is_key(value) else _refuse(piece)


def _is_script(text: str) -> bool:
    return len(text) > 2 and text[0] == "(" and text[-1] == ")"


def _is_key(text: str) -> bool:
    return len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]


class _Arguments:
    """Cuts what stands between the brackets of a subscript into arguments and separators."""

    def __init__(self, piece: str) -> None:
        self._whole = piece
        self._found: list[Any] = []
        self._part = ""
        self._quote = ""
        self._open = 0
        self._closed = 0

    def read(self, inner: str) -> list[Any]:
        """Ints, texts with their quotes or parentheses, `:`, `,`, and None for a missing start."""
        for index, char in enumerate(inner):
            self._part += char
            if char in "'\"":
                self._take_quote(char)
            elif char == ")":
                self._closed += 1
                if self._open == self._closed:
                    self._take_script()
            elif not self._quote:
                self._take_plain(char, index)
        if self._part:
            self._found.append(_number_or_text(self._part))
        return self._found

    def _take_plain(self, char: str, index: int) -> None:
        if char == "(":
            self._open += 1
        elif self._open != self._closed:
            return
        elif char == " ":
            self._part = self._part.strip()
        elif char == ":":
            self._take_colon(index)
        elif char == ",":
            if self._part[:-1]:
                self._found.append(_number_or_text(self._part[:-1]))
            self._separator(",")

    def _take_colon(self, index: int) -> None:
        argument = self._part[:-1]
        if argument:
            number = _number_or_text(argument)
            self._found.append(number if isinstance(number, int) else _refuse(self._whole))
        elif index == 0:
            self._found.append(None)
        self._separator(":")

    def _separator(self, char: str) -> None:
        self._found.append(char)
        self._part = ""

    def _take_script(self) -> None:
        if not _is_script(self._part):
            _refuse(self._whole)
        self._found.append(self._part)
        self._part = ""

    def _take_quote(self, char: str) -> None:
        if self._quote not in ("", char) or self._open != self._closed:
            return
        if self._part[-2:-1] == "\\":
            self._part = self._part[:-2] + char
        elif not self._quote:
            self._quote = char
            if self._part != char:
                _refuse(self._whole)
        else:
            self._quote = ""
            if not _is_key(self._part):
                _refuse(self._whole)
            self._found.append(self._part)
            self._part = ""


def _number_or_text(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text
