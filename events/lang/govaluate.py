"""Expressions of Sensor `filters.exprs`, in the language of Knetic/govaluate without functions.

Operands   numbers, strings, dates, booleans, variables (`name`, `[any name]`), parentheses; `()` is null
Operators  from tight to loose: prefix ! - ~, **, * / %, + -, << >>, & | ^, comparisons == != < <= > >= =~
           !~ in, &&, ||, ternary ? : ??, comma (makes a list); all of them group to the left
Ignored    whatever follows a `)` and is no operator: `(a == 1) 5` is `a == 1`, as in govaluate
Compiled   to closures once; constants are computed and patterns compiled then
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from events.errors import EvaluationError, ExpressionError
from events.lang.govaluate_operators import BINARY, Binary, complement, wrong
from events.lang.govaluate_tokens import Kind, Token, tokenize
from events.lang.regex import Regex, compile_regex

Variables = Mapping[str, Any]
Evaluate = Callable[[Variables], Any]
Step = Callable[[Any, Variables], Any]

MAX_LENGTH: Final = 32_768  # characters
MAX_DEPTH: Final = 150  # operators and parentheses in one another

_LEVELS: Final = (
    (",",),
    ("?", ":", "??"),
    ("||",),
    ("&&",),
    ("==", "!=", ">", ">=", "<", "<=", "=~", "!~", "in"),
    ("&", "|", "^"),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
    ("**",),
)
_LEVEL: Final = {symbol: level for level, symbols in enumerate(_LEVELS) for symbol in symbols}
_OPERATORS: Final = frozenset((Kind.COMMA, Kind.TERNARY, Kind.LOGICAL, Kind.COMPARATOR, Kind.MODIFIER))
_CONSTANTS: Final = frozenset((Kind.NUMBER, Kind.BOOLEAN, Kind.STRING, Kind.DATE, Kind.PATTERN))


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; `names` are the variables in it."""

    source: str
    names: frozenset[str]
    run: Evaluate = field(repr=False, compare=False)

    def evaluate(self, variables: Variables) -> Any:
        """The value for decoded JSON variables: None, bool, float, str, list or dict.

        Raises EvaluationError for an unknown variable and for operands of a wrong kind.
        """
        try:
            return self.run(variables)
        except EvaluationError as exc:
            raise EvaluationError(exc.message, self.source, exc.dependency) from exc
        except RecursionError as exc:
            raise EvaluationError("expression is nested too deeply", self.source) from exc


class Node(NamedTuple):
    """A part of an expression; one that is `constant` needs no variables."""

    run: Evaluate
    constant: bool = False


def compile_expression(text: str) -> Expression:
    """Read a govaluate expression. Raises ExpressionError, also for one that is too long or too deep."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"expression is longer than {MAX_LENGTH} characters", text)
    try:
        tokens = _tokens(text)
        node = _Planner(text, tokens).level(0)
    except RecursionError as exc:
        raise ExpressionError("expression is nested too deeply", text) from exc
    names = frozenset(token.value for token in tokens if token.kind is Kind.VARIABLE)
    return Expression(text, names, node.run)


def _tokens(text: str) -> list[Token]:
    try:
        return tokenize(text)
    except ExpressionError as first:
        if not ("'" in text and '"' in text):
            raise
        try:
            return tokenize(text, either_quote=True)
        except ExpressionError:
            raise first from None


class _Planner:
    """Makes closures of tokens by recursive descent; one loop per level of precedence."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text, self.tokens, self.index, self.depth = text, tokens, 0, 0

    def level(self, level: int) -> Node:
        """What stands here up to an operator looser than `level`, or to anything that is no operator."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError("expression is nested too deeply", self.text, self._position())
        chain = _Chain(self._operand())
        while (symbol := self._operator()) and _LEVEL[symbol] >= level:
            if symbol == ",":
                chain = _Chain(self._list(chain.node()))
                break
            self.index += 1
            chain.add(symbol, self.level(_LEVEL[symbol] + 1))
        self.depth -= 1
        return chain.node()

    def _list(self, first: Node) -> Node:
        nodes = [first]
        while self._operator() == ",":
            self.index += 1
            nodes.append(self.level(1))
        return _folded(Node(_list(nodes), all(node.constant for node in nodes)))

    def _operand(self) -> Node:
        if self.index == len(self.tokens):
            raise ExpressionError("expression ends where a value is expected", self.text, len(self.text))
        token = self.tokens[self.index]
        if token.kind is Kind.CLOSE:
            return _constant(None)
        self.index += 1
        if token.kind in _CONSTANTS:
            return _constant(token.value)
        if token.kind is Kind.VARIABLE:
            return Node(_variable(token.value))
        if token.kind is Kind.PREFIX:
            return _folded(_prefix(token.value, self._operand()))
        if token.kind is Kind.OPEN:
            return self._group()
        return self._member(token)

    def _group(self) -> Node:
        node = self.level(0)
        self.index += 1  # the closing parenthesis, or what stands in its place and is ignored
        return node

    def _member(self, token: Token) -> Node:
        """Struct fields and methods: JSON has none, so only the error is left once it is reached."""
        if token.kind is not Kind.ACCESSOR:
            raise ExpressionError(f"{token.kind.value} is no value", self.text, token.position)
        if self.index < len(self.tokens) and self.tokens[self.index].kind is Kind.OPEN:
            self.level(0)
        return Node(_no_member(token.value))

    def _operator(self) -> str | None:
        if self.index == len(self.tokens) or self.tokens[self.index].kind not in _OPERATORS:
            return None
        return str(self.tokens[self.index].value)

    def _position(self) -> int:
        return self.tokens[min(self.index, len(self.tokens) - 1)].position


class _Chain:
    """Operators of one expression in the order in which they are computed: one loop, no nesting."""

    def __init__(self, first: Node) -> None:
        self.first = first
        self.steps: list[Step] = []

    def add(self, symbol: str, right: Node) -> None:
        """Apply an operator to what is there so far."""
        step = _step(symbol, right)
        if right.constant and self.first.constant and not self.steps:
            folded = _folded(Node(_chain(self.first.run, [step]), constant=True))
            if folded.constant:
                self.first = folded
                return
        self.steps.append(step)

    def node(self) -> Node:
        """The whole chain as one part."""
        return Node(_chain(self.first.run, self.steps)) if self.steps else self.first


def _chain(first: Evaluate, steps: list[Step]) -> Evaluate:
    if len(steps) == 1:
        step = steps[0]
        return lambda variables: step(first(variables), variables)

    def run(variables: Variables) -> Any:
        value = first(variables)
        for step in steps:
            value = step(value, variables)
        return value

    return run


def _list(nodes: list[Node]) -> Evaluate:
    """Commas: a list of all values; where the first is a list, the others are added to it."""
    runs = [node.run for node in nodes]

    def run(variables: Variables) -> list[Any]:
        values = [run(variables) for run in runs]
        return values[0] + values[1:] if type(values[0]) is list else values

    return run


def _constant(value: Any) -> Node:
    return Node(lambda _: value, constant=True)


def _folded(node: Node) -> Node:
    """The value of a constant part, computed now; one that fails has to fail when it is reached."""
    if not node.constant:
        return node
    try:
        return _constant(node.run({}))
    except EvaluationError:
        return Node(node.run)


def _step(symbol: str, right: Node) -> Step:
    if symbol in _LAZY:
        return _LAZY[symbol](right.run)
    compute = BINARY[symbol]
    if not right.constant:
        run = right.run
        return lambda left, variables: compute(left, run(variables))
    return _constant_step(symbol, compute, right.run({}))


def _constant_step(symbol: str, compute: Binary, value: Any) -> Step:
    if symbol in ("==", "!=") and type(value) in (str, float, bool):
        return _scalar_step(value, type(value), same=symbol == "==")
    if symbol in ("=~", "!~") and type(value) is str:
        value = _pattern(value)
    return lambda left, _: compute(left, value)


def _scalar_step(value: Any, kind: type, *, same: bool) -> Step:
    if same:
        return lambda left, _: type(left) is kind and left == value
    return lambda left, _: type(left) is not kind or left != value


def _pattern(text: str) -> Regex | str:
    """A pattern that is computed from constants fails only when it is reached."""
    try:
        return compile_regex(text)
    except ExpressionError:
        return text


def _both(right: Evaluate) -> Step:
    def step(left: Any, variables: Variables) -> bool:
        if left is False:
            return False
        return _boolean("&&", left) and _boolean("&&", right(variables))

    return step


def _either(right: Evaluate) -> Step:
    def step(left: Any, variables: Variables) -> bool:
        if left is True:
            return True
        return _boolean("||", left) or _boolean("||", right(variables))

    return step


def _then(right: Evaluate) -> Step:
    return lambda left, variables: right(variables) if _boolean("?", left) else None


def _otherwise(right: Evaluate) -> Step:
    return lambda left, variables: right(variables) if left is None else left


_LAZY: Final[dict[str, Callable[[Evaluate], Step]]] = {
    "&&": _both,
    "||": _either,
    "?": _then,
    ":": _otherwise,
    "??": _otherwise,
}


def _boolean(symbol: str, value: Any) -> bool:
    if type(value) is not bool:
        raise wrong(symbol, value, "booleans")
    return value


def _prefix(symbol: str, operand: Node) -> Node:
    run = operand.run
    if symbol == "!":
        return Node(lambda variables: not _boolean("!", run(variables)), operand.constant)
    compute = complement if symbol == "~" else float.__neg__

    def computed(variables: Variables) -> float:
        value = run(variables)
        if type(value) is not float:
            raise wrong(symbol, value, "a number")
        return compute(value)

    return Node(computed, operand.constant)


def _variable(name: str) -> Evaluate:
    def run(variables: Variables) -> Any:
        try:
            value = variables[name]
        except KeyError:
            raise EvaluationError(f"no variable {name!r}") from None
        return float(value) if type(value) is int else value

    return run


def _no_member(name: str) -> Evaluate:
    def run(_: Variables) -> Any:
        raise EvaluationError(f"members of objects cannot be read with a dot: write [{name}]")

    return run
