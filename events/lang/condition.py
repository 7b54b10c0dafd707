"""Trigger conditions: dependency names joined by `&&`, `||` and parentheses.

Grammar   or = and ("||" and)* ; and = operand ("&&" operand)* ; operand = name | "(" or ")"
Names     a letter, then letters, digits, `_`, `-`; `-` and `_` are one character for comparison
Between   blanks, line ends, `// to the end of the line`, `/* comments */`
Default   no text: all dependencies joined by `&&`
Refused   what Argo Events accepts by accident: quoted names, names that `-` and `_` make equal
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from events.errors import ExpressionError, shorten

Test = Callable[[Container[str]], bool]

MAX_LENGTH: Final = 32_768  # characters
MAX_DEPTH: Final = 50  # parentheses in parentheses

_BLANK: Final = re.compile(
    "(?:[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|//[^\n]*|/\\*.*?\\*/)+", re.DOTALL
)
_TOKEN: Final = re.compile(r"&&|\|\||[()]|\w(?:\w|-)*")
_NO_OPERAND: Final = frozenset(("&&", "||", ")", ""))
_RESERVED: Final = {
    "and": "write && instead of",
    "or": "write || instead of",
    "not": "conditions have no negation:",
} | dict.fromkeys(
    ("in", "IN", "let", "matches", "contains", "startsWith", "endsWith", "nil", "true", "false"),
    "no dependency can be called",
)
_UNUSABLE: Final = frozenset(("in", "IN", "true", "false"))  # also where no text names them
_NAMES_ARE: Final = "names are letters, digits, - and _, and start with a letter"
_ADVICE: Final = {
    "!": "conditions have no negation",
    "&": "write && for and",
    "|": "write || for or",
    ",": "join names with && or ||",
    '"': "write names without quotes",
    "'": "write names without quotes",
}


@dataclass(frozen=True, slots=True)
class Join:
    """Operands joined by one operator: `&&` if `every`, else `||`."""

    every: bool
    operands: tuple[Node, ...]


Node = str | Join


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition.

    `names` are the dependencies it waits on, in the order of the text, `normalized` is the text without
    blanks. `holds`: an event alone may not be enough, so events have to be kept. `true_for(held)` tells
    whether the condition is true once events of the held dependencies are there.
    """

    source: str
    names: tuple[str, ...]
    holds: bool
    normalized: str
    tree: Node = field(repr=False, compare=False)
    true_for: Test = field(repr=False, compare=False)


def compile_condition(text: str | None, dependencies: Sequence[str]) -> Condition:
    """Read a condition over declared dependency names; None or "" joins all of them by `&&`.

    Raises ExpressionError that says what is wrong and what to write instead.
    """
    if not text:
        return _default(dict.fromkeys(dependencies))
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"condition is longer than {MAX_LENGTH} characters", text)
    parser = _Parser(text, dependencies)
    tree = parser.parse()
    return _condition(text, tree, parser.names, "".join(parser.read))


def minimal_sets(condition: Condition, limit: int = 100) -> list[frozenset[str]]:
    """The smallest sets of dependencies that make the condition true, smallest first.

    Their number can grow exponentially with the text: beyond `limit` only some of them are returned.
    """
    return _minimal_sets(condition.tree, limit)


class _Parser:
    """Recursive descent over one text; `read` collects what was read, `names` the dependencies in it."""

    def __init__(self, text: str, dependencies: Iterable[str]) -> None:
        self.text, self.position, self.depth = text, 0, 0
        self.read: list[str] = []
        self.names: dict[str, None] = {}
        self.declared: dict[str, list[str]] = {}
        for name in dict.fromkeys(dependencies):
            self.declared.setdefault(name.replace("-", "_"), []).append(name)
        self.word = self._next()

    def parse(self) -> Node:
        tree = self._any()
        if self.word:
            raise self._error("&& or || is missing before" if self.word != ")" else "nothing is open before")
        return tree

    def _any(self) -> Node:
        operands = [self._every()]
        while self.word == "||":
            self._take("||")
            operands.append(self._every())
        return _join(False, operands)

    def _every(self) -> Node:
        operands = [self._operand()]
        while self.word == "&&":
            self._take("&&")
            operands.append(self._operand())
        return _join(True, operands)

    def _operand(self) -> Node:
        if self.word in _NO_OPERAND:
            raise self._error("a dependency name is missing before")
        return self._group() if self.word == "(" else self._name()

    def _group(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} parentheses in one another at")
        self._take("(")
        tree = self._any()
        if self.word != ")":
            raise self._error("&&, || or ) is missing before")
        self._take(")")
        self.depth -= 1
        return tree

    def _name(self) -> str:
        if not _is_name(self.word):
            raise self._error(f"{_NAMES_ARE}:")
        known = self.declared.get(self.word.replace("-", "_"), [])
        if not known:
            declared = shorten(", ".join(name for names in self.declared.values() for name in names))
            raise self._error(f"declared are {declared}: unknown dependency")
        if len(known) > 1:
            raise self._error(f"{' and '.join(known)} are the same name in a condition:")
        self.names[known[0]] = None
        self._take(known[0])
        return known[0]

    def _take(self, read: str) -> None:
        self.read.append(read)
        self.position += len(self.word)
        self.word = self._next()

    def _next(self) -> str:
        if blank := _BLANK.match(self.text, self.position):
            self.position = blank.end()
        if self.position == len(self.text):
            return ""
        token = _TOKEN.match(self.text, self.position)
        if token is None:
            wrong = self.text[self.position]
            raise self._error(f"{_ADVICE.get(wrong, _NAMES_ARE)}: unexpected", wrong)
        if token[0] in _RESERVED:
            raise self._error(_RESERVED[token[0]], token[0])
        return token[0]

    def _error(self, message: str, token: str | None = None) -> ExpressionError:
        token = self.word if token is None else token
        return ExpressionError(f"{message} {repr(token) if token else 'the end'}", self.text, self.position)


def _default(names: dict[str, None]) -> Condition:
    text = "&&".join(names)
    if not names:
        raise ExpressionError("there is no dependency to wait on", text)
    for name in names:
        if name in _UNUSABLE or not _is_name(name):
            raise ExpressionError(f"dependency {name!r} needs another name: {_NAMES_ARE}", text)
    return _condition(text, _join(True, list(names)), names, text)


def _condition(text: str, tree: Node, names: Iterable[str], normalized: str) -> Condition:
    waits_on = tuple(names)
    return Condition(text, waits_on, len(_sufficient(tree)) < len(waits_on), normalized, tree, _test(tree))


def _is_name(token: str) -> bool:
    return token[:1].isalpha() and all(char.isalpha() or char.isdecimal() or char in "-_" for char in token)


def _join(every: bool, operands: list[Node]) -> Node:
    if len(operands) == 1:
        return operands[0]
    flat: list[Node] = []
    for operand in operands:
        same = isinstance(operand, Join) and operand.every == every
        flat.extend(operand.operands if isinstance(operand, Join) and same else [operand])
    return Join(every, tuple(flat))


def _sufficient(node: Node) -> set[str]:
    """The dependencies of which one event alone makes the node true."""
    if isinstance(node, str):
        return {node}
    parts = [_sufficient(operand) for operand in node.operands]
    return set.intersection(*parts) if node.every else set.union(*parts)


def _test(node: Node) -> Test:
    if isinstance(node, str):
        return lambda held: node in held
    names = [operand for operand in node.operands if isinstance(operand, str)]
    tests = [_test(operand) for operand in node.operands if isinstance(operand, Join)]
    return _every(names, tests) if node.every else _any(names, tests)


def _every(names: list[str], tests: list[Test]) -> Test:
    def every(held: Container[str]) -> bool:
        for name in names:
            if name not in held:
                return False
        return all(test(held) for test in tests) if tests else True

    return every


def _any(names: list[str], tests: list[Test]) -> Test:
    def any_of(held: Container[str]) -> bool:
        for name in names:
            if name in held:
                return True
        return any(test(held) for test in tests) if tests else False

    return any_of


def _minimal_sets(node: Node, limit: int) -> list[frozenset[str]]:
    if isinstance(node, str):
        return [frozenset((node,))]
    parts = [_minimal_sets(operand, limit) for operand in node.operands]
    if not node.every:
        return _smallest((one for part in parts for one in part), limit)
    sets = [frozenset[str]()]
    for part in parts:
        sets = _smallest((left | right for left, right in product(sets, part)), limit)
    return sets


def _smallest(sets: Iterable[frozenset[str]], limit: int) -> list[frozenset[str]]:
    """Drop the sets that contain another one, keep the `limit` smallest; equal sizes by name."""
    kept: list[frozenset[str]] = []
    for candidate in sorted(set(sets), key=lambda one: (len(one), sorted(one))):
        if len(kept) == limit:
            break
        if not any(smaller <= candidate for smaller in kept):
            kept.append(candidate)
    return kept
